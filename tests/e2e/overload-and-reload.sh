#!/bin/bash
# With its queue full the coordinator says ThrottlingException and goes on; daemons tell systemd how they
# are; SIGHUP brings a new HTTPS certificate without a restart.
source "$(dirname "$0")/setup.bash"
cluster
key=$(new_key)
stop_member coordinator
printf 'workers = 1\nqueue = 1\n' >>"$LOCAL/coordinator/qkms-coordinator.conf"

/usr/bin/python3 - "$WORK/notify" >"$WORK/notified" <<'PY' &
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
while True:
    print(s.recv(100).decode(), flush=True)
PY
listener=$!
cleanup() { kill $listener 2>/dev/null || true; }
until [ -S "$WORK/notify" ]; do sleep 0.05; done
told() { # WHAT COUNT: within 10 s
    for _ in $(seq 100); do [ "$(grep -cx "$1" "$WORK/notified")" -lt "$2" ] || { ok "systemd is told $1 ($2)"; return; }; sleep 0.1; done
    fail "no $1 was sent: $(cat "$WORK/notified")"
}
NOTIFY_SOCKET=$WORK/notify start_member coordinator
wait_ready 30
told READY=1 1

py throttled.py "$key"
echo again >"$WORK/message"
sign_file "$key" "$WORK/message" ECDSA_SHA_256 "$WORK/sig"
ok "it serves again when the rush is over"

serial() { openssl s_client -connect "127.0.0.1:$PORT" </dev/null 2>/dev/null | openssl x509 -noout -fingerprint; }
before=$(serial)
mkdir "$WORK/tls"
"$BIN/qkms" tls create --dir "$WORK/tls" >/dev/null
cp "$WORK/tls/tls.key" "$WORK/tls/tls.crt" "$LOCAL/coordinator/"
cp "$WORK/tls/ca.crt" "$LOCAL/ca.crt"
equal "the old certificate is served until told" "$(serial)" "$before"
kill -HUP "$(pid_of coordinator)"
for _ in $(seq 100); do [ "$(serial)" = "$before" ] || break; sleep 0.1; done
[ "$(serial)" != "$before" ] || fail "SIGHUP did not bring the new certificate"
equal "the new certificate is served, under its own CA" "$(http_status /healthz)" 200

stop_member node-3
NOTIFY_SOCKET=$WORK/notify start_member node-3
told READY=1 2
stop_member node-3
told STOPPING=1 1
stop_member coordinator
told STOPPING=1 2
