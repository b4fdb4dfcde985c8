#!/usr/bin/env bash
# Behind ground.sh. Says which of the programs a job needs can be run here, one line each:
# `name<TAB>path<TAB>what it says of its version`. A program that is there but does not run is left out; aws may be
# executed, but is not run. No secrets, no stdin.
# shellcheck source=src/backup/scripts/ground.sh disable=SC2154
: "${as_data:?ground.sh goes before this}"

# In folders that others may write a program would find settings and plugins of theirs.
export HOME=/nonexistent

printf 'uid\t%d\t\n' "$EUID"

# One that somebody killed says nothing of the image: the look ends as it did. One that dies of itself cannot be run.
end_if_killed() {
    case $1 in 129 | 130 | 137 | 143) exit "$1" ;; esac
}

tell() {
    local name=$1 path=$2 said status
    shift 2
    path=$(command -v -- "$path")
    status=$?
    if ((status == 0)); then
        said=$("$path" "$@" 2>&1 </dev/null)
        status=$?
    fi
    end_if_killed "$status"
    ((status == 0)) || return 0
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
    local path first='' interpreter='' status
    path=$(command -v -- "$aws")
    status=$?
    end_if_killed "$status"
    ((status == 0)) || return 0
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
for name in bash tar gpg flock zstd nice base64; do
    tell "$name" "$name" --version
done
# A root without the capability to change its user has setpriv and cannot use it.
"${as_data[@]}" true 2>/dev/null
status=$?
end_if_killed "$status"
if ((status == 0)); then
    tell setpriv setpriv --version
fi

# Site packages may be the data user's to write, so never as root.
version=$("${as_data[@]}" python3 -I -c 'from importlib.metadata import version; print(version("matrix-synapse"))' 2>/dev/null </dev/null)
status=$?
end_if_killed "$status"
if ((status == 0)); then
    printf 'synapse\t\t%s\n' "$version"
fi
exit 0
