#!/bin/bash
# Four nodes, t = 2: HMAC keys go on with any one node dead or dying; no caller sees an error after its client's retries.
# With two dead they answer an error that can be retried.
export QKMS_NODES=4 QKMS_THRESHOLD=2
source "$(dirname "$0")/setup.bash"
cluster
read -r key material < <(py mac_import.py)
read -r strict strict_material < <(py mac_import.py 256 strict)
made=$(kms create-key --key-spec HMAC_384 --key-usage GENERATE_VERIFY_MAC --query KeyMetadata.Arn --output text)
printf 'hello' >"$WORK/message"
generate() { # KEY BITS OUT
    kms generate-mac --key-id "$1" --message "fileb://$WORK/message" --mac-algorithm "HMAC_SHA_$2" --query Mac --output text | base64 -d >"$3"
}
openssl_mac() { openssl dgst -sha256 -mac HMAC -macopt "hexkey:$1" -binary "$WORK/message"; }
generate "$made" 384 "$WORK/mac-made"
goes_on() { # WHAT
    generate "$key" 256 "$WORK/now"
    openssl_mac "$material" | cmp - "$WORK/now" || fail "$1: profile N, another tag"
    generate "$strict" 256 "$WORK/now"
    openssl_mac "$strict_material" | cmp - "$WORK/now" || fail "$1: profile S, another tag"
    generate "$made" 384 "$WORK/now"
    cmp "$WORK/mac-made" "$WORK/now" || fail "$1: a generated key, another tag"
    ok "$1: GenerateMac goes on, with the same tags"
}
goes_on "all four"
for i in 1 2 3 4; do
    kill_member "node-$i"
    goes_on "node $i dead"
    start_member "node-$i"
    wait_ready 30
    wait_all
done
py mac_load.py 28 4 "$key" "$material" 4 >"$WORK/load" 2>&1 &
load=$!
for i in 4 3 2 1; do
    sleep 1.5
    kill_member "node-$i"
    sleep 1.5
    start_member "node-$i"
    wait_ready 30
    wait_all
done
wait $load || { cat "$WORK/load"; fail "nodes died under load: a caller saw an error"; }
ok "nodes died under load: $(head -n 1 "$WORK/load")"
wait_all
kill_member node-1
kill_member node-4
export AWS_MAX_ATTEMPTS=1
refused "two dead: GenerateMac" KeyUnavailableException generate "$key" 256 "$WORK/none"
took "two dead" 5000
unset AWS_MAX_ATTEMPTS
start_member node-1
start_member node-4
wait_ready 30
wait_all
goes_on "both back"
