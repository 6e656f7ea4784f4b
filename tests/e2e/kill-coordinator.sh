#!/bin/bash
# The coordinator dies with kill -9 while keys are made: nothing acknowledged is lost.
source "$(dirname "$0")/setup.bash"
cluster
py create.py "$WORK/keys" 14 >"$WORK/create" 2>&1 &
load=$!
for _ in 1 2 3; do
    sleep 2.7
    kill_member coordinator
    start_member coordinator
    wait_ready 30
done
wait $load || { cat "$WORK/create"; fail "the load stopped"; }
ok "$(tail -n 1 "$WORK/create")"
py all_sign.py "$WORK/keys"
