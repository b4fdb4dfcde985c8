"""Prints, as JSON, a digest of each part of what a restore may change on Synapse's volume.

The argument is the volume's folder. Parts are tables of the database, keys and local media.
"""

import contextlib
import hashlib
import json
import pathlib
import sqlite3
import sys
import time

# Synapse writes here by itself, without anyone asking for anything, or at each look at the data.
RESTLESS = (
    "_temp_",
    "background_updates",
    "current_state_delta_stream",
    "delayed_",
    "device_lists_",
    "devices",
    "e2e_fallback_keys_json",
    "e2e_one_time_keys_json",
    "event_push_actions_staging",
    "event_push_summary",
    "event_search",
    "lazy_",
    "monthly_active_users",
    "presence_stream",
    "room_forgetter_stream_pos",
    "scheduled_tasks",
    "sliding_sync",
    "room_stats_",
    "stats_incremental_position",
    "stream_positions",
    "user_daily_visits",
    "user_directory",
    "user_ips",
    "user_stats_",
    "users_in_public_rooms",
    "users_who_share",
    "worker_locks",
    "sqlite_",
)

RESTLESS_COLUMNS = ("last_access_ts", "last_validated")


def digest(parts):
    found = hashlib.sha256()
    for part in parts:
        found.update(b"%d:" % len(part))
        found.update(part)
    return found.hexdigest()[:16]


def tables(database):
    """The digest of each table's rows, whatever their order; a database that is broken says so."""
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=60)) as connection:
        connection.text_factory = bytes
        connection.execute("BEGIN")
        yield "integrity", repr(connection.execute("PRAGMA integrity_check").fetchall())
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (name,) in sorted(names):
            name = name.decode()
            if not name.startswith(RESTLESS):
                columns = [row[1].decode() for row in connection.execute(f'PRAGMA table_info("{name}")')]
                columns = [f'"{column}"' for column in columns if column not in RESTLESS_COLUMNS]
                rows = connection.execute(f'SELECT {", ".join(columns)} FROM "{name}"')
                yield f"table {name}", digest(sorted(repr(row).encode() for row in rows))


def of(volume):
    database = volume / "homeserver.db"
    found = {}
    for attempt in range(10):
        try:
            found = dict(tables(database)) if database.exists() else {"integrity": "no database"}
            break
        except sqlite3.OperationalError as error:
            found = {"integrity": str(error)}
            time.sleep(0.5)
    for path in sorted(volume.glob("*.key")):
        found[f"key {path.name}"] = digest([path.read_bytes()])
    for top in sorted((volume / "media_store").glob("local_*")):
        for path in [top, *sorted(top.rglob("*"))]:
            name = path.relative_to(volume)
            found[f"media {name}"] = digest([path.read_bytes()]) if path.is_file() else "folder"
    return found


print(json.dumps(of(pathlib.Path(sys.argv[1]))))
