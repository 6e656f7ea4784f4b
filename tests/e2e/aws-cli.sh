#!/bin/bash
# The AWS CLI meets the typed error of every operation, and DryRun, which it learns from a service model
# as `aws configure add-model` would install it. What succeeds is in main-job.sh and disabled-key.sh.
source "$(dirname "$0")/setup.bash"
cluster
export AWS_MAX_ATTEMPTS=2
key=$(new_key)
none=12345678-1234-1234-1234-123456789012
echo hello >"$WORK/message"
sign_file "$key" "$WORK/message" ECDSA_SHA_256 "$WORK/sig"
use=(--key-id "$key" --message "fileb://$WORK/message" --message-type RAW --signing-algorithm)

refused "CreateKey with a policy that is none" MalformedPolicyDocumentException \
    kms create-key --key-spec ECC_NIST_P256 --key-usage SIGN_VERIFY --policy '{'
refused "CreateKey of a kind that is not served" UnsupportedOperationException kms create-key --key-spec RSA_2048 --key-usage SIGN_VERIFY
refused "DescribeKey of an unknown key" NotFoundException kms describe-key --key-id $none
refused "GetPublicKey of an unknown key" NotFoundException kms get-public-key --key-id $none
refused "ListKeys from a marker that is none" InvalidMarkerException kms list-keys --marker nonsense
refused "Sign with an algorithm of another curve" InvalidKeyUsageException kms sign "${use[@]}" ECDSA_SHA_512
refused "Verify of another signature" KMSInvalidSignatureException \
    kms verify "${use[@]}" ECDSA_SHA_256 --signature "$(head -c 70 /dev/zero | base64 -w 0)"
refused "UpdateKeyDescription of an unknown key" NotFoundException kms update-key-description --key-id $none --description x
refused "CancelKeyDeletion of a key that waits for none" KMSInvalidStateException kms cancel-key-deletion --key-id "$key"
refused "an operation that is not served" UnsupportedOperationException kms list-aliases
refused "GetCallerIdentity with an unknown access key" InvalidClientTokenId \
    env AWS_ACCESS_KEY_ID=AKIAAAAAAAAAAAAAAAAA AWS_SECRET_ACCESS_KEY=x bash -c \
    "source '$ROOT/deploy/lib.sh'; aws_cli sts get-caller-identity"

newer_model awscli.botocore
refused "Sign with DryRun" DryRunOperationException kms sign "${use[@]}" ECDSA_SHA_256 --dry-run
refused "Verify with DryRun" DryRunOperationException kms verify "${use[@]}" ECDSA_SHA_256 --signature "fileb://$WORK/sig" --dry-run
unset AWS_DATA_PATH

kms schedule-key-deletion --key-id "$key" --pending-window-in-days 7 >/dev/null
for operation in enable-key disable-key schedule-key-deletion; do
    refused "$operation of a key that waits for its deletion" KMSInvalidStateException kms $operation --key-id "$key"
done
refused "Sign with it" KMSInvalidStateException kms sign "${use[@]}" ECDSA_SHA_256
