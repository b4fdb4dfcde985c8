#!/usr/bin/env bash
# The body that runs once before the archives: refuses when another job runs, makes the folders, measures what there is
# and encrypts the canary. One line of JSON on stdout for each of the last two.
#
#   CA_PEM       certificates of the S3 server's authority; empty: the system's
#   CANARY       the text that canary.gpg holds
#   PYTHON, MEASURE_PY   the program that measures; it reads its own environment
# shellcheck source=src/backup/scripts/harness.sh disable=SC2154,SC2153
: "${watcher:?harness.sh goes before this}"

# What a killed job leaves is gone within seconds.
open_lock || fail 'cannot create the lock in /tmp' 73
flock -w 5 -x 9 || fail 'another job, or what is left of one, still runs in the workload' 75

mkdir -m 700 -- "$JOB_DIR" || fail "cannot create $JOB_DIR" 73
for name in canary state media; do
    mkdir -m 700 -- "$JOB_DIR/gnupg-$name" || fail "cannot create $JOB_DIR/gnupg-$name" 73
done
printf '%s' "${CA_PEM-}" >"$JOB_DIR/ca.pem" || fail "cannot write to $JOB_DIR" 73

(printf '%s\n' "$CANARY" | encrypt canary >"$JOB_DIR/canary.gpg") &
encrypting=$!

"${as_data[@]}" "$PYTHON" -I -S -c "$MEASURE_PY" 3<&- 9<&- || finish $?

wait "$encrypting" || fail 'gpg cannot encrypt' 69
printf '{"canary":"%s"}\n' "$(base64 -w0 <"$JOB_DIR/canary.gpg")"
finish 0
