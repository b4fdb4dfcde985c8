"""Forges backups: takes a genuine one apart and puts it together again with one thing wrong.

    python3 -B forge GENUINE OUT ROW...

GENUINE holds `passphrase`, `state.tar`, `media.tar` (decrypted, decompressed) and `manifest.json` (the outer one). Each row
gets a folder OUT/<backup id>/ with the objects of that backup, or one object if it is the Python charm's; what is printed, as JSON, tells which id stands for which row.
Shares no code with the charm.
"""

import json
import os
import subprocess
import sys
import tarfile
import tempfile

# Each brings its rows.
import amounts
import damage
import legacies
import members
import messages
import others
from archive import ROWS, Forged, Legacy

def unchanged(forged):
    """Nothing is wrong with it: shows that forging itself is not what is refused."""


ROWS["unchanged"] = ROWS["legacy-unchanged"] = unchanged


def main():
    genuine, out, names = sys.argv[1], sys.argv[2], sys.argv[3:]
    identities = {}
    for number, name in enumerate(names or ROWS):
        legacy = name.startswith("legacy-")
        time = f"{number // 60 // 60:02}{number // 60 % 60:02}{number % 60:02}"
        identity = f"backup-20240101{time}000000" if legacy else f"backup-20260101-{time}-f0f0"
        with tempfile.TemporaryDirectory(prefix="g", dir="/tmp") as home:
            os.environ["GNUPGHOME"] = home
            forged = (Legacy if legacy else Forged)(genuine, identity)
            ROWS[name](forged)
            # No row is refused for a count that it did not mean to be wrong.
            if not forged.counted:
                try:
                    forged.count()
                except (tarfile.TarError, OverflowError, ValueError):
                    # A row that no parser reads.
                    pass
            forged.write(out)
            subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], check=False)
        identities[name] = identity
    json.dump(identities, sys.stdout)


main()
