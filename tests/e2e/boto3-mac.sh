#!/bin/bash
# HMAC keys, GenerateMac, VerifyMac through Debian's boto3 and the newest one.
source "$(dirname "$0")/setup.bash"
cluster
(newer_model botocore && py boto3_mac.py)
newest_boto3 || exit 0
py boto3_mac.py
