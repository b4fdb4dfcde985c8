"""The bad day, part two of the demo: a model is lost with its volume, later a file and the database; both are restored."""

import dataclasses
import os

from demo_matrix import Matrix
from local_stack import (
    CHARM,
    IMAGE,
    S3_OPTIONS,
    Failed,
    add_model,
    configure_passphrase,
    expect,
    say,
    title,
)


@dataclasses.dataclass
class Life:
    """What the server's users have of it, and must have again."""

    server_name: str
    clients: dict[str, Matrix]
    room: str
    messages: list[str]
    media: dict[str, bytes]
    signing_keys: dict


def lose_everything(model):
    title("The bad day: the model is destroyed, and its volume with it")
    folder = model.paths()["storage/data"]
    model.juju("destroy-model", model.name, "--no-prompt")
    model.up = False
    expect(not os.path.exists(folder), "nothing is left of the volume")


def deploy_again(model, s3, passphrase, life):
    title("A new model: the same server_name, the same bucket")
    add_model(model, s3)
    options = {"server_name": life.server_name, **S3_OPTIONS, "s3_access_key": s3.access_key, "s3_secret_key": s3.secret_key}
    words = [word for name, value in options.items() for word in ("--config", f"{name}={value}")]
    model.juju(
        "deploy", CHARM, "synapse", "--resource", f"synapse-image={IMAGE}", *words,
        shown=f"deploy build/charm-release synapse --config server_name={life.server_name} --config s3_endpoint=... "
        "--config s3_bucket=... --config s3_access_key=... --config s3_secret_key=...",
    )  # fmt: skip
    configure_passphrase(model, passphrase)
    model.juju("wait-for", "synapse/0", "blocked", "--timeout", "2m")
    status = model.juju("status", read=True)
    say(status.rstrip())
    expect("run restore-backup" in status, "the unit does not start as a new server, and says what to do")


def restore(model):
    title("restore-backup backup-id=latest")
    model.juju("run", "synapse/0", "restore-backup", "backup-id=latest", "dry-run=true", "--wait=10m")
    model.juju("run", "synapse/0", "restore-backup", "backup-id=latest", "--wait=10m")
    model.juju("wait-for", "synapse/0", "active", "--timeout", "2m")
    model.juju("status")


def look(model, life):
    """Everything through the Matrix API, with the access tokens from before."""
    base = model.expose()
    for client in life.clients.values():
        client.base = base
    for client in life.clients.values():
        if client.whoami() != client.user_id:
            raise Failed(f"the access token of {client.user_id} is somebody else's now")
    expect(True, f"{len(life.clients)} users go on with the access tokens that they had")
    reader = next(iter(life.clients.values()))
    expect(reader.server_keys() == life.signing_keys, "the signing key at /_matrix/key/v2/server is the old one")
    expect(reader.messages(life.room) == life.messages, f"all {len(life.messages)} messages are there, in their order")
    for media_id, content in life.media.items():
        if reader.download(life.server_name, media_id) != content:
            raise Failed(f"the media file {media_id} is not what was uploaded")
    expect(True, f"{len(life.media)} media files are byte-equal to what was uploaded")


def back_up_again(model):
    title("A backup of the new deployment")
    refused = model.refused("create-backup")
    say(f"   {refused}")
    expect("take-over=true" in refused, "the path belongs to the lost deployment, and the refusal says what take-over is for")
    model.juju("run", "synapse/0", "create-backup", "take-over=true", "--wait=10m")


def lose_a_file_and_the_database(model, life):
    title("In place: a media file and the database are destroyed")
    volume = model.paths()["storage/data"]
    media_id = next(iter(life.media))
    lost = volume / "media_store" / "local_content" / media_id[:2] / media_id[2:4] / media_id[4:]
    lost.unlink()
    with open(volume / "homeserver.db", "r+b") as database:
        database.write(b"\0" * (1 << 20))
    say(f"   removed {lost.relative_to(volume)}, wrote zeros over the start of homeserver.db")


def bad_day(model, s3, passphrase, life):
    lose_everything(model)
    deploy_again(model, s3, passphrase, life)
    restore(model)
    look(model, life)
    back_up_again(model)
    lose_a_file_and_the_database(model, life)
    restore(model)
    look(model, life)
