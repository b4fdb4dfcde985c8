"""What the demo and the benchmark run on: an S3 server, a juju-sim model, and Synapse in it, related to the server."""

import contextlib
import json
import os
import pathlib
import shlex
import signal
import subprocess
import sys
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".tools"
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
CHARM = ROOT / "build" / "charm-release"
IMAGE = ROOT / "tests" / "images" / "ours.yaml"
BUCKET = "backups"
BUCKET_PATH = "synapse"
S3_PORT = 8333
# How the charm's options name the store, but for its keys.
S3_OPTIONS = {
    "s3_endpoint": f"http://127.0.0.1:{S3_PORT}",
    "s3_region": "us-east-1",
    "s3_bucket": BUCKET,
    "s3_path": BUCKET_PATH,
}


class Failed(Exception):
    """What the demo expected and did not see."""


def say(text=""):
    print(text, flush=True)


def title(text):
    say(f"\n\033[1m== {text}\033[0m" if sys.stdout.isatty() else f"\n== {text}")


def expect(holds, text):
    """Says `text` with a tick, or fails with it."""
    if not holds:
        raise Failed(f"expected: {text}")
    say(f"   ok: {text}")


def wait_for(what, seconds, look):
    """Returns the first result of `look` that is true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            found = look()
            if found:
                return found
        time.sleep(0.1)
    raise Failed(f"waited {seconds} s for {what}")


def is_healthy(base):
    """Whether the homeserver at `base` says that it is well."""
    try:
        with urllib.request.urlopen(base + "/health", timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


class S3Server:
    """SeaweedFS in a folder of its own, with one bucket."""

    def __init__(self, folder):
        folder.mkdir()
        # The server ends with its parent; this one lives on for as long as KEEP=1 wants.
        command = f"{shlex.quote(str(ROOT / 'scripts' / 's3-server'))} {shlex.quote(str(folder))} >server.log 2>&1 & wait"
        self.holder = subprocess.Popen(["bash", "-c", command], cwd=folder, start_new_session=True)
        wait_for("the S3 server to say where it is", 30, lambda: (folder / "s3.env").exists())
        facts = dict(line.split("=", 1) for line in (folder / "s3.env").read_text().splitlines())
        self.socket = facts["S3_SOCKET"]
        self.filer = facts["S3_FILER"]
        self.access_key = facts["S3_ACCESS_KEY"]
        self.secret_key = facts["S3_SECRET_KEY"]
        self.environment = {
            **os.environ,
            "PATH": f"{TOOLS / 'awscli' / 'bin'}:{os.environ['PATH']}",
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": facts["S3_ENDPOINT"],
        }
        wait_for("the S3 server", 60, lambda: self.aws("s3api", "create-bucket", "--bucket", BUCKET).returncode == 0)

    def aws(self, *words):
        return subprocess.run(["aws", *words], env=self.environment, capture_output=True, text=True, check=False)

    def stop(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.holder.pid, signal.SIGTERM)
        self.holder.wait()


class Model:
    """A juju-sim model, driven by the commands that a person would type, which it shows unless `quiet`."""

    def __init__(self, name, folder, quiet=False):
        self.name = name
        self.quiet = quiet
        self.folder = folder
        self.program = TARGET / "debug" / "juju-sim"
        self.environment = {**os.environ, "JUJU_SIM_DATA": str(folder)}
        self.up = False

    def juju(self, *words, shown=None, read=False):
        """Runs one command. `shown` is what is printed of it where it holds secrets; `read` returns what it prints."""
        if not self.quiet:
            say("$ juju-sim " + (shown or shlex.join(str(word).replace(f"{ROOT}/", "") for word in words)))
        done = subprocess.run(
            [self.program, *map(str, words)],
            env=self.environment,
            stdout=subprocess.PIPE if read or self.quiet else None,
            stderr=subprocess.PIPE if self.quiet else None,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise Failed(f"juju-sim {words[0]} ended with exit code {done.returncode}. {done.stderr or ''}")
        return done.stdout

    def run(self, action, *parameters):
        """Runs an action of synapse/0 and returns its results."""
        answer = self.juju("run", "synapse/0", action, *parameters, "--wait=10m", "--format=json", read=True)
        return next(iter(json.loads(answer).values()))["results"]

    def refused(self, action, *parameters):
        """Runs an action of synapse/0 that fails, and returns why."""
        words = ["run", "synapse/0", action, *parameters, "--wait=10m", "--format=json"]
        say("$ juju-sim " + shlex.join(words))
        done = subprocess.run([self.program, *words], env=self.environment, capture_output=True, text=True, check=False)
        task = next(iter(json.loads(done.stdout).values()))
        if task["status"] != "failed":
            raise Failed(f"{action} was to be refused, but is {task['status']}")
        return task["message"]

    def expose(self):
        """The address of synapse/0's homeserver on this machine, once it answers there."""
        address = self.juju("expose", "synapse/0", "8008", read=True).strip().removeprefix("http://")
        base = f"http://{address}"
        wait_for("Synapse to answer", 60, lambda: is_healthy(base))
        return base

    def paths(self, unit="synapse/0"):
        """Where things of a unit are on this machine: `charm`, `storage/data`, `containers/synapse/pebble-socket`."""
        found, above = {}, []
        for line in self.juju("paths", unit, read=True).splitlines():
            name, value = line.strip().split(":", 1)
            above = [*above[: (len(line) - len(line.lstrip())) // 2], name]
            if value.strip():
                found["/".join(above)] = pathlib.Path(value.strip())
        return found


def add_model(model, s3):
    """A model whose units reach `s3` at S3_PORT of their loopback."""
    model.juju("add-model", model.name, "--forward", f"{S3_PORT}={s3.socket}", "--pebble", TOOLS / "bin" / "pebble")
    model.up = True


def deploy_synapse(model, server_name):
    model.juju("deploy", CHARM, "synapse", "--resource", f"synapse-image={IMAGE}")
    model.juju("config", "synapse", f"server_name={server_name}")


def configure_passphrase(model, passphrase):
    """A secret with the passphrase, granted to Synapse."""
    uri = model.juju(
        "add-secret", "backup-passphrase", f"passphrase={passphrase}",
        shown="add-secret backup-passphrase passphrase=...", read=True,
    ).strip()  # fmt: skip
    model.juju("grant-secret", "backup-passphrase", "synapse")
    model.juju("config", "synapse", f"backup_passphrase_secret={uri}")


def configure_backups(model, s3, passphrase, folder):
    """A passphrase, and an s3-integrator that gives access to `s3`; its description is written to `folder`."""
    configure_passphrase(model, passphrase)
    integrator = folder / "s3-integrator.yaml"
    data = {
        "access-key": s3.access_key,
        "secret-key": s3.secret_key,
        "endpoint": f"http://127.0.0.1:{S3_PORT}",
        "region": "us-east-1",
        "bucket": BUCKET,
        "path": BUCKET_PATH,
        "s3-uri-style": "path",
        "data": json.dumps({"bucket": BUCKET}),
    }
    description = {"name": "s3-integrator", "endpoint": "s3-credentials", "interface": "s3", "application-data": data}
    integrator.write_text(json.dumps(description))
    integrator.chmod(0o600)
    model.juju("deploy", integrator, shown="deploy s3-integrator.yaml")
    model.juju("integrate", "synapse:backup", "s3-integrator")
