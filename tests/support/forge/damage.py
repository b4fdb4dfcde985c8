"""Rows that were cut, changed, or added to."""

import json
import os
import random

from archive import BLOCK, entry, gpg, padded, row, symmetric, zstd


@row
def cut_to_nothing(forged):
    forged.media.on_object = lambda content: b""


@row
def cut_in_gpgs_header(forged):
    forged.media.on_object = lambda content: content[:1]


@row
def cut_behind_the_session_key(forged):
    """gpg says that all is well."""
    forged.media.on_object = lambda content: content[: 2 + content[1]]


@row
def cut_in_the_packets_header(forged):
    forged.media.on_object = lambda content: content[:20]


@row
def cut_in_the_packet(forged):
    forged.media.on_object = lambda content: content[: len(content) // 2]


@row
def cut_before_the_checksum(forged):
    forged.media.on_object = lambda content: content[:-22]


@row
def cut_by_one_byte(forged):
    forged.media.on_object = lambda content: content[:-1]


@row
def cut_at_tars_boundary(forged):
    """A whole message around half an archive, as tar leaves it when it is killed."""
    forged.media.on_tar = lambda tar: tar[: BLOCK + len(padded(json.dumps(forged.media.manifest).encode()))]


@row
def cut_in_a_member(forged):
    forged.state.on_tar = lambda tar: tar[: len(tar) // 2 + 100]


@row
def cut_before_the_end_marker(forged):
    forged.media.last = b""


@row
def cut_in_the_end_marker(forged):
    forged.media.last = entry(".synapse-backup/end.json", json.dumps(forged.media.end).encode())[:BLOCK]
    forged.media.ending = b""
    forged.media.on_tar = lambda tar: tar


@row
def cut_in_zstd(forged):
    forged.state.compress = lambda content: zstd(content)[:-20]


@row
def cut_after_it_was_listed(forged):
    """The object is smaller than the marker's name says."""
    forged.media.on_object = lambda content: content
    write = forged.write

    def cut(out):
        write(out)
        os.truncate(os.path.join(out, forged.id, "media.tar.gpg"), 1000)

    forged.write = cut


def flip(content, at):
    return content[:at] + bytes([content[at] ^ 0x40]) + content[at + 1 :]


@row
def flipped_at_the_start(forged):
    forged.state.on_object = lambda content: flip(content, 40)


@row
def flipped_in_the_middle(forged):
    forged.state.on_object = lambda content: flip(content, len(content) // 2)


@row
def flipped_at_the_end(forged):
    forged.state.on_object = lambda content: flip(content, len(content) - 3)


@row
def flipped_in_media(forged):
    forged.media.on_object = lambda content: flip(content, len(content) // 2)


@row
def two_messages(forged):
    forged.media.on_object = lambda content: content + content


@row
def two_messages_with_one_archive(forged):
    """Each half is whole, and together they are the archive."""
    forged.media.encrypt = lambda forged, content: symmetric(forged, content[:2048]) + symmetric(forged, content[2048:])


@row
def unencrypted_message_behind(forged):
    forged.media.on_object = lambda content: content + gpg(["--store"], b"more")


@row
def zeros_behind(forged):
    forged.media.on_object = lambda content: content + b"\0" * 1000


@row
def noise_behind(forged):
    forged.media.on_object = lambda content: content + random.Random(1).randbytes(1000)


@row
def noise_behind_the_archive(forged):
    forged.media.on_tar = lambda tar: tar + random.Random(1).randbytes(20_000)


@row
def second_archive_behind_the_first(forged):
    forged.media.on_tar = lambda tar: tar + entry("data/media_store/local_content/late", b"x") + b"\0" * 1024


@row
def endless_padding(forged):
    forged.media.on_tar = lambda tar: tar + b"\0" * 64_000_000


@row
def member_behind_the_end_marker(forged):
    forged.media.ending = entry("data/media_store/local_content/late", b"x") + b"\0" * 1024


@row
def noise_behind_zstd(forged):
    forged.state.compress = lambda content: zstd(content) + b"noise" * 100


@row
def second_frame_behind_zstd(forged):
    forged.state.compress = lambda content: zstd(content) + zstd(entry("data/late.key", b"x"))
