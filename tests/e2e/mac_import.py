"""mac_import.py [BITS [PROFILE]]: an HMAC key with random material of one block; prints its ARN and the material in hex."""
import os
import sys

import qkms
from wrapping import bring

bits = int(sys.argv[1]) if len(sys.argv) > 1 else 256
kms = qkms.client(attempts=6)
material = os.urandom(64 if bits <= 256 else 128)
arn = qkms.new_mac(kms, bits, sys.argv[2] if len(sys.argv) > 2 else None, Origin="EXTERNAL")
bring(kms, arn, material)
print(arn, material.hex())
