#!/usr/bin/env bash
# The first part of every script that the charm runs in the workload; the charm puts one body behind it and gives both to
# `bash -c`. It owns the secrets, the process group and the clean-up. Everything a body needs comes by environment.
#
#   JOB_DIR   a folder under /tmp for AWS's configuration and gpg's home; belongs to whoever runs this script
#   STAGING   a folder on the data volume for what the archives hold beside live files; belongs to DATA_UID
#   DATA_UID  who owns the data and reads it
#   stdin     one line, the passphrase; then it stays open for as long as the charm lives and wants this to go on
set -uo pipefail
umask 077
cd / || exit 70

# Before the first child: what is not in the environment cannot be inherited.
# shellcheck disable=SC2034
access_key=${AWS_ACCESS_KEY_ID-}
# shellcheck disable=SC2034
secret_key=${AWS_SECRET_ACCESS_KEY-}
unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
export LC_ALL=C.UTF-8

if ! IFS= read -r passphrase; then
    echo 'synapse-charm: no passphrase line on stdin' >&2
    exit 64
fi

# A child that dies of memory takes the job with it; Synapse must not die in its place.
echo 600 2>/dev/null >/proc/self/oom_score_adj

# As root: a compromised Synapse, of the same user as the data, cannot look into gpg and aws; what reads data drops to its user.
as_data=(env HOME=/)
if ((EUID == 0)); then
    as_data=(setpriv "--reuid=$DATA_UID" "--regid=$DATA_UID" --clear-groups --inh-caps=-all --no-new-privs -- env HOME=/)
fi

remove_folders() {
    rm -rf -- "$JOB_DIR"
    "${as_data[@]}" rm -rf -- "$STAGING"
}

# Pebble kills only this shell, by SIGKILL, so no trap here would run: a watcher in a group of its own sees stdin end (the
# charm let go, was killed, or Pebble died) and ends the whole group. Its outputs are closed, else Pebble waits for it.
exec 3<&0 </dev/null
set -m
{
    while IFS= read -r _; do :; done
    kill -TERM -- "-$$"
    sleep 1
    kill -KILL -- "-$$"
    remove_folders
} <&3 >/dev/null 2>&1 &
watcher=$!
disown "$watcher"
set +m

finish() {
    kill -KILL "$watcher" 2>/dev/null
    exit "$1"
}

fail() {
    printf 'synapse-charm: %s\n' "$1" >&2
    finish "${2:-1}"
}

# gpg reads the passphrase from a descriptor of its own. Without the explicit count `--no-autostart` fails; with an agent a
# process would outlive the job.
encrypt() {
    exec 3<&- 6>&-
    exec gpg --homedir "$JOB_DIR/gnupg-$1" --no-options --batch --quiet --no-autostart --pinentry-mode loopback \
        --no-symkey-cache --symmetric --cipher-algo AES256 --compress-algo none --s2k-mode 3 --s2k-count 65011712 \
        --passphrase-fd 5 --output - 5< <(printf '%s\n' "$passphrase")
}
