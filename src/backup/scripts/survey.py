# Behind moves.py. Looks at what is on the volume; changes nothing.
#
#   {"paths": [..], "counted": [..], "media_store": .., "media": bool, "versions": bool, "database": path or null}
#
# Tells which of the paths are there, and of the `local_*` in the media store; which of them lie on another filesystem than
# the volume; how much room there is; and, where asked for, what they take and what the image's Synapse can read.

# Three lists of so many paths are fewer bytes than the charm takes.
MOST_PATHS_BYTES = 1024 * 1024


def size_of(path):
    status = os.lstat(path)
    total = status.st_size if stat.S_ISREG(status.st_mode) else 0
    if stat.S_ISDIR(status.st_mode):
        for folder, _, files in os.walk(path):
            for name in files:
                try:
                    total += os.lstat(os.path.join(folder, name)).st_size
                except FileNotFoundError:
                    # Media comes and goes while the server runs.
                    continue
    return total


def local_media(media_store):
    try:
        found = sorted(os.path.join(media_store, name) for name in os.listdir(media_store) if name.startswith("local_"))
    except FileNotFoundError:
        return []
    for path in found:
        try:
            path.encode()
        except UnicodeEncodeError:
            give_up(DATA, f"{path!r} is no UTF-8: it is nothing of Synapse's, remove it")
    if sum(len(json.dumps(path)) for path in found) > MOST_PATHS_BYTES:
        give_up(
            DATA,
            f"{len(found)} files and folders would be renamed, more than a restore can keep track of: remove from "
            f"{media_store} what is named local_* and is not Synapse's, which has local_content and local_thumbnails",
        )
    return found


def on_another_filesystem(data, paths):
    """Those that cannot be renamed to a folder at the volume's top: behind a mount, or a mount themselves."""
    device = os.lstat(data).st_dev
    found = []
    for path in paths:
        parent = os.path.dirname(path)
        while kind(parent) is None:
            parent = os.path.dirname(parent)
        for one in (parent, path):
            if kind(one) is not None and (os.stat(one).st_dev != device or os.path.ismount(one)) and one != data:
                found.append(one)
                break
    return sorted(set(found))


def users_in(database):
    import sqlite3
    from urllib.parse import quote

    try:
        connection = sqlite3.connect(f"file:{quote(database)}?mode=ro", uri=True, timeout=10)
        return connection.execute("SELECT count(*) FROM users").fetchone()[0]
    except sqlite3.Error:
        return None


def schema_version():
    try:
        import site

        site.main()
        version = schema_version_as_written()
        if version is None:
            from synapse.storage.schema import SCHEMA_VERSION as version
        return version
    except Exception:  # An image of whatever age: it cannot be told, which is an answer.
        return None


def schema_version_as_written():
    """The constant as it stands in Synapse's source: importing it would run a second's worth of Synapse."""
    import ast
    from importlib.util import find_spec

    try:
        [package] = find_spec("synapse").submodule_search_locations
        with open(os.path.join(package, "storage", "schema", "__init__.py"), "rb") as source:
            written = ast.walk(ast.parse(source.read()))
    except (AttributeError, OSError, SyntaxError, ValueError):
        return None
    assigned = [
        getattr(statement.value, "value", None)
        for statement in written
        if isinstance(statement, (ast.Assign, ast.AnnAssign, ast.AugAssign))
        for target in getattr(statement, "targets", None) or [statement.target]
        if isinstance(target, ast.Name) and target.id == "SCHEMA_VERSION"
    ]
    return assigned[0] if len(assigned) == 1 and type(assigned[0]) is int else None


def main(data, order):
    local = local_media(order["media_store"]) if order["media"] else []
    wanted = sorted(set(order["paths"]) | set(local))
    present = [path for path in wanted if kind(path) is not None]
    counted = set(order["counted"]) | set(local)
    volume = os.statvfs(data)
    say(
        survey={
            "present": present,
            "local": local,
            "elsewhere": on_another_filesystem(data, wanted + [order["media_store"]] * order["media"]),
            "bytes": sum(size_of(path) for path in present if path in counted),
            "free_bytes": volume.f_bavail * volume.f_frsize,
            "volume_bytes": volume.f_blocks * volume.f_frsize,
            "schema_version": schema_version() if order["versions"] else None,
            "users": users_in(order["database"]) if order.get("database") else None,
        }
    )


run(main)
