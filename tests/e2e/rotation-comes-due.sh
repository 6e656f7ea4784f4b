#!/bin/bash
# Months pass (ahead.c) over restarts: keys rotate when they are due and not before, a disabled one once it is enabled;
# of a deleted key no version is left. What was encrypted before opens all the time.
source "$(dirname "$0")/setup.bash"
cc -O2 -fPIC -shared -o "$WORK/ahead.so" "$E2E/ahead.c" -ldl
cluster
newer_model awscli.botocore
later() { LD_PRELOAD=$WORK/ahead.so aws_cli kms "$@"; }
symmetric() { kms create-key --query KeyMetadata.KeyId --output text "$@"; }
encrypt() { later encrypt --key-id "$1" --plaintext "$(printf 'of %s' "$1" | base64 -w 0)" --query CiphertextBlob --output text | base64 -d >"$WORK/$1.$2"; }
opens() { # WHAT KEY NAME
    equal "$1" "$(later decrypt --ciphertext-blob "fileb://$WORK/$2.$3" --query Plaintext --output text | base64 -d)" "of $2"
}
rotations() { later list-key-rotations --key-id "$1" --query 'Rotations[].RotationType' --output text | xargs; }
comes() { # WHAT KEY ROTATIONS: within a minute
    for _ in $(seq 60); do [ "$(rotations "$2")" != "$3" ] || break; sleep 0.5; done
    equal "$1" "$(rotations "$2")" "$3"
}
shares() { # NODE: every sealed share in its vault; the node must be down
    sqlite3 "file:$LOCAL/node-$1/data/vault.db?mode=ro" "SELECT hex(sealed) FROM share" | sort
}
months() { # DAYS: all stop, and start so much later than today
    "$ROOT/deploy/down" >/dev/null
    export AHEAD_SECONDS=$(($1 * 86400))
    LD_PRELOAD=$WORK/ahead.so start_all
    wait_ready 60
    LD_PRELOAD=$WORK/ahead.so wait_all
}

quarter=$(symmetric)
half=$(symmetric --tags TagKey=qkms:modes,TagValue=V)
asleep=$(symmetric)
never=$(symmetric)
for key in "$quarter" "$asleep"; do kms enable-key-rotation --key-id "$key" --rotation-period-in-days 90; done
kms enable-key-rotation --key-id "$half" --rotation-period-in-days 180
for key in "$quarter" "$half" "$asleep" "$never"; do encrypt "$key" 0; done
kms disable-key --key-id "$asleep"

stop_all
for i in "${NODES[@]}"; do shares "$i" >"$WORK/before-$i"; done
start_all
wait_ready 30
wait_all
doomed=$(symmetric)
kms rotate-key-on-demand --key-id "$doomed" >/dev/null
encrypt "$doomed" 0
kms schedule-key-deletion --key-id "$doomed" --pending-window-in-days 30 >/dev/null
stop_all
for i in "${NODES[@]}"; do
    shares "$i" | comm -13 "$WORK/before-$i" - >"$WORK/doomed-$i"
    [ "$(wc -l <"$WORK/doomed-$i")" -ge 2 ] || fail "node $i has no shares of two versions"
done

months 89
equal "a day before: nothing has rotated" "$(rotations "$quarter")$(rotations "$half")$(rotations "$never")" ""
opens "and everything opens" "$quarter" 0
months 91
comes "after 90 days" "$quarter" AUTOMATIC
equal "nothing else has rotated" "$(rotations "$half")$(rotations "$never")$(rotations "$asleep")" ""
for key in "$quarter" "$half" "$never"; do opens "what was encrypted before" "$key" 0; done
encrypt "$quarter" 1
opens "and what is encrypted now" "$quarter" 1
later enable-key --key-id "$asleep"
comes "a key that slept over its date rotates when it wakes" "$asleep" AUTOMATIC
opens "what was encrypted before" "$asleep" 0
refused "the deleted key" NotFoundException later describe-key --key-id "$doomed"
if later decrypt --ciphertext-blob "fileb://$WORK/$doomed.0" >"$WORK/out" 2>&1; then fail "its blob opens"; fi
ok "its blob does not open: $(grep -o '([A-Za-z]*)' "$WORK/out")"

months 182
comes "after 180 days" "$quarter" "AUTOMATIC AUTOMATIC"
comes "the other period" "$half" AUTOMATIC
equal "who has no schedule never rotates" "$(rotations "$never")" ""
for key in "$quarter" "$half" "$never" "$asleep"; do opens "what was encrypted half a year ago" "$key" 0; done
opens "what was encrypted between two rotations" "$quarter" 1
"$ROOT/deploy/down" >/dev/null
for i in "${NODES[@]}"; do
    equal "node $i holds no share of a version of the deleted key" "$(shares "$i" | comm -12 "$WORK/doomed-$i" - | wc -l)" 0
    /usr/bin/python3 - "$LOCAL/node-$i/data" "$WORK/doomed-$i" <<'PY' || fail "node $i: sealed shares of it stand in the vault's files"
import glob, sys
disk = b"".join(open(f, "rb").read() for f in glob.glob(sys.argv[1] + "/vault.db*"))
blobs = [bytes.fromhex(line.strip()) for line in open(sys.argv[2])]
sys.exit(any(blob[i:i + 64] in disk for blob in blobs for i in range(0, len(blob) - 64, 64)))
PY
done
ok "nor do the files of their vaults"
