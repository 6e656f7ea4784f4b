#!/bin/bash
# Every operation of signing keys through Debian's boto3 and the newest one.
source "$(dirname "$0")/setup.bash"
cluster
# Debian's is older than DryRun: the model it would get with an upgrade.
py newer_model.py "$WORK/models" botocore
AWS_DATA_PATH=$WORK/models py boto3_ops.py
newest_boto3 || exit 0
py boto3_ops.py
