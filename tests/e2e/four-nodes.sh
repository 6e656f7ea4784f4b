#!/bin/bash
# Four nodes, two of which use a key (t = 2) and three of which decide (q = 3). One dead: all goes on but
# the making of keys. Two dead: Sign and Decrypt go on, changes are told to come back later.
export QKMS_NODES=4 QKMS_THRESHOLD=2
source "$(dirname "$0")/setup.bash"
cluster
equal "the cluster" "$("$BIN/qkms" cluster show "$LOCAL/cluster.conf" | grep -E '^(threshold|quorum)' | tr '\n' ' ')" "threshold: 2 of 4 quorum: 3 "

ecc=$(new_key)
sym=$(kms create-key --query KeyMetadata.KeyId --output text)
only_f=$(kms create-key --tags TagKey=qkms:modes,TagValue=F --query KeyMetadata.KeyId --output text)
ok "keys are made by all four"
public_pem "$ecc" "$WORK/key.pem"
echo "to be signed" >"$WORK/message"
signs() { # WHAT
    sign_file "$ecc" "$WORK/message" ECDSA_SHA_256 "$WORK/signature"
    openssl dgst -sha256 -verify "$WORK/key.pem" -signature "$WORK/signature" "$WORK/message" >/dev/null || fail "$1: the signature does not verify"
    ok "$1: a signature that verifies"
}
encrypt() { # KEY OUT
    kms encrypt --key-id "$1" --plaintext "$(printf secret | base64)" --query CiphertextBlob --output text | base64 -d >"$2"
}
opens() { equal "$1" "$(kms decrypt --ciphertext-blob "fileb://$2" --query Plaintext --output text | base64 -d)" secret; }
state() { kms describe-key --key-id "$1" --query KeyMetadata.KeyState --output text; }

signs "all four"
encrypt "$sym" "$WORK/blob"
opens "all four: Decrypt" "$WORK/blob"

for i in 4 1; do
    kill_member "node-$i"
    signs "node $i dead"
    opens "node $i dead: Decrypt" "$WORK/blob"
    encrypt "$sym" "$WORK/blob-$i"
    opens "node $i dead: Encrypt, and back" "$WORK/blob-$i"
    encrypt "$only_f" "$WORK/blob-f"
    opens "node $i dead: mode F has 2t-1 = 3 nodes left and encrypts" "$WORK/blob-f"
    kms disable-key --key-id "$ecc"
    equal "node $i dead: DisableKey, by the three that are left" "$(state "$ecc")" Disabled
    kms enable-key --key-id "$ecc"
    equal "node $i dead: EnableKey" "$(state "$ecc")" Enabled
    export AWS_MAX_ATTEMPTS=1
    refused "node $i dead: CreateKey takes all" DependencyTimeoutException new_key
    unset AWS_MAX_ATTEMPTS
    start_member "node-$i"
    wait_ready 30
    wait_all
done
ok "what happened while node 1 was away reaches it: $(signs "all four again")"

kill_member node-1
kill_member node-2
wait_ready 30
signs "two dead"
opens "two dead: Decrypt" "$WORK/blob"
encrypt "$sym" "$WORK/blob-2"
opens "two dead: Encrypt, and back" "$WORK/blob-2"
equal "two dead: DescribeKey" "$(state "$ecc")" Enabled
export AWS_MAX_ATTEMPTS=1
for change in disable-key enable-key-rotation; do
    key=$ecc
    [ $change = disable-key ] || key=$sym
    refused "two dead: $change is no lost change but one to repeat" DependencyTimeoutException kms $change --key-id "$key"
    took "two dead: $change" 10000
done
unset AWS_MAX_ATTEMPTS
equal "two dead: nothing has changed" "$(state "$ecc")" Enabled
start_member node-1
deadline=$((SECONDS + 90))
until kms disable-key --key-id "$ecc" 2>"$WORK/why"; do # the link comes back within seconds
    grep -q DependencyTimeoutException "$WORK/why" && [ $SECONDS -lt $deadline ] || fail "three again: $(cat "$WORK/why")"
done
equal "three again: DisableKey" "$(state "$ecc")" Disabled
refused "three again: and it holds" DisabledException sign_file "$ecc" "$WORK/message" ECDSA_SHA_256 "$WORK/signature"
start_member node-2
wait_all
