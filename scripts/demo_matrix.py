"""As much of a Matrix client as the demo needs: one user's view of one homeserver."""

import json
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


    def whoami(self):
        """Returns whose token this is, if the homeserver still takes it."""
        return self.call("GET", "/_matrix/client/v3/account/whoami")["user_id"]

    def messages(self, room_id):
        """Returns the texts of all messages in a room, oldest first."""
        texts, start = [], ""
        path = f"/_matrix/client/v3/rooms/{urllib.parse.quote(room_id)}/messages"
        while True:
            page = self.call("GET", f"{path}?dir=f&limit=100{start}")
            texts += [event["content"]["body"] for event in page["chunk"] if event["type"] == "m.room.message"]
            if "end" not in page:
                return texts
            start = f"&from={urllib.parse.quote(page['end'])}"

    def download(self, server_name, media_id):
        """Returns the content of an uploaded file."""
        return self.call("GET", f"/_matrix/client/v1/media/download/{server_name}/{media_id}", decode=False)

    def server_keys(self):
        """Returns the keys with which the homeserver signs what it sends to others, by their ids."""
        return self.call("GET", "/_matrix/key/v2/server")["verify_keys"]
