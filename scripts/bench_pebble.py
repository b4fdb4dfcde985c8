"""Measures pebble-client beside the `pebble` CLI, which is the Go client, and ops.pebble, the Python one.

Started by `scripts/bench`, alone by `scripts/bench pebble`. One daemon for all, everything in memory-backed files, the
rivals in turn, medians of the ratios of each round. `--quick` measures once, `--megabytes` and `--commands` measure
less, `--no-soak` leaves out the daemon that is killed 200 times.
"""

import argparse
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PEBBLE = ROOT / ".tools/bin/pebble"
SMALL_MEGABYTES = 2
EXAMPLES = ROOT / "target/release/examples"
PYTHON = f"""
import os, sys
sys.path.insert(0, {str(ROOT / '.tools/ops')!r})
from ops import pebble
client = pebble.Client(os.environ['PEBBLE_SOCKET'], timeout=600)
what, *words = sys.argv[1:]
if what == 'pull':
    with client.pull(words[0], encoding=None) as source, open(words[1], 'wb') as target:
        while piece := source.read(1 << 20):
            target.write(piece)
elif what == 'push':
    with open(words[0], 'rb') as source:
        client.push(words[1], source)
else:
    for _ in range(int(words[0])):
        client.exec(['true']).wait()
"""


def load():
    return f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


class Rounds:
    def __init__(self, runs, environment):
        self.runs, self.environment = runs, environment

    def time(self, command, stdin=None):
        """Runs a command; returns its seconds, its peak memory in MB and its own CPU seconds."""
        began = time.monotonic()
        with open(stdin or os.devnull, "rb") as source:
            child = subprocess.Popen(command, stdin=source, stdout=subprocess.DEVNULL, env=self.environment)
            _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            raise SystemExit(f"{command} ended with {child.returncode}")
        return time.monotonic() - began, usage.ru_maxrss / 1024, usage.ru_utime + usage.ru_stime

    def compare(self, title, rivals, bars, stdin=None):
        """`rivals` maps names to commands, ours first; another one begins each round."""
        print(f"\n{title}: {self.runs} rounds, {load()}", flush=True)
        found = {name: [] for name in rivals}
        for turn in range(self.runs):
            names = list(rivals)
            for name in names[turn % len(names) :] + names[: turn % len(names)]:
                found[name].append(self.time(rivals[name], stdin))
        ours = next(iter(rivals))
        for name, rounds in found.items():
            seconds = [second for second, _, _ in rounds]
            line = f"  {name:<28} {statistics.median(seconds):8.2f} s ({min(seconds):.2f}..{max(seconds):.2f})"
            line += f"  peak {max(memory for _, memory, _ in rounds):6.1f} MB"
            line += f"  own CPU {statistics.median(cpu for _, _, cpu in rounds):6.2f} s"
            if name != ours:
                ratio = statistics.median(theirs[0] / mine[0] for mine, theirs in zip(found[ours], rounds))
                line += f"  we are {ratio:.2f} times as fast{bars.get(name, '')}"
            print(line, flush=True)


def start(folder):
    environment = {**os.environ, "PEBBLE": str(folder), "PEBBLE_PERSIST": "never"}
    environment["PEBBLE_SOCKET"] = str(folder / ".pebble.socket")
    daemon = subprocess.Popen(
        [PEBBLE, "run", "--hold"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 30
    while subprocess.run([PEBBLE, "services"], env=environment, capture_output=True).returncode:
        if time.monotonic() > deadline:
            raise SystemExit("Pebble does not come up")
        time.sleep(0.05)
    return daemon, environment


def measure(arguments, folder, environment):
    rounds = Rounds(1 if arguments.quick else 5, environment)
    source, target = str(folder / "source"), str(folder / "target")
    with open(source, "wb") as file:
        for _ in range(arguments.megabytes):
            file.write(os.urandom(1 << 20))
    measured, size = str(EXAMPLES / "measure"), f"{arguments.megabytes} MiB"
    python = [sys.executable, "-c", PYTHON]
    against_go, against_python = " (at least 0.95)", " (more than 1)"
    rounds.compare(
        f"pull {size}; peak memory of ours under 30 MB",
        {
            "pebble-client": [measured, "pull", source, target],
            "pebble pull": [PEBBLE, "pull", source, target],
            "the server's own limit": [measured, "raw-pull", source],
        },
        {"pebble pull": against_go},
    )
    # It takes seconds for each megabyte.
    small = str(folder / "small")
    with open(source, "rb") as whole, open(small, "wb") as file:
        file.write(whole.read(SMALL_MEGABYTES << 20))
    rounds.compare(
        f"pull {SMALL_MEGABYTES} MiB, the start of Python included",
        {"pebble-client": [measured, "pull", small, target], "ops.pebble": [*python, "pull", small, target]},
        {"ops.pebble": against_python},
    )
    rounds.compare(
        f"push {size}; peak memory of ours under 30 MB",
        {
            "pebble-client": [measured, "push", source, target],
            "pebble push": [PEBBLE, "push", source, target],
            "ops.pebble": [*python, "push", source, target],
            "the server's own limit": [measured, "raw-push", str(arguments.megabytes), target],
        },
        {"pebble push": against_go, "ops.pebble": against_python},
    )
    rounds.compare(
        f"exec cat of {size}, from a file to nowhere",
        {
            "example pebble-exec": [str(EXAMPLES / "pebble-exec"), "cat"],
            "pebble exec": [PEBBLE, "exec", "--", "cat"],
            "pebble-client, in memory": [measured, "cat", str(arguments.megabytes)],
            "the server's own limit": [measured, "raw-cat", str(arguments.megabytes)],
        },
        {"pebble exec": against_go},
        stdin=source,
    )
    count = str(arguments.commands)
    loop = f'for _ in $(seq {count}); do "$0" exec -- true || exit 1; done'
    rounds.compare(
        f"{count} times exec true, one after the other",
        {
            "pebble-client, in process": [measured, "true", count],
            "ops.pebble, in process": [*python, "true", count],
            "loop of pebble exec": ["sh", "-c", loop, str(PEBBLE)],
        },
        {},
    )


def soak():
    print(f"\na daemon killed 200 times at random moments, {load()}", flush=True)
    command = ["cargo", "test", "-q", "--locked", "-p", "pebble-client", "--test", "real_pebble", "--"]
    began = time.monotonic()
    # One after the other: each counts the descriptors of the process.
    done = subprocess.run([*command, "soak::", "--nocapture", "--test-threads=1"], cwd=ROOT, env={**os.environ, "SOAK_KILLS": "200"})
    verdict = "every call ended as it should, nothing leaked" if done.returncode == 0 else "FAILED"
    print(f"  {verdict}; {time.monotonic() - began:.0f} s", flush=True)
    return done.returncode


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench pebble", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="measure once")
    parser.add_argument("--megabytes", type=int, default=1024, help="size of what is moved")
    parser.add_argument("--commands", type=int, default=1000, help="how many short commands are run")
    parser.add_argument("--no-soak", action="store_true", help="leave out the killed daemon")
    arguments = parser.parse_args()
    # The daemon has to be ended in any case.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    folder = pathlib.Path(tempfile.mkdtemp(prefix="bench-pebble-", dir=memory))
    daemon = None
    try:
        daemon, environment = start(folder)
        measure(arguments, folder, environment)
    finally:
        if daemon:
            daemon.terminate()
            daemon.wait()
        shutil.rmtree(folder, ignore_errors=True)
    return 0 if arguments.no_soak else soak()


if __name__ == "__main__":
    sys.exit(main())
