# Behind inner.py. Reads a tar archive from a stream: strictly, in pieces of any length, with memory that does not grow.
BLOCK = 512
RECORD_BYTES = 20 * BLOCK
BUFFER_BYTES = 1 << 20
LONGEST_NAME_BYTES = 1 << 16
# Further off than any clock.
MOST_NANOSECONDS = (1 << 40) * 10**9
# fcntl has the name from Python 3.10 on.
F_SETPIPE_SZ = 1031

# What an archive must not hold, in words.
REFUSED_KINDS = {
    b"1": "a hard link",
    b"2": "a symbolic link",
    b"3": "a character device",
    b"4": "a block device",
    b"6": "a FIFO",
    b"S": "a sparse file",
}


class Refused(Exception):
    """The archive holds what it must not."""


class Ended(Exception):
    """The archive is shorter than it must be."""


def shown(name):
    return repr(os.fsdecode(name))[1:-1][:200]


class Stream:
    """A descriptor that is read in big pieces."""

    def __init__(self, descriptor, told):
        self.descriptor = descriptor
        self.told = told
        self.view = memoryview(bytearray(BUFFER_BYTES))
        self.start = self.end = self.total = 0
        try:
            import fcntl

            fcntl.fcntl(descriptor, F_SETPIPE_SZ, BUFFER_BYTES)
        except OSError:
            # No pipe, or the user's share of pipe memory is used up.
            pass

    def fill(self):
        """Reads on, when nothing is left; returns whether there was more."""
        size = os.readv(self.descriptor, [self.view])
        self.start, self.end = 0, size
        self.total += size
        self.told(self.total)
        return size > 0

    def exactly(self, size):
        if self.end - self.start >= size:
            self.start += size
            return bytes(self.view[self.start - size : self.start])
        return b"".join(bytes(piece) for piece in self.pieces(size))

    def pieces(self, size):
        """The next so many bytes as views that hold until the next call."""
        while size:
            if self.start == self.end and not self.fill():
                raise Ended("it was cut: it ends in the middle")
            piece = self.view[self.start : min(self.end, self.start + size)]
            self.start += len(piece)
            size -= len(piece)
            yield piece

    def skip(self, size):
        for _ in self.pieces(size):
            pass

    def rest_is_padding(self):
        """Reads to the end: gpg gives its verdict after its last byte was taken."""
        limit = self.total - (self.end - self.start) + RECORD_BYTES
        while self.start < self.end or self.fill():
            if any(self.view[self.start : self.end]) or self.total > limit:
                raise Refused("something lies behind the end of the archive")
            self.start = self.end


def number(field, what):
    if field[0] & 0x80:
        # Binary, for what octal digits have no room for.
        value = int.from_bytes(field, "big", signed=True)
        return value + (1 << (8 * len(field) - 1)) if value < 0 and field[0] == 0x80 else value
    digits = field.split(b"\0", 1)[0].strip()
    if not digits:
        return 0
    if digits.strip(b"01234567"):
        raise Refused(f"a header has no {what}")
    return int(digits, 8)


def pax_values(text):
    """The records of an extended header; the value of a key is bytes as they are."""
    values = {}
    while text:
        length, found, _ = text.partition(b" ")
        if not found or not length.isdigit() or not len(length) + 3 <= int(length) <= len(text):
            raise Refused("an extended header cannot be understood")
        record, text = text[len(length) + 1 : int(length)], text[int(length) :]
        key, found, value = record.partition(b"=")
        if not found or not value.endswith(b"\n"):
            raise Refused("an extended header cannot be understood")
        if key.startswith(b"GNU.sparse"):
            raise Refused("a sparse file is in it")
        values[key] = value[:-1]
    return values


class Member:
    def __init__(self, name, folder, size, mode, mtime_ns):
        self.name = name
        self.folder = folder
        self.size = size
        self.mode = mode
        self.mtime_ns = mtime_ns


def nanoseconds(text):
    whole, _, part = text.partition(b".")
    try:
        value = abs(int(whole)) * 10**9 + int((part + b"0" * 9)[:9])
    except ValueError:
        raise Refused("an extended header cannot be understood") from None
    return -value if whole.startswith(b"-") else value


def members(stream):
    """Hands over each file and folder; the content of a file must be read before the next is asked for."""
    extended = {}
    while True:
        header = stream.exactly(BLOCK)
        if not any(header):
            if extended or any(stream.exactly(BLOCK)):
                raise Refused("its end cannot be understood")
            stream.rest_is_padding()
            return
        found = number(header[148:156], "checksum")
        if found != sum(header) - sum(header[148:156]) + 8 * 32:
            raise Refused("it is no tar archive, or damaged: something else is where a header must be")
        size = number(header[124:136], "size")
        kind = header[156:157]
        name = header[:100].split(b"\0", 1)[0]
        if header[257:263] == b"ustar\0" and header[345]:
            name = header[345:500].split(b"\0", 1)[0] + b"/" + name
        if not 0 <= size < 1 << 62:
            raise Refused(f"the header of {shown(name)} has an impossible size")
        if kind in (b"L", b"x"):
            if size > LONGEST_NAME_BYTES:
                raise Refused("a name, or another extended header, is too long")
            content = stream.exactly(size)
            stream.skip(-size % BLOCK)
            extended.update({b"path": content.split(b"\0", 1)[0]} if kind == b"L" else pax_values(content))
            continue
        name = extended.get(b"path", name)
        if b"size" in extended:
            if not extended[b"size"].isdigit() or len(extended[b"size"]) > 18:
                raise Refused(f"the header of {shown(name)} has an impossible size")
            size = int(extended[b"size"])
        if kind not in (b"0", b"\0", b"5"):
            raise Refused(f"{shown(name)} is {REFUSED_KINDS.get(kind, 'of an unknown kind')}")
        folder = kind == b"5" or (kind == b"\0" and name.endswith(b"/"))
        if folder and size:
            raise Refused(f"the folder {shown(name)} has content")
        mtime_ns = nanoseconds(extended[b"mtime"]) if b"mtime" in extended else number(header[136:148], "time") * 10**9
        extended = {}
        if abs(mtime_ns) > MOST_NANOSECONDS:
            raise Refused(f"{shown(name)} has an impossible time")
        yield Member(name, folder, size, number(header[100:108], "mode"), mtime_ns)
        stream.skip(-size % BLOCK)
