#!/bin/bash
# A vault with a damaged page: the node refuses to guess, says what is wrong, and the others go on.
source "$(dirname "$0")/setup.bash"
cluster
key=$(new_key)
public_pem "$key" "$WORK/key.pem"
stop_member node-3
size=$(stat -c %s "$LOCAL/node-3/data/vault.db")
[ "$size" -gt 8192 ] || fail "the vault is too small to damage: $size bytes"
cp "$LOCAL/node-3/data/vault.db" "$WORK/vault.db"
for page in $(seq 1 $((size / 4096 - 1))); do
    head -c 64 /dev/urandom | dd of="$LOCAL/node-3/data/vault.db" bs=1 seek=$((page * 4096 + 1000)) conv=notrunc status=none
done
start_member node-3
sleep 3
if [ -z "$(pid_of node-3)" ]; then ok "the node does not start: $(tail -n 1 "$LOCAL/node-3/log" | cut -c1-160)"; else
    grep -qE 'QK_E_CORRUPT|corrupt|damaged' "$LOCAL/node-3/log" || fail "the node runs on a damaged vault and says nothing"
    ok "the node says that its vault is damaged"
fi
echo hello >"$WORK/message"
for i in 1 2 3; do
    sign_file "$key" "$WORK/message" ECDSA_SHA_256 "$WORK/sig"
    openssl dgst -sha256 -verify "$WORK/key.pem" -signature "$WORK/sig" "$WORK/message" >/dev/null || fail "a bad signature got out"
done
ok "the others go on signing, and every signature verifies"
stop_member node-3
rm -f "$LOCAL"/node-3/data/vault.db-*
cp "$WORK/vault.db" "$LOCAL/node-3/data/vault.db"
start_member node-3
wait_all
made=$(new_key) || fail "no key is made"
ok "with its vault restored, the node takes part again ($made)"
