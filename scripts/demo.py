"""The main job for real: a Synapse with users, messages and media is backed up, the backup is opened with plain tools, then
all is lost and restored.

Started by `make demo`, which sets up the tools and builds the charm first. KEEP=1 leaves the model up.
"""

import contextlib
import json
import os
import pathlib
import secrets
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time

from demo_bad_day import Life, bad_day
from demo_matrix import Matrix
from local_stack import (
    BUCKET,
    BUCKET_PATH,
    ROOT,
    Failed,
    Model,
    S3Server,
    add_model,
    configure_backups,
    deploy_synapse,
    expect,
    say,
    title,
)

HOW_TO = ROOT / "docs" / "how-to" / "open-a-backup.md"
SERVER_NAME = "demo.example.org"
USERS = ("alice", "bob", "carol")
MESSAGES = 50
MEDIA_FILES = 20
PASSPHRASE = "correct horse, \"battery\" 'staple' $HOME \\ é"
KEEP = os.environ.get("KEEP") == "1"


def deploy(model, s3, folder):
    """A model with an active Synapse whose backups go to `s3`."""
    title("A model with an S3 store, and Synapse")
    add_model(model, s3)
    deploy_synapse(model, SERVER_NAME)
    configure_backups(model, s3, PASSPHRASE, folder)
    model.juju("wait-for", "synapse/0", "active", "--timeout", "2m")
    model.juju("status")


def use(model):
    """Fills the server; returns what its users have of it."""
    title(f"{len(USERS)} users, a room, {MESSAGES} messages, {MEDIA_FILES} media files")
    base = model.expose()
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
        content = secrets.token_bytes(1000 + 500_000 * number)
        media[bob.upload(f"file {number} 'quoted'.bin", content)] = content
    say(f"   {alice.user_id} and {len(USERS) - 1} others are in {room}")
    return Life(SERVER_NAME, clients, room, messages, media, alice.server_keys())


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


def compare(recovered, life):
    title("What is in it")
    (database,) = recovered.rglob("homeserver.db")
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        checked = connection.execute("PRAGMA integrity_check").fetchall()
        rows = connection.execute(
            "SELECT j.json FROM event_json j JOIN events e USING (event_id) WHERE e.type = 'm.room.message'"
        ).fetchall()
    expect(checked == [("ok",)], "PRAGMA integrity_check of the database says ok")
    bodies = sorted(json.loads(row)["content"]["body"] for (row,) in rows)
    expect(bodies == sorted(life.messages), f"the database holds the {len(life.messages)} messages")
    (local,) = recovered.rglob("local_content")
    for media_id, content in life.media.items():
        stored = local / media_id[:2] / media_id[2:4] / media_id[4:]
        if not stored.is_file() or stored.read_bytes() != content:
            raise Failed(f"the media file {media_id} is not what was uploaded")
    say(f"   ok: {len(life.media)} media files are byte-equal to what was uploaded")
    expect(any(recovered.rglob("*.signing.key")), "the signing key is there")


def say_what_next(model, s3, folder):
    say(f"\nThe model is still up. What to try next:\n\n  export JUJU_SIM_DATA={folder / 'models'} PATH={model.program.parent}:$PATH")
    for line in ("juju-sim status", "juju-sim run synapse/0 create-backup", "juju-sim run synapse/0 list-backups",
                 "juju-sim run synapse/0 undo-restore", "juju-sim run synapse/0 verify-backup backup-id=latest",
                 "juju-sim run synapse/0 register-user username=dave", "juju-sim debug-log --replay --no-tail"):  # fmt: skip
        say(f"  {line}")
    say(f"\nTo end it: juju-sim destroy-model demo; kill -- -{s3.holder.pid}; rm -r {folder}")


def main():
    began = time.monotonic()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="demo-", dir="/tmp"))
    model, s3, done = Model("demo", folder / "models"), None, False
    try:
        s3 = S3Server(folder / "s3")
        deploy(model, s3, folder)
        life = use(model)
        back_up(model)
        compare(open_backup(s3, folder), life)
        bad_day(model, s3, PASSPHRASE, life)
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
        say(
            f"{len(USERS)} users, {MESSAGES} messages and {MEDIA_FILES} media files were backed up, found in the backup by hand, lost "
            "with the model and restored into a new one, then damaged in place and restored once more."
        )
    say(f"{'Passed' if done else 'FAILED'} in {time.monotonic() - began:.0f} s.")
    return 0 if done else 1


if __name__ == "__main__":
    sys.exit(main())
