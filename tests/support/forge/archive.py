"""Backups in pieces: archives written by hand, messages made by gpg."""

import hashlib
import io
import json
import os
import subprocess
import tarfile

BLOCK = 512
RECORD = 10240
EARLIER = "backup-20200101-000000-0000"
ROWS = {}


def row(function):
    """Names what is wrong with a backup, and how it is made wrong."""
    ROWS[function.__name__.replace("_", "-")] = function
    return function


def padded(content):
    return content + b"\0" * (-len(content) % BLOCK)


def header(name, size=0, **fields):
    """A header as GNU tar writes it; long names get their extra member."""
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime, info.uid, info.gid = size, 0o600, 1_700_000_000, 991, 991
    for field, value in fields.items():
        setattr(info, field, value)
    return info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")


def entry(name, content=b"", **fields):
    return header(name, len(content), **fields) + padded(content)


def raw_header(name, size_field, kind=b"0", **patches):
    """A header whose size field is as given, whatever it means."""
    block = bytearray(header(name)[:BLOCK])
    block[124:136] = size_field
    block[156:157] = kind
    for offset, value in patches.get("at", {}).items():
        block[offset : offset + len(value)] = value
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def binary_size(size):
    return b"\x80" + size.to_bytes(11, "big")


def pax(records, kind=b"x"):
    body = b""
    for key, value in records.items():
        line = b" %s=%s\n" % (key.encode(), value.encode())
        length = len(line)
        while len(str(length).encode()) + len(line) != length:
            length = len(str(length).encode()) + len(line)
        body += str(length).encode() + line
    return raw_header("././@PaxHeader", b"%011o\0" % len(body), kind) + padded(body)


