#!/bin/bash
# Symmetric keys with the AWS CLI: encryption, data keys, rotation, and their typed errors.
source "$(dirname "$0")/setup.bash"
cluster
newer_model awscli.botocore
export AWS_MAX_ATTEMPTS=2
none=12345678-1234-1234-1234-123456789012
context='purpose=test,tenant=1'
symmetric() { kms create-key "$@" --query KeyMetadata.Arn --output text; }
blob() { base64 -d >"$1"; } # of a text output, into a file
opens() { kms decrypt --ciphertext-blob "fileb://$1" --query Plaintext --output text "${@:2}" | base64 -d >"$WORK/opened"; }
same() { # WHAT BLOB PLAIN ARGUMENTS...
    opens "$2" "${@:4}" || fail "$1"
    cmp "$3" "$WORK/opened" || fail "$1: something else was decrypted"
    ok "$1"
}
printf 'a secret of 31 bytes, no newline' >"$WORK/plain"

key=$(symmetric)
v=$(symmetric --tags TagKey=qkms:modes,TagValue=V)
f=$(symmetric --tags TagKey=qkms:modes,TagValue=F --description 'post-quantum')
equal "CreateKey makes SYMMETRIC_DEFAULT" "$(kms describe-key --key-id "$key" --query 'KeyMetadata.[KeySpec,KeyUsage,EncryptionAlgorithms[0]]' --output text | tr '\t' ' ')" \
    "SYMMETRIC_DEFAULT ENCRYPT_DECRYPT SYMMETRIC_DEFAULT"
for arn in "$key" "$v" "$f"; do
    kms encrypt --key-id "$arn" --plaintext "fileb://$WORK/plain" --encryption-context "$context" --query CiphertextBlob --output text | blob "$WORK/blob"
    same "Decrypt" "$WORK/blob" "$WORK/plain" --encryption-context "$context"
    same "Decrypt with KeyId" "$WORK/blob" "$WORK/plain" --encryption-context "$context" --key-id "$arn"
    refused "another context" InvalidCiphertextException opens "$WORK/blob" --encryption-context purpose=test,tenant=2
    refused "no context" InvalidCiphertextException opens "$WORK/blob"
    head -c 90 "$WORK/blob" >"$WORK/cut"
    refused "a blob that was cut" InvalidCiphertextException opens "$WORK/cut" --encryption-context "$context"
done
refused "Decrypt with another key" IncorrectKeyException opens "$WORK/blob" --encryption-context "$context" --key-id "$key"

kms re-encrypt --ciphertext-blob "fileb://$WORK/blob" --source-encryption-context "$context" --destination-key-id "$key" \
    --destination-encryption-context a=b --query CiphertextBlob --output text | blob "$WORK/moved"
same "ReEncrypt" "$WORK/moved" "$WORK/plain" --encryption-context a=b --key-id "$key"

for wish in '--key-spec AES_256:32' '--key-spec AES_128:16' '--number-of-bytes 64:64'; do
    # shellcheck disable=SC2086
    kms generate-data-key --key-id "$key" ${wish%:*} --encryption-context "$context" >"$WORK/made"
    jq -r .Plaintext "$WORK/made" | blob "$WORK/data-key"
    jq -r .CiphertextBlob "$WORK/made" | blob "$WORK/blob"
    equal "GenerateDataKey ${wish%:*}" "$(stat -c %s "$WORK/data-key")" "${wish#*:}"
    same "its blob opens" "$WORK/blob" "$WORK/data-key" --encryption-context "$context"
done
kms generate-data-key-without-plaintext --key-id "$key" --key-spec AES_256 --query CiphertextBlob --output text | blob "$WORK/blob"
opens "$WORK/blob"
equal "GenerateDataKeyWithoutPlaintext" "$(stat -c %s "$WORK/opened")" 32

