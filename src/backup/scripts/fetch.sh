#!/usr/bin/env bash
# The body that brings one archive: downloads, decrypts and extracts it below STAGING, then examines the database that was in
# it. Reports are lines of JSON on stdout, written by nothing but our own programs; what the tools say goes to stderr.
#
#   ARCHIVE            state, media or legacy
#   PLAN               what extract.py wants to know
#   DATABASE           the staged database that is examined afterwards; empty for none
#   SERVER_NAME, EXAMINE   what examine.py wants to know
#   PYTHON, AWS, ZSTD  programs; ZSTD empty: the archive is not compressed
#   S3_URL, S3_ENDPOINT, S3_CONFIG   where from, and the text of aws's configuration file
#   EXTRACT_PY, EXAMINE_PY   texts of our programs
# shellcheck source=src/backup/scripts/harness.sh disable=SC2154,SC2153
: "${watcher:?harness.sh goes before this}"

# Held by every stage for as long as it lives: the next job sees leftovers of this one.
open_lock || fail 'cannot create the lock in /tmp' 73
flock -n -s 9 || fail 'another job holds the lock' 75

printf '%s' "$S3_CONFIG" >"$JOB_DIR/aws-config-$ARCHIVE" || fail "cannot write to $JOB_DIR" 73

download() {
    unset EXTRACT_PY EXAMINE_PY PLAN
    copy "$ARCHIVE" "$S3_URL" -
}

decompress() {
    exec 3<&-
    exec "$ZSTD" -q -d -c
}

extract() {
    exec 3<&-
    exec "${as_data[@]}" "$PYTHON" -I -S -c "$EXTRACT_PY"
}

if [[ -n $ZSTD ]]; then
    download | decrypt "$ARCHIVE" | decompress | extract
    statuses=("${PIPESTATUS[@]}")
else
    download | decrypt "$ARCHIVE" | extract
    statuses=("${PIPESTATUS[@]:0:2}" 0 "${PIPESTATUS[2]}")
fi

# gpg hands out what it cannot vouch for, and takes a message that nobody encrypted.
declare -A said=()
while read -r _ word _; do
    [[ $word == +([A-Z0-9_]) ]] && said[$word]=$((${said[$word]-0} + 1))
done <"$JOB_DIR/gpg-status-$ARCHIVE"
words='' whole=true
for word in "${!said[@]}"; do
    words+="${words:+,}\"$word\":${said[$word]}"
done
for word in BEGIN_DECRYPTION PLAINTEXT DECRYPTION_OKAY GOODMDC END_DECRYPTION; do
    ((${said[$word]-0} == 1)) || whole=false
done
printf '{"verdict":{"whole":%s,"words":{%s}}}\n' "$whole" "$words"

examined=0
if [[ ${statuses[*]} == '0 0 0 0' && $whole == true && -n $DATABASE ]]; then
    "${as_data[@]}" "$PYTHON" -I -S -c "$EXAMINE_PY" "$DATABASE" "$SERVER_NAME" "$EXAMINE" 3<&-
    examined=$?
fi
printf '{"stages":{"aws":%d,"gpg":%d,"zstd":%d,"extract":%d,"examine":%d}}\n' "${statuses[@]}" "$examined"
finish 0
