"""How long a restore takes until it stops Synapse, held against plain tools, and for how long Synapse is down."""

import contextlib
import os
import threading
import time

from local_stack import Failed, is_healthy

JOURNAL = ".synapse-charm/journal.json"

# What the Python charm runs, but into a folder of its own. Its object is made by gpg's defaults.
PLAIN_RESTORE = """
set -euo pipefail
GNUPGHOME=$(mktemp -d) && export GNUPGHOME
trap 'gpgconf --kill all; rm -rf "$GNUPGHOME" /data/bench-restored' EXIT
mkdir /data/bench-restored
aws s3 cp --only-show-errors --endpoint-url "$ENDPOINT" "$URL" - |
    gpg --batch --quiet --decrypt --pinentry-mode loopback --passphrase-fd 3 3<<<"$PASSPHRASE" |
    tar -x -C /data/bench-restored
"""


class RestoreWatch:
    """Looks at the journal and at Synapse, while it is entered: when the restore stops Synapse, and for how long it is down."""

    def __init__(self, store, base):
        self.journal = store.volume / JOURNAL
        self.base = base
        self.began = self.stopped_after = None
        self.downtime = 0.0
        self.over = threading.Event()
        self.threads = [threading.Thread(target=look, daemon=True) for look in (self.watch_journal, self.watch_health)]

    def __enter__(self):
        self.began = time.monotonic()
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()

    def watch_journal(self):
        while not self.over.wait(0.005):
            with contextlib.suppress(OSError):
                if '"step":"stop"' in self.journal.read_text():
                    self.stopped_after = time.monotonic() - self.began
                    return

    def watch_health(self):
        last_well = time.monotonic()
        while not self.over.wait(0.02):
            if is_healthy(self.base):
                now = time.monotonic()
                self.downtime = max(self.downtime, now - last_well)
                last_well = now


def restore(model, store, base):
    """Restores the newest backup; returns seconds until Synapse was stopped, seconds for which it was down, and all."""
    os.sync()
    with RestoreWatch(store, base) as watch:
        results = model.run("restore-backup", "backup-id=latest")
        took = time.monotonic() - watch.began
        # The last look at a server that is well.
        time.sleep(0.2)
    if results.get("result") != "correct" or watch.stopped_after is None:
        raise Failed(f"restore-backup says {results}")
    model.run("discard-old-data")
    return watch.stopped_after, watch.downtime, took
