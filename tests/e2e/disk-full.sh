#!/bin/bash
# A node's disk is full: it says so and makes no key that it could not keep; nothing acknowledged is lost,
# and with room again all goes on.
source "$(dirname "$0")/setup.bash"
[ "$(id -u)" = 0 ] || skip "needs root to mount a small disk"
cluster
key=$(new_key)
echo "$key" >"$WORK/keys"
data=$LOCAL/node-2/data
cleanup() { stop_member node-2 >/dev/null 2>&1 || true; umount "$data" 2>/dev/null || true; }
stop_member node-2
cp -a "$data" "$WORK/data"
mount -t tmpfs -o size=24m,mode=700 tmpfs "$data" 2>/dev/null || skip "cannot mount a tmpfs here"
cp -a "$WORK/data/." "$data/"
start_member node-2
wait_all
head -c 64m /dev/zero >"$data/fill" 2>/dev/null || true
# What is left in a partly used page cannot be filled: go on until a creation fails.
failed=no
for _ in $(seq 40); do
    if made=$(new_key 2>"$WORK/error"); then echo "$made" >>"$WORK/keys"; else failed=yes; break; fi
done
equal "with a full disk, creation fails in the end" $failed yes
grep -q Exception "$WORK/error" || fail "the error names nothing: $(cat "$WORK/error")"
ok "the caller is told: $(tail -n 1 "$WORK/error")"
grep -qiE 'full|QK_E_IO|space|vault' "$LOCAL/node-2/log" || fail "the node's log says nothing"
ok "the node's log says so"
echo hello >"$WORK/message"
sign_file "$key" "$WORK/message" ECDSA_SHA_256 "$WORK/sig"
ok "signing goes on"
rm "$data/fill"
stop_member node-2
start_member node-2
wait_all
made=$(new_key)
echo "$made" >>"$WORK/keys"
ok "with room again, keys are made"
py all_sign.py "$WORK/keys"
