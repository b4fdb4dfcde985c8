"""Fixtures for backups, the two plain ways to make one that create-backup is held against, and who used the CPU."""

import base64
import contextlib
import json
import os
import pathlib
import random
import shlex
import sqlite3
import subprocess
import threading
import time

from local_stack import BUCKET, BUCKET_PATH, S3_PORT, TOOLS, Failed

MEGABYTE = 1_000_000
WORKLOAD_USER = 991
PASSPHRASE = "benchmark"
BASELINE_BUCKET = "baseline"

# What most people would write. gpg's agent ends with its home.
PLAIN_TOOLS = """
set -euo pipefail
GNUPGHOME=$(mktemp -d) && export GNUPGHOME
trap 'gpgconf --kill all; rm -rf "$GNUPGHOME"' EXIT
tar -c -C / --exclude=data/.backup-* data |
    gpg --batch --quiet --symmetric --pinentry-mode loopback --passphrase-fd 3 3<<<"$PASSPHRASE" |
    aws s3 cp --only-show-errors --endpoint-url "$ENDPOINT" - "$URL"
"""

# The least that moves the same bytes, with create-backup's own settings of aws: the floor.
BARE_AWS = """
set -euo pipefail
tar -c -C / --exclude=data/.backup-* data |
    aws s3 cp --only-show-errors --expected-size=1000000000 --endpoint-url "$ENDPOINT" - "$URL"
"""

ONE_REQUEST = "[default]\nregion = us-east-1\ns3 =\n    addressing_style = path\n    max_concurrent_requests = 1\n"
OUR_SETTINGS = (
    "[default]\nregion = us-east-1\nrequest_checksum_calculation = when_required\ns3 =\n    addressing_style = path\n"
    "    max_concurrent_requests = 2\n    multipart_threshold = 8388608\n    multipart_chunksize = 8388608\n"
)


