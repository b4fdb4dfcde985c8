"""As much of a Matrix client as the demo needs: one user's view of one homeserver."""

import json
import time
import urllib.error
import urllib.parse
import urllib.request


class Matrix:
    """A user who is logged in at `base`, the address of a homeserver.

    Calls return the decoded answer; what the homeserver refuses is a RuntimeError with its reason.
    """

    def __init__(self, base, user, password):
        self.base = base
        self.token = None
        self.transactions = 0
        answer = self.call(
            "POST",
            "/_matrix/client/v3/login",
            {
                "type": "m.login.password",
                "identifier": {"type": "m.id.user", "user": user},
                "password": password,
            },
        )
        self.token = answer["access_token"]
        self.user_id = answer["user_id"]

    def call(self, method, path, body=None, content=None, decode=True):
        """Sends `body` as JSON, or `content` as it is."""
        data = content if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/octet-stream" if body is None else "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        request = urllib.request.Request(self.base + path, data=data, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                read = answer.read()
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{method} {path}: {error.code} {error.read().decode(errors='replace')}") from error
        return json.loads(read) if decode else read

    def lift_message_limit(self, user_id):
        """As an admin of the server: lets `user_id` send as fast as it can."""
        self.call(
            "POST",
            f"/_synapse/admin/v1/users/{urllib.parse.quote(user_id)}/override_ratelimit",
            {"messages_per_second": 0, "burst_count": 0},
        )

    def create_room(self, name, invite):
        """Returns the id of a new room."""
        return self.call("POST", "/_matrix/client/v3/createRoom", {"name": name, "invite": invite})["room_id"]

    def join(self, room_id):
        self.call("POST", f"/_matrix/client/v3/join/{urllib.parse.quote(room_id)}", {})

    def send(self, room_id, text):
        """Sends a text message and returns its event id."""
        self.transactions += 1
        path = f"/_matrix/client/v3/rooms/{urllib.parse.quote(room_id)}/send/m.room.message/{self.transactions}"
        return self.call("PUT", path, {"msgtype": "m.text", "body": text})["event_id"]

    def upload(self, name, content):
        """Uploads a file and returns its media id."""
        path = f"/_matrix/media/v3/upload?filename={urllib.parse.quote(name)}"
        return self.call("POST", path, content=content)["content_uri"].rsplit("/", 1)[1]


def wait_until_healthy(base, seconds):
    """Returns once the homeserver at `base` says that it is well."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(base + "/health", timeout=5) as answer:
                if answer.status == 200:
                    return
        except OSError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.1)
