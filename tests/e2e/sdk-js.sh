#!/bin/bash
# Every operation through the AWS SDK for JavaScript v3, configured by client.env alone.
source "$(dirname "$0")/setup.bash"
command -v npm >/dev/null || skip "npm is not installed"
modules=$ROOT/build/e2e-js
mkdir -p "$modules"
cp "$E2E"/js/* "$modules/"
(cd "$modules" && { cmp -s package.json .installed || npm install --silent --no-audit --no-fund --no-package-lock; }) >"$WORK/npm.log" 2>&1 ||
    skip "the SDK cannot be installed: $(tail -n 1 "$WORK/npm.log")"
cp "$modules/package.json" "$modules/.installed"
cluster
(cd "$modules" && node --no-warnings ops.mjs)
