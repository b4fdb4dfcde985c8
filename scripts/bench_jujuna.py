"""Measures the example charm hello-k8s beside its twin on ops 3.9, both under juju-sim, in one run; part of `make bench`.

A dispatch without a change is update-status, with the options as they were and the workload up.
"""

import os
import pathlib
import shutil
import statistics
import subprocess
import tempfile

from bench_charm import MeasuredCharm
from local_stack import ROOT, TARGET, TOOLS, Failed, Model, say, title

EXAMPLE = ROOT / "crates" / "jujuna" / "examples" / "hello-k8s"
MEGABYTE = 1000 * 1000

METADATA = """
name: web
summary: A charm.
description: A charm.
requires: {db: {interface: pg, limit: 1}}
peers: {mates: {interface: mates}}
"""

STUB = r"""#!/bin/sh
echo "${0##*/}" >>"$NOTES"
case "${0##*/} $*" in
'config-get '*) echo '{"port": 8008}' ;;
'relation-ids '*db*) echo '["db:3"]' ;;
'relation-ids '*mates*) echo '["mates:0"]' ;;
'relation-list '*db:3*) echo '["pg/0", "pg/1"]' ;;
'relation-list '*) echo '[]' ;;
'relation-get '*pg/0*) echo '{"host": "10.0.0.7"}' ;;
'relation-get '*pg/1*) echo '{"host": "10.0.0.8"}' ;;
'relation-get '*pg*) echo '{"name": "web"}' ;;
'relation-get '*) echo '{}' ;;
'is-leader '*) echo false ;;
'opened-ports '*) echo '[]' ;;
esac
"""


def lay_out(folder, release):
    """The two charms as Juju would unpack them."""
    rust, python = folder / "hello-k8s", folder / "hello-ops"
    for charm in (rust, python):
        charm.mkdir()
        for name in ("metadata.yaml", "config.yaml", "actions.yaml"):
            shutil.copy(EXAMPLE / name, charm)
    shutil.copy(EXAMPLE / "dispatch", rust)
    (rust / "bin").mkdir()
    shutil.copy(release / "hello-k8s", rust / "bin")
    text = (python / "metadata.yaml").read_text().replace("name: hello-k8s", "name: hello-ops")
    (python / "metadata.yaml").write_text(text)
    (python / "src").mkdir()
    shutil.copy(ROOT / "scripts" / "bench_ops" / "hello.py", python / "src" / "charm.py")
    shutil.copytree(TOOLS / "ops", python / "venv", symlinks=False)
    (python / "dispatch").write_text("#!/bin/sh\nPYTHONPATH=venv exec /usr/bin/python3 src/charm.py\n")
    (python / "dispatch").chmod(0o755)
    (folder / "image.yaml").write_text("users: [{name: web, uid: 991, gid: 991, home: /home/web}]\n")
    return rust, python


def dispatches(model, charm, unit, command, program, runs):
    """Deploys a charm and returns its dispatches without a change, and their peak memory in bytes."""
    model.juju("deploy", charm, "--resource", f"web-image={charm.parent / 'image.yaml'}")
    model.juju("wait-for", unit, "active", "--timeout", "2m")
    measured = MeasuredCharm(model, unit, command, program)
    for _ in range(2):
        measured.update_status()
    found = [(measured.calls(), measured.memory()) for _ in range(runs)]
    model.juju("remove-application", unit.split("/")[0])
    return [one for one, _ in found], [peak for _, peak in found]


