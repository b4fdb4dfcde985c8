"""Run as Synapse's user in the workload: looks for secrets in every process that this user can look into.

Standard input: one secret a line, in reversed hexadecimal, so that they are nowhere but in this process. Ends when the
file is there that the first argument names. Prints JSON: which secret, by its number, was found where, and which programs
could be looked into.
"""

import json
import os
import sys
import time

STOP = sys.argv[1]
DEADLINE = time.monotonic() + 100


def secrets():
    return [bytes.fromhex(line.strip()[::-1]) for line in sys.stdin if line.strip()]


def read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def memory(pid):
    """The writable memory of a process, piece by piece."""
    try:
        with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as mem:
            for line in maps:
                span, mode, *_ = line.split()
                start, end = (int(part, 16) for part in span.split("-"))
                if not mode.startswith("rw") or end - start > 1 << 28:
                    continue
                try:
                    mem.seek(start)
                    yield mem.read(end - start)
                except (OSError, ValueError, OverflowError):
                    continue
    except OSError:
        return


def descriptors(pid):
    """The content of the plain files and pipes' names that a process has open."""
    folder = f"/proc/{pid}/fd"
    try:
        numbers = os.listdir(folder)
    except OSError:
        return
    for number in numbers:
        path = f"{folder}/{number}"
        try:
            target = os.readlink(path)
        except OSError:
            continue
        yield target.encode()
        if target.startswith("/") and os.path.isfile(path) and os.path.getsize(path) < 1 << 20:
            yield read(path)


def main():
    wanted = secrets()
    found, looked_into, seen = {}, set(), set()
    rounds = 0
    while time.monotonic() < DEADLINE:
        over = os.path.exists(STOP)
        for pid in filter(str.isdigit, os.listdir("/proc")):
            if int(pid) == os.getpid():
                continue
            name = read(f"/proc/{pid}/comm").decode(errors="replace").strip()
            seen.add(name)
            parts = {
                "cmdline": [read(f"/proc/{pid}/cmdline")],
                "environ": [read(f"/proc/{pid}/environ")],
                "fd": descriptors(pid),
                "mem": memory(pid),
            }
            for kind, pieces in parts.items():
                for piece in pieces:
                    if piece and kind == "mem":
                        looked_into.add(name)
                    for index, secret in enumerate(wanted):
                        if secret in piece:
                            found.setdefault(index, set()).add(f"{kind} of {name}")
        rounds += 1
        if over:
            break
    places = {index: sorted(where) for index, where in found.items()}
    print(json.dumps({"found": places, "looked-into": sorted(looked_into), "seen": sorted(seen), "rounds": rounds}))


main()
