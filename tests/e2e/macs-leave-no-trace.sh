#!/bin/bash
# M-16: no tag in a node's memory, no tag that VerifyMac computed in the coordinator's, none in any log or file. M-17: ist
# does not reach the coordinator, ost and the material nobody.
source "$(dirname "$0")/setup.bash"
cluster
nodes=()
for i in "${NODES[@]}"; do nodes+=("$(pid_of "node-$i")"); done
echo "account $(printf %s "$ACCOUNT" | od -An -v -tx1 | tr -d ' \n')" >"$WORK/control"
py memory_scan.py "$WORK/control" "${nodes[@]}" >"$WORK/found" 2>"$WORK/why" || skip "no process may read a node's memory here: $(tail -n 1 "$WORK/why")"
for pid in "${nodes[@]}"; do grep -q "^$pid account:" "$WORK/found" || fail "the scan does not find what must be there: $(cat "$WORK/found")"; done
py mac_marks.py import "$WORK"
# The coordinator has unwrapped the material and made ist and ost of it. One that was not there knows none of it.
stop_member coordinator
start_member coordinator
wait_ready 30
wait_all
scan() { # MARKS WHERE PID...
    py memory_scan.py "$WORK/$1" "${@:3}" >"$WORK/found"
    if grep -v ' scanned:' "$WORK/found"; then fail "it stands in the memory of $2"; fi
    ok "nothing of it in the memory of $2 ($(($(sed 's/.*scanned://' "$WORK/found" | paste -sd+) >> 20)) MiB)"
}
for _ in 1 2; do
    py mac_marks.py load "$WORK" 40 || fail "the load stopped"
    scan nodes "the nodes" "${nodes[@]}"
    scan coordinator "the coordinator" "$(pid_of coordinator)"
done
py memory_scan.py "$WORK/held" "${nodes[@]}" >"$WORK/found"
for pid in "${nodes[@]}"; do
    for bits in 256 512; do grep -q "^$pid ist-$bits-" "$WORK/found" || fail "node $pid does not hold ist where it was looked for: $(cat "$WORK/found")"; done
done
ok "every node holds ist in a form that was looked for"
/usr/bin/python3 - "$WORK/files" "$LOCAL" <<'PY' || fail "it stands in a file"
import os, sys
with open(sys.argv[1], encoding="ascii") as lines:
    wanted = {name: bytes.fromhex(text) for name, text in (line.split() for line in lines)}
for folder, _, names in os.walk(sys.argv[2]):
    for path in (os.path.join(folder, name) for name in names):
        with open(path, "rb") as file:
            data = file.read()
        hits = [name for name, marker in wanted.items() if marker in data]
        if hits:
            sys.exit(f"{hits} in {path}")
PY
ok "and in no log, audit log, vault or store"
