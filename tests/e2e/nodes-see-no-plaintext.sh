#!/bin/bash
# S-15: no plaintext of an Encrypt, no data key, no private key, no random bytes reach a node: they stand in no
# node's memory, log, audit log or vault, during the load and after it.
source "$(dirname "$0")/setup.bash"
cluster
fv=$(kms create-key --query KeyMetadata.Arn --output text)
v=$(kms create-key --tags TagKey=qkms:modes,TagValue=V --query KeyMetadata.Arn --output text)
nodes=()
for i in "${NODES[@]}"; do nodes+=("$(pid_of "node-$i")"); done
echo "account $(printf %s "$ACCOUNT" | od -An -v -tx1 | tr -d ' \n')" >"$WORK/control"
py memory_scan.py "$WORK/control" "${nodes[@]}" >"$WORK/found" 2>"$WORK/why" || skip "no process may read a node's memory here: $(tail -n 1 "$WORK/why")"
for pid in "${nodes[@]}"; do grep -q "^$pid account:" "$WORK/found" || fail "the scan does not find what must be there: $(cat "$WORK/found")"; done
ok "the scan finds what must be there"

scan() { # WHAT
    py memory_scan.py "$WORK/marks" "${nodes[@]}" >"$WORK/found"
    if grep -v ' scanned:' "$WORK/found"; then fail "$1: it stands in a node's memory"; fi
    ok "$1: in no node's memory ($(($(sed 's/.*scanned://' "$WORK/found" | paste -sd+) >> 20)) MiB)"
}
for n in 1 2; do
    py marker_load.py "$WORK/marks" 80 "$fv" "$v" || fail "the load stopped"
    scan "run $n"
done
kill_member node-3
nodes=("${nodes[@]:0:2}")
py marker_load.py "$WORK/marks" 60 "$fv" "$v" || fail "the load stopped"
scan "a node dead, mode V"
start_member node-3
wait_all
/usr/bin/python3 - "$WORK/marks" "$LOCAL" <<'PY' || fail "a plaintext stands in a file"
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