class Archive:
    """One archive; what is not changed is as in the genuine backup."""

    def __init__(self, kind, path):
        self.kind = kind
        self.manifest = {}
        self.members = []
        self.first = None
        self.last = None
        self.ending = b"\0" * (2 * BLOCK)
        self.on_tar = lambda tar: tar
        self.on_object = lambda content: content
        self.compress = zstd if kind == "state" else None
        self.encrypt = symmetric
        with tarfile.open(path) as genuine:
            for info in genuine:
                content = genuine.extractfile(info).read() if info.isreg() else b""
                if info.name == ".synapse-backup/manifest.json":
                    self.manifest = json.loads(content)
                elif info.name == ".synapse-backup/end.json":
                    self.end = json.loads(content)
                else:
                    self.members.append(info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape") + padded(content))

    def add(self, *members):
        self.members.extend(members)

    def first_file(self):
        """The index of the first member that is a file with content."""
        return next(index for index, member in enumerate(self.members) if len(member) > BLOCK and member[156:157] == b"0")

    def replace_file(self, name, content):
        for index, member in enumerate(self.members):
            if member[: len(name)] == name.encode() and member[len(name)] == 0:
                self.members[index] = entry(name, content)
                return
        raise KeyError(name)

    def file(self, name):
        for member in self.members:
            if member[: len(name)] == name.encode() and member[len(name)] == 0:
                return member[BLOCK : BLOCK + int(member[124:135], 8)]
        raise KeyError(name)

    def tar(self):
        first = entry(".synapse-backup/manifest.json", json.dumps(self.manifest).encode()) if self.first is None else self.first
        last = entry(".synapse-backup/end.json", json.dumps(self.end).encode()) if self.last is None else self.last
        content = first + b"".join(self.members) + last + self.ending
        if self.ending:
            content += b"\0" * (-len(content) % RECORD)
        return self.on_tar(content)

    def object(self, forged):
        content = self.tar()
        if self.compress:
            content = self.compress(content)
        return self.on_object(self.encrypt(forged, content))


class Forged:
    """One backup."""

    def __init__(self, genuine, identity):
        self.id = identity
        self.passphrase = os.path.join(genuine, "passphrase")
        self.state = Archive("state", os.path.join(genuine, "state.tar"))
        self.media = Archive("media", os.path.join(genuine, "media.tar"))
        with open(os.path.join(genuine, "manifest.json"), encoding="utf-8") as file:
            self.outer = json.load(file)
        self.outer["id"] = identity
        self.canary = symmetric(self, b"canary of %s\n" % identity.encode())
        self.on_outer = lambda outer: json.dumps(outer).encode()
        self.state_object = "state.tar.zst.gpg"
        self.counted = False
        for archive in (self.state, self.media):
            archive.manifest["id"] = archive.end["id"] = identity

    def count(self):
        """Makes the inner manifests promise what is there now."""
        self.counted = True
        for archive in (self.state, self.media):
            with tarfile.open(fileobj=io.BytesIO(b"".join(archive.members) + b"\0" * 1024)) as counted:
                infos = list(counted)
            archive.manifest["entries"] = len(infos) + 2
            archive.manifest["bytes"] = sum(info.size for info in infos if info.isreg())

    def write(self, out):
        folder = os.path.join(out, self.id)
        os.makedirs(folder)
        objects = {"state": (self.state_object, self.state), "media": ("media.tar.gpg", self.media)}
        for kind, (name, archive) in objects.items():
            content = archive.object(self)
            digest = hashlib.sha256(content).hexdigest()
            self.outer[kind].update(object=name, size_bytes=len(content), sha256=digest)
            self.outer[kind].update(entries=archive.manifest.get("entries", 0), file_bytes=archive.manifest.get("bytes", 0))
            save(folder, name, content)
        mark = {"format": 1, "id": self.id, "server_name": self.outer["server_name"], "unit": "synapse/0", "at": "2026-11-23T07:00:00Z"}
        save(folder, "started.json", json.dumps(mark).encode())
        save(folder, "heartbeat.json", json.dumps(mark).encode())
        if self.canary is not None:
            save(folder, "canary.gpg", self.canary)
        marker = f"manifest-{self.outer['state']['size_bytes']}-{self.outer['media']['size_bytes']}.json"
        save(folder, marker, self.on_outer(self.outer))


class Legacy:
    """One backup of the Python charm: a single object without manifests."""

    # Nothing is promised.
    counted = True

    def __init__(self, genuine, identity):
        self.id = identity
        self.passphrase = os.path.join(genuine, "passphrase")
        self.archive = Archive("media", os.path.join(genuine, "media.tar"))
        state = Archive("state", os.path.join(genuine, "state.tar"))
        settings = (b"data/homeserver.yaml\0", b"data/log.config\0")
        self.archive.members[:0] = [member for member in state.members if not member.startswith(settings)]
        self.archive.first = self.archive.last = b""

    def write(self, out):
        os.makedirs(out, exist_ok=True)
        save(out, self.id, self.archive.object(self))


def save(folder, name, content):
    with open(os.path.join(folder, name), "wb") as file:
        file.write(content)


def run(arguments, content, **more):
    return subprocess.run(arguments, input=content, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True, **more).stdout


def zstd(content):
    return run(["zstd", "-q", "-1", "-c"], content)


def gpg(arguments, content):
    base = ["gpg", "--homedir", os.environ["GNUPGHOME"], "--no-options", "--batch", "--quiet", "--pinentry-mode", "loopback"]
    return run(base + arguments, content)


SYMMETRIC = ["--no-symkey-cache", "--symmetric", "--cipher-algo", "AES256", "--compress-algo", "none"]
# Far fewer rounds than the charm asks for: forging hundreds of messages takes seconds, and gpg reads them the same way.
ROUNDS = ["--s2k-mode", "3", "--s2k-count", "65536"]


def symmetric(forged, content):
    return gpg(SYMMETRIC + ROUNDS + ["--passphrase-file", forged.passphrase], content)


def with_passphrase(words):
    def encrypt(_, content):
        return gpg(SYMMETRIC + ROUNDS + ["--passphrase", words], content)

    return encrypt
