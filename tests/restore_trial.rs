//! Synapse on trial talks to nobody: a push that waits in the restored database is sent after the public start, not before.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and it runs programs of the host"
)]

#[path = "support/deployment.rs"]
mod deployment;
#[path = "support/homeserver.rs"]
mod homeserver;
#[path = "support/pebble_relay.rs"]
mod pebble_relay;
#[path = "support/processes.rs"]
mod processes;
#[path = "support/s3_server.rs"]
mod s3_server;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use deployment::{DEADLINE, Deployment, UNIT, command, is_root, must, wait_until};
use homeserver::Homeserver;
use pebble_relay::{PebbleRelay, Point};
use processes::Processes;
use serde_json::json;

/// An address that Synapse's pushers may reach: none that its defaults forbid.
const ADDRESS: &str = "11.22.33.44";

/// Listens in a unit's network and writes down each request.
struct Listener {
    child: Child,
    requests: PathBuf,
}

impl Listener {
    fn start(inside: &[String], folder: &Path) -> Self {
        const SERVER: &str = "
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers['Content-Length']))
        with open(sys.argv[2], 'ab') as file:
            file.write(body + b'\\n')
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{\"rejected\": []}')
    def log_message(self, *ignored):
        pass
http.server.HTTPServer((sys.argv[1], 8099), Handler).serve_forever()
";
        let requests = folder.join("requests");
        fs::write(&requests, "").unwrap();
        let mut command = Command::new(&inside[0]);
        command.args(&inside[1..]);
        command
            .args(["python3", "-c", SERVER, ADDRESS])
            .arg(&requests);
        let child = command.stdin(Stdio::null()).spawn().unwrap();
        Self { child, requests }
    }

    fn requests(&self) -> String {
        fs::read_to_string(&self.requests).unwrap()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What goes before a command to run it in the unit's network.
fn inside(processes: &Processes) -> Vec<String> {
    let pid = processes.all()[0].pid.to_string();
    let mut words = vec!["nsenter", "--net", "--target", &pid];
    if !is_root() {
        words.extend(["--user", "--preserve-credentials"]);
    }
    words.push("--");
    words.into_iter().map(str::to_owned).collect()
}

/// Sends a message of which a pusher is to tell where nobody listens yet.
fn let_a_push_wait(deployment: &Deployment, homeserver: &Homeserver) {
    let (alice, bob) = (&homeserver.users[0], &homeserver.users[1]);
    let pusher = json!({
        "kind": "http", "app_id": "app", "pushkey": "key", "app_display_name": "App",
        "device_display_name": "Phone", "lang": "en",
        "data": {"url": format!("http://{ADDRESS}:8099/_matrix/push/v1/notify")},
    });
    alice.call(
        deployment,
        "POST",
        "/_matrix/client/v3/pushers/set",
        &pusher,
    );
    let room = homeserver.room.replace('!', "%21").replace(':', "%3A");
    let message = json!({"msgtype": "m.text", "body": "that waits to be pushed"});
    let path = format!("/_matrix/client/v3/rooms/{room}/send/m.room.message/push");
    bob.call(deployment, "PUT", &path, &message);
    // Nobody listens yet.
    let count = "import sqlite3, sys; database = sqlite3.connect(f'file:{sys.argv[1]}?mode=ro', uri=True); \
                 print(database.execute('SELECT count(failing_since) FROM pushers').fetchone()[0])";
    let database = deployment.data().join("homeserver.db");
    wait_until(
        || {
            command("python3", |python| {
                python.args(["-c", count]).arg(&database)
            })
            .trim()
                == "1"
        },
        || "the push does not wait".to_owned(),
    );
}

#[test]
fn push_that_waits_is_sent_after_the_public_start_and_not_in_the_trial() {
    let deployment = Deployment::with_backups("ours");
    let homeserver = Homeserver::fill(&deployment);
    let inside = inside(&Processes::of_unit(&deployment));
    command(&inside[0], |nsenter| {
        let address = format!("{ADDRESS}/32");
        nsenter
            .args(&inside[1..])
            .args(["ip", "address", "add", &address, "dev", "lo"])
    });
    let_a_push_wait(&deployment, &homeserver);
    let backup = deployment.create_backup();

    let relay = PebbleRelay::before(&must(deployment.juju.pebble_socket(UNIT, "synapse")));
    relay.stop_at(Point::Before("trial-start".to_owned()));
    let task = deployment.begin_with("restore-backup", json!({"backup-id": backup}));
    let over = || must(deployment.juju.show_task(task)).finished;
    assert!(relay.reaches(DEADLINE, over), "{:?}", relay.entries());
    assert!(!deployment.answers(), "Synapse has not been stopped");
    let folder = tempfile::tempdir().unwrap();
    let listener = Listener::start(&inside, folder.path());

    relay.go_on(Some(Point::Before("public-start".to_owned())));
    assert!(relay.reaches(DEADLINE, over), "{:?}", relay.entries());
    // Synapse is up, for itself alone; a pusher that ran would have sent by now, and once more.
    let until = Instant::now() + Duration::from_secs(5);
    while Instant::now() < until {
        assert_eq!(listener.requests(), "", "a push was sent in the trial");
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_only_loopback_listens(&inside);
    relay.go_on(None);
    assert_eq!(deployment.end(task).status, "completed");
    wait_until(
        || listener.requests().contains("event_id"),
        || "nothing was pushed after the public start".to_owned(),
    );
}

/// Nobody outside of the pod reaches a Synapse on trial.
fn assert_only_loopback_listens(inside: &[String]) {
    let listening = command(&inside[0], |nsenter| {
        nsenter
            .args(&inside[1..])
            .args(["ss", "--listening", "--tcp", "--numeric"])
    });
    let synapse: Vec<&str> = listening
        .lines()
        .filter(|line| line.contains(":8008"))
        .collect();
    assert_eq!(synapse.len(), 1, "{listening}");
    assert!(synapse[0].contains("127.0.0.1:8008"), "{listening}");
}

#[test]
fn new_data_on_which_synapse_does_not_come_up_is_swapped_back() {
    let deployment = Deployment::with_backups("ours");
    let homeserver = Homeserver::fill(&deployment);
    let backup = deployment.create_backup();
    let relay = PebbleRelay::before(&must(deployment.juju.pebble_socket(UNIT, "synapse")));
    relay.stop_at(Point::Before("trial-start".to_owned()));
    let task = deployment.begin_with("restore-backup", json!({"backup-id": backup}));
    let over = || must(deployment.juju.show_task(task)).finished;
    assert!(relay.reaches(DEADLINE, over), "{:?}", relay.entries());
    // As a disk would do that lost what it had said to hold.
    fs::write(
        deployment.data().join("homeserver.db"),
        b"no database at all",
    )
    .unwrap();
    relay.go_on(None);

    let outcome = deployment.end(task);
    assert_eq!(outcome.status, "failed", "{outcome:?}");
    assert!(
        outcome.message.contains("ended by itself twice"),
        "{outcome:?}"
    );
    assert!(
        outcome.message.contains("all is as it was before"),
        "{outcome:?}"
    );
    homeserver.assert_told_by(&deployment);
    let refused = deployment.refused(UNIT, "undo-restore", json!({}));
    assert!(refused.contains("no data from before"), "{refused}");
    let status = deployment.shown(UNIT);
    assert_eq!(status.workload, "active", "{status:?}");
}
