#!/bin/bash
# Nodes die with kill -9 while keys are made: no acknowledged key is lost, no half-made key answers.
source "$(dirname "$0")/setup.bash"
cluster
py create.py "$WORK/keys" 25 >"$WORK/create" 2>&1 &
load=$!
for i in 1 2 3; do
    sleep 2.3
    kill_member "node-$i"
    sleep 1
    start_member "node-$i"
    sleep 3
    wait_ready 40
done
wait $load || { cat "$WORK/create"; fail "the load stopped"; }
ok "$(tail -n 1 "$WORK/create")"
py all_sign.py "$WORK/keys"
wait_all
made=$(new_key) || fail "no key is made"
ok "and keys are made as before ($made)"
