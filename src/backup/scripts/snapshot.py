# Behind inner.py. Copies the running server's SQLite database as it was at one moment, then checks the copy while it is
# uploaded. Arguments: the database, the archive's folder in the staging, the room to leave free in bytes.
import sqlite3
import threading

CACHE_KIB = 65536
SECONDS_BETWEEN_LOOKS = 0.5
# Looking at the counters and telling of them counts too.
LEAST_MOVED_BYTES = 2048


def moved_bytes():
    """What this process has read and written so far; none where the system does not say."""
    try:
        with open("/proc/self/io", encoding="ascii") as counters:
            return sum(int(line.split()[1]) for line in counters if line.startswith(("rchar:", "wchar:")))
    except (OSError, ValueError):
        return None


def watch(target, reserve, copied):
    """Ends the job before the volume is full, and shows that a long copy or check goes on; SQLite's own callback does not
    come while it walks a tree."""
    life_signs = LifeSigns("snapshot")
    moved = moved_bytes() or 0
    while True:
        if not copied.wait(SECONDS_BETWEEN_LOOKS):
            if free_bytes(os.path.dirname(target)) < reserve:
                give_up(f"free space on the data volume fell under {reserve} bytes while the database was copied", 74)
        else:
            time.sleep(SECONDS_BETWEEN_LOOKS)
        if life_signs.due():
            now = moved_bytes()
            if now is None or now - moved >= LEAST_MOVED_BYTES:
                life_signs.tell()
            moved = now or 0


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
    copied = threading.Event()
    threading.Thread(target=watch, args=(target, reserve, copied), daemon=True).start()
    live = sqlite3.connect(uri(database, "mode=rw"), uri=True, timeout=60, isolation_level=None)
    # One read transaction around the copy: a copy in steps starts again at every write and may never end.
    live.execute("BEGIN")
    live.execute("SELECT count(*) FROM sqlite_master").fetchone()
    say(pinned=True)
    copy = sqlite3.connect(target, isolation_level=None)
    copy.execute("PRAGMA journal_mode=OFF")
    copy.execute("PRAGMA synchronous=OFF")
    live.backup(copy, pages=-1)
    copy.close()
    copied.set()
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

    copy.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
    found = [row[0] for row in copy.execute("PRAGMA integrity_check(5)")]
    say(integrity=found)
    if found != ["ok"]:
        give_up(f"integrity check: {' '.join(found[0].split())[:200]}", 65)
    os._exit(0)


try:
    main()
except sqlite3.Error as error:
    give_up(f"cannot copy the database {sys.argv[1]}: {error}", 65)
except OSError as error:
    give_up(f"cannot copy the database {sys.argv[1]}: {error}", 74)
