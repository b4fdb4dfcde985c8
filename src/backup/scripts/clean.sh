#!/usr/bin/env bash
# Removes what jobs left: the folders of the job that has just ended (JOB_DIR, STAGING; empty: none), and, when no job
# runs, those of jobs that ended without cleaning up more than SWEEP_MINUTES ago. No secrets, no stdin.
#
#   DATA_FOLDER   the data volume
set -uo pipefail
cd / || exit 70
export LC_ALL=C.UTF-8

as_data=(env HOME=/)
if ((EUID == 0)); then
    as_data=(setpriv "--reuid=$DATA_UID" "--regid=$DATA_UID" --clear-groups --inh-caps=-all --no-new-privs -- env HOME=/)
fi

# What a failed job started ends within seconds; nothing is aborted or swept under its feet.
exec 9</tmp
if ! flock -w 10 -x 9; then
    exit 0
fi
if [[ -n $JOB_DIR ]]; then
    rm -rf -- "$JOB_DIR"
fi
if [[ -n $STAGING ]]; then
    "${as_data[@]}" rm -rf -- "$STAGING"
fi
shopt -s nullglob
now=$EPOCHSECONDS
for folder in /tmp/synapse-charm-backup-* "$DATA_FOLDER"/.backup-backup-*; do
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
