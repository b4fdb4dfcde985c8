"""Rows whose members have names or types that no backup of the charm has."""

import tarfile

from archive import entry, header, pax, raw_header, row


@row
def parent_folder(forged):
    forged.media.add(entry("data/media_store/local_content/../../../x", b"out"))


@row
def parent_folder_at_once(forged):
    forged.state.add(entry("../x", b"out"))


@row
def absolute_path(forged):
    forged.state.add(entry("/etc/cron.d/x", b"out"))


@row
def absolute_path_by_pax(forged):
    forged.media.add(pax({"path": "/etc/cron.d/x"}) + entry("data/media_store/local_content/x", b"out"))


@row
def parent_folder_by_pax(forged):
    forged.media.add(pax({"path": "data/media_store/local_content/../../../../x"}) + entry("data/media_store/local_content/x", b"out"))


@row
def outside_the_roots(forged):
    forged.state.add(entry("etc/cron.d/x", b"out"))


@row
def ssh_keys_in_data(forged):
    forged.state.add(entry("data/.ssh/authorized_keys", b"out"))


@row
def the_charms_journal(forged):
    forged.state.add(entry("data/.synapse-charm/journal.json", b'{"format":1,"step":"swap"}'))


@row
def another_restores_folder(forged):
    forged.media.add(entry("data/.restore-restore-20260101-000000-0000/old/data/homeserver.db", b"x"))


@row
def remote_media(forged):
    forged.media.add(entry("data/media_store/remote_content/x", b"x"))


@row
def hot_journal_of_the_database(forged):
    forged.state.add(entry("data/homeserver.db-wal", b"x" * 4096))


@row
def second_member_of_ours(forged):
    forged.state.add(entry(".synapse-backup/other.json", b"{}"))


@row
def nul_in_name(forged):
    forged.media.add(pax({"path": "data/media_store/local_content/a\0b"}) + entry("data/media_store/local_content/x", b"x"))


@row
def same_file_twice(forged):
    forged.media.add(forged.media.members[forged.media.first_file()])


@row
def same_file_by_another_spelling(forged):
    forged.media.add(entry("data/media_store/local_content/twice", b"1"), entry("data//media_store/./local_content/twice", b"2"))


@row
def folder_over_a_file(forged):
    forged.media.add(
        entry("data/media_store/local_content/thing", b"1"),
        header("data/media_store/local_content/thing", type=tarfile.DIRTYPE, mode=0o700),
    )


@row
def file_below_a_file(forged):
    forged.media.add(entry("data/media_store/local_content/thing", b"1"), entry("data/media_store/local_content/thing/below", b"1"))


@row
def file_over_a_folder(forged):
    forged.media.add(
        header("data/media_store/local_content/thing", type=tarfile.DIRTYPE, mode=0o700),
        entry("data/media_store/local_content/thing", b"1"),
    )


@row
def symbolic_link_then_file_through_it(forged):
    forged.media.add(
        header("data/media_store/local_content/way", type=tarfile.SYMTYPE, linkname="/etc"),
        entry("data/media_store/local_content/way/cron.d", b"out"),
    )


@row
def symbolic_link(forged):
    forged.media.add(header("data/media_store/local_content/way", type=tarfile.SYMTYPE, linkname="../../homeserver.db"))


@row
def hard_link_out(forged):
    forged.media.add(header("data/media_store/local_content/way", type=tarfile.LNKTYPE, linkname="/etc/passwd"))


@row
def hard_link_to_the_live_database(forged):
    forged.media.add(header("data/media_store/local_content/way", type=tarfile.LNKTYPE, linkname="data/homeserver.db"))


@row
def character_device(forged):
    forged.media.add(header("data/media_store/local_content/zero", type=tarfile.CHRTYPE, devmajor=1, devminor=5))


@row
def block_device(forged):
    forged.media.add(header("data/media_store/local_content/disk", type=tarfile.BLKTYPE, devmajor=8, devminor=0))


@row
def fifo(forged):
    forged.media.add(header("data/media_store/local_content/pipe", type=tarfile.FIFOTYPE))


@row
def unknown_type(forged):
    forged.media.add(raw_header("data/media_store/local_content/x", b"%011o\0" % 0, b"Z"))


@row
def set_user_id(forged):
    forged.media.add(entry("data/media_store/local_content/shell", b"#!/bin/sh\n", mode=0o4755))


@row
def set_group_id_on_a_file(forged):
    forged.media.add(entry("data/media_store/local_content/shell", b"#!/bin/sh\n", mode=0o2755))


# ---- extra paths, which the manifest promises


def extra_path(forged, *paths):
    forged.media.manifest["media_paths"] = list(paths)
    for path in paths:
        forged.media.add(entry(path.strip("/") + "/x", b"x"))


@row
def extra_path_that_is_the_charms_own(forged):
    extra_path(forged, "/data/.synapse-charm")


@row
def extra_path_that_is_the_database(forged):
    forged.media.manifest["media_paths"] = ["/data/homeserver.db-wal"]
    forged.media.add(entry("data/homeserver.db-wal", b"x" * 4096))


@row
def extra_path_over_the_volume(forged):
    extra_path(forged, "/data")


@row
def extra_path_over_the_media_store(forged):
    extra_path(forged, "/data/media_store")


@row
def extra_path_outside(forged):
    extra_path(forged, "/etc/cron.d")


@row
def extra_path_that_leads_outside(forged):
    extra_path(forged, "/data/../etc/cron.d")


@row
def extra_paths_that_overlap(forged):
    extra_path(forged, "/data/templates/inner", "/data/templates")
