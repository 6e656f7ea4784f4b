#!/bin/bash
# deploy/down and deploy/up keep the keys; deploy/up on a running cluster starts nothing.
source "$(dirname "$0")/setup.bash"
cluster
key=$(new_key)
public_pem "$key" "$WORK/before.pem"
echo hello >"$WORK/message"

before=$(for m in $(members); do pid_of "$m"; done)
"$ROOT/deploy/up" --no-demo >"$WORK/again"
equal "a second deploy/up leaves the processes alone" "$(for m in $(members); do pid_of "$m"; done)" "$before"
grep -q "runs already" "$WORK/again" || fail "a second deploy/up does not say that the cluster runs"

"$ROOT/deploy/down" >/dev/null
for m in $(members); do [ -z "$(pid_of "$m")" ] || fail "$m still runs after deploy/down"; done
ok "deploy/down stops everything"
equal "client.env is private" "$(stat -c %a "$LOCAL/client.env")" 600
"$ROOT/deploy/up" --no-demo >"$WORK/started" || { cat "$WORK/started"; fail "the second start"; }
public_pem "$key" "$WORK/after.pem"
cmp "$WORK/before.pem" "$WORK/after.pem"
ok "the key is the same after a restart"
sign_file "$key" "$WORK/message" ECDSA_SHA_256 "$WORK/sig"
openssl dgst -sha256 -verify "$WORK/before.pem" -signature "$WORK/sig" "$WORK/message" >/dev/null
ok "and signs"

"$ROOT/deploy/down" --purge >/dev/null
[ ! -e "$LOCAL/node-1" ] && [ ! -e "$LOCAL/client.env" ] || fail "deploy/down --purge leaves data behind"
ok "deploy/down --purge deletes the data"
