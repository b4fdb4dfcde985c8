#!/bin/sh
# Stands for any hook command: notes what it was given in $NOTES, and answers what the files there say.
set -eu
name=${0##*/}
printf '%s\n' "$name" >>"$NOTES/names"
printf '%s\0' "$name" "$@" >"$NOTES/argv"
env >"$NOTES/environment"
previous=
for argument in "$@"; do
    if [ "$previous" = --file ] && [ "$argument" != - ]; then
        cat <"$argument" >"$NOTES/file"
    fi
    previous=$argument
done
if [ -e "$NOTES/stdout" ]; then
    cat "$NOTES/stdout"
fi
if [ -e "$NOTES/stderr" ]; then
    cat "$NOTES/stderr" >&2
fi
if [ -e "$NOTES/hang" ]; then
    echo $$ >"$NOTES/pid"
    exec sleep 600
fi
cat >"$NOTES/stdin"
if [ -e "$NOTES/exit-code" ]; then
    exit "$(cat "$NOTES/exit-code")"
fi
