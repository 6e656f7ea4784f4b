#!/bin/bash
# After the ceremony and real use, the secret access key stands in client.env and nowhere else.
source "$(dirname "$0")/setup.bash"
cluster
key=$(new_key)
echo hello >"$WORK/message"
sign_file "$key" "$WORK/message" ECDSA_SHA_256 "$WORK/sig"
"$BIN/qkms" user create app --allow kms:Sign >/dev/null
"$BIN/qkms" access-key create --user app --write-env "$WORK/app.env" >"$WORK/shown"
app_secret=$(sed -n "s/^export AWS_SECRET_ACCESS_KEY='\(.*\)'$/\1/p" "$WORK/app.env")
[ ${#app_secret} = 40 ] || fail "app.env holds no secret"
equal "app.env is private" "$(stat -c %a "$WORK/app.env")" 600
# Callers who put their secret where it does not belong are told so, with their own words; no log keeps them.
misplaced() { # AUTHORIZATION WANTED-ERROR
    curl -s -m 20 --cacert "$LOCAL/ca.crt" -H "Authorization: $1" -H 'X-Amz-Target: TrentService.ListKeys' \
        -H 'Content-Type: application/x-amz-json-1.1' -H "X-Amz-Date: $(date -u +%Y%m%dT%H%M%SZ)" -d '{}' "$ENDPOINT" >"$WORK/told"
    equal "a secret in the Authorization header" "$(jq -r .__type "$WORK/told")" "$2"
    grep -qF "$AWS_SECRET_ACCESS_KEY" "$WORK/told" || fail "the caller is not told what was wrong"
}
misplaced "Bearer $AWS_SECRET_ACCESS_KEY" IncompleteSignatureException
misplaced "AWS4-HMAC-SHA256 Credential=$AWS_SECRET_ACCESS_KEY, SignedHeaders=host, Signature=0" IncompleteSignatureException
"$ROOT/deploy/down" >/dev/null

for secret in "$AWS_SECRET_ACCESS_KEY" "$app_secret"; do
    for form in "$secret" "$(printf %s "$secret" | base64)" "$(printf %s "$secret" | base64 -d | od -An -v -tx1 | tr -d ' \n')" \
        "$(printf %s "$secret" | od -An -v -tx1 | tr -d ' \n')"; do
        [ -n "$form" ] || continue
        found=$(grep -rlaF --exclude=client.env -e "$form" "$LOCAL" || true)
        [ -z "$found" ] || fail "a secret access key stands in $found"
    done
    # as raw bytes: the 30 bytes that the text encodes
    SECRET=$secret /usr/bin/python3 - "$LOCAL" <<'PY'
import base64, os, sys
raw = base64.b64decode(os.environ["SECRET"])
for folder, _, names in os.walk(sys.argv[1]):
    for name in names:
        path = os.path.join(folder, name)
        if name != "client.env" and raw in open(path, "rb").read():
            sys.exit(f"the raw secret stands in {path}")
PY
done
ok "no log, audit log, database or configuration holds a secret access key"
grep -qF "$app_secret" "$WORK/shown" && fail "access-key create printed the secret unasked"
ok "nor does the command print it unasked"
for i in "${NODES[@]}"; do
    node_key=$(od -An -tx1 "$LOCAL/node-$i/node.key" | tr -d ' \n')
    found=$(grep -rlaF -e "$node_key" "$LOCAL" || true)
    [ -z "$found" ] || fail "node $i's key stands in $found"
done
ok "no log holds a node key"
for f in "$LOCAL"/*/identity.key "$LOCAL"/node-*/node.key "$LOCAL/coordinator/tls.key" "$LOCAL/client.env"; do
    [ "$(stat -c %a "$f")" = 600 ] || fail "$f is open to others"
done
ok "every secret file is private"
"$BIN/qkms" audit verify "$LOCAL/node-1/data/audit.log" >"$WORK/audit"
ok "audit verify: $(head -n 1 "$WORK/audit")"
sed -i '2s/"time":"2/"time":"1/' "$LOCAL/node-1/data/audit.log"
if "$BIN/qkms" audit verify "$LOCAL/node-1/data/audit.log" 2>"$WORK/why"; then fail "a changed entry went unnoticed"; fi
ok "a changed audit entry is found: $(cat "$WORK/why")"
