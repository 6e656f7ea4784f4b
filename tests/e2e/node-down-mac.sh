#!/bin/bash
# Three nodes: with one dead, hanging or dying in the middle of a run an HMAC key answers an error that can be retried, at
# once, never a wrong tag; and goes on when the node is back. Nothing stays behind in memory.
source "$(dirname "$0")/setup.bash"
cluster
read -r key material < <(py mac_import.py)
made=$(kms create-key --key-spec HMAC_512 --key-usage GENERATE_VERIFY_MAC --query KeyMetadata.Arn --output text)
printf 'hello' >"$WORK/message"
generate() { # KEY BITS OUT
    kms generate-mac --key-id "$1" --message "fileb://$WORK/message" --mac-algorithm "HMAC_SHA_$2" --query Mac --output text | base64 -d >"$3"
}
verify() { # KEY BITS MAC
    kms verify-mac --key-id "$1" --message "fileb://$WORK/message" --mac-algorithm "HMAC_SHA_$2" --mac "fileb://$3" --query MacValid --output text
}
generate "$key" 256 "$WORK/mac"
generate "$made" 512 "$WORK/mac-made"
openssl dgst -sha256 -mac HMAC -macopt "hexkey:$material" -binary "$WORK/message" | cmp - "$WORK/mac" || fail "the tag is not OpenSSL's"
holds() { # WHAT
    equal "$1: VerifyMac" "$(verify "$key" 256 "$WORK/mac") $(verify "$made" 512 "$WORK/mac-made")" "True True"
    generate "$key" 256 "$WORK/now"
    cmp "$WORK/mac" "$WORK/now" || fail "$1: another tag"
    ok "$1: the same tag"
}
for i in 1 2 3; do
    kill_member "node-$i"
    export AWS_MAX_ATTEMPTS=1
    refused "node $i dead: GenerateMac" KeyUnavailableException generate "$key" 256 "$WORK/none"
    took "node $i dead" 5000
    refused "node $i dead: it says why" "three nodes" generate "$made" 512 "$WORK/none"
    refused "node $i dead: VerifyMac" KeyUnavailableException verify "$key" 256 "$WORK/mac"
    unset AWS_MAX_ATTEMPTS
    start_member "node-$i"
    wait_ready 30
    wait_all
    holds "node $i back"
done

memory() { for i in "${NODES[@]}"; do awk '/^VmRSS/ { print $2 }' "/proc/$(pid_of "node-$i")/status"; done | paste -sd' '; }
py mac_load.py 4 4 "$key" "$material" 3 >"$WORK/load" 2>&1 || { cat "$WORK/load"; fail "a load without faults"; }
ok "without faults: $(head -n 1 "$WORK/load")"
before=$(memory)
py mac_load.py 26 4 "$key" "$material" 2 --faults >"$WORK/load" 2>&1 &
load=$!
for i in 1 2 3; do
    sleep 2
    kill_member "node-$i"
    sleep 1.5
    start_member "node-$i"
    sleep 2
    wait_ready 30
done
wait $load || { cat "$WORK/load"; fail "nodes died in the middle of runs"; }
ok "nodes died in the middle of runs: $(head -n 1 "$WORK/load")"
wait_all
holds "after that"

kill -STOP "$(pid_of node-2)"
export AWS_MAX_ATTEMPTS=1
unavailable() { # WHAT COMMAND...
    local out
    if out=$("${@:2}" 2>&1); then fail "$1: was not refused: $out"; fi
    case $out in *DependencyTimeoutException* | *KeyUnavailableException*) ok "$1: an error that can be retried" ;; *) fail "$1: $out" ;; esac
    took "$1" 12000
}
unavailable "a node hangs: GenerateMac" generate "$key" 256 "$WORK/none"
unset AWS_MAX_ATTEMPTS
kill -CONT "$(pid_of node-2)"
wait_all
holds "it goes on"
py mac_load.py 4 4 "$key" "$material" 3 >"$WORK/load" 2>&1 || { cat "$WORK/load"; fail "a load after all that"; }
ok "after all that: $(head -n 1 "$WORK/load"); resident KiB of the nodes $before, now $(memory)"
for kib in $(memory); do [ "$kib" -lt 400000 ] || fail "a node has grown to $kib KiB"; done
