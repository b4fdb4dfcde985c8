#!/usr/bin/env bash
# Behind ground.sh. Removes what jobs left: the folders of the job that has just ended (JOB_DIR, STAGING; empty: none), and,
# when no job runs, those of jobs that ended without cleaning up more than SWEEP_MINUTES ago. No secrets, no stdin.
#
#   DATA_FOLDER   the data volume
# shellcheck source=src/backup/scripts/ground.sh disable=SC2154
: "${as_data:?ground.sh goes before this}"

# What a failed job started ends within seconds; nothing is aborted or swept under its feet.
if ! { open_lock && flock -w 10 -x 9; }; then
    echo 'synapse-charm: a job, or what is left of one, still runs in the workload' >&2
    exit 75
fi
if [[ -n $JOB_DIR ]]; then
    rm -rf -- "$JOB_DIR"
fi
if [[ -n $STAGING ]]; then
    "${as_data[@]}" rm -rf -- "$STAGING"
fi
shopt -s nullglob
now=$EPOCHSECONDS
for folder in /tmp/synapse-charm-* "$DATA_FOLDER"/.backup-backup-* "$DATA_FOLDER"/.verify-backup-*; do
    changed=$(stat --format=%Y -- "$folder") || continue
    if ((now - changed < SWEEP_MINUTES * 60)); then
        continue
    fi
    case $folder in
    /tmp/*) rm -rf -- "$folder" ;;
    *) "${as_data[@]}" rm -rf -- "$folder" ;;
    esac
done
exit 0
