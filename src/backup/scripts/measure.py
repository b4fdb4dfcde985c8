# Behind inner.py. Measures what both archives will hold and writes the media archive's own members.
#
#   DATA_FOLDER, STAGING, DATABASE
#   STATE_PATHS, MEDIA_PATHS   how many STATE_PATH_<n> and MEDIA_PATH_<n> there are


def measure():
    staging = os.environ["STAGING"]
    database = os.environ["DATABASE"]
    volume = os.statvfs(os.environ["DATA_FOLDER"])
    try:
        os.mkdir(staging, 0o700)
    except OSError as error:
        give_up(f"cannot create {staging}: {error.strerror}", 73)
    life_signs = LifeSigns("measure")
    state = Contents(life_signs)
    for path in backup_paths("STATE_PATH"):
        state.add_tree(path)
    database_bytes = 0
    if database:
        for suffix in ("", "-wal"):
            try:
                database_bytes += os.stat(database + suffix).st_size
            except FileNotFoundError:
                if not suffix:
                    give_up(f"there is no database at {database}", 66)
            except OSError as error:
                give_up(f"cannot read {database}{suffix}: {error.strerror}")
        state.archive_bytes += ROOM_FOR_A_MEMBER + padded(database_bytes)
    media = Contents(life_signs)
    for path in backup_paths("MEDIA_PATH"):
        media.add_tree(path)
    write_own_members(os.path.join(staging, "media"), "media", media, {})
    say(
        measured={
            "state": state.report(),
            "media": media.report(),
            "database_bytes": database_bytes,
            "free_bytes": volume.f_bavail * volume.f_frsize,
            "volume_bytes": volume.f_blocks * volume.f_frsize,
        }
    )


measure()
