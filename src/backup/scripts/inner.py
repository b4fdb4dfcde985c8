# Shared by the programs that run as the data's user: what goes into an archive, and the two members of ours around it.
import json
import os
import stat
import sys
import time

ROOM_FOR_A_MEMBER = 512
SECONDS_BETWEEN_LIFE_SIGNS = 20


def say(**report):
    os.write(1, (json.dumps(report) + "\n").encode())


def give_up(message, status=1):
    os.write(2, f"synapse-charm: {message}\n".encode(errors="backslashreplace"))
    os._exit(status)


def backup_paths(prefix):
    count = int(os.environ[prefix + "S"])
    return [os.environb[b"%s_%d" % (prefix.encode(), index)] for index in range(count)]


def padded(size):
    return (size + 511) // 512 * 512


class LifeSigns:
    """Tells now and then that a step which has nothing else to show goes on."""

    def __init__(self, step):
        self.step = step
        self.told = time.monotonic()

    def due(self):
        return time.monotonic() - self.told >= SECONDS_BETWEEN_LIFE_SIGNS

    def tell(self):
        self.told = time.monotonic()
        say(alive=self.step)


class Contents:
    """How many members, file bytes and archive bytes there are below some paths, counted as tar would."""

    def __init__(self, life_signs=None):
        self.life_signs = life_signs
        self.entries = 0
        self.files = 0
        self.bytes = 0
        self.archive_bytes = 4 * 512 + 10240

    def add(self, path, status):
        self.entries += 1
        if self.life_signs and self.entries % 256 == 0 and self.life_signs.due():
            self.life_signs.tell()
        self.archive_bytes += ROOM_FOR_A_MEMBER
        if len(path) > 100:
            self.archive_bytes += ROOM_FOR_A_MEMBER + padded(len(path))
        if stat.S_ISLNK(status.st_mode) or stat.S_ISFIFO(status.st_mode) or stat.S_ISBLK(status.st_mode) or stat.S_ISCHR(status.st_mode):
            give_up(f"cannot back up {os.fsdecode(path)}: it is a link or a special file, which no restore takes")
        if stat.S_ISREG(status.st_mode):
            self.files += 1
            self.bytes += status.st_size
            self.archive_bytes += padded(status.st_size)

    def add_tree(self, root):
        pending = [root]
        while pending:
            path = pending.pop()
            try:
                status = os.lstat(path)
                self.add(path, status)
                if stat.S_ISDIR(status.st_mode):
                    with os.scandir(path) as listing:
                        for entry in listing:
                            if entry.is_dir(follow_symlinks=False):
                                pending.append(entry.path)
                            else:
                                self.add(entry.path, entry.stat(follow_symlinks=False))
            except FileNotFoundError:
                # Media comes and goes while the server runs.
                continue
            except OSError as error:
                give_up(f"cannot read {os.fsdecode(path)}: {error.strerror}")

    def report(self):
        return {"entries": self.entries, "files": self.files, "bytes": self.bytes, "archive_bytes": self.archive_bytes}


def write_own_members(content, archive, contents, facts):
    folder = os.path.join(content, ".synapse-backup")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    manifest = json.loads(os.environ["INNER_MANIFEST"])
    manifest.update(archive=archive, entries=contents.entries + 2, bytes=contents.bytes, **facts)
    end = {"format": manifest["format"], "id": manifest["id"], "archive": archive, "end": True}
    for name, value in (("manifest.json", manifest), ("end.json", end)):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            json.dump(value, file, indent=1)
            file.write("\n")


def free_bytes(folder):
    volume = os.statvfs(folder)
    return volume.f_bavail * volume.f_frsize
