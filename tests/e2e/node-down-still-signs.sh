#!/bin/bash
# One node dead: signing goes on, creation fails clearly, and soon. Two dead: an error in time.
source "$(dirname "$0")/setup.bash"
cluster
key=$(new_key)
public_pem "$key" "$WORK/key.pem"
echo hello >"$WORK/message"
check() {
    sign_file "$key" "$WORK/message" ECDSA_SHA_256 "$WORK/sig"
    openssl dgst -sha256 -verify "$WORK/key.pem" -signature "$WORK/sig" "$WORK/message" >/dev/null || fail "$1: bad signature"
    ok "$1"
}
for i in 1 2 3; do
    kill_member "node-$i"
    check "node $i dead: the first signature"
    check "node $i dead: another one"
    if [ "$i" = 1 ]; then
        export AWS_MAX_ATTEMPTS=1
        refused "a key is not made while a node is missing, and the error can be retried" DependencyTimeoutException new_key
        unset AWS_MAX_ATTEMPTS
    fi
    start_member "node-$i"
    wait_all # the nodes' links, too: the next one dies now
done
new_key >/dev/null || fail "all back, but no key is made"
ok "all back: keys are made again"

export AWS_MAX_ATTEMPTS=1
kill -STOP "$(pid_of node-3)"
refused "a node hangs: no key is made" DependencyTimeoutException new_key
took "a node hangs" 10000
kill -CONT "$(pid_of node-3)"
unset AWS_MAX_ATTEMPTS
wait_all
new_key >/dev/null || fail "all back, but no key is made"
ok "it goes on: keys are made again"

kill_member node-2
sleep 2
export AWS_MAX_ATTEMPTS=1
refused "a node has been dead: no key is made" DependencyTimeoutException new_key
took "a node known to be dead" 1000
kill -STOP "$(pid_of node-3)"
refused "two nodes dead, one unnoticed: no signature" DependencyTimeoutException sign_file "$key" "$WORK/message" ECDSA_SHA_256 "$WORK/none"
took "two nodes dead, one unnoticed" 10000
kill -CONT "$(pid_of node-3)"
kill_member node-3
refused "two nodes dead: no signature" DependencyTimeoutException sign_file "$key" "$WORK/message" ECDSA_SHA_256 "$WORK/none"
took "two nodes dead" 10000
unset AWS_MAX_ATTEMPTS
start_member node-2
start_member node-3
wait_all
check "both back: it signs again"
