#!/bin/bash
# Nodes die with kill -9 under load, one after the other, and come back: no caller sees an error after
# its client's one retry.
source "$(dirname "$0")/setup.bash"
cluster
key=$(new_key)
py load.py 24 4 "$key" 2 >"$WORK/load" 2>&1 &
load=$!
for i in 1 2 3; do
    sleep 2
    kill_member "node-$i"
    sleep 2
    start_member "node-$i"
    sleep 2
    wait_ready 30
done
wait $load || { cat "$WORK/load"; fail "a caller saw an error"; }
ok "$(head -n 1 "$WORK/load")"
