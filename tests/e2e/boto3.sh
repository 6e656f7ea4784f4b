#!/bin/bash
# Every operation through Debian's boto3 and, where PyPI can be reached, the newest one.
source "$(dirname "$0")/setup.bash"
cluster
# Debian's is older than DryRun: the model it would get with an upgrade.
py dryrun_model.py "$WORK/models" botocore
AWS_DATA_PATH=$WORK/models py boto3_ops.py
venv=$ROOT/build/e2e-venv
if [ ! -x "$venv/bin/python" ] || ! "$venv/bin/python" -c 'import boto3' 2>/dev/null; then
    rm -rf "$venv"
    /usr/bin/python3 -m venv "$venv" && "$venv/bin/pip" install -q --disable-pip-version-check boto3 >"$WORK/pip.log" 2>&1 ||
        { rm -rf "$venv"; ok "(the newest boto3 is not tried: PyPI cannot be reached)"; exit 0; }
fi
PYTHON=$venv/bin/python py boto3_ops.py
