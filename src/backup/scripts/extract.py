# Behind inner.py and tar_reader.py. Reads one decrypted archive from stdin, refuses all that is not what a backup of this
# server holds, and writes files below the staging folder. Nothing counts before gpg's verdict, which comes later.
#
#   PLAN   JSON: staging, folder (on the volume), reserve_bytes, archive, write (kinds), database, media_store,
#          and of our own format: format, id, server_name, engine

import array
import errno

OWN_FOLDER = b".synapse-backup/"
MANIFEST, END = OWN_FOLDER + b"manifest.json", OWN_FOLDER + b"end.json"
LARGEST_OWN_MEMBER_BYTES = 1 << 22
ALLOWED_MORE_ENTRIES, ALLOWED_MORE_BYTES = 1000, 1000 * 1024
# What is on its way to the disk early need not be waited for at the end.
FLUSH_BYTES = 8 << 20
# A fast disk takes more than the reserve in a second.
LOOK_BYTES = 32 << 20
# Each step down is an open descriptor, of which a process may have 1,024.
MOST_DEPTH = 500
FILE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Anothers(Exception):
    """The backup is good, as far as is known, but not this server's."""


class Watch:
    """Tells once a second how much was read, and ends the job when the volume runs full."""

    def __init__(self, plan):
        self.plan = plan
        self.told = time.monotonic()
        self.looked = 0

    def __call__(self, total):
        now = time.monotonic()
        is_due = now - self.told >= 1
        if not is_due and total - self.looked < LOOK_BYTES:
            return
        if is_due:
            self.told = now
            say(read=total)
        self.looked = total
        volume = os.statvfs(self.plan["folder"])
        if volume.f_bavail * volume.f_frsize < self.plan["reserve_bytes"]:
            give_up(f"free space on the data volume fell under {self.plan['reserve_bytes']} bytes", 74)


class Tree:
    """Makes files and folders below one folder. Each step down is taken from the folder above, never through a link."""

    def __init__(self, root):
        self.above = [(b"", os.open(root, FOLDER_FLAGS))]
        self.implied = set()

    def enter(self, parts):
        depth = 1
        while depth <= len(parts) and depth < len(self.above) and self.above[depth][0] == parts[depth - 1]:
            depth += 1
        while len(self.above) > depth:
            os.close(self.above.pop()[1])
        for part in parts[depth - 1 :]:
            parent = self.above[-1][1]
            try:
                os.mkdir(part, 0o700, dir_fd=parent)
                self.implied.add(b"/".join([name for name, _ in self.above[1:]] + [part]))
            except FileExistsError:
                pass
            self.above.append((part, os.open(part, FOLDER_FLAGS, dir_fd=parent)))
        return self.above[-1][1]

    def folder(self, parts):
        parent = self.enter(parts[:-1])
        path = b"/".join(parts)
        if path in self.implied:
            self.implied.remove(path)
        else:
            os.mkdir(parts[-1], 0o700, dir_fd=parent)

    def file(self, parts, member, stream):
        mode = 0o600 | (member.mode & 0o100)
        descriptor = os.open(parts[-1], FILE_FLAGS, mode, dir_fd=self.enter(parts[:-1]))
        try:
            written = flushed = 0
            for piece in stream.pieces(member.size):
                while piece:
                    size = os.write(descriptor, piece)
                    piece = piece[size:]
                    written += size
                if written - flushed >= FLUSH_BYTES:
                    os.posix_fadvise(descriptor, flushed, written - flushed, os.POSIX_FADV_DONTNEED)
                    flushed = written
            os.utime(descriptor, ns=(member.mtime_ns, member.mtime_ns))
        finally:
            os.close(descriptor)


def below(path, root):
    return path == root or path.startswith(root + b"/")


class Names:
    """Knows of members that are only read what the volume tells of those that are written: whether a name comes twice, and
    whether something lies below a file.

    That takes 8 bytes a name or folder. Of the hash, which is of another seed in each process, 63 bits tell names apart: of a
    million honest names two have the same one once in 10 million verifications.
    """

    PARTS = 256

    def __init__(self):
        # The lowest bit says whether it is a folder.
        self.members = [array.array("q") for _ in range(self.PARTS)]
        self.above = [array.array("q") for _ in range(self.PARTS)]
        self.last_folder = b""

    def add(self, path, is_folder):
        self.put(self.members, path, is_folder)
        folder = last = path.rpartition(b"/")[0]
        # tar goes through a folder to its end, so nearly all were there before.
        while folder and not below(self.last_folder, folder):
            self.put(self.above, folder, False)
            folder = folder.rpartition(b"/")[0]
        self.last_folder = last

    def put(self, parts, path, is_folder):
        value = hash(path) & ~1
        parts[(value >> 1) % self.PARTS].append(value | is_folder)

    def check(self):
        # A part at a time, else they would be Python's integers all at once.
        for members, above in zip(self.members, self.above):
            if len({value >> 1 for value in members}) < len(members):
                raise Refused("a name is in it twice")
            files = {value for value in members if not value & 1}
            if not files.isdisjoint(above):
                raise Refused("something in it lies below a file")


