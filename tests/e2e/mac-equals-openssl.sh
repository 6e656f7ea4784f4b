#!/bin/bash
# Tags of imported HMAC keys are bit for bit those of OpenSSL: RFC 4231, and random messages of every length.
source "$(dirname "$0")/setup.bash"
cluster
py mac_openssl.py ${QKMS_MAC_SEED:+"$QKMS_MAC_SEED"}