class Store:
    """The volume of synapse/0, as this machine sees it."""

    def __init__(self, model):
        paths = model.paths()
        self.volume = paths["storage/data"]
        self.pebble_socket = str(paths["containers/synapse/pebble-socket"])
        self.media = self.volume / "media_store" / "local_content"

    def media_bytes(self):
        return sum(file.stat().st_size for file in self.media.rglob("*") if file.is_file())

    def grow_media(self, until_bytes):
        """Adds media of random bytes, a megabyte a file, until there are so many."""
        missing = until_bytes - self.media_bytes()
        while missing > 0:
            name = os.urandom(12).hex()
            folder = self.media / name[:2] / name[2:4]
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name[4:]).write_bytes(os.urandom(min(missing, MEGABYTE)))
            missing -= MEGABYTE
        if os.geteuid() == 0:
            for path in [self.media.parent, self.media, *self.media.rglob("*")]:
                os.chown(path, WORKLOAD_USER, WORKLOAD_USER)

    def grow_database(self, until_bytes):
        """Adds tables like Synapse's largest ones: events as JSON, and the state of rooms."""
        path = self.volume / "homeserver.db"
        with contextlib.closing(sqlite3.connect(path, timeout=60)) as database:
            database.execute("CREATE TABLE IF NOT EXISTS filler_event_json (event_id TEXT PRIMARY KEY, room_id TEXT, json TEXT)")
            database.execute(
                "CREATE TABLE IF NOT EXISTS filler_state (state_group BIGINT, room_id TEXT, type TEXT, state_key TEXT, event_id TEXT)"
            )
            rooms = [Room() for _ in range(50)]
            while path.stat().st_size < until_bytes:
                # About 1.3 kB an event, and about as much of state.
                events = min(10_000, (until_bytes - path.stat().st_size) // 3000 + 1)
                with database:
                    for _ in range(events):
                        room = rooms[random.randrange(len(rooms))]
                        database.execute("INSERT INTO filler_event_json VALUES (?, ?, ?)", room.event())
                        if random.randrange(10) == 0:
                            database.executemany("INSERT INTO filler_state VALUES (?, ?, ?, ?, ?)", room.state())
                database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def noise(count):
    """Text of so many random bytes."""
    return base64.urlsafe_b64encode(random.randbytes(count)).decode().rstrip("=")


def new_event_id():
    return "$" + noise(32)


class Room:
    """Makes rows as a room does: ids, hashes and signatures are random, references are to what the room already has."""

    groups = 0

    def __init__(self):
        self.room_id = f"!{noise(14)}:bench.example.org"
        self.members = [f"@user{random.randrange(10**6)}:bench.example.org" for _ in range(60)]
        self.rules = [new_event_id() for _ in range(3)]
        self.joins = {member: new_event_id() for member in self.members}
        self.newest = new_event_id()
        self.depth = 0

    def event(self):
        self.depth += 1
        event_id, sender = new_event_id(), random.choice(self.members)
        at = 1_700_000_000_000 + self.depth * 977_000
        body = " ".join(random.choices(WORDS, k=12))
        event = {
            "auth_events": [*self.rules, self.joins[sender]],
            "prev_events": [self.newest],
            "type": "m.room.message",
            "room_id": self.room_id,
            "sender": sender,
            "content": {"msgtype": "m.text", "body": body},
            "depth": self.depth,
            "origin": "bench.example.org",
            "origin_server_ts": at,
            "hashes": {"sha256": noise(32)},
            "signatures": {"bench.example.org": {"ed25519:a_abcd": noise(64)}},
            "unsigned": {"age_ts": at},
        }
        self.newest = event_id
        return event_id, self.room_id, json.dumps(event)

    def state(self):
        Room.groups += 1
        self.joins[random.choice(self.members)] = new_event_id()
        rows = [(Room.groups, self.room_id, "m.room.member", member, join) for member, join in self.joins.items()]
        return [(Room.groups, self.room_id, "m.room.create", "", self.rules[0]), *rows]


WORDS = """the and you that was for are with his they this have from one had word but not what all were when your can said there
each which she how their will other about out many then them these some her would make like him into time has look two more
write see number way could people than first water been call who oil its now find long down day did get come made may part""".split()


class Rivals:
    """Backups by plain tools, in a container like ours: an exec of the same Pebble, as root, just as nice."""

    def __init__(self, store, s3):
        self.store = store
        self.s3 = s3

    def run(self, script, aws_config):
        """Runs one script to its end and returns how long it took in seconds. What it uploaded is removed."""
        self.make_bucket()
        took = self.script(script, aws_config)
        self.remove_bucket()
        return took

    def make_bucket(self):
        self.need(self.s3.aws("s3api", "create-bucket", "--bucket", BASELINE_BUCKET))

    def remove_bucket(self):
        self.need(self.s3.aws("s3", "rb", "--force", f"s3://{BASELINE_BUCKET}"))

    def script(self, script, aws_config):
        """Runs one script to its end and returns how long it took in seconds."""
        environment = {
            "AWS_ACCESS_KEY_ID": self.s3.access_key,
            "AWS_SECRET_ACCESS_KEY": self.s3.secret_key,
            "AWS_CONFIG_FILE": "/tmp/bench-aws-config",
            "AWS_EC2_METADATA_DISABLED": "true",
            "PYTHONDONTWRITEBYTECODE": "1",
            "HOME": "/tmp",
            "LC_ALL": "C.UTF-8",
            "ENDPOINT": f"http://127.0.0.1:{S3_PORT}",
            "URL": f"s3://{BASELINE_BUCKET}/backup",
            "PASSPHRASE": PASSPHRASE,
        }
        words = [word for name, value in environment.items() for word in ("--env", f"{name}={value}")]
        self.exec("bash", "-c", f"printf %s {shlex.quote(aws_config)} >/tmp/bench-aws-config")
        os.sync()
        began = time.monotonic()
        self.exec(*words, "--", "nice", "-n", "10", "bash", "-c", script)
        return time.monotonic() - began

    def exec(self, *words):
        environment = {**os.environ, "PEBBLE_SOCKET": self.store.pebble_socket}
        command = [TOOLS / "bin" / "pebble", "exec", *words]
        self.need(subprocess.run(command, env=environment, capture_output=True, text=True, check=False))

    @staticmethod
    def need(done):
        if done.returncode != 0:
            raise Failed(f"a rival failed: {done.stderr.strip() or done.stdout.strip()}")


def remove_backups(s3):
    Rivals.need(s3.aws("s3", "rm", "--recursive", "--only-show-errors", f"s3://{BUCKET}/{BUCKET_PATH}/"))


def backup_bytes(s3):
    """How much all backups there take up."""
    listed = s3.aws("s3", "ls", "--recursive", "--summarize", f"s3://{BUCKET}/{BUCKET_PATH}/")
    Rivals.need(listed)
    return int(listed.stdout.rpartition("Total Size:")[2])


class CpuWatch:
    """Adds up, while it is entered, the CPU time of all processes below some, by what they are."""

    def __init__(self, roots):
        self.roots = roots
        self.first, self.last, self.names = {}, {}, {}
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.look_until_over, daemon=True)

    def __enter__(self):
        self.look()
        self.first = dict(self.last)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        self.look()

    def look_until_over(self):
        while not self.over.wait(0.05):
            self.look()

    def look(self):
        parents, ticks = {}, {}
        for entry in os.scandir("/proc"):
            if not entry.name.isdigit():
                continue
            with contextlib.suppress(OSError):
                fields = pathlib.Path(entry.path, "stat").read_text().rpartition(")")[2].split()
                parents[entry.name] = fields[1]
                ticks[entry.name] = (fields[19], int(fields[11]) + int(fields[12]))
        for pid, (began, used) in ticks.items():
            if self.is_ours(pid, parents):
                key = (pid, began)
                self.last[key] = used
                with contextlib.suppress(OSError):
                    # Later looks know better: a process begins as its parent's copy.
                    self.names[key] = what_is(pathlib.Path("/proc", pid, "cmdline").read_bytes()) or self.names.get(key)

    def is_ours(self, pid, parents):
        while pid in parents:
            if int(pid) in self.roots:
                return True
            pid = parents[pid]
        return False

    def seconds(self):
        """Pairs of name and CPU seconds, greatest first."""
        tick = os.sysconf("SC_CLK_TCK")
        total = {}
        for key, used in self.last.items():
            name = self.names.get(key) or "short-lived"
            total[name] = total.get(name, 0) + (used - self.first.get(key, 0)) / tick
        return sorted(total.items(), key=lambda pair: -pair[1])


def what_is(cmdline):
    """The name under which a process is counted."""
    words = cmdline.split(b"\0")
    program = words[0].rsplit(b"/", 1)[-1].decode(errors="replace")
    if program in ("weed", "gpg", "zstd", "tar", "synapse-charm", "pebble", "gpg-agent"):
        return {"weed": "S3 server", "synapse-charm": "charm"}.get(program, program)
    if program.startswith("juju-sim"):
        return "juju-sim (carries S3's bytes into the unit)"
    marks = {b"\0s3\0cp\0": "aws", b"live.backup(": "snapshot and check", b"hashlib": "relay", b"synapse.app": "Synapse"}
    if program.startswith(("python", "aws")):
        return next((name for mark, name in marks.items() if mark in cmdline), "other python")
    return "shells and small programs" if program else None


def roots_of(model, s3):
    """The processes below which all of a model and its S3 server run."""
    folder = str(model.folder)
    roots = {s3.holder.pid}
    for cmdline in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = cmdline.read_bytes().decode(errors="replace").split("\0")
            if words[0].endswith("juju-sim") and "controller" in words and any(folder in word for word in words):
                roots.add(int(cmdline.parent.name))
    return roots
