#!/bin/bash
# Users and access keys through the qkms command: what is allowed works, all else is refused.
source "$(dirname "$0")/setup.bash"
cluster
key=$(new_key)
echo hello >"$WORK/message"
qkms() { "$BIN/qkms" "$@"; }
as_app() { (source "$WORK/app.env" && "$@"); }

qkms user create app --allow kms:Sign --allow 'kms:Get*' >/dev/null
qkms access-key create --user app --write-env "$WORK/app.env" --json >"$WORK/made"
id=$(jq -r .AccessKey.AccessKeyId "$WORK/made")
equal "the answer names the user" "$(jq -r .AccessKey.UserName "$WORK/made")" app
equal "user list" "$(qkms user list --json | jq -r '[.Users[].UserName] | sort | join(" ")')" "admin app"
equal "access-key list" "$(qkms access-key list --user app --json | jq -r '.AccessKeys[].AccessKeyId')" "$id"
as_app sign_file "$key" "$WORK/message" ECDSA_SHA_256 "$WORK/sig"
ok "the user signs"
as_app public_pem "$key" "$WORK/key.pem"
ok "and reads the public key"
refused "but makes no key" AccessDeniedException as_app new_key
refused "nor users" AccessDeniedException as_app qkms user create eve
qkms access-key disable "$id" >/dev/null
refused "disabled, its access key is void" UnrecognizedClientException as_app sign_file "$key" "$WORK/message" ECDSA_SHA_256 "$WORK/none"
qkms access-key enable "$id" >/dev/null
as_app sign_file "$key" "$WORK/message" ECDSA_SHA_256 "$WORK/sig"
ok "enabled, it works again"
refused "a name twice" AlreadyExistsException qkms user create app

qkms status >"$WORK/status"
ok "status: $(head -n 1 "$WORK/status")"
qkms status --json | jq -e '.Nodes | length == 3' >/dev/null
ok "status --json lists three nodes"
chmod 644 "$WORK/app.env"
refused "an environment file that others can read" "closed to others" qkms status --env-file "$WORK/app.env"
refused "a second ceremony" AlreadyExistsException qkms init --cluster "$LOCAL/cluster.conf" --operator operator \
    --operator-dir "$LOCAL/operator" --endpoint "$ENDPOINT" --ca-bundle "$LOCAL/ca.crt" --show-secret
qkms identity create --dir "$WORK/other" --name operator >/dev/null
refused "a ceremony by a stranger" "another key for operator" qkms init --cluster "$LOCAL/cluster.conf" --operator operator \
    --operator-dir "$WORK/other" --endpoint "$ENDPOINT" --ca-bundle "$LOCAL/ca.crt" --show-secret