class Places:
    """What a member of our own format is, by its path: (kind, the whole that it is renamed with, where it goes)."""

    def __init__(self, plan):
        self.archive = plan["archive"]
        self.data = os.fsencode(plan["folder"]).strip(b"/") + b"/"
        self.database = os.fsencode(plan["database"]).strip(b"/")
        self.media = os.fsencode(plan["media_store"]).strip(b"/")
        self.extra = []

    def allow_extra(self, path):
        """Extra paths are the admin's choice at the time of the backup; they are no way to what has a place of its own."""
        root = os.fsencode(path).strip(b"/")
        if root.startswith(self.media + b"/local_"):
            return
        parts = root[len(self.data) :].split(b"/")
        good = (
            root.startswith(self.data)
            and not any(part in (b"", b".", b"..") for part in parts)
            and not parts[0].startswith((b".restore-", b".backup-", b".verify-", b".synapse-charm"))
            and parts[0] != b"lost+found"
            and not below(self.database, root)
            and not below(self.media, root)
            and not root.startswith(self.database)
            and not self.state_kind(root)
            and not any(below(root, other) or below(other, root) for other in self.extra)
        )
        if not good:
            raise Refused(f"its manifest promises {shown(root)}, which is no extra path")
        self.extra.append(root)

    def state_kind(self, path):
        name = path[len(self.data) :]
        if not path.startswith(self.data) or b"/" in name:
            return None
        if name.endswith(b".key") and not name.startswith(b"."):
            return "key"
        return "settings" if name in (b"homeserver.yaml", b"log.config") else None

    def of(self, path):
        if self.archive == "state":
            kind = "database" if path == self.database else self.state_kind(path)
            return kind and (kind, path, path)
        if path.startswith(self.media + b"/local_"):
            root = self.media + b"/" + path[len(self.media) + 1 :].split(b"/")[0]
            return "media", root, path
        for root in self.extra:
            if below(path, root):
                return "extra", root, path
        return None


class LegacyPlaces(Places):
    """The same of the Python charm's: keys, the live database's files, and local media of any media store."""

    def of(self, path):
        kind = self.state_kind(path)
        if kind == "key":
            return kind, path, path
        # Synapse keeps a -wal. A -journal is nothing of its, and can name a file that SQLite removes.
        if path in (self.database, self.database + b"-wal"):
            return "database", self.database, path
        # Whatever else has such a name, an admin's copy say, is in the Python charm's backups, and of no use.
        beside = path[len(self.database) :]
        if path.startswith(self.database) and b"/" not in beside and beside != b"-journal":
            return "settings", path, path
        above, found, inside = (b"/" + path).partition(b"/local_")
        if not found or not above:
            return None
        place = self.media + found + inside
        return "media", self.media + found + inside.split(b"/")[0], place


