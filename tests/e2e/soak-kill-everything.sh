#!/bin/bash
# Under load from several processes nodes and coordinator die with kill -9 at random, keys rotate, and a node
# stays away for a while. At the end everything that was ever acknowledged opens.
#   QKMS_SOAK_SECONDS=60    how long
#   QKMS_SOAK_SEED=1234     the accidents of an earlier run (below 32768)
source "$(dirname "$0")/setup.bash"
seconds=${QKMS_SOAK_SECONDS:-60}
seed=${QKMS_SOAK_SEED:-$RANDOM}
echo "seed $seed, $seconds s"
RANDOM=$seed
cluster
newer_model awscli.botocore
keys=()
for modes in FV F V; do keys+=("$(kms create-key --tags "TagKey=qkms:modes,TagValue=$modes" --query KeyMetadata.Arn --output text)"); done
away=node-$((RANDOM % 3 + 1))

end=$((SECONDS + seconds)) load=() kills=0
for i in 1 2 3; do
    py soak_load.py "$WORK/made.$i" "$seconds" "${keys[@]}" >"$WORK/load.$i" 2>&1 &
    load+=($!)
done
rotate() { # needs all nodes: under fire it may fail, and must not harm
    while [ $SECONDS -lt $end ]; do
        AWS_MAX_ATTEMPTS=1 kms rotate-key-on-demand --key-id "${keys[RANDOM % 3]}" >/dev/null 2>&1 && echo rotated >>"$WORK/rotated"
        sleep 1
    done
}
rotate &
load+=($!)
accident() { # at most one member is down on purpose when this begins; it is up again when this ends
    local m
    case $((RANDOM % 5)) in
        0) m=(coordinator) ;;
        1) m=("node-$((RANDOM % 3 + 1))" coordinator) ;;
        2) m=(node-1 node-2 node-3) ;;
        *) m=("node-$((RANDOM % 3 + 1))") ;;
    esac
    for one in "${m[@]}"; do [ -z "$(pid_of "$one")" ] || { kill_member "$one"; kills=$((kills + 1)); }; done
    sleep "0.$((RANDOM % 10))"
    for one in "${m[@]}"; do [ "$one" = "$gone" ] || start_member "$one"; done
}
gone=
while [ $SECONDS -lt $end ]; do
    if [ -z "$gone" ] && [ $SECONDS -ge $((end - seconds * 2 / 3)) ] && [ $SECONDS -lt $((end - seconds / 3)) ]; then
        gone=$away
        kill_member "$gone"
        echo "$gone stays away"
    elif [ -n "$gone" ] && [ $SECONDS -ge $((end - seconds / 3)) ]; then
        start_member "$gone"
        gone=
    fi
    accident
    sleep "$((RANDOM % 4)).$((RANDOM % 10))"
done
[ -z "$gone" ] || start_member "$gone"
failed=
wait "${load[3]}" || true
for i in 1 2 3; do wait "${load[i - 1]}" || failed=yes; sed "s/^/client $i: /" "$WORK/load.$i"; done
[ -z "$failed" ] || fail "a client met an error that no retry mends"
wait_ready 60
wait_all 60
ok "$kills kills, $(touch "$WORK/rotated" && wc -l <"$WORK/rotated") rotations"
py soak_check.py "$WORK"/made.*
for key in "${keys[@]}"; do # 25 times is all there is: an hour of this comes to the end of it
    kms rotate-key-on-demand --key-id "$key" >/dev/null 2>"$WORK/why" || grep -q LimitExceeded "$WORK/why" || fail "rotation: $(cat "$WORK/why")"
done
kill_member "$away"
py soak_check.py "$WORK"/made.*
ok "and so they do after another rotation, with $away dead"
