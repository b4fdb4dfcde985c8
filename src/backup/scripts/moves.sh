#!/usr/bin/env bash
# Behind ground.sh. Runs a program that looks at or moves data on the volume, as the data's user and while no job runs: what a
# killed one left running has the lock until it is gone.
#
#   PYTHON, PROGRAM_PY   what runs, and its text; it reads its order from stdin
#   DATA_FOLDER          the data volume
#   LOCK_SECONDS         how long another job is waited for
# shellcheck source=src/backup/scripts/ground.sh disable=SC2154
: "${as_data:?ground.sh goes before this}"

if ! { open_lock && flock -w "$LOCK_SECONDS" -x 9; }; then
    echo 'synapse-charm: another job, or what is left of one, still runs in the workload' >&2
    exit 75
fi
# It holds the lock to its end, also when this shell is gone.
exec "${as_data[@]}" "$PYTHON" -I -S -c "$PROGRAM_PY" "$DATA_FOLDER"
