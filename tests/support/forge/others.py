"""Rows that are another backup, another server's, or no backup of a server."""

import copy
import sqlite3
import tempfile

from archive import EARLIER, row, zstd

OTHER_SERVER = "other.example"


@row
def earlier_backup_under_this_id(forged):
    """Both archives and their manifests are whole, but of another backup."""
    for archive in (forged.state, forged.media):
        archive.manifest["id"] = archive.end["id"] = EARLIER


@row
def media_of_an_earlier_backup(forged):
    forged.media.manifest["id"] = forged.media.end["id"] = EARLIER


@row
def end_marker_of_an_earlier_backup(forged):
    forged.media.end["id"] = EARLIER


@row
def earlier_outer_manifest(forged):
    forged.outer["id"] = EARLIER


@row
def state_in_place_of_media(forged):
    forged.media = copy.copy(forged.state)
    forged.media.compress = None


@row
def media_in_place_of_state(forged):
    forged.state = copy.copy(forged.media)
    forged.state.compress = zstd


@row
def other_server(forged):
    forged.outer["server_name"] = OTHER_SERVER
    for archive in (forged.state, forged.media):
        archive.manifest["server_name"] = OTHER_SERVER


@row
def other_server_behind_our_outer_manifest(forged):
    for archive in (forged.state, forged.media):
        archive.manifest["server_name"] = OTHER_SERVER


@row
def other_servers_media(forged):
    forged.media.manifest["server_name"] = OTHER_SERVER


def change_database(forged, *statements):
    with tempfile.NamedTemporaryFile() as file:
        file.write(forged.state.file("data/homeserver.db"))
        file.flush()
        database = sqlite3.connect(file.name, isolation_level=None)
        for statement in statements:
            database.execute(statement)
        database.close()
        with open(file.name, "rb") as changed:
            forged.state.replace_file("data/homeserver.db", changed.read())
    forged.count()


@row
def other_servers_users_behind_our_manifests(forged):
    change_database(forged, f"INSERT INTO users (name, creation_ts) VALUES ('@a:{OTHER_SERVER}', 1)")


@row
def schema_of_a_far_future(forged):
    change_database(forged, "UPDATE schema_compat_version SET compat_version = 9999")
    forged.state.manifest["compat_version"] = 9999


@row
def schema_of_a_far_future_behind_the_manifest(forged):
    change_database(forged, "UPDATE schema_compat_version SET compat_version = 9999")


@row
def other_engine(forged):
    for archive in (forged.state, forged.media):
        archive.manifest["engine"] = "postgresql"


@row
def damaged_database(forged):
    content = bytearray(forged.state.file("data/homeserver.db"))
    for page in range(len(content) // 4096 // 3, len(content) // 4096):
        content[page * 4096 + 100 : page * 4096 + 140] = b"\xa5" * 40
    forged.state.replace_file("data/homeserver.db", bytes(content))
    forged.count()


@row
def text_in_place_of_the_database(forged):
    forged.state.replace_file("data/homeserver.db", b"no database\n" * 1000)
    forged.count()


@row
def no_database(forged):
    forged.state.members = [member for member in forged.state.members if not member.startswith(b"data/homeserver.db\0")]


@row
def database_that_is_another_programs(forged):
    with tempfile.NamedTemporaryFile() as file:
        database = sqlite3.connect(file.name)
        database.execute("CREATE TABLE cats (name TEXT)")
        database.commit()
        database.close()
        forged.state.replace_file("data/homeserver.db", file.read())
    forged.count()
