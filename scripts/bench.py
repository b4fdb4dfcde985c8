"""Measures the charm and prints what was found beside what is aimed for. Nothing is asserted: the machine decides.

Started by `make bench`, which sets up the tools and builds the charm first. `--quick` measures once instead of five
times; `--only` with hooks, memory, backup, restore, list or jujuna does one part.
"""

import argparse
import contextlib
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import bench_jujuna
from bench_backup import (
    BARE_AWS,
    MEGABYTE,
    ONE_REQUEST,
    OUR_SETTINGS,
    PASSPHRASE,
    PLAIN_TOOLS,
    CpuWatch,
    Rivals,
    Store,
    backup_bytes,
    remove_backups,
    roots_of,
)
from bench_charm import MeasuredCharm
from bench_list import BACKUPS, OBJECTS, Counter, measure_list
from bench_restore import PLAIN_RESTORE, restore
from local_stack import Failed, Model, S3Server, add_model, configure_backups, deploy_synapse, say, title

SERVER_NAME = "bench.example.org"
MEDIA_BYTES = 400 * MEGABYTE
DATABASE_BYTES = 300 * MEGABYTE
SMALL_BYTES = 100 * MEGABYTE
BIG_BYTES = 2000 * MEGABYTE


def row(what, found, bar=""):
    say(f"  {what:<58} {found:>16}  {bar}")


def load():
    return f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


def spread(values, show):
    """The median, and the least and the greatest where there is more than one value."""
    text = show(statistics.median(values))
    return text if len(values) == 1 else f"{text} ({show(min(values))}..{show(max(values))})"


def measure_hooks(charm, runs, what, most_commands):
    """update-status when there is nothing to do."""
    title(f"update-status without a change, {what}: {runs} runs, {load()}")
    for _ in range(2):
        charm.update_status()
    dispatches, peaks = [], []
    for _ in range(runs):
        dispatches.append(charm.calls())
        peaks.append(charm.memory())
    row("the charm's own time, without hook commands",
        spread([1000 * one.own_seconds for one in dispatches], lambda ms: f"{ms:.1f}") + " ms", "at most 10")  # fmt: skip
    row("from its start to its end, under strace",
        spread([1000 * one.whole_seconds for one in dispatches], lambda ms: f"{ms:.0f}") + " ms")  # fmt: skip
    row("peak memory", spread([peak / MEGABYTE for peak in peaks], lambda mb: f"{mb:.1f}") + " MB", "at most 15")
    commands = max((one.commands for one in dispatches), key=lambda names: names.total())
    row("hook commands", f"{commands.total()}", f"at most {most_commands}")
    say("      " + ", ".join(f"{name} {count}" if count > 1 else name for name, count in commands.items()))


def create_backup(model):
    """Runs the action and returns how long it took in seconds."""
    began = time.monotonic()
    results = model.run("create-backup")
    took = time.monotonic() - began
    if results.get("result") != "correct":
        raise Failed(f"create-backup says {results}")
    return took


def measure_backup(model, s3, store, runs):
    title(f"create-backup of {MEDIA_BYTES // MEGABYTE} MB of media and a database of {DATABASE_BYTES // MEGABYTE} MB")
    store.grow_media(MEDIA_BYTES)
    store.grow_database(DATABASE_BYTES)
    rivals = Rivals(store, s3)

    def ours():
        os.sync()
        took = create_backup(model)
        uploaded.append(backup_bytes(s3))
        remove_backups(s3)
        return took

    uploaded = []
    shapes = {
        "create-backup": ours,
        "tar | gpg --symmetric | aws, one request": lambda: rivals.run(PLAIN_TOOLS, ONE_REQUEST),
        "tar | aws, nothing else": lambda: rivals.run(BARE_AWS, OUR_SETTINGS),
    }
    times = {name: [] for name in shapes}
    say(f"  {runs} rounds of each in turn; the container, Pebble, aws, S3 server and niceness are the same; {load()}")
    for turn in range(runs):
        # Another one begins each round, so that none always follows the same.
        for name in [*list(shapes)[turn % 3 :], *list(shapes)[: turn % 3]]:
            times[name].append(shapes[name]())
        say("    " + ", ".join(f"{values[-1]:.1f}" for values in times.values()) + f" s, {load()}")
    for name, values in times.items():
        row(name, spread(values, lambda seconds: f"{seconds:.1f}") + " s")
    row("what create-backup uploads", f"{uploaded[0] / MEGABYTE:.0f} MB")
    mine, plain, bare = times.values()
    row("times as fast as tar | gpg | aws",
        spread([b / a for a, b in zip(mine, plain)], lambda ratio: f"{ratio:.2f}"), "at least 2.0, aim 2.4")  # fmt: skip
    row("times as fast as tar | aws",
        spread([b / a for a, b in zip(mine, bare)], lambda ratio: f"{ratio:.2f}"), "at least 0.75, aim 0.9")  # fmt: skip
    say("\n  CPU seconds of one more run of each, sampled (what lives under 0.05 s is missed):")
    for name, run in shapes.items():
        with CpuWatch(roots_of(model, s3)) as watch:
            took = run()
        shares = ", ".join(f"{what} {seconds:.2f}" for what, seconds in watch.seconds() if seconds >= 0.02)
        say(f"    {name}, {took:.1f} s: {shares}")


