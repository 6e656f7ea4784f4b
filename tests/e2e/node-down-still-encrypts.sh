#!/bin/bash
# One node dead: the default modes encrypt (mode V takes over), mode F alone says to try again, everything opens.
# Two dead: an error in time. Nodes that die under load are not noticed by callers.
source "$(dirname "$0")/setup.bash"
cluster
declare -A key
for modes in FV F V; do
    key[$modes]=$(kms create-key --tags "TagKey=qkms:modes,TagValue=$modes" --query KeyMetadata.Arn --output text)
done
encrypt() { # MODES OUT
    kms encrypt --key-id "${key[$1]}" --plaintext "$(printf 'of %s' "$1" | base64)" --query CiphertextBlob --output text | base64 -d >"$2"
}
opened() { kms decrypt --ciphertext-blob "fileb://$1" --query Plaintext --output text | base64 -d; }
mode() { od -An -tu1 -j1 -N1 "$1" | tr -d ' '; }
opens() { for modes in FV F V; do equal "$1: a blob of a key of modes $modes opens" "$(opened "$WORK/$modes")" "of $modes"; done; }

for modes in FV F V; do encrypt $modes "$WORK/$modes"; done
equal "all up: the modes of blobs" "$(mode "$WORK/FV") $(mode "$WORK/F") $(mode "$WORK/V")" "1 1 2"
for i in 1 2 3; do
    kill_member "node-$i"
    encrypt FV "$WORK/now"
    equal "node $i dead: modes FV encrypt in mode V" "$(mode "$WORK/now")" 2
    equal "node $i dead: and it opens" "$(opened "$WORK/now")" 'of FV'
    encrypt V "$WORK/now"
    ok "node $i dead: mode V encrypts"
    opens "node $i dead"
    export AWS_MAX_ATTEMPTS=1
    refused "node $i dead: mode F alone waits for its node" KeyUnavailableException encrypt F "$WORK/none"
    took "node $i dead" 10000
    unset AWS_MAX_ATTEMPTS
    start_member "node-$i"
    wait_ready 30
    wait_all
    encrypt F "$WORK/F"
    ok "node $i back: mode F encrypts"
    encrypt FV "$WORK/FV"
done

py sym_load.py 20 4 "${key[FV]}" 2 >"$WORK/load" 2>&1 &
load=$!
for i in 1 2 3; do
    sleep 1.5
    kill_member "node-$i"
    sleep 1.5
    start_member "node-$i"
    sleep 2
    wait_ready 30
done
wait $load || { cat "$WORK/load"; fail "nodes died under load: a caller saw an error"; }
ok "nodes died under load: $(head -n 1 "$WORK/load")"
grep -q 'mode F' "$WORK/load" && grep -q 'mode V' "$WORK/load" || fail "it never fell to mode V, or always did"

wait_all
kill -STOP "$(pid_of node-2)"
encrypt FV "$WORK/now"
equal "a node hangs: modes FV encrypt, and it opens" "$(opened "$WORK/now")" 'of FV'
opens "a node hangs"
took "a node hangs" 5000
kill -CONT "$(pid_of node-2)"
wait_all

export AWS_MAX_ATTEMPTS=1
kill_member node-2
kill -STOP "$(pid_of node-3)"
unavailable() { # WHAT COMMAND...
    local out
    if out=$("${@:2}" 2>&1); then fail "$1: was not refused: $out"; fi
    case $out in *DependencyTimeoutException* | *KeyUnavailableException*) ok "$1: an error that can be retried" ;; *) fail "$1: $out" ;; esac
    took "$1" 10000
}
for modes in FV F V; do
    unavailable "two nodes dead, one unnoticed: Encrypt $modes" encrypt $modes "$WORK/none"
    unavailable "two nodes dead, one unnoticed: Decrypt $modes" opened "$WORK/$modes"
done
kill -CONT "$(pid_of node-3)"
kill_member node-3
unavailable "two nodes dead: Encrypt" encrypt FV "$WORK/none"
unavailable "two nodes dead: Decrypt" opened "$WORK/FV"
unavailable "two nodes dead: GenerateRandom" kms generate-random --number-of-bytes 1024
unset AWS_MAX_ATTEMPTS
start_member node-2
start_member node-3
wait_ready 30
wait_all
opens "both back"
encrypt F "$WORK/now"
ok "both back: mode F encrypts"
