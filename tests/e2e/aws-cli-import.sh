#!/bin/bash
# Key material is wrapped with OpenSSL and imported with the AWS CLI, in all four ways; ended and brought again.
source "$(dirname "$0")/setup.bash"
cluster
newer_model awscli.botocore
export AWS_MAX_ATTEMPTS=2
wrap() { # ALGORITHM MATERIAL OUT: under $WORK/public
    local hash=sha256 padding kek
    case $1 in *SHA_1) hash=sha1 ;; esac
    padding=(-pkeyopt rsa_padding_mode:oaep -pkeyopt "rsa_oaep_md:$hash" -pkeyopt "rsa_mgf1_md:$hash")
    case $1 in
        RSAES*) openssl pkeyutl -encrypt -pubin -keyform DER -inkey "$WORK/public" "${padding[@]}" -in "$2" -out "$3" ;;
        *)
            kek=$WORK/kek
            openssl rand -out "$kek" 32
            openssl pkeyutl -encrypt -pubin -keyform DER -inkey "$WORK/public" "${padding[@]}" -in "$kek" -out "$3"
            openssl enc -id-aes256-wrap-pad -iv A65959A6 -K "$(od -An -v -tx1 "$kek" | tr -d ' \n')" -in "$2" >>"$3"
            ;;
    esac
}
parameters() { # KEY ALGORITHM SPEC
    kms get-parameters-for-import --key-id "$1" --wrapping-algorithm "$2" --wrapping-key-spec "$3" >"$WORK/parameters" &&
        jq -r .PublicKey "$WORK/parameters" | base64 -d >"$WORK/public" &&
        jq -r .ImportToken "$WORK/parameters" | base64 -d >"$WORK/token"
}
bring() { # KEY MATERIAL ALGORITHM SPEC ARGUMENTS...
    parameters "$1" "$3" "$4" && wrap "$3" "$2" "$WORK/wrapped" &&
        kms import-key-material --key-id "$1" --import-token "fileb://$WORK/token" --encrypted-key-material "fileb://$WORK/wrapped" "${@:5}" >/dev/null
}
state() { kms describe-key --key-id "$1" --query KeyMetadata.KeyState --output text; }
opened() { kms decrypt --ciphertext-blob "fileb://$WORK/blob" --query Plaintext --output text | base64 -d; }
forever=(--expiration-model KEY_MATERIAL_DOES_NOT_EXPIRE)

for row in RSAES_OAEP_SHA_256:RSA_2048 RSAES_OAEP_SHA_1:RSA_3072 RSA_AES_KEY_WRAP_SHA_256:RSA_4096 RSA_AES_KEY_WRAP_SHA_1:RSA_2048; do
    openssl rand -out "$WORK/material" 32
    key=$(kms create-key --origin EXTERNAL --query KeyMetadata.KeyId --output text)
    equal "$row: a key without material" "$(state "$key")" PendingImport
    bring "$key" "$WORK/material" "${row%:*}" "${row#*:}" "${forever[@]}"
    equal "$row: ImportKeyMaterial" "$(state "$key")" Enabled
    kms encrypt --key-id "$key" --plaintext "$(printf 'under what was imported' | base64)" --query CiphertextBlob --output text | base64 -d >"$WORK/blob"
    equal "$row: it opens what it encrypted" "$(opened)" 'under what was imported'
done
kms delete-imported-key-material --key-id "$key" >/dev/null
equal "DeleteImportedKeyMaterial" "$(state "$key")" PendingImport
refused "without material it opens nothing" KMSInvalidStateException opened
openssl rand -out "$WORK/other" 32
refused "other material" IncorrectKeyMaterialException bring "$key" "$WORK/other" RSAES_OAEP_SHA_256 RSA_2048 "${forever[@]}"
head -c 31 "$WORK/material" >"$WORK/short"
refused "31 bytes" IncorrectKeyMaterialException bring "$key" "$WORK/short" RSAES_OAEP_SHA_256 RSA_2048 "${forever[@]}"
head -c 200 /dev/zero >"$WORK/token"
refused "a token that is none" InvalidImportTokenException kms import-key-material --key-id "$key" \
    --import-token "fileb://$WORK/token" --encrypted-key-material "fileb://$WORK/wrapped" "${forever[@]}"
refused "material for a key of our own" UnsupportedOperationException parameters "$(kms create-key --query KeyMetadata.KeyId --output text)" RSAES_OAEP_SHA_256 RSA_2048

# An end of its own: it is gone when it comes, and opens again when it is brought again.
bring "$key" "$WORK/material" RSAES_OAEP_SHA_256 RSA_2048 --expiration-model KEY_MATERIAL_EXPIRES --valid-to "$(($(date +%s) + 15))"
equal "brought with an end" "$(opened)" 'under what was imported'
for _ in $(seq 100); do [ "$(state "$key")" != PendingImport ] || break; sleep 0.3; done
equal "the end has come" "$(state "$key")" PendingImport
refused "it opens nothing" KMSInvalidStateException opened
bring "$key" "$WORK/material" RSA_AES_KEY_WRAP_SHA_256 RSA_2048 "${forever[@]}"
equal "the same material again" "$(opened)" 'under what was imported'
stop_member node-1
stop_member coordinator
start_member node-1
start_member coordinator
wait_ready 30
equal "after restarts" "$(opened)" 'under what was imported'