class Extraction:
    def __init__(self, plan, stream):
        self.plan = plan
        self.stream = stream
        self.places = LegacyPlaces(plan) if plan["format"] is None else Places(plan)
        self.tree = Tree(plan["staging"])
        self.roots = set()
        self.names = Names()
        self.entries = self.bytes = 0
        self.most_entries = self.most_bytes = None
        self.manifest = {}

    def own(self, member, name):
        if member.name != name or member.folder:
            raise Refused(f"{shown(member.name)} is where {shown(name)} must be")
        if member.size > LARGEST_OWN_MEMBER_BYTES:
            raise Refused(f"{shown(name)} is too large")
        try:
            value = json.loads(self.stream.exactly(member.size))
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise Refused(f"{shown(name)} cannot be understood")
        if value.get("format") != self.plan["format"]:
            raise Refused(f"it has the unknown format {value.get('format')!r:.40}; a newer charm made it")
        if value.get("id") != self.plan["id"]:
            raise Refused(f"it is the backup {value.get('id')!r:.60}, not {self.plan['id']}")
        if value.get("archive") != self.plan["archive"]:
            raise Refused(f"it is the archive {value.get('archive')!r:.40}, not {self.plan['archive']}")
        return value

    def begin(self, member):
        """The first member says whose backup it is and what it promises."""
        manifest = self.own(member, MANIFEST)
        for name in ("server_name", "engine"):
            if manifest.get(name) != self.plan[name]:
                raise Refused(f"its {name} is {manifest.get(name)!r:.300}, not {self.plan[name]!r}")
        counts = manifest.get("entries"), manifest.get("bytes")
        paths = manifest.get("media_paths", [])
        if not all(type(count) is int and count >= 0 for count in counts) or not all(type(path) is str for path in paths):
            raise Refused("its manifest does not say what it holds")
        self.most_entries = counts[0] + counts[0] // 20 + ALLOWED_MORE_ENTRIES
        self.most_bytes = counts[1] + counts[1] // 20 + ALLOWED_MORE_BYTES
        for path in paths:
            self.places.allow_extra(path)
        self.manifest = manifest

    def take(self, member):
        path = member.name[:-1] if member.folder and member.name.endswith(b"/") else member.name
        parts = path.split(b"/")
        if path.startswith(b"/") or b"\0" in path or any(part in (b"", b".", b"..") for part in parts):
            raise Refused(f"{shown(member.name)} is no path below the data folder")
        if len(parts) > MOST_DEPTH:
            raise Refused(f"{shown(path)} lies more than {MOST_DEPTH} folders deep")
        found = self.places.of(path)
        if found is None:
            raise Refused(f"{shown(path)} does not belong into such a backup")
        kind, root, place = found
        if member.folder and kind in ("database", "key", "settings"):
            raise Refused(f"{shown(path)} is a folder")
        if not member.folder and member.mode & 0o7000:
            raise Refused(f"{shown(path)} has the mode {member.mode & 0o7777:o}")
        self.count(member)
        if kind not in self.plan["write"]:
            self.names.add(place, member.folder)
            self.stream.skip(member.size)
            return
        try:
            parts = place.split(b"/")
            if member.folder:
                self.tree.folder(parts)
            else:
                self.tree.file(parts, member, self.stream)
        except FileExistsError:
            raise Refused(f"{shown(path)} is in it twice") from None
        except OSError as error:
            if error.errno in (errno.ENOTDIR, errno.ELOOP):
                raise Refused(f"{shown(path)} lies below a file or a link") from None
            raise
        if root not in self.roots:
            self.roots.add(root)
            self.tell(root)

    def tell(self, root):
        try:
            say(path="/" + root.decode())
        except UnicodeDecodeError:
            raise Refused(f"{shown(root)} is no UTF-8") from None

    def count(self, member):
        self.entries += 1
        self.bytes += member.size
        if self.most_entries is not None and self.entries + 2 > self.most_entries:
            raise Refused(f"more files are in it than the {self.manifest['entries']} that it promised")
        if self.most_bytes is not None and self.bytes > self.most_bytes:
            raise Refused(f"more is in it than the {self.manifest['bytes']} bytes that it promised")

    def run(self):
        found = members(self.stream)
        if self.plan["format"] is None:
            self.run_legacy(found)
        else:
            self.run_ours(found)
        self.names.check()
        own = 0 if self.plan["format"] is None else 2
        facts = {name: self.manifest.get(name) for name in ("server_name", "synapse_version")}
        say(extracted={"entries": self.entries + own, "bytes": self.bytes, **facts})

    def run_legacy(self, found):
        """Without a manifest the signing key says whose backup it is, and later the database."""
        suffix = b".signing.key"
        keys = set()
        for member in found:
            self.take(member)
            name = member.name.split(b"/")[-1]
            if name.endswith(suffix):
                keys.add(name[: -len(suffix)])
        if not self.entries:
            raise Refused("nothing is in it")
        if keys and os.fsencode(self.plan["server_name"]) not in keys:
            raise Anothers(f"its signing key is that of {shown(sorted(keys)[0])}, not of {self.plan['server_name']}")

    def run_ours(self, found):
        first = next(found, None)
        if first is None:
            raise Ended("it was cut: nothing is in it")
        self.begin(first)
        ended = False
        for member in found:
            if ended:
                raise Refused(f"{shown(member.name)} lies behind its end marker")
            if member.name.startswith(OWN_FOLDER):
                if self.own(member, END).get("end") is not True:
                    raise Refused("its end marker cannot be understood")
                ended = True
            else:
                self.take(member)
        if not ended:
            raise Ended("it was cut: it has no end marker")


def main():
    plan = json.loads(os.environ["PLAN"])
    try:
        Extraction(plan, Stream(0, Watch(plan))).run()
    except Refused as refused:
        give_up(f"the {plan['archive']} archive is refused: {refused}", 65)
    except Anothers as anothers:
        give_up(f"the {plan['archive']} archive is refused: {anothers}", 68)
    except Ended as ended:
        give_up(f"the {plan['archive']} archive is not whole: {ended}", 66)
    except OSError as error:
        what = shown(os.fsencode(error.filename)) if isinstance(error.filename, (str, bytes)) else "a file"
        status = 74 if error.errno in (errno.ENOSPC, errno.EDQUOT) else 73
        give_up(f"cannot write {what} to the data volume: {error.strerror}", status)


main()
