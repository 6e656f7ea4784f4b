#!/bin/bash
# HMAC keys with the AWS CLI: tags of every spec, their verification, import, typed errors; and over restarts.
source "$(dirname "$0")/setup.bash"
cluster
newer_model awscli.botocore
export AWS_MAX_ATTEMPTS=2
printf 'a message of thirty-one bytes..' >"$WORK/message"
hmac_key() { kms create-key --key-spec "HMAC_$1" --key-usage GENERATE_VERIFY_MAC "${@:2}" --query KeyMetadata.Arn --output text; }
generate() { # KEY BITS OUT
    kms generate-mac --key-id "$1" --message "fileb://$WORK/message" --mac-algorithm "HMAC_SHA_$2" --query Mac --output text | base64 -d >"$3"
}
verify() { # KEY BITS MAC
    kms verify-mac --key-id "$1" --message "fileb://$WORK/message" --mac-algorithm "HMAC_SHA_$2" --mac "fileb://$3" --query MacValid --output text
}
declare -A key
for bits in 224 256 384 512; do
    key[$bits]=$(hmac_key $bits)
    equal "CreateKey HMAC_$bits" "$(kms describe-key --key-id "${key[$bits]}" --query 'KeyMetadata.[KeySpec,KeyUsage,MacAlgorithms[0],KeyState]' --output text | tr '\t' ' ')" \
        "HMAC_$bits GENERATE_VERIFY_MAC HMAC_SHA_$bits Enabled"
    generate "${key[$bits]}" $bits "$WORK/mac-$bits"
    equal "GenerateMac HMAC_SHA_$bits" "$(stat -c %s "$WORK/mac-$bits")" $((bits / 8))
    equal "VerifyMac" "$(verify "${key[$bits]}" $bits "$WORK/mac-$bits")" True
    head -c $((bits / 8 - 1)) "$WORK/mac-$bits" >"$WORK/cut"
    refused "VerifyMac of a truncated MAC" KMSInvalidMacException verify "${key[$bits]}" $bits "$WORK/cut"
    head -c $((bits / 8)) /dev/zero >"$WORK/wrong"
    refused "VerifyMac of another MAC" KMSInvalidMacException verify "${key[$bits]}" $bits "$WORK/wrong"
done
strict=$(hmac_key 256 --tags TagKey=qkms:mac-profile,TagValue=strict)
generate "$strict" 256 "$WORK/mac-strict"
equal "profile S" "$(verify "$strict" 256 "$WORK/mac-strict")" True
refused "the tag of one key is none of another" KMSInvalidMacException verify "${key[256]}" 256 "$WORK/mac-strict"

# Known material: the tag is OpenSSL's.
imported=$(hmac_key 256 --origin EXTERNAL)
openssl rand -out "$WORK/material" 50
kms get-parameters-for-import --key-id "$imported" --wrapping-algorithm RSAES_OAEP_SHA_256 --wrapping-key-spec RSA_2048 >"$WORK/parameters"
jq -r .PublicKey "$WORK/parameters" | base64 -d >"$WORK/public"
jq -r .ImportToken "$WORK/parameters" | base64 -d >"$WORK/token"
openssl pkeyutl -encrypt -pubin -keyform DER -inkey "$WORK/public" -pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256 \
    -pkeyopt rsa_mgf1_md:sha256 -in "$WORK/material" -out "$WORK/wrapped"
kms import-key-material --key-id "$imported" --import-token "fileb://$WORK/token" --encrypted-key-material "fileb://$WORK/wrapped" \
    --expiration-model KEY_MATERIAL_DOES_NOT_EXPIRE >/dev/null
generate "$imported" 256 "$WORK/mac-imported"
openssl dgst -sha256 -mac HMAC -macopt "hexkey:$(od -An -v -tx1 "$WORK/material" | tr -d ' \n')" -binary "$WORK/message" >"$WORK/openssl"
cmp "$WORK/openssl" "$WORK/mac-imported" || fail "the tag is not OpenSSL's"
ok "the tag of imported material is OpenSSL's"

signing=$(new_key)
for call in generate-mac "verify-mac --mac fileb://$WORK/mac-256"; do
    read -r -a command <<<"$call"
    arguments=("${command[@]}" --message "fileb://$WORK/message" --mac-algorithm HMAC_SHA_256)
    refused "${command[0]} with DryRun" DryRunOperationException kms "${arguments[@]}" --key-id "${key[256]}" --dry-run
    refused "${command[0]} with a signing key" InvalidKeyUsageException kms "${arguments[@]}" --key-id "$signing"
    refused "${command[0]} with HMAC_384" InvalidKeyUsageException kms "${arguments[@]}" --key-id "${key[384]}"
    refused "${command[0]} with an unknown key" NotFoundException kms "${arguments[@]}" --key-id 12345678-1234-1234-1234-123456789012
done
equal "GetKeyRotationStatus" "$(kms get-key-rotation-status --key-id "${key[256]}" --query KeyRotationEnabled --output text)" False
refused "EnableKeyRotation" UnsupportedOperationException kms enable-key-rotation --key-id "${key[256]}"
refused "a profile that is none" ValidationException hmac_key 256 --tags TagKey=qkms:mac-profile,TagValue=N
kms disable-key --key-id "${key[256]}"
refused "GenerateMac with a disabled key" DisabledException generate "${key[256]}" 256 "$WORK/none"
kms enable-key --key-id "${key[256]}"

"$ROOT/deploy/down" >/dev/null
"$ROOT/deploy/up" --no-demo >/dev/null
wait_all
for bits in 224 256 384 512; do equal "after a restart: HMAC_$bits" "$(verify "${key[$bits]}" $bits "$WORK/mac-$bits")" True; done
equal "after a restart: profile S" "$(verify "$strict" 256 "$WORK/mac-strict")" True
equal "after a restart: imported material" "$(verify "$imported" 256 "$WORK/mac-imported")" True
