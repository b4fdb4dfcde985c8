#!/usr/bin/env bash
# Behind ground.sh, before the body of a script that works with secrets; all are given to `bash -c` as one text. It owns the
# secrets, the process group and the clean-up. Everything a body needs comes by environment.
#
#   JOB_DIR   a folder under /tmp for AWS's configuration and gpg's home; belongs to whoever runs this script
#   STAGING   a folder on the data volume for what the archives hold beside live files; belongs to DATA_UID
#   stdin     one line, the passphrase; then it stays open for as long as the charm lives and wants this to go on
# shellcheck source=src/backup/scripts/ground.sh disable=SC2154
: "${as_data:?ground.sh goes before this}"

# Before the first child: what is not in the environment cannot be inherited. Whatever else the container's own environment
# has for aws goes too: it would change where and how aws uploads.
# shellcheck disable=SC2034
access_key=${AWS_ACCESS_KEY_ID-} secret_key=${AWS_SECRET_ACCESS_KEY-} region=${AWS_DEFAULT_REGION-}
unset "${!AWS_@}"

if ! IFS= read -r passphrase; then
    echo 'synapse-charm: no passphrase line on stdin' >&2
    exit 64
fi

# A child that dies of memory takes the job with it; Synapse must not die in its place.
echo 600 2>/dev/null >/proc/self/oom_score_adj

remove_folders() {
    rm -rf -- "$JOB_DIR"
    "${as_data[@]}" rm -rf -- "$STAGING"
}

# Pebble kills only this shell, by SIGKILL, so no trap here would run: a watcher in a group of its own sees stdin end (the
# charm let go, was killed, or Pebble died), or this shell gone, and ends the whole group. Its outputs are closed, else Pebble
# waits for it.
exec 3<&0 </dev/null
set -m
{
    while
        IFS= read -r -t 3 _
        status=$?
        ((status == 0)) || { ((status > 128)) && kill -0 "$$"; }
    do :; done
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

# Its status lines tell what its exit code does not: whether there was one encrypted message and nothing beside it.
decrypt() {
    exec 3<&- 6>&-
    exec gpg --homedir "$JOB_DIR/gnupg-$1" --no-options --batch --quiet --no-autostart --pinentry-mode loopback \
        --no-symkey-cache --decrypt --passphrase-fd 5 --status-fd 8 --output - \
        5< <(printf '%s\n' "$passphrase") 8>"$JOB_DIR/gpg-status-$1"
}

# `aws s3 cp` for an archive, with what follows; only it sees the keys.
copy() {
    local endpoint=() ca="$JOB_DIR/ca.pem" name=$1
    shift
    if [[ -n $S3_ENDPOINT ]]; then
        endpoint=(--endpoint-url "$S3_ENDPOINT")
    fi
    if [[ -s $ca ]]; then
        export AWS_CA_BUNDLE=$ca
    fi
    export HOME=$JOB_DIR AWS_PAGER='' AWS_EC2_METADATA_DISABLED=true
    export AWS_CONFIG_FILE="$JOB_DIR/aws-config-$name" AWS_SHARED_CREDENTIALS_FILE=/dev/null
    export AWS_ACCESS_KEY_ID=$access_key AWS_SECRET_ACCESS_KEY=$secret_key AWS_DEFAULT_REGION=$region
    exec 3<&- 6>&-
    exec "$AWS" s3 cp --only-show-errors "${endpoint[@]}" "$@"
}
