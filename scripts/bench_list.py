"""list-backups with thousands of backups in the bucket: how long, how many requests, how much memory."""

import http.client
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from bench_charm import MeasuredCharm
from local_stack import BUCKET, BUCKET_PATH, Failed

BACKUPS = 10_000
# What makes a finished and verified backup, with sizes that fit its marker.
OBJECTS = {
    "state.tar.zst.gpg": b"abc",
    "media.tar.gpg": b"de",
    "manifest-3-2.json": b"{}",
    "verified-20261123-120000-ok.json": b"{}",
}


def fill(filer):
    """Puts the backups into the bucket by the S3 server's own back door, which needs no signatures."""

    def put(numbers):
        connection = http.client.HTTPConnection(*filer.split(":"))
        for number in numbers:
            day, second = divmod(number, 1000)
            minutes, seconds = divmod(second, 60)
            for name, content in OBJECTS.items():
                key = f"backup-202611{day + 1:02}-12{minutes:02}{seconds:02}-{number:04x}/{name}"
                connection.request("PUT", f"/buckets/{BUCKET}/{BUCKET_PATH}/{key}", content)
                connection.getresponse().read()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(put, (range(start, BACKUPS, 4) for start in range(4))))


class Counter:
    """Stands before the S3 server's unix socket, hands everything on and counts the requests that have no body."""

    def __init__(self, server_socket, own_socket):
        self.server_socket = server_socket
        self.requests = []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(own_socket))
        self.listener.listen()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            server = socket.socket(socket.AF_UNIX)
            server.connect(self.server_socket)
            threading.Thread(target=self.forward, args=(client, server, True), daemon=True).start()
            threading.Thread(target=self.forward, args=(server, client, False), daemon=True).start()

    def forward(self, source, target, counts):
        head = b""
        while data := source.recv(65536):
            if counts:
                *heads, head = (head + data).split(b"\r\n\r\n")
                self.requests += [one.split(b"\r\n", 1)[0].decode() for one in heads]
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


def measure_list(model, s3, counter, runs):
    """Fills the bucket and returns of each of so many runs: seconds, peak memory in bytes, and the requests."""
    fill(s3.filer)
    charm = MeasuredCharm(model)
    times, peaks, requests = [], [], []
    for _ in range(runs):
        before = len(counter.requests)
        began = time.monotonic()
        results = model.run("list-backups")
        times.append(time.monotonic() - began)
        requests.append(counter.requests[before:])
        if results["count"] != str(BACKUPS):
            raise Failed(f"list-backups counts {results['count']} of {BACKUPS}")
        peaks.append(charm.memory(lambda: model.run("list-backups")))
    return times, peaks, requests
