#!/usr/bin/env bash
# The body that runs once after a backup was brought: counts media that the database knows and nobody has, and waits until
# everything is on the disk.
#
#   DATABASE           the staged database; empty for none
#   MEDIA_STORE        where the files of its media must be
#   PYTHON, MEDIA_PY   the program that counts
# shellcheck source=src/backup/scripts/harness.sh disable=SC2154,SC2153
: "${watcher:?harness.sh goes before this}"

open_lock || fail 'cannot create the lock in /tmp' 73
flock -n -s 9 || fail 'another job holds the lock' 75

if [[ -n $DATABASE ]]; then
    "${as_data[@]}" "$PYTHON" -I -S -c "$MEDIA_PY" "$DATABASE" "$MEDIA_STORE" 3<&- || finish $?
fi
"${as_data[@]}" sync --file-system -- "$STAGING" 3<&- || fail 'cannot write the staged files to the disk' 74
finish 0
