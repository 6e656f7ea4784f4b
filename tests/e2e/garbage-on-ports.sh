#!/bin/bash
# Whatever is thrown at the ports, the daemons stay up and go on serving.
source "$(dirname "$0")/setup.bash"
cluster
key=$(new_key)
echo hello >"$WORK/message"
head -c 65536 /dev/urandom >"$WORK/noise"
for port in "$PORT" $((MESH_BASE + 1)) $((MESH_BASE + 2)) $((CALL_BASE + 1)) $((CALL_BASE + 3)); do
    for _ in 1 2 3; do
        (timeout 3 bash -c "exec 3<>/dev/tcp/127.0.0.1/$port && cat '$WORK/noise' >&3") 2>/dev/null || true
        # a stranger's TLS, with nothing, and with noise inside
        (timeout 3 openssl s_client -connect "127.0.0.1:$port" -quiet <"$WORK/noise") >/dev/null 2>&1 || true
        (timeout 1 openssl s_client -connect "127.0.0.1:$port" -quiet </dev/null) >/dev/null 2>&1 || true
    done
done
# a node's certificate is public, but its key is not: a made-up identity gets nowhere
"$BIN/qkms" identity create --dir "$WORK/stranger" --name node-2 >/dev/null
(timeout 3 openssl s_client -connect "127.0.0.1:$((MESH_BASE + 1))" -quiet -cert "$WORK/stranger/identity.crt" \
    -key "$WORK/stranger/identity.key" <"$WORK/noise") >/dev/null 2>&1 || true
running || fail "a daemon has died of garbage"
ok "every daemon still runs"
py garbage.py
sign_file "$key" "$WORK/message" ECDSA_SHA_256 "$WORK/sig"
ok "and the cluster signs"
