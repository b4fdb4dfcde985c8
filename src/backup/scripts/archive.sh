#!/usr/bin/env bash
# The body that makes one archive: reads files, encrypts them and uploads the object. Reports are lines of JSON on stdout,
# written by nothing but our own programs; what the tools say goes to stderr.
#
#   ARCHIVE            state or media
#   BACKUP_PATHS       how many BACKUP_PATH_<n> there are: absolute paths of what goes in
#   DATABASE           the database that is snapshotted first; empty for none
#   PYTHON, AWS, ZSTD  programs; ZSTD empty: no compression
#   S3_URL, S3_ENDPOINT, EXPECTED_SIZE   where to, and at most how many bytes
#   S3_CONFIG          the text of aws's configuration file
#   RESERVE_BYTES      free room on the data volume below which the job ends
#   SNAPSHOT_PY, RELAY_PY   texts of our programs
# shellcheck source=src/backup/scripts/harness.sh disable=SC2154
: "${watcher:?harness.sh goes before this}"

# Held by every stage for as long as it lives: the next job sees leftovers of this one.
open_lock || fail 'cannot create the lock in /tmp' 73
flock -n -s 9 || fail 'another job holds the lock' 75
exec 6>&1

content="$STAGING/$ARCHIVE"
printf '%s' "$S3_CONFIG" >"$JOB_DIR/aws-config-$ARCHIVE" || fail "cannot write to $JOB_DIR" 73

list_paths() {
    local index name
    for ((index = 0; index < BACKUP_PATHS; index++)); do
        name=BACKUP_PATH_$index
        printf '%s\0' "${!name#/}"
    done
}

# tar keeps its default records of 10 KiB: with larger ones the tar that extracts leaves padding unread, and gpg before it
# fails with a broken pipe.
#
# A file with two names is stored twice: restore takes no links.
#
# The manifest is the first member and the end marker the last: an archive that was cut is known by what it lacks.
read_files() {
    local snapshot=()
    if [[ -n $DATABASE ]]; then
        snapshot=("${DATABASE#/}")
    fi
    exec 3<&- 6>&- 9<&-
    LC_ALL=C exec "${as_data[@]}" tar --create --file=- --format=gnu --numeric-owner --hard-dereference \
        --checkpoint=1600 --checkpoint-action='echo=@%u' \
        "--directory=$content" .synapse-backup/manifest.json "${snapshot[@]}" \
        --directory=/ --null --files-from=- \
        "--directory=$content" .synapse-backup/end.json < <(list_paths)
}

compress() {
    exec 3<&- 6>&-
    exec "$ZSTD" -q -1 --single-thread -c
}

relay() {
    exec 3<&-
    exec "$PYTHON" -I -S -c "$RELAY_PY" "${STAGING%/*}" "$RESERVE_BYTES"
}

upload() {
    unset SNAPSHOT_PY RELAY_PY
    copy "$ARCHIVE" "--expected-size=$EXPECTED_SIZE" - "$S3_URL" >&2
}

# The snapshot's program goes on checking the copy while it is uploaded, so its lines are read one at a time.
snapshot_status=0
if [[ -n $DATABASE ]]; then
    exec 7< <(exec 3<&- 6>&- 9<&- && exec "${as_data[@]}" "$PYTHON" -I -S -c "$SNAPSHOT_PY" "$DATABASE" "$content" "$RESERVE_BYTES")
    checker=$!
    copied=
    while [[ -z $copied ]] && IFS= read -r line <&7; do
        printf '%s\n' "$line"
        [[ $line == '{"copied"'* ]] && copied=yes
    done
    if [[ -z $copied ]]; then
        wait "$checker"
        printf '{"stages":{"snapshot":%d}}\n' "$?"
        finish 1
    fi
fi

if [[ -n $ZSTD ]]; then
    read_files | compress | encrypt "$ARCHIVE" | relay | upload
    statuses=("${PIPESTATUS[@]}")
else
    read_files | encrypt "$ARCHIVE" | relay | upload
    statuses=("${PIPESTATUS[0]}" 0 "${PIPESTATUS[@]:1}")
fi

if [[ -n $DATABASE ]]; then
    # No waiting for a check of what was not uploaded.
    if [[ ${statuses[*]} != [01]" 0 0 0 0" ]]; then
        kill "$checker"
    fi
    while IFS= read -r line <&7; do
        printf '%s\n' "$line"
    done
    wait "$checker"
    snapshot_status=$?
    # A big volume is not kept full of a copy while media goes on for hours.
    "${as_data[@]}" rm -f -- "$content$DATABASE"
fi

printf '{"stages":{"snapshot":%d,"tar":%d,"zstd":%d,"gpg":%d,"relay":%d,"aws":%d}}\n' "$snapshot_status" "${statuses[@]}"
finish 0
