# Behind inner.py. Copies the running server's SQLite database as it was at one moment, then checks the copy while it is
# uploaded. Arguments: the database, the archive's folder in the staging, the room to leave free in bytes.
import sqlite3
import threading
import time

CACHE_KIB = 65536
SECONDS_BETWEEN_LIFE_SIGNS = 20


def watch_copy(target, reserve, copied):
    """Ends the job before the volume is full, and shows that a long copy is alive."""
    told = time.monotonic()
    while not copied.wait(0.5):
        if free_bytes(os.path.dirname(target)) < reserve:
            give_up(f"free space on the data volume fell under {reserve} bytes while the database was copied", 74)
        if time.monotonic() - told >= SECONDS_BETWEEN_LIFE_SIGNS:
            told = time.monotonic()
            say(alive="copy")


class LifeSigns:
    """SQLite calls this now and then during a check, which has nothing to show until it ends."""

    def __init__(self):
        self.told = time.monotonic()

    def __call__(self):
        if time.monotonic() - self.told >= SECONDS_BETWEEN_LIFE_SIGNS:
            self.told = time.monotonic()
            say(alive="check")


def single_value(connection, query):
    try:
        row = connection.execute(query).fetchone()
    except sqlite3.Error:
        return None
    return row[0] if row else None


def facts_of(copy):
    return {
        "schema_version": single_value(copy, "SELECT version FROM schema_version"),
        "compat_version": single_value(copy, "SELECT compat_version FROM schema_compat_version"),
        "users": single_value(copy, "SELECT count(*) FROM users"),
    }


def uri(path, query):
    from urllib.parse import quote

    return f"file:{quote(path)}?{query}"


def main():
    database, content, reserve = sys.argv[1], sys.argv[2], int(sys.argv[3])
    target = content + database
    os.makedirs(os.path.dirname(target), mode=0o700)
    live = sqlite3.connect(uri(database, "mode=rw"), uri=True, timeout=60, isolation_level=None)
    # One read transaction around the copy: a copy in steps starts again at every write and may never end.
    live.execute("BEGIN")
    live.execute("SELECT count(*) FROM sqlite_master").fetchone()
    say(pinned=True)
    copied = threading.Event()
    watcher = threading.Thread(target=watch_copy, args=(target, reserve, copied), daemon=True)
    watcher.start()
    copy = sqlite3.connect(target, isolation_level=None)
    copy.execute("PRAGMA journal_mode=OFF")
    copy.execute("PRAGMA synchronous=OFF")
    live.backup(copy, pages=-1)
    copy.close()
    copied.set()
    watcher.join()
    live.execute("ROLLBACK")
    live.close()

    copy = sqlite3.connect(uri(target, "mode=ro&immutable=1"), uri=True, isolation_level=None)
    facts = facts_of(copy)
    contents = Contents()
    for path in backup_paths("BACKUP_PATH"):
        contents.add_tree(path)
    contents.add(os.fsencode(target), os.stat(target))
    write_own_members(content, "state", contents, facts)
    say(copied={"database_bytes": os.stat(target).st_size, **contents.report(), **facts})

    copy.set_progress_handler(LifeSigns(), 1_000_000)
    copy.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
    found = [row[0] for row in copy.execute("PRAGMA integrity_check(5)")]
    say(integrity=found)
    os._exit(0 if found == ["ok"] else 65)


try:
    main()
except sqlite3.Error as error:
    give_up(f"cannot copy the database {sys.argv[1]}: {error}", 65)
except OSError as error:
    give_up(f"cannot copy the database {sys.argv[1]}: {error}", 74)
