#!/usr/bin/env bash
# Says which of the programs a job needs can be run here: one line `name<TAB>path<TAB>what it says of its version` each. A
# program that is there but does not run is left out; aws may be executed, but is not run. No secrets, no stdin.
set -uo pipefail
cd / || exit 70
export LC_ALL=C.UTF-8 HOME=/tmp PYTHONDONTWRITEBYTECODE=1

printf 'uid\t%d\t\n' "$EUID"

as_data=(env HOME=/)
if ((EUID == 0)); then
    as_data=(setpriv "--reuid=$DATA_UID" "--regid=$DATA_UID" --clear-groups --inh-caps=-all --no-new-privs -- env HOME=/)
fi

tell() {
    local name=$1 path=$2 said
    shift 2
    path=$(command -v -- "$path") || return 0
    said=$("$path" "$@" 2>&1 </dev/null) || return 0
    printf '%s\t%s\t%s\n' "$name" "$path" "${said%%$'\n'*}"
}

# The Python charm's image keeps it off PATH.
aws=aws
if [[ -x /aws/dist/aws ]]; then
    aws=/aws/dist/aws
fi

# It takes half a second to say its version, most of what comes before the first byte: what keeps it from starting is
# looked at instead.
tell_aws() {
    local path first='' interpreter=''
    path=$(command -v -- "$aws") || return 0
    [[ -f $path && -x $path ]] || return 0
    IFS= read -r -n 256 first <"$path" 2>/dev/null
    if [[ $first == '#!'* ]]; then
        read -r interpreter _ <<<"${first#'#!'}"
        [[ -x $interpreter ]] || return 0
    fi
    printf 'aws\t%s\t\n' "$path"
}

tell_aws
tell python python3 -I -S -c 'import sys, sqlite3, hashlib; print("Python " + sys.version.split()[0])'
for name in bash tar gpg setpriv flock zstd; do
    tell "$name" "$name" --version
done
tell base64 base64 --version

# Site packages may be the data user's to write, so never as root.
version=$("${as_data[@]}" python3 -I -c 'from importlib.metadata import version; print(version("matrix-synapse"))' 2>/dev/null </dev/null) &&
    printf 'synapse\t\t%s\n' "$version"
exit 0
