# Behind inner.py. Looks at a staged database, empties what must not be served twice, checks it and leaves it as one file.
# Arguments: the database in the staging, the server's name, `clean` or `look`.
import sqlite3
import threading

CACHE_KIB = 65536


def life():
    life_signs = LifeSigns("examine")
    while True:
        time.sleep(1)
        if life_signs.due():
            life_signs.tell()


def single_value(database, query, *values):
    try:
        row = database.execute(query, values).fetchone()
    except sqlite3.OperationalError as error:
        # A table that this Synapse does not have.
        if "no such" in str(error):
            return None
        raise
    return row[0] if row else None


def main():
    path, server_name, purpose = sys.argv[1:4]
    threading.Thread(target=life, daemon=True).start()
    database = sqlite3.connect(path, timeout=60, isolation_level=None)
    database.execute("PRAGMA trusted_schema=OFF")
    database.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
    # A copy of a live database brings its log; it is taken over here, and nothing is left beside the file.
    mode = database.execute("PRAGMA journal_mode=DELETE").fetchone()[0]
    if mode != "delete":
        give_up(f"its database cannot be opened alone: {mode}", 65)
    end = ":" + server_name
    foreign = single_value(database, "SELECT name FROM users WHERE substr(name, -length(?)) != ? LIMIT 1", end, end)
    if foreign is not None:
        give_up(f"its database is another server's: it has the user {foreign!r:.200}", 68)
    facts = {
        "schema_version": single_value(database, "SELECT version FROM schema_version"),
        "compat_version": single_value(database, "SELECT compat_version FROM schema_compat_version"),
        "users": single_value(database, "SELECT count(*) FROM users"),
    }
    if facts["schema_version"] is None or facts["users"] is None:
        give_up("its database is not Synapse's", 65)
    removed = 0
    if purpose == "clean":
        removed = single_value(database, "SELECT count(*) FROM e2e_one_time_keys_json") or 0
        if removed:
            database.execute("DELETE FROM e2e_one_time_keys_json")
    found = [row[0] for row in database.execute("PRAGMA integrity_check(5)")]
    if found != ["ok"]:
        give_up(f"its database is damaged: {' '.join(str(found[0]).split())[:200]}", 65)
    database.close()
    left = [path + suffix for suffix in ("-wal", "-shm", "-journal") if os.path.lexists(path + suffix)]
    if left:
        give_up(f"{left[0]} is left beside the staged database", 70)
    say(database={"one_time_keys_removed": removed, **facts})
    os._exit(0)


try:
    main()
except sqlite3.OperationalError as error:
    give_up(f"cannot examine the staged database: {error}", 74 if "full" in str(error) else 73)
except sqlite3.DatabaseError as error:
    give_up(f"its database is damaged: {error}", 65)
except OSError as error:
    give_up(f"cannot examine the staged database: {error.strerror}", 74)
