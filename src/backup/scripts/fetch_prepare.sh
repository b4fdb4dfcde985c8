#!/usr/bin/env bash
# The body that runs once before a backup is brought: refuses when another job runs, makes the folders, says what room there
# is, and tries the passphrase on the canary.
#
#   CA_PEM       certificates of the S3 server's authority; empty: the system's
#   CANARY       canary.gpg in base64; empty: there is none
#   ARCHIVES     names of the archives that are read, separated by spaces
#   PYTHON, ROOM_PY   the program that makes the staging folder and measures
# shellcheck source=src/backup/scripts/harness.sh disable=SC2154,SC2153
: "${watcher:?harness.sh goes before this}"

# What a killed job leaves is gone within seconds.
open_lock || fail 'cannot create the lock in /tmp' 73
flock -w 5 -x 9 || fail 'another job, or what is left of one, still runs in the workload' 75

# With the lock held, what is there is a dead job's.
rm -rf -- "$JOB_DIR"
"${as_data[@]}" rm -rf -- "$STAGING"
mkdir -m 700 -- "$JOB_DIR" || fail "cannot create $JOB_DIR" 73
for name in canary $ARCHIVES; do
    mkdir -m 700 -- "$JOB_DIR/gnupg-$name" || fail "cannot create $JOB_DIR/gnupg-$name" 73
done
printf '%s' "${CA_PEM-}" >"$JOB_DIR/ca.pem" || fail "cannot write to $JOB_DIR" 73

if [[ -n $CANARY ]]; then
    tried=0
    (base64 -d <<<"$CANARY" | decrypt canary >/dev/null) || tried=$?
    ((tried < 128)) || fail 'what tries the passphrase was killed'
    ((tried == 0)) || fail 'the passphrase is not the one that this backup was made with' 77
fi
"${as_data[@]}" "$PYTHON" -I -S -c "$ROOM_PY" 3<&- 9<&- || finish $?
finish 0
