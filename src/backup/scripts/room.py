# Behind inner.py. Makes the staging folder, alone, and says what room the volume has.
#
#   STAGING, DATA_FOLDER


def main():
    staging = os.environ["STAGING"]
    volume = os.statvfs(os.environ["DATA_FOLDER"])
    try:
        os.makedirs(os.path.dirname(staging), mode=0o700, exist_ok=True)
        os.mkdir(staging, 0o700)
    except OSError as error:
        give_up(f"cannot create {staging}: {error.strerror}", 73)
    say(
        room={
            "free_bytes": volume.f_bavail * volume.f_frsize,
            "volume_bytes": volume.f_blocks * volume.f_frsize,
            # Some filesystems have no fixed number of files and say 0.
            "free_files": volume.f_favail if volume.f_files else None,
        }
    )


main()
