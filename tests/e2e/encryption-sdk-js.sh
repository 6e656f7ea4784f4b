#!/bin/bash
# A program of others, the AWS Encryption SDK for JavaScript: files under data keys of ours, and none opens
# under another context or another key.
source "$(dirname "$0")/setup.bash"
js_modules
cluster
key=$(kms create-key --query KeyMetadata.Arn --output text)
second=$(kms create-key --tags TagKey=qkms:modes,TagValue=V --query KeyMetadata.Arn --output text)
files() { (cd "$MODULES" && node --no-warnings files.mjs "$@"); }
decrypt() { rm -f "$WORK/back" && files decrypt "$1" "$2" "$WORK/back" "${@:3}"; } # KEYS FILE CONTEXT...
same() { # WHAT PLAIN KEYS FILE CONTEXT...
    decrypt "${@:3}" || fail "$1"
    cmp "$2" "$WORK/back" || fail "$1: it came back changed"
    ok "$1"
}
head -c 3000000 /dev/urandom >"$WORK/plain"
: >"$WORK/empty"

for arn in "$key" "$second"; do
    for name in plain empty; do
        files encrypt "$arn" "$WORK/$name" "$WORK/$name.enc" department=10 project=✓
        same "$name: decrypted, it is what was encrypted" "$WORK/$name" "$arn" "$WORK/$name.enc" department=10 project=✓
    done
    refused "who expects another context" "has no department=11" decrypt "$arn" "$WORK/plain.enc" department=11
    LC_ALL=C sed 's/department\(..\)10/department\111/' "$WORK/plain.enc" >"$WORK/bent.enc"
    cmp -s "$WORK/plain.enc" "$WORK/bent.enc" && fail "the context was not found in the file"
    refused "a context changed in the file" InvalidCiphertextException decrypt "$arn" "$WORK/bent.enc" department=11
    [ ! -e "$WORK/back" ] || fail "something was decrypted"
done
refused "a keyring of another key" "unencryptedDataKey" decrypt "$key" "$WORK/plain.enc"

files encrypt "$key,$second" "$WORK/plain" "$WORK/both.enc" department=10
same "under two keys: the first opens it" "$WORK/plain" "$key" "$WORK/both.enc" department=10
same "and so does the second" "$WORK/plain" "$second" "$WORK/both.enc" department=10
kms disable-key --key-id "$key"
refused "the first key disabled" DisabledException decrypt "$key" "$WORK/both.enc" department=10
same "the second opens it still" "$WORK/plain" "$key,$second" "$WORK/both.enc" department=10
kms enable-key --key-id "$key"
newer_model awscli.botocore
kms rotate-key-on-demand --key-id "$key" >/dev/null
same "rotated, the key opens it" "$WORK/plain" "$key" "$WORK/both.enc" department=10
kill_member node-2
same "a node dead, it opens" "$WORK/plain" "$key" "$WORK/both.enc" department=10
files encrypt "$key" "$WORK/plain" "$WORK/plain.enc" department=10
start_member node-2
same "and what was encrypted then opens too" "$WORK/plain" "$key" "$WORK/plain.enc" department=10
