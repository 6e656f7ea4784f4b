#!/bin/bash
# A disabled key and a key that waits for its deletion sign nothing; undone, they sign again.
source "$(dirname "$0")/setup.bash"
cluster
key=$(new_key)
echo hello >"$WORK/message"
sign() { sign_file "$key" "$WORK/message" ECDSA_SHA_256 "$WORK/sig"; }
state() { kms describe-key --key-id "$key" --query KeyMetadata.KeyState --output text; }
sign
ok "a fresh key signs"

kms disable-key --key-id "$key"
equal "DisableKey" "$(state)" Disabled
refused "a disabled key does not sign" "DisabledException" sign
kms enable-key --key-id "$key"
equal "EnableKey" "$(state)" Enabled
sign
ok "enabled, it signs again"

equal "ScheduleKeyDeletion" "$(kms schedule-key-deletion --key-id "$key" --pending-window-in-days 7 --query KeyState --output text)" PendingDeletion
refused "a key that waits for deletion does not sign" "is pending deletion" sign
refused "nor can it be scheduled twice" "KMSInvalidStateException" kms schedule-key-deletion --key-id "$key"
kms cancel-key-deletion --key-id "$key" >/dev/null
equal "CancelKeyDeletion leaves it disabled" "$(state)" Disabled
kms enable-key --key-id "$key"
sign
ok "rescued, it signs again"