def measure_restore(model, s3, store, runs):
    title(f"restore-backup of {MEDIA_BYTES // MEGABYTE} MB of media and a database of {DATABASE_BYTES // MEGABYTE} MB, in place")
    store.grow_media(MEDIA_BYTES)
    store.grow_database(DATABASE_BYTES)
    create_backup(model)
    base = model.expose()
    rivals = Rivals(store, s3)
    rivals.make_bucket()
    rivals.script(PLAIN_TOOLS, ONE_REQUEST)
    mine, plain = [], []
    say(f"  {runs} rounds of each in turn; the plain object is made by tar | gpg --symmetric | aws; {load()}")
    for turn in range(runs):
        rounds = [lambda: mine.append(restore(model, store, base)), lambda: plain.append(rivals.script(PLAIN_RESTORE, ONE_REQUEST))]
        for one in rounds if turn % 2 == 0 else reversed(rounds):
            one()
        say(f"    {mine[-1][0]:.1f} until the stop, down {mine[-1][1]:.1f}, whole {mine[-1][2]:.1f}; plain {plain[-1]:.1f} s, {load()}")
    rivals.remove_bucket()
    remove_backups(s3)
    seconds = "{:.1f}".format
    row("restore-backup until it stops Synapse", spread([one[0] for one in mine], seconds) + " s")
    row("aws s3 cp - | gpg -d | tar -x, one request", spread(plain, seconds) + " s")
    row("times as long as plain tools",
        spread([one[0] / other for one, other in zip(mine, plain)], "{:.2f}".format), "at most 1.1")  # fmt: skip
    row("Synapse does not answer for", spread([one[1] for one in mine], seconds) + " s", "at most 15")
    row("the whole action", spread([one[2] for one in mine], seconds) + " s")


def measure_memory(model, s3, store, charm):
    title("The charm's own memory in a backup")
    for size in (SMALL_BYTES, BIG_BYTES):
        store.grow_media(size)
        held = (store.media_bytes() + (store.volume / "homeserver.db").stat().st_size) / MEGABYTE
        peak = charm.memory(lambda: create_backup(model))
        remove_backups(s3)
        row(f"peak memory with {held:.0f} MB of data", f"{peak / MEGABYTE:.1f} MB", "does not grow")


def measure_listing(runs):
    """list-backups in a model and with an S3 server of its own."""
    title(f"list-backups with {BACKUPS} backups of {len(OBJECTS)} objects: {runs} runs, {load()}")

    with stack("bench-list") as (model, s3, folder):
        counter = Counter(s3.socket, folder / "counted.sock")
        s3.socket = str(folder / "counted.sock")
        add_model(model, s3)
        deploy_synapse(model, SERVER_NAME)
        configure_backups(model, s3, PASSPHRASE, folder)
        model.juju("wait-for", "synapse/0", "active", "--timeout", "5m")
        times, peaks, requests = measure_list(model, s3, counter, runs)
    pages = -(-BACKUPS * len(OBJECTS) // 1000)
    row("from the action's start to its result", spread(times, lambda seconds: f"{seconds:.1f}") + " s")
    row("peak memory", spread([peak / MEGABYTE for peak in peaks], lambda mb: f"{mb:.1f}") + " MB", "under 50")
    row("requests", spread([len(each) for each in requests], lambda count: f"{count:.0f}"), f"{pages} pages of a listing")
    others = {one for each in requests for one in each if "list-type=2" not in one}
    row("requests that are no listing", str(len(others)), "none")


def measure(arguments, model, s3, folder):
    runs = 1 if arguments.quick else 5
    parts = arguments.only or ["hooks", "memory", "backup", "restore"]
    add_model(model, s3)
    deploy_synapse(model, SERVER_NAME)
    model.juju("wait-for", "synapse/0", "active", "--timeout", "2m")
    charm = MeasuredCharm(model)
    if "hooks" in parts:
        measure_hooks(charm, runs, "bare model", 4)
    configure_backups(model, s3, PASSPHRASE, folder)
    model.juju("wait-for", "synapse/0", "active", "--timeout", "2m")
    if "hooks" in parts:
        measure_hooks(charm, runs, "with relation and secrets", 10)
    store = Store(model)
    if "memory" in parts:
        measure_memory(model, s3, store, charm)
    if "backup" in parts:
        shutil.rmtree(store.media, ignore_errors=True)
        measure_backup(model, s3, store, runs)
    if "restore" in parts:
        shutil.rmtree(store.media, ignore_errors=True)
        measure_restore(model, s3, store, runs)


def main():
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="measure once")
    parser.add_argument(
        "--only",
        action="append",
        choices=("hooks", "memory", "backup", "restore", "list", "jujuna"),
        help="do this part",
    )
    arguments = parser.parse_args()
    # The model and the server have to be ended in any case.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    parts = arguments.only or ["jujuna", "hooks", "memory", "backup", "restore", "list"]
    try:
        if "jujuna" in parts:
            bench_jujuna.measure(1 if arguments.quick else 5)
        if set(parts) - {"list", "jujuna"}:
            with stack("bench") as (model, s3, folder):
                measure(arguments, model, s3, folder)
        if "list" in parts:
            measure_listing(1 if arguments.quick else 5)
    except (Failed, subprocess.CalledProcessError) as error:
        say(f"\nThe benchmark ended early: {error}")
        return 1
    return 0


@contextlib.contextmanager
def stack(name):
    """A model's name, not added yet, an S3 server and a folder, gone at the end."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="bench-", dir="/tmp"))
    model, s3 = Model(name, folder / "models", quiet=True), None
    try:
        s3 = S3Server(folder / "s3")
        yield model, s3, folder
    finally:
        if model.up:
            model.juju("destroy-model", name, "--no-prompt")
        if s3:
            s3.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
