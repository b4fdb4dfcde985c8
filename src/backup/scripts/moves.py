# The first part of the programs that move data on the volume. They run as the data's user, under the job's lock, with the
# volume's folder as the first argument and one JSON object on stdin.
import json
import os
import re
import stat
import sys

RESTORE = re.compile(r"\.restore-restore-[0-9]{8}-[0-9]{6}-[0-9a-f]{4}\Z")
OURS = (".restore-", ".backup-", ".verify-", ".synapse-charm")
NEVER_MOVED = {"homeserver.yaml", "log.config", "media_store"}
USAGE, DATA, IO = 64, 65, 74


def give_up(status, message):
    os.write(2, f"synapse-charm: {message}\n".encode(errors="backslashreplace"))
    sys.exit(status)


def say(**report):
    os.write(1, (json.dumps(report) + "\n").encode())


def kind(path):
    """The type of what is at a path; none where nothing is."""
    try:
        return stat.S_IFMT(os.lstat(path).st_mode)
    except FileNotFoundError:
        return None


def sync(path):
    """Waits until a file, or the names in a folder, are on disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_all(folders):
    for folder in sorted(folders):
        sync(folder)


def checked_folder(data, folder):
    """A restore's folder on the volume, itself and not a link to elsewhere."""
    parent, name = os.path.split(folder)
    if parent != data or not RESTORE.match(name):
        give_up(USAGE, f"{folder} is no folder of a restore")
    if kind(folder) not in (None, stat.S_IFDIR):
        give_up(DATA, f"{folder} is not a folder")
    return folder


def checked_live(data, path):
    parts = path[len(data) + 1 :].split("/")
    plain = path.startswith(data + "/") and not {"", ".", ".."} & set(parts) and "\0" not in path
    if not plain or parts[0].startswith(OURS) or parts[0] == "lost+found":
        give_up(USAGE, f"{path} must not be moved")
    inside = "/".join(parts)
    if inside in NEVER_MOVED:
        give_up(USAGE, f"{path} must not be moved")
    return path


def make_folders(data, folder, changed):
    """Makes a folder below the volume's and those above it; notes each whose names changed. No link is followed."""
    path = data
    for part in folder[len(data) + 1 :].split("/"):
        parent, path = path, os.path.join(path, part)
        found = kind(path)
        if found is None:
            os.mkdir(path, 0o700)
            changed.update((parent, path))
        elif found != stat.S_IFDIR:
            give_up(DATA, f"{path} is not a folder")


def holds_data(folder):
    """Whether there is anything but folders below a folder."""
    if kind(folder) is None:
        return False
    for above, folders, files in os.walk(folder, onerror=raise_it):
        if files or any(os.path.islink(os.path.join(above, name)) for name in folders):
            return True
    return False


def raise_it(error):
    raise error


def run(main):
    try:
        main(sys.argv[1], json.load(sys.stdin))
    except OSError as error:
        where = error.filename2 or error.filename or ""
        give_up(IO, f"{os.fsdecode(where)}: {error.strerror}")
    except (KeyError, TypeError, ValueError) as error:
        give_up(USAGE, f"the order cannot be understood: {error!r}")
