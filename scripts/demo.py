"""The main job for real: a Synapse with users, messages and media is backed up, and the backup is opened with plain tools.

Started by `make demo`, which sets up the tools and builds the charm first. KEEP=1 leaves the model up.
"""

import contextlib
import json
import os
import pathlib
import secrets
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

from demo_matrix import Matrix, wait_until_healthy

ROOT = pathlib.Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".tools"
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
CHARM = ROOT / "build" / "charm-release"
IMAGE = ROOT / "tests" / "images" / "ours.yaml"
HOW_TO = ROOT / "docs" / "how-to" / "open-a-backup.md"
SERVER_NAME = "demo.example.org"
BUCKET = "backups"
BUCKET_PATH = "synapse"
S3_PORT = 8333
USERS = ("alice", "bob", "carol")
MESSAGES = 50
MEDIA_FILES = 20
PASSPHRASE = "correct horse, \"battery\" 'staple' $HOME \\ é"
KEEP = os.environ.get("KEEP") == "1"


class Failed(Exception):
    """What the demo expected and did not see."""


def say(text=""):
    print(text, flush=True)


def title(text):
    say(f"\n\033[1m== {text}\033[0m" if sys.stdout.isatty() else f"\n== {text}")


def expect(holds, text):
    """Says `text` with a tick, or fails with it."""
    if not holds:
        raise Failed(f"expected: {text}")
    say(f"   ok: {text}")


def wait_for(what, seconds, look):
    """Returns the first result of `look` that is true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            found = look()
            if found:
                return found
        time.sleep(0.1)
    raise Failed(f"waited {seconds} s for {what}")


class S3Server:
    """SeaweedFS in a folder of its own, with one bucket."""

    def __init__(self, folder):
        folder.mkdir()
        # The server ends with its parent; this one lives on for as long as KEEP=1 wants.
        command = f"{shlex.quote(str(ROOT / 'scripts' / 's3-server'))} {shlex.quote(str(folder))} >server.log 2>&1 & wait"
        self.holder = subprocess.Popen(["bash", "-c", command], cwd=folder, start_new_session=True)
        wait_for("the S3 server to say where it is", 30, lambda: (folder / "s3.env").exists())
        facts = dict(line.split("=", 1) for line in (folder / "s3.env").read_text().splitlines())
        self.socket = facts["S3_SOCKET"]
        self.access_key = facts["S3_ACCESS_KEY"]
        self.secret_key = facts["S3_SECRET_KEY"]
        self.environment = {
            **os.environ,
            "PATH": f"{TOOLS / 'awscli' / 'bin'}:{os.environ['PATH']}",
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": facts["S3_ENDPOINT"],
        }
        wait_for("the S3 server", 60, lambda: self.aws("s3api", "create-bucket", "--bucket", BUCKET).returncode == 0)

    def aws(self, *words):
        return subprocess.run(["aws", *words], env=self.environment, capture_output=True, text=True, check=False)

    def stop(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.holder.pid, signal.SIGTERM)
        self.holder.wait()


class Model:
    """A juju-sim model, driven by the commands that a person would type."""

    def __init__(self, folder):
        self.program = TARGET / "debug" / "juju-sim"
        self.environment = {**os.environ, "JUJU_SIM_DATA": str(folder)}
        self.up = False

    def juju(self, *words, shown=None, read=False):
        """Runs one command. `shown` is what is printed of it where it holds secrets; `read` returns what it prints."""
        say("$ juju-sim " + (shown or shlex.join(str(word).replace(f"{ROOT}/", "") for word in words)))
        done = subprocess.run(
            [self.program, *map(str, words)],
            env=self.environment,
            stdout=subprocess.PIPE if read else None,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise Failed(f"juju-sim {words[0]} ended with exit code {done.returncode}")
        return done.stdout

    def run(self, action, *parameters):
        """Runs an action of synapse/0 and returns its results."""
        answer = self.juju("run", "synapse/0", action, *parameters, "--wait=10m", "--format=json", read=True)
        return next(iter(json.loads(answer).values()))["results"]


def deploy(model, s3, folder):
    """A model with an active Synapse whose backups go to `s3`."""
    title("A model with an S3 store, and Synapse")
    model.juju("add-model", "demo", "--forward", f"{S3_PORT}={s3.socket}", "--pebble", TOOLS / "bin" / "pebble")
    model.up = True
    model.juju("deploy", CHARM, "synapse", "--resource", f"synapse-image={IMAGE}")
    model.juju("config", "synapse", f"server_name={SERVER_NAME}")
    uri = model.juju(
        "add-secret", "backup-passphrase", f"passphrase={PASSPHRASE}",
        shown="add-secret backup-passphrase passphrase=...", read=True,
    ).strip()  # fmt: skip
    model.juju("grant-secret", "backup-passphrase", "synapse")
    model.juju("config", "synapse", f"backup_passphrase_secret={uri}")
    integrator = folder / "s3-integrator.yaml"
    data = {
        "access-key": s3.access_key,
        "secret-key": s3.secret_key,
        "endpoint": f"http://127.0.0.1:{S3_PORT}",
        "region": "us-east-1",
        "bucket": BUCKET,
        "path": BUCKET_PATH,
        "s3-uri-style": "path",
        "data": json.dumps({"bucket": BUCKET}),
    }
    description = {"name": "s3-integrator", "endpoint": "s3-credentials", "interface": "s3", "application-data": data}
    integrator.write_text(json.dumps(description))
    integrator.chmod(0o600)
    model.juju("deploy", integrator, shown="deploy s3-integrator.yaml")
    model.juju("integrate", "synapse:backup", "s3-integrator")
    model.juju("wait-for", "synapse/0", "active", "--timeout", "2m")
    model.juju("status")


def use(model):
    """Fills the server; returns the messages sent and the media uploaded, by media id."""
    title(f"{len(USERS)} users, a room, {MESSAGES} messages, {MEDIA_FILES} media files")
    base = "http://" + model.juju("expose", "synapse/0", "8008", read=True).strip().removeprefix("http://")
    wait_until_healthy(base, 60)
    clients = {}
    for user in USERS:
        words = [f"username={user}"] + (["admin=true"] if user == USERS[0] else [])
        clients[user] = Matrix(base, user, model.run("register-user", *words)["user-password"])
    alice, bob = clients["alice"], clients["bob"]
    alice.lift_message_limit(bob.user_id)
    room = alice.create_room("Backups", [client.user_id for client in clients.values() if client is not alice])
    for client in clients.values():
        if client is not alice:
            client.join(room)
    messages = [f"message {number} – {secrets.token_hex(4)}" for number in range(MESSAGES)]
    for text in messages:
        bob.send(room, text)
    media = {}
    for number in range(MEDIA_FILES):
        content = secrets.token_bytes(1000 + 40_000 * number)
        media[bob.upload(f"file {number} 'quoted'.bin", content)] = content
    say(f"   {alice.user_id} and {len(USERS) - 1} others are in {room}")
    return messages, media


def back_up(model):
    title("A backup")
    model.juju("run", "synapse/0", "create-backup", "--wait=10m")
    model.juju("run", "synapse/0", "list-backups")
    listed = model.run("list-backups")
    expect(int(listed["count"]) == 1, "list-backups shows one backup")
    model.juju("status")


def commands_of(heading):
    """The commands that the how-to gives below a heading."""
    below = HOW_TO.read_text().split(f"## {heading}\n", 1)[1]
    return below.split("```sh\n", 1)[1].split("```", 1)[0]


def open_backup(s3, folder):
    """Unpacks the backup with the how-to's own commands; returns the folder."""
    title("The backup, opened with aws, gpg, zstd and tar")
    listing = s3.aws("s3", "ls", "--recursive", f"s3://{BUCKET}/{BUCKET_PATH}/").stdout
    say(listing.rstrip())
    (finished,) = [line.split()[-1].split("/")[1] for line in listing.splitlines() if "/manifest-" in line]
    passphrase_file = folder / "passphrase"
    passphrase_file.write_text(PASSPHRASE + "\n")
    passphrase_file.chmod(0o600)
    (folder / "gnupg").mkdir(mode=0o700)
    environment = {
        **s3.environment,
        "URL": f"s3://{BUCKET}/{BUCKET_PATH}",
        "ID": finished,
        "PASSPHRASE_FILE": str(passphrase_file),
        "GNUPGHOME": str(folder / "gnupg"),
    }
    for heading in ("Check the passphrase", "Unpack it"):
        commands = commands_of(heading)
        say("\n".join("   " + line for line in commands.rstrip().splitlines()))
        subprocess.run(["bash", "-euc", commands], cwd=folder, env=environment, check=True)
    return folder / "recovered"


