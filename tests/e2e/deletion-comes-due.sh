#!/bin/bash
# The week passes (ahead.c puts the time of day eight days on): the scheduled key is gone from every
# vault, bytes and all, and from the API; the cancelled and the other key live on.
source "$(dirname "$0")/setup.bash"
cc -O2 -fPIC -shared -o "$WORK/ahead.so" "$E2E/ahead.c" -ldl
cluster
doomed=$(new_key)
rescued=$(new_key)
kept=$(new_key)
echo hello >"$WORK/message"
sign() { sign_file "$1" "$WORK/message" ECDSA_SHA_256 "$WORK/sig"; }
for key in "$doomed" "$rescued" "$kept"; do sign "$key"; done
for key in "$doomed" "$rescued"; do kms schedule-key-deletion --key-id "$key" --pending-window-in-days 7 >/dev/null; done
kms cancel-key-deletion --key-id "$rescued" >/dev/null
"$ROOT/deploy/down" >/dev/null

# rows NODE TABLE KEY: how many of this key. sealed NODE KEY FILE: what must not be found afterwards.
rows() { sqlite3 "file:$LOCAL/node-$1/data/vault.db?mode=ro" "SELECT count(*) FROM $2 WHERE key_id = x'${3//-/}'"; }
sealed() {
    sqlite3 "file:$LOCAL/node-$1/data/vault.db?mode=ro" \
        "SELECT hex(sealed) FROM share WHERE key_id = x'${2//-/}' UNION ALL SELECT hex(sealed) FROM setup WHERE key_id = x'${2//-/}'" >"$3"
}
found() { # NODE FILE: how many of the sealed blobs still stand in the vault's files
    /usr/bin/python3 - "$LOCAL/node-$1/data" "$2" <<'PY'
import glob, sys
disk = b"".join(open(f, "rb").read() for f in glob.glob(sys.argv[1] + "/vault.db*"))
blobs = [bytes.fromhex(line.strip()) for line in open(sys.argv[2])]
# SQLite spreads a long blob over pages: look for pieces of it
print(sum(any(blob[i:i + 64] in disk for i in range(0, len(blob) - 64, 64)) for blob in blobs))
PY
}
for i in "${NODES[@]}"; do
    equal "node $i holds one share and two setups of it" "$(rows "$i" share "$doomed") $(rows "$i" setup "$doomed")" "1 2"
    sealed "$i" "$doomed" "$WORK/sealed-$i"
    equal "all three stand in its file" "$(found "$i" "$WORK/sealed-$i")" 3
done

export AHEAD_SECONDS=$((8 * 86400))
eight_days_on() { LD_PRELOAD=$WORK/ahead.so "$@"; }
eight_days_on start_all
wait_ready 60
describe() { eight_days_on aws_cli kms describe-key --key-id "$1" --query KeyMetadata.KeyState --output text; }
for _ in $(seq 60); do
    state=$(describe "$doomed" 2>&1) || break
    sleep 0.5
done
refused "the key does not exist any more" NotFoundException describe "$doomed"
refused "and signs nothing" NotFoundException eight_days_on aws_cli kms sign --key-id "$doomed" --message aGVsbG8= --message-type RAW \
    --signing-algorithm ECDSA_SHA_256
refused "nor can it be rescued" NotFoundException eight_days_on aws_cli kms cancel-key-deletion --key-id "$doomed"
equal "ListKeys has the other two" "$(eight_days_on aws_cli kms list-keys --query 'sort(Keys[].KeyId)' --output text | tr '\t' '\n' | sort | xargs)" \
    "$(printf '%s\n' "$rescued" "$kept" | sort | xargs)"
equal "the rescued key waits, disabled" "$(describe "$rescued")" Disabled
eight_days_on aws_cli kms sign --key-id "$kept" --message aGVsbG8= --message-type RAW --signing-algorithm ECDSA_SHA_256 >/dev/null
ok "the other key signs"
for i in "${NODES[@]}"; do
    for _ in $(seq 40); do [ "$(grep -c '"key.destroyed"' "$LOCAL/node-$i/data/audit.log")" = 0 ] || break; sleep 0.5; done
done
"$ROOT/deploy/down" >/dev/null

for i in "${NODES[@]}"; do
    equal "node $i holds nothing of it" "$(rows "$i" share "$doomed") $(rows "$i" setup "$doomed") $(rows "$i" run "$doomed")" "0 0 0"
    equal "nor do its files, page by page" "$(found "$i" "$WORK/sealed-$i")" 0
    equal "it holds the other two" "$(rows "$i" share "$kept") $(rows "$i" share "$rescued")" "1 1"
    grep -q "\"event\":\"key.destroyed\".*$doomed" "$LOCAL/node-$i/data/audit.log" || fail "node $i has no audit entry of the end"
    ok "its audit log tells the end"
done
