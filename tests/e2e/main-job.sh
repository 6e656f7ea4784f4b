#!/bin/bash
# The AWS CLI makes keys on all four curves, signs messages and digests; OpenSSL verifies them.
source "$(dirname "$0")/setup.bash"
cluster

echo "a message worth a signature" >"$WORK/message"
for row in ECC_NIST_P256:ECDSA_SHA_256:sha256 ECC_SECG_P256K1:ECDSA_SHA_256:sha256 \
    ECC_NIST_P384:ECDSA_SHA_384:sha384 ECC_NIST_P521:ECDSA_SHA_512:sha512; do
    IFS=: read -r spec algorithm hash <<<"$row"
    key=$(new_key "$spec")
    public_pem "$key" "$WORK/key.pem"

    sign_file "$key" "$WORK/message" "$algorithm" "$WORK/raw.sig"
    openssl dgst "-$hash" -verify "$WORK/key.pem" -signature "$WORK/raw.sig" "$WORK/message" >/dev/null ||
        fail "$spec: OpenSSL refuses the signature of a message"
    ok "$spec: OpenSSL verifies the signature of a message"

    openssl dgst "-$hash" -binary -out "$WORK/digest" "$WORK/message"
    kms sign --key-id "$key" --message "fileb://$WORK/digest" --message-type DIGEST \
        --signing-algorithm "$algorithm" --query Signature --output text | base64 -d >"$WORK/digest.sig"
    openssl dgst "-$hash" -verify "$WORK/key.pem" -signature "$WORK/digest.sig" "$WORK/message" >/dev/null ||
        fail "$spec: OpenSSL refuses the signature of a digest"
    ok "$spec: OpenSSL verifies the signature of a digest"

    equal "$spec: Verify accepts it" "$(kms verify --key-id "$key" --message "fileb://$WORK/message" \
        --message-type RAW --signing-algorithm "$algorithm" --signature "fileb://$WORK/raw.sig" \
        --query SignatureValid --output text)" True
done

equal "DescribeKey tells the spec" "$(kms describe-key --key-id "$key" --query KeyMetadata.KeySpec --output text)" ECC_NIST_P521
equal "ListKeys lists them" "$(kms list-keys --query 'length(Keys)' --output text)" 4
equal "CreateKey takes a description" "$(kms create-key --key-spec ECC_NIST_P256 --key-usage SIGN_VERIFY \
    --description 'for invoices' --query KeyMetadata.Description --output text)" 'for invoices'
kms update-key-description --key-id "$key" --description changed
equal "UpdateKeyDescription" "$(kms describe-key --key-id "$key" --query KeyMetadata.Description --output text)" changed
equal "GetCallerIdentity" "$(aws_cli sts get-caller-identity --query Account --output text)" "$ACCOUNT"