def compare(recovered, messages, media):
    title("What is in it")
    (database,) = recovered.rglob("homeserver.db")
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        checked = connection.execute("PRAGMA integrity_check").fetchall()
        rows = connection.execute(
            "SELECT j.json FROM event_json j JOIN events e USING (event_id) WHERE e.type = 'm.room.message'"
        ).fetchall()
    expect(checked == [("ok",)], "PRAGMA integrity_check of the database says ok")
    bodies = sorted(json.loads(row)["content"]["body"] for (row,) in rows)
    expect(bodies == sorted(messages), f"the database holds the {len(messages)} messages")
    (local,) = recovered.rglob("local_content")
    for media_id, content in media.items():
        stored = local / media_id[:2] / media_id[2:4] / media_id[4:]
        if not stored.is_file() or stored.read_bytes() != content:
            raise Failed(f"the media file {media_id} is not what was uploaded")
    say(f"   ok: {len(media)} media files are byte-equal to what was uploaded")
    expect(any(recovered.rglob("*.signing.key")), "the signing key is there")


def say_what_next(model, s3, folder):
    say(f"\nThe model is still up. What to try next:\n\n  export JUJU_SIM_DATA={folder / 'models'} PATH={model.program.parent}:$PATH")
    for line in ("juju-sim status", "juju-sim run synapse/0 create-backup", "juju-sim run synapse/0 list-backups",
                 "juju-sim run synapse/0 register-user username=dave", "juju-sim debug-log --replay --no-tail"):  # fmt: skip
        say(f"  {line}")
    say(f"\nTo end it: juju-sim destroy-model demo; kill -- -{s3.holder.pid}; rm -r {folder}")


def main():
    began = time.monotonic()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="demo-", dir="/tmp"))
    model, s3, done = Model(folder / "models"), None, False
    try:
        s3 = S3Server(folder / "s3")
        deploy(model, s3, folder)
        messages, media = use(model)
        back_up(model)
        compare(open_backup(s3, folder), messages, media)
        done = True
    except (Failed, RuntimeError, subprocess.CalledProcessError) as error:
        say(f"\nThe demo failed: {error}")
        if model.up:
            model.juju("status")
    finally:
        if KEEP and model.up:
            say_what_next(model, s3, folder)
        else:
            if model.up:
                model.juju("destroy-model", "demo", "--no-prompt")
            if s3:
                s3.stop()
            shutil.rmtree(folder, ignore_errors=True)
    title("Summary")
    if done:
        say(f"{len(USERS)} users, {MESSAGES} messages and {MEDIA_FILES} media files were backed up, and found again in the backup.")
    say(f"{'Passed' if done else 'FAILED'} in {time.monotonic() - began:.0f} s.")
    return 0 if done else 1


if __name__ == "__main__":
    sys.exit(main())
