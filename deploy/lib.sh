# Sourced by deploy/up, deploy/down and tests/e2e: one cluster on this machine.
#
#   QKMS_LOCAL_DIR   where its state lives          (build/local)
#   QKMS_PORT_BASE   where its ports begin          (endpoint 8443, nodes 8451.., calls 8461..)
#   QKMS_BUILD       build folder of the daemons    (build/release)
#   QKMS_NODES       how many nodes, 2 to 9         (3)      } of a new cluster; one that exists
#   QKMS_THRESHOLD   how many of them use a key     (2)      } stays as it was made

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
LOCAL=${QKMS_LOCAL_DIR:-$ROOT/build/local}
BIN=${QKMS_BUILD:-$ROOT/build/release}/bin
REGION=q-world-1
ACCOUNT=000000000001

PORT=${QKMS_PORT_BASE:-8443}
MESH_BASE=$((PORT + 7))  # node i listens for nodes at MESH_BASE + i
CALL_BASE=$((PORT + 17)) # and for coordinators at CALL_BASE + i
ENDPOINT=https://127.0.0.1:$PORT

say() { echo "$*"; }
step() { echo "-- $*"; }
die() { echo "$(basename "$0"): error: $*" >&2; exit 1; }

# Who belongs to the cluster: what cluster.conf says, or what it is going to say.
find_nodes() {
    local n=${QKMS_NODES:-3} t=${QKMS_THRESHOLD:-2}
    if [ -e "$LOCAL/cluster.conf" ]; then
        mapfile -t NODES < <(sed -n 's/^\[node \([0-9]*\)\]$/\1/p' "$LOCAL/cluster.conf")
        THRESHOLD=$(sed -n 's/^threshold = //p' "$LOCAL/cluster.conf")
        return
    fi
    [[ $n =~ ^[2-9]$ ]] || die "QKMS_NODES is a number from 2 to 9"
    [[ $t =~ ^[2-9]$ ]] && [ "$t" -le "$n" ] || die "QKMS_THRESHOLD is a number from 2 to the number of nodes"
    mapfile -t NODES < <(seq "$n")
    THRESHOLD=$t
}
find_nodes

# Members in starting order. A folder of $LOCAL each.
members() { for i in "${NODES[@]}"; do echo "node-$i"; done; echo coordinator; }
program_of() { case $1 in node-*) echo qkms-node ;; *) echo qkms-coordinator ;; esac; }

# The pid of a member that runs, or nothing. A pid file alone proves nothing: the process must run
# this member's configuration.
pid_of() {
    local pid
    pid=$(cat "$LOCAL/$1/pid" 2>/dev/null) || return 0
    [[ $pid =~ ^[0-9]+$ ]] && [ -r "/proc/$pid/cmdline" ] || return 0
    { tr '\0' '\n' <"/proc/$pid/cmdline" | grep -qxF -- "$LOCAL/$1/$(program_of "$1").conf" && echo "$pid"; } 2>/dev/null || true
}

running() { local m; for m in $(members); do [ -n "$(pid_of "$m")" ] || return 1; done; }

port_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# ---- what a cluster is made of; cluster.conf, written last, says that all of it is there ----

write_node_conf() {
    local i=$1 dir=$LOCAL/node-$1
    cat >"$dir/qkms-node.conf" <<CONF
cluster = $LOCAL/cluster.conf
node_id = $i
identity_cert = identity.crt
identity_key = identity.key
vault = data/vault.db
node_key_source = file
node_key = node.key
audit = data/audit.log
CONF
}

write_coordinator_conf() {
    cat >"$LOCAL/coordinator/qkms-coordinator.conf" <<CONF
cluster = $LOCAL/cluster.conf
identity_cert = identity.crt
identity_key = identity.key
listen = 127.0.0.1:$PORT
tls_cert = tls.crt
tls_key = tls.key
store = data/store.db
audit = data/audit.log
CONF
}

prepare() {
    [ ! -e "$LOCAL/cluster.conf" ] || return 0
    step "making identities, certificates and cluster.conf"
    local i m args=()
    rm -rf "$LOCAL"/{operator,coordinator,node-*}
    for m in operator coordinator $(printf 'node-%s ' "${NODES[@]}"); do
        "$BIN/qkms" identity create --dir "$LOCAL/$m" --name "$m" >/dev/null
        mkdir -m 700 "$LOCAL/$m/data"
    done
    rmdir "$LOCAL/operator/data"
    for i in "${NODES[@]}"; do
        "$BIN/qkms" node-key create "$LOCAL/node-$i/node.key" >/dev/null
        write_node_conf "$i"
        args+=(--node "id=$i,address=tls+tcp://127.0.0.1:$((MESH_BASE + i)),call=tls+tcp://127.0.0.1:$((CALL_BASE + i)),cert=$LOCAL/node-$i/identity.crt")
    done
    write_coordinator_conf
    "$BIN/qkms" tls create --dir "$LOCAL/coordinator" >/dev/null
    cp "$LOCAL/coordinator/ca.crt" "$LOCAL/ca.crt"
    "$BIN/qkms" cluster create --out "$LOCAL/cluster.conf" --name local --account "$ACCOUNT" \
        --region "$REGION" --threshold "$THRESHOLD" "${args[@]}" \
        --coordinator "name=coordinator,cert=$LOCAL/coordinator/identity.crt" \
        --operator "name=operator,key=$LOCAL/operator/identity.crt" >/dev/null
}

