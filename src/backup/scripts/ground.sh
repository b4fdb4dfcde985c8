#!/usr/bin/env bash
# The first part of every script that the charm runs in the workload.
#
#   DATA_UID  who owns the data and reads it
# shellcheck disable=SC2034
set -uo pipefail
umask 077
cd / || exit 70
export LC_ALL=C.UTF-8 PYTHONNOUSERSITE=1 PYTHONDONTWRITEBYTECODE=1

# As root: a compromised Synapse, of the same user as the data, cannot look into gpg and aws; what reads data drops to its user.
as_data=(env HOME=/)
if ((EUID == 0)); then
    as_data=(setpriv "--reuid=$DATA_UID" "--regid=$DATA_UID" --clear-groups --no-new-privs -- env HOME=/)
fi

# Opens descriptor 9 for flock. The folder is ours alone: what the data's user puts in its place is removed, so that it can
# neither hold the lock nor have it.
open_lock() {
    local folder=/tmp/.synapse-charm.lock
    if [[ -L $folder || ! -d $folder || ! -O $folder ]]; then
        rm -rf -- "$folder" 2>/dev/null
        mkdir -m 700 -- "$folder" 2>/dev/null
    fi
    [[ ! -L $folder && -d $folder && -O $folder ]] && exec 9<"$folder"
}