def ops_reconcile_commands(folder):
    """The hook commands that ops needs for the reconcile of a relation, with stand-ins for Juju's own programs."""
    charm, tools, notes = folder / "reconcile", folder / "tools", folder / "notes"
    (charm / "src").mkdir(parents=True)
    tools.mkdir()
    shutil.copy(ROOT / "scripts" / "bench_ops" / "reconcile.py", charm / "src" / "charm.py")
    (charm / "metadata.yaml").write_text(METADATA)
    (charm / "config.yaml").write_text("options: {port: {type: int, default: 8008}}\n")
    names = (
        "config-get is-leader juju-log relation-ids relation-list relation-get relation-set opened-ports open-port "
        "close-port application-version-set status-set status-get"
    )
    for name in names.split():
        (tools / name).write_text(STUB)
        (tools / name).chmod(0o755)
    environment = {
        "PATH": f"{tools}:/usr/bin:/bin", "PYTHONPATH": str(TOOLS / "ops"), "NOTES": str(notes),
        "JUJU_CHARM_DIR": str(charm), "JUJU_UNIT_NAME": "web/0", "JUJU_MODEL_NAME": "m", "JUJU_VERSION": "3.6.11",
        "JUJU_MODEL_UUID": "00000000-0000-4000-8000-000000000000", "JUJU_CONTEXT_ID": "c",
        "JUJU_DISPATCH_PATH": "hooks/db-relation-changed", "JUJU_HOOK_NAME": "db-relation-changed",
        "JUJU_RELATION": "db", "JUJU_RELATION_ID": "db:3", "JUJU_REMOTE_APP": "pg", "JUJU_REMOTE_UNIT": "pg/1",
    }  # fmt: skip
    for _ in range(2):
        # The first dispatch says more: ops tells where it keeps its state.
        notes.write_text("")
        subprocess.run(["/usr/bin/python3", "src/charm.py"], cwd=charm, env=environment, check=True)
    return notes.read_text().split()


def row(what, found, bar=""):
    say(f"  {what:<58} {found:>16}  {bar}")


def measure(runs):
    """Prints everything. A folder and a model of its own come and go with it."""
    title(f"hello-k8s beside the same charm on ops: {runs} runs, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    release = TARGET / "release"
    folder = pathlib.Path(tempfile.mkdtemp(prefix="bench-", dir="/tmp"))
    model = Model("bench-hello", folder / "models", quiet=True)
    try:
        rust, python = lay_out(folder, release)
        model.juju("add-model", model.name, "--pebble", TOOLS / "bin" / "pebble")
        model.up = True
        ours, peaks = dispatches(model, rust, "hello-k8s/0", "./bin/hello-k8s", "hello-k8s", runs)
        theirs, _ = dispatches(
            model, python, "hello-ops/0", "env PYTHONPATH=venv /usr/bin/python3 src/charm.py", "python3", runs
        )
        mine = statistics.median(one.own_seconds for one in ours)
        other = statistics.median(one.own_seconds for one in theirs)
        row("a dispatch without a change, own wall time", f"{1000 * mine:.2f} ms", "at most 3")
        row("its peak memory", f"{statistics.median(peaks) / MEGABYTE:.1f} MB", "at most 8")
        row("the same on ops 3.9, own wall time", f"{1000 * other:.0f} ms")
        row("times less", f"{other / mine:.0f}", "at least 50")
        whole = [1000 * statistics.median(one.whole_seconds for one in found) for found in (ours, theirs)]
        row("from start to end, hook commands and strace included", f"{whole[0]:.0f} ms", f"{whole[1]:.0f} ms on ops")
        for name, found in (("hello-k8s", ours), ("on ops", theirs)):
            commands = found[-1].commands
            listed = ", ".join(f"{one} {count}" if count > 1 else one for one, count in commands.items())
            row(f"hook commands, {name}", f"{commands.total()}")
            say(f"      {listed}")
        reconcile = ops_reconcile_commands(folder)
        row("hook commands of the reconcile of a relation, on ops", f"{len(reconcile)}")
        row("the same on jujuna (held by crates/jujuna/tests/harness.rs)", "9", "at most 9")
        say("      11 where, as on ops, other ports are closed and the version is said in every hook")
    except (Failed, subprocess.CalledProcessError) as error:
        raise Failed(f"hello-k8s: {error}") from error
    finally:
        if model.up:
            model.juju("destroy-model", model.name, "--no-prompt")
        shutil.rmtree(folder, ignore_errors=True)
