"""Rows that are backups of the Python charm, which promise nothing and end with nothing."""

import sqlite3
import struct
import tarfile
import tempfile

from archive import EARLIER, entry, gpg, header, row, with_passphrase

MAGIC = bytes.fromhex("d9d505f920a163d7")


@row
def legacy_unencrypted(forged):
    forged.archive.encrypt = lambda _, content: gpg(["--store"], content)


@row
def legacy_with_another_passphrase(forged):
    forged.archive.encrypt = with_passphrase("another-passphrase")


@row
def legacy_cut_in_the_packet(forged):
    forged.archive.on_object = lambda content: content[: len(content) // 2]


@row
def legacy_cut_at_tars_boundary(forged):
    """As tar leaves it when it is killed: without the two empty blocks at its end."""
    forged.archive.ending = b""


@row
def legacy_with_two_messages(forged):
    forged.archive.on_object = lambda content: content + content


@row
def legacy_flipped(forged):
    forged.archive.on_object = lambda content: content[:-300_000] + b"\0" + content[-299_999:]


@row
def legacy_with_a_link(forged):
    forged.archive.add(header("data/media_store/local_content/way", type=tarfile.SYMTYPE, linkname="/etc"))


@row
def legacy_leading_outside(forged):
    forged.archive.add(entry("data/media_store/local_content/../../../etc/cron.d/x", b"out"))


@row
def legacy_with_other_files(forged):
    forged.archive.add(entry("etc/cron.d/x", b"out"))


@row
def legacy_with_the_charms_journal(forged):
    forged.archive.add(entry("data/.synapse-charm/journal.json", b"{}"))


@row
def legacy_journal_that_deletes_the_live_database(forged):
    """SQLite removes the file that a rollback journal names, when it opens the database beside it."""
    victim = b"/data/homeserver.db"
    size = len(forged.archive.file("data/homeserver.db"))
    journal = (MAGIC + struct.pack(">IIIII", 0, 0, size // 4096, 512, 4096)).ljust(512, b"\0")
    journal += struct.pack(">I", (1 << 30) // 4096 + 1) + victim + struct.pack(">II", len(victim), sum(victim)) + MAGIC
    forged.archive.add(entry("data/homeserver.db-journal", journal))


@row
def legacy_of_another_servers_keys(forged):
    forged.archive.members = [member for member in forged.archive.members if not member.startswith(b"data/a.example.")]
    forged.archive.add(entry("data/other.example.signing.key", b"ed25519 a_x 1\n"))


@row
def legacy_of_another_servers_users(forged):
    with tempfile.NamedTemporaryFile() as file:
        file.write(forged.archive.file("data/homeserver.db"))
        file.flush()
        database = sqlite3.connect(file.name, isolation_level=None)
        database.execute("INSERT INTO users (name, creation_ts) VALUES ('@a:other.example', 1)")
        database.close()
        with open(file.name, "rb") as changed:
            forged.archive.replace_file("data/homeserver.db", changed.read())


@row
def legacy_without_anything(forged):
    forged.archive.members = []


@row
def legacy_that_is_a_new_backups_media(forged):
    forged.archive.members[:0] = [entry(".synapse-backup/manifest.json", b'{"format":1,"id":"%s"}' % EARLIER.encode())]
