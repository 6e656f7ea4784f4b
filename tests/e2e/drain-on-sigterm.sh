#!/bin/bash
# SIGTERM: the coordinator answers what it has begun, takes nothing new, and stops in time.
source "$(dirname "$0")/setup.bash"
cluster
pid=$(pid_of coordinator)
py drain.py "$pid"
for _ in $(seq 100); do [ -n "$(pid_of coordinator)" ] || break; sleep 0.2; done
[ -z "$(pid_of coordinator)" ] || fail "the coordinator still runs 20 s after SIGTERM"
ok "the coordinator has stopped"
port_taken "$PORT" && fail "the port is still open"
start_member coordinator
wait_ready 30
ok "and starts again"
