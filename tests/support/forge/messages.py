"""Rows that are no message of ours, or say of themselves what makes no sense."""

import copy
import json
import random

from archive import EARLIER, entry, gpg, row, run, symmetric, with_passphrase


def public_key(_, content):
    name = "hostile@example.org"
    gpg(["--passphrase", "", "--quick-generate-key", name, "future-default", "default", "never"], b"")
    return gpg(["--trust-model", "always", "--encrypt", "--compress-algo", "none", "--recipient", name], content)


@row
def public_key_message(forged):
    forged.media.encrypt = public_key


@row
def unencrypted_message(forged):
    """Whoever can write to the bucket can make it, and gpg says that all is well."""
    forged.state.encrypt = lambda _, content: gpg(["--store"], content)


@row
def unencrypted_media_message(forged):
    forged.media.encrypt = lambda _, content: gpg(["--store"], content)


@row
def unencrypted_message_and_canary(forged):
    store = lambda _, content: gpg(["--store"], content)
    forged.state.encrypt = forged.media.encrypt = store
    forged.canary = store(forged, b"canary of %s\n" % forged.id.encode())


@row
def message_without_integrity(forged):
    options = ["--rfc2440", "--disable-mdc", "--symmetric", "--cipher-algo", "AES256", "--compress-algo", "none"]
    forged.media.encrypt = lambda forged, content: gpg(options + ["--passphrase-file", forged.passphrase], content)


@row
def plain_tar(forged):
    forged.media.encrypt = lambda _, content: content


@row
def gzip_archive(forged):
    forged.media.encrypt = lambda _, content: run(["gzip", "-c"], content)


@row
def gzip_inside(forged):
    forged.media.compress = lambda content: run(["gzip", "-c"], content)


@row
def not_compressed_state(forged):
    forged.state.compress = None


@row
def noise(forged):
    forged.media.encrypt = lambda _, content: random.Random(2).randbytes(len(content))


@row
def other_passphrase(forged):
    other = with_passphrase("another-passphrase")
    forged.canary = other(forged, b"canary of %s\n" % forged.id.encode())
    forged.state.encrypt = forged.media.encrypt = other


@row
def other_passphrase_behind_our_canary(forged):
    forged.state.encrypt = with_passphrase("another-passphrase")


@row
def canary_of_half_a_megabyte(forged):
    forged.canary = symmetric(forged, b"x" * 500_000)


@row
def canary_of_an_earlier_backup(forged):
    forged.canary = symmetric(forged, b"canary of %s\n" % EARLIER.encode())


@row
def unknown_outer_format(forged):
    forged.outer["format"] = 2


@row
def unknown_inner_format(forged):
    forged.media.manifest["format"] = 2


@row
def outer_manifest_without_sense(forged):
    forged.on_outer = lambda _: b"{not json"


@row
def outer_manifest_of_twenty_megabytes(forged):
    forged.on_outer = lambda outer: json.dumps(outer | {"more": "x" * 20_000_000}).encode()


@row
def inner_manifest_without_sense(forged):
    forged.media.first = entry(".synapse-backup/manifest.json", b"{not json")


@row
def inner_manifest_of_nested_lists(forged):
    forged.media.first = entry(".synapse-backup/manifest.json", b"[" * 100_000)


@row
def no_inner_manifest(forged):
    forged.media.first = b""


@row
def inner_manifest_late(forged):
    forged.media.first = b""
    forged.media.members.insert(1, entry(".synapse-backup/manifest.json", json.dumps(forged.media.manifest).encode()))


@row
def inner_manifest_twice(forged):
    forged.media.add(entry(".synapse-backup/manifest.json", json.dumps(forged.media.manifest).encode()))


@row
def object_name_that_leads_elsewhere(forged):
    on_outer = forged.on_outer

    def lead(outer):
        outer = copy.deepcopy(outer)
        outer["media"]["object"] = f"../{EARLIER}/media.tar.gpg"
        return on_outer(outer)

    forged.on_outer = lead
