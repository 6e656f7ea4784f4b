#!/bin/bash
# A node sleeps through a change. When it is back and another one is gone, what was changed holds all the same.
source "$(dirname "$0")/setup.bash"
cluster
newer_model awscli.botocore
symmetric() { kms create-key --query KeyMetadata.KeyId --output text "$@"; }
encrypt() { kms encrypt --key-id "$1" --plaintext "$(printf 'of %s' "$1" | base64 -w 0)" --query CiphertextBlob --output text | base64 -d >"$WORK/${2:-$1}"; }
opened() { kms decrypt --ciphertext-blob "fileb://$WORK/$1" --query Plaintext --output text | base64 -d; }
state() { kms describe-key --key-id "$1" --query KeyMetadata.KeyState --output text; }
swap() { # the sleeper comes back, another goes: the two that serve now share no memory of the change
    kill_member node-1
    start_member node-3
    for _ in $(seq 100); do [ "$(http_status /readyz)" != 200 ] || return 0; sleep 0.3; done
    fail "two nodes up and not ready"
}
back() { start_member node-1; start_member node-3; wait_ready 30; wait_all; }

bring() { # KEY: the material in $WORK/material
    kms get-parameters-for-import --key-id "$1" --wrapping-algorithm RSAES_OAEP_SHA_256 --wrapping-key-spec RSA_2048 >"$WORK/parameters" &&
        jq -r .PublicKey "$WORK/parameters" | base64 -d >"$WORK/public" && jq -r .ImportToken "$WORK/parameters" | base64 -d >"$WORK/token" &&
        openssl pkeyutl -encrypt -pubin -keyform DER -inkey "$WORK/public" -pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256 \
            -in "$WORK/material" -out "$WORK/wrapped" &&
        kms import-key-material --key-id "$1" --import-token "fileb://$WORK/token" --encrypted-key-material "fileb://$WORK/wrapped" \
            --expiration-model KEY_MATERIAL_DOES_NOT_EXPIRE >/dev/null
}
sealed() { sqlite3 "file:$LOCAL/node-3/data/vault.db?mode=ro" "SELECT hex(sealed) FROM share" | sort; } # node 3 must be down

key=$(symmetric)
gone=$(symmetric)
encrypt "$key"
encrypt "$gone"
stop_member node-3
sealed >"$WORK/before"
start_member node-3
wait_ready 30
wait_all
openssl rand -out "$WORK/material" 32
imported=$(symmetric --origin EXTERNAL)
bring "$imported"
encrypt "$imported"
kill_member node-3
sealed | comm -13 "$WORK/before" - >"$WORK/of-imported"
[ -s "$WORK/of-imported" ] || fail "node 3 has no share of what was imported"
kms delete-imported-key-material --key-id "$imported" >/dev/null
kms disable-key --key-id "$key"
kms schedule-key-deletion --key-id "$gone" --pending-window-in-days 7 >/dev/null
swap
refused "disabled while a node slept: Encrypt" DisabledException encrypt "$key" none
refused "disabled while a node slept: Decrypt" DisabledException opened "$key"
refused "doomed while a node slept: Decrypt" KMSInvalidStateException opened "$gone"
refused "material deleted while a node slept: Decrypt" KMSInvalidStateException opened "$imported"
kms enable-key --key-id "$key"
equal "enabled, it opens" "$(opened "$key")" "of $key"
back
for _ in $(seq 20); do # it learns of it, and what was asleep is destroyed
    sleep 1
    stop_member node-3
    [ -n "$(sealed | comm -12 "$WORK/of-imported" -)" ] || break
    start_member node-3
    wait_ready 30
    wait_all
done
equal "the sleeper's share of it is destroyed" "$(sealed | comm -12 "$WORK/of-imported" -)" ""
back
bring "$imported"
equal "brought again, it opens" "$(opened "$imported")" "of $imported"
kms rotate-key-on-demand --key-id "$key" >/dev/null
for i in 1 2 3; do
    kill_member "node-$i"
    equal "rotated, without node $i: what is older opens" "$(opened "$key")" "of $key"
    start_member "node-$i"
    wait_ready 30
    wait_all
done
