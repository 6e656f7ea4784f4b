#!/bin/bash
# Every operation through the AWS SDK for JavaScript v3, configured by client.env alone.
source "$(dirname "$0")/setup.bash"
js_modules
cluster
(cd "$MODULES" && node --no-warnings ops.mjs && node --no-warnings sym.mjs && node --no-warnings import.mjs && node --no-warnings mac.mjs)
