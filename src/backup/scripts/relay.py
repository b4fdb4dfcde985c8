# Stands between gpg and aws: counts and hashes what passes, tells so once a second, and ends the job when the data volume
# runs full. Arguments: a folder on the volume, the room to leave free in bytes. Reports go to descriptor 6.
import hashlib
import os
import sys
import time


def main():
    folder, reserve = sys.argv[1], int(sys.argv[2])
    buffer = bytearray(1 << 20)
    view = memoryview(buffer)
    digest = hashlib.sha256()
    total = 0
    told = time.monotonic()
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
