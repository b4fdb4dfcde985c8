# Stands between gpg and aws: counts and hashes what passes, tells so once a second, and ends the job when the data volume
# runs full. Arguments: a folder on the volume, the room to leave free in bytes. Reports go to descriptor 6.
import fcntl
import hashlib
import os
import sys
import time

# fcntl has the name from Python 3.10 on.
F_SETPIPE_SZ = 1031
PIPE_BYTES = 1 << 18


def main():
    folder, reserve = sys.argv[1], int(sys.argv[2])
    buffer = bytearray(1 << 20)
    view = memoryview(buffer)
    digest = hashlib.sha256()
    total = 0
    told = time.monotonic()
    for pipe in (0, 1):
        try:
            # Fewer and longer turns for gpg and aws.
            fcntl.fcntl(pipe, F_SETPIPE_SZ, PIPE_BYTES)
        except OSError:
            # No pipe, or the user's share of pipe memory is used up.
            pass
    with open(0, "rb", buffering=0, closefd=False) as source:
        while size := source.readinto(buffer):
            chunk = view[:size]
            digest.update(chunk)
            while chunk:
                chunk = chunk[os.write(1, chunk) :]
            total += size
            now = time.monotonic()
            if now - told >= 1:
                told = now
                os.write(6, b'{"sent":%d}\n' % total)
                volume = os.statvfs(folder)
                if volume.f_bavail * volume.f_frsize < reserve:
                    os.write(2, b"synapse-charm: free space on the data volume fell under %d bytes\n" % reserve)
                    return 74
    os.write(6, b'{"done":{"bytes":%d,"sha256":"%s"}}\n' % (total, digest.hexdigest().encode()))
    return 0


try:
    status = main()
except BrokenPipeError:
    status = 141
sys.exit(status)