for spec in RSA_2048 ECC_NIST_P256 ECC_SECG_P256K1 ECC_NIST_EDWARDS25519; do
    kms generate-data-key-pair --key-id "$key" --key-pair-spec $spec --encryption-context "$context" >"$WORK/made"
    jq -r .PrivateKeyPlaintext "$WORK/made" | blob "$WORK/private"
    jq -r .PrivateKeyCiphertextBlob "$WORK/made" | blob "$WORK/blob"
    equal "GenerateDataKeyPair $spec: OpenSSL finds its public key" \
        "$(openssl pkey -inform DER -in "$WORK/private" -pubout -outform DER | base64 -w 0)" "$(jq -r .PublicKey "$WORK/made")"
    same "its blob opens" "$WORK/blob" "$WORK/private" --encryption-context "$context"
    kms generate-data-key-pair-without-plaintext --key-id "$v" --key-pair-spec $spec >"$WORK/made"
    jq -r .PrivateKeyCiphertextBlob "$WORK/made" | blob "$WORK/blob"
    opens "$WORK/blob"
    equal "GenerateDataKeyPairWithoutPlaintext $spec" \
        "$(openssl pkey -inform DER -in "$WORK/opened" -pubout -outform DER | base64 -w 0)" "$(jq -r .PublicKey "$WORK/made")"
done
equal "GenerateRandom" "$(kms generate-random --number-of-bytes 1000 --query Plaintext --output text | base64 -d | wc -c)" 1000

kms encrypt --key-id "$key" --plaintext "fileb://$WORK/plain" --query CiphertextBlob --output text | blob "$WORK/blob"
kms enable-key-rotation --key-id "$key"
equal "EnableKeyRotation" "$(kms get-key-rotation-status --key-id "$key" --query KeyRotationEnabled --output text)" True
kms disable-key-rotation --key-id "$key"
equal "DisableKeyRotation" "$(kms get-key-rotation-status --key-id "$key" --query KeyRotationEnabled --output text)" False
equal "RotateKeyOnDemand" "$(kms rotate-key-on-demand --key-id "$key" --query KeyId --output text)" "$key"
equal "ListKeyRotations" "$(kms list-key-rotations --key-id "$key" --query 'Rotations[].RotationType' --output text)" ON_DEMAND
same "what is older opens" "$WORK/blob" "$WORK/plain" --key-id "$key"

signing=$(new_key)
document="KeyEncryptionAlgorithm=RSAES_OAEP_SHA_256,AttestationDocument=$(head -c 32 /dev/zero | base64)"
refused "Encrypt with an unknown key" NotFoundException kms encrypt --key-id $none --plaintext "fileb://$WORK/plain"
refused "ReEncrypt to an unknown key" NotFoundException kms re-encrypt --ciphertext-blob "fileb://$WORK/blob" --destination-key-id $none
refused "modes that are none" ValidationException symmetric --tags TagKey=qkms:modes,TagValue=X
for call in "encrypt --plaintext fileb://$WORK/plain" "decrypt --ciphertext-blob fileb://$WORK/blob" "generate-data-key --key-spec AES_256" \
    "generate-data-key-without-plaintext --key-spec AES_256" "generate-data-key-pair --key-pair-spec RSA_2048" \
    "generate-data-key-pair-without-plaintext --key-pair-spec RSA_2048"; do
    read -r -a command <<<"$call"
    refused "${command[0]} with a signing key" InvalidKeyUsageException kms "${command[@]}" --key-id "$signing"
    refused "${command[0]} with DryRun" DryRunOperationException kms "${command[@]}" --key-id "$key" --dry-run
    case $call in
        decrypt* | 'generate-data-key '* | 'generate-data-key-pair '*)
            refused "${command[0]} for a Recipient fails closed" ValidationException kms "${command[@]}" --key-id "$key" --recipient "$document"
            ;;
    esac
done
refused "generate-random for a Recipient fails closed" ValidationException kms generate-random --number-of-bytes 16 --recipient "$document"
refused "rotate-key-on-demand of a signing key" UnsupportedOperationException kms rotate-key-on-demand --key-id "$signing"
refused "enable-key-rotation of a signing key" UnsupportedOperationException kms enable-key-rotation --key-id "$signing"
kms disable-key --key-id "$key"
refused "Encrypt with a disabled key" DisabledException kms encrypt --key-id "$key" --plaintext "fileb://$WORK/plain"
refused "Decrypt with it" DisabledException opens "$WORK/blob"
refused "RotateKeyOnDemand with it" DisabledException kms rotate-key-on-demand --key-id "$key"
kms enable-key --key-id "$key"
same "enabled, it opens again" "$WORK/blob" "$WORK/plain"