# A vault is made once. After the ceremony a missing one is a lost share, never a reason for a new one.
make_vaults() {
    local i
    for i in "${NODES[@]}"; do
        [ ! -e "$LOCAL/node-$i/data/vault.db" ] || continue
        [ ! -e "$LOCAL/client.env" ] ||
            die "node-$i has lost its vault ($LOCAL/node-$i/data/vault.db): restore it from a backup; a new vault would not hold its shares"
        "$BIN/qkms-node" --config "$LOCAL/node-$i/qkms-node.conf" --init 2>>"$LOCAL/node-$i/log" ||
            die "node-$i: cannot make its vault: $(tail -n 1 "$LOCAL/node-$i/log")"
    done
}

# ---- starting and stopping ----

start_member() {
    local m=$1 program
    [ -z "$(pid_of "$m")" ] || return 0
    program=$(program_of "$m")
    setsid "$BIN/$program" --config "$LOCAL/$m/$program.conf" </dev/null >>"$LOCAL/$m/log" 2>&1 9>&- &
    echo $! >"$LOCAL/$m/pid"
    disown
}

check_ports() {
    local m port
    for m in $(members); do
        [ -z "$(pid_of "$m")" ] || continue
        case $m in
            node-*) set -- $((MESH_BASE + ${m#node-})) $((CALL_BASE + ${m#node-})) ;;
            *) set -- "$PORT" ;;
        esac
        for port in "$@"; do
            port_taken "$port" && die "port $port is taken by another program; set QKMS_PORT_BASE to move this cluster (before its first start)"
        done
    done
    return 0
}

start_all() { local m; check_ports; for m in $(members); do start_member "$m"; done; }

stop_member() {
    local m=$1 pid tries=150
    pid=$(pid_of "$m")
    if [ -n "$pid" ]; then
        kill -TERM "$pid" 2>/dev/null || true
        while [ -n "$(pid_of "$m")" ]; do
            if [ $((tries--)) -le 0 ]; then
                echo "$(basename "$0"): warning: $m did not stop within 30 s: killed" >&2
                kill -KILL "$pid" 2>/dev/null || true
                sleep 0.2
                break
            fi
            sleep 0.2
        done
    fi
    rm -f "$LOCAL/$m/pid"
}

# The coordinator first: it drains while the nodes still answer.
stop_all() { local m; for m in $(members | tac); do stop_member "$m"; done; }

http_status() {
    curl -s -o /dev/null -m 5 --cacert "$LOCAL/ca.crt" -w '%{http_code}' "$ENDPOINT$1" 2>/dev/null || true
}

# wait_ready SECONDS PATH: until the coordinator answers 200 there, or a daemon has died.
wait_ready() {
    local deadline=$((SECONDS + $1)) path=${2:-/readyz} m
    until [ "$(http_status "$path")" = 200 ]; do
        for m in $(members); do
            [ -n "$(pid_of "$m")" ] || die "$m has stopped: $(tail -n 3 "$LOCAL/$m/log" 2>/dev/null); all of it: $LOCAL/$m/log"
        done
        [ $SECONDS -lt $deadline ] || die "not ready after $1 s (HTTP $(http_status "$path") at $ENDPOINT$path); logs: $LOCAL/*/log"
        sleep 0.3
    done
}

ceremony() {
    "$BIN/qkms" init --cluster "$LOCAL/cluster.conf" --operator operator --operator-dir "$LOCAL/operator" \
        --endpoint "$ENDPOINT" --ca-bundle "$LOCAL/ca.crt" --account-name local --admin admin \
        --write-env "$LOCAL/client.env"
}

# ---- the AWS CLI, undisturbed by the configuration of whoever runs this ----

aws_cli() {
    local aws=${QKMS_AWS:-/usr/bin/aws}
    [ -x "$aws" ] || aws=$(command -v aws)
    env -u AWS_PROFILE AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null AWS_PAGER='' \
        AWS_EC2_METADATA_DISABLED=true "$aws" --endpoint-url "$ENDPOINT" --region "$REGION" "$@"
}
