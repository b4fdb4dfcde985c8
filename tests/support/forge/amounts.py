"""Rows that are larger than they promised, or than anything can be."""

import json
import subprocess
import tempfile

from archive import BLOCK, binary_size, entry, header, padded, pax, raw_header, row

GIBIBYTE = 1 << 30
TEBIBYTE = 1 << 40


@row
def more_entries_than_promised(forged):
    forged.count()
    extra = forged.media.manifest["entries"] // 20 + 1100
    forged.media.add(*(entry(f"data/media_store/local_content/{index:05}", b"") for index in range(extra)))


@row
def more_bytes_than_promised(forged):
    forged.count()
    extra = forged.media.manifest["bytes"] // 20 + 4_000_000
    forged.media.add(entry("data/media_store/local_content/big", b"x" * extra))


@row
def promises_more_than_any_disk_holds(forged):
    forged.count()
    forged.media.manifest["bytes"] = 10**18


@row
def promises_a_negative_number(forged):
    forged.count()
    forged.media.manifest["entries"] = -5


@row
def huge_sparse_file(forged):
    """GNU's old sparse format: one block of data, a terabyte when written out."""
    forged.count()
    block = bytearray(raw_header("data/media_store/local_content/sparse", b"%011o\0" % BLOCK, b"S"))
    block[386:398], block[398:410] = binary_size(TEBIBYTE - BLOCK), b"%011o\0" % BLOCK
    block[483:495] = binary_size(TEBIBYTE)
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    forged.media.add(bytes(block) + b"x" * BLOCK)


@row
def huge_sparse_file_by_pax(forged):
    forged.count()
    records = {
        "GNU.sparse.major": "1",
        "GNU.sparse.minor": "0",
        "GNU.sparse.name": "data/media_store/local_content/sparse",
        "GNU.sparse.realsize": str(TEBIBYTE),
    }
    table = f"1\n{TEBIBYTE - BLOCK}\n{BLOCK}\n".encode()
    forged.media.add(pax(records) + entry("data/media_store/local_content/x", padded(table) + b"x" * BLOCK))


@row
def size_by_pax(forged):
    forged.count()
    forged.media.add(pax({"size": str(1 << 50)}) + entry("data/media_store/local_content/x", b"x"))


@row
def negative_size(forged):
    forged.count()
    forged.media.add(raw_header("data/media_store/local_content/x", b"\xff" * 12))


def inflate(forged, head, size, first=None):
    """Puts a member of this many zeros at the end of the state archive: a few hundred kilobytes, and gibibytes when read."""
    forged.count()
    members = forged.state.members

    def compress(_):
        start = first or entry(".synapse-backup/manifest.json", json.dumps(forged.state.manifest).encode())
        with tempfile.TemporaryFile() as compressed:
            with subprocess.Popen(["zstd", "-q", "-1", "-c"], stdin=subprocess.PIPE, stdout=compressed) as program:
                program.stdin.write(start + b"".join(members) + head)
                for _ in range(size >> 20):
                    program.stdin.write(b"\0" * (1 << 20))
                program.stdin.close()
            compressed.seek(0)
            return compressed.read()

    forged.state.compress = compress


@row
def zstd_bomb(forged):
    inflate(forged, header("data/zeros.key", 4 * GIBIBYTE), 4 * GIBIBYTE)


@row
def name_of_two_gigabytes(forged):
    inflate(forged, raw_header("././@LongLink", binary_size(2 * GIBIBYTE), b"L"), 2 * GIBIBYTE)


@row
def pax_header_of_two_gigabytes(forged):
    inflate(forged, raw_header("././@PaxHeader", binary_size(2 * GIBIBYTE), b"x"), 2 * GIBIBYTE)


@row
def manifest_of_two_gigabytes(forged):
    forged.state.members = []
    inflate(forged, b"", 2 * GIBIBYTE, first=raw_header(".synapse-backup/manifest.json", binary_size(2 * GIBIBYTE)))


@row
def impossible_time(forged):
    forged.media.add(pax({"mtime": "1e300"}) + entry("data/media_store/local_content/x", b"x"))
