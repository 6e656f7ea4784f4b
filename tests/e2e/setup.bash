# Sourced by every end-to-end test: real daemons of the release build, on ports and in a folder of
# their own. A script stops what it started and ends with status 0, 1, or 77 (skipped, last line says why).
set -euo pipefail
umask 077
E2E=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
TEST=$(basename "$0" .sh)
export QKMS_LOCAL_DIR=${QKMS_E2E_DIR:-$E2E/../../build/e2e}/$TEST
export QKMS_PORT_BASE=${QKMS_E2E_PORT:-20443}
export QKMS_BUILD=${QKMS_BUILD:-$(cd "$E2E/../.." && pwd)/build/release}
mkdir -p "$QKMS_LOCAL_DIR"
QKMS_LOCAL_DIR=$(cd "$QKMS_LOCAL_DIR" && pwd)
# shellcheck source=../../deploy/lib.sh
source "$E2E/../../deploy/lib.sh"
WORK=$(mktemp -d)
PYTHON=${QKMS_PYTHON:-/usr/bin/python3} # Debian's, with python3-boto3

finish() {
    local status=$?
    trap - EXIT
    # Who was not stopped by the test must still run, whatever else the test has shown.
    for m in $(members); do
        if [ $status = 0 ] && [ -e "$LOCAL/$m/pid" ] && [ -z "$(pid_of "$m")" ]; then
            echo "FAIL $m has died"
            status=1
        fi
    done
    if [ $status != 0 ] && [ $status != 77 ]; then
        echo "--- $TEST failed (status $status); the daemons' last words:"
        for m in $(members); do echo "[$m]"; grep -vE '"level":"(info|debug)"' "$LOCAL/$m/log" 2>/dev/null | tail -n 6 || true; tail -n 2 "$LOCAL/$m/log" 2>/dev/null || true; done
    fi
    type -t cleanup >/dev/null && cleanup
    stop_all >/dev/null 2>&1 || true
    [ -n "${QKMS_E2E_KEEP:-}" ] || rm -rf "$LOCAL" "$WORK"
    exit $status
}
trap finish EXIT

# A fresh cluster, ready, its client.env loaded.
cluster() {
    "$ROOT/deploy/down" --purge >/dev/null 2>&1 || true
    mkdir -p "$LOCAL"
    "$ROOT/deploy/up" --no-demo >"$WORK/up.log" 2>&1 || { cat "$WORK/up.log"; exit 1; }
    find_nodes
    load_env
}
load_env() {
    # shellcheck disable=SC1091
    source "$LOCAL/client.env"
    export AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null AWS_EC2_METADATA_DISABLED=true
}

kms() { aws_cli kms "$@"; }
py() { PYTHONPATH=$E2E "$PYTHON" "$E2E/$1" "${@:2}"; }
# Debian's clients are older than DryRun and rotation on demand: the model they would get with an upgrade.
newer_model() { py newer_model.py "$WORK/models" "$1" && export AWS_DATA_PATH=$WORK/models; } # awscli.botocore or botocore
# PYTHON becomes one with the newest boto3 there is. The clients that tests install are kept in build/.
newest_boto3() {
    local venv=$ROOT/build/e2e-venv
    if ! "$venv/bin/python" -c 'import boto3' 2>/dev/null; then
        rm -rf "$venv"
        { /usr/bin/python3 -m venv "$venv" && "$venv/bin/pip" install -q --disable-pip-version-check boto3; } >"$WORK/pip.log" 2>&1 ||
            { rm -rf "$venv"; ok "(the newest boto3 is not tried: PyPI cannot be reached)"; return 1; }
    fi
    PYTHON=$venv/bin/python
}
# MODULES becomes a folder with the programs of js/ and the packages of its lock file.
js_modules() {
    command -v npm >/dev/null || skip "npm is not installed"
    MODULES=$ROOT/build/e2e-js
    mkdir -p "$MODULES"
    cp "$E2E"/js/* "$MODULES/"
    (cd "$MODULES" && { cmp -s package-lock.json .installed || npm ci --silent --no-audit --no-fund; }) >"$WORK/npm.log" 2>&1 ||
        skip "the SDK cannot be installed: $(tail -n 1 "$WORK/npm.log")"
    cp "$MODULES/package-lock.json" "$MODULES/.installed"
}
# Until every node is linked to the coordinator and to every other: a key needs them all, and what
# comes back dials again at its own pace.
wait_all() {
    local deadline=$((SECONDS + ${1:-30})) said n=${#NODES[@]}
    until said=$("$BIN/qkms" status --cluster "$LOCAL/cluster.conf" --json 2>/dev/null) &&
        [ "$(grep -o '"LinkUp": *true' <<<"$said" | wc -l)" = "$n" ] && [ "$(grep -o '"Up": *true' <<<"$said" | wc -l)" = $((n * (n - 1))) ]; do
        [ $SECONDS -lt $deadline ] || fail "not every link is up: $said"
        sleep 0.2
    done
}
# took WHAT MS: of one attempt, what the coordinator says it took.
took() {
    local ms
    ms=$(grep '"event":"request"' "$LOCAL/coordinator/log" | tail -n 1 | jq .latency_us)
    [ "$ms" -le $(($2 * 1000)) ] || fail "$1: the answer took $ms us"
    ok "$1: and the answer came within $2 ms ($((ms / 1000)))"
}
ok() { echo "ok   $*"; }
fail() { echo "FAIL $*"; exit 1; }
skip() { echo "$*"; exit 77; }
equal() { [ "$2" = "$3" ] || fail "$1: got '$2', want '$3'"; ok "$1"; }

# refused WHAT ERROR-NAME COMMAND...: it must fail and name this error.
refused() {
    local what=$1 want=$2 out
    shift 2
    if out=$("$@" 2>&1); then fail "$what: was not refused: $out"; fi
    case $out in *"$want"*) ok "$what: $want" ;; *) fail "$what: want $want, got: $out" ;; esac
}

new_key() { kms create-key --key-spec "${1:-ECC_NIST_P256}" --key-usage SIGN_VERIFY --query KeyMetadata.KeyId --output text; }
public_pem() { # key file
    kms get-public-key --key-id "$1" --query PublicKey --output text | base64 -d | openssl pkey -pubin -inform DER -out "$2"
}
sign_file() { # key file algorithm signature
    kms sign --key-id "$1" --message "fileb://$2" --message-type RAW --signing-algorithm "$3" --query Signature --output text | base64 -d >"$4"
}
kill_member() { local p; p=$(pid_of "$1"); [ -n "$p" ] || fail "$1 does not run"; kill -KILL "$p"; while [ -n "$(pid_of "$1")" ]; do sleep 0.05; done; rm -f "$LOCAL/$1/pid"; }
