//! The relay by which tests stop the charm between two steps of a long job: all passes, until a point is reached.

#[path = "support/pebble_relay.rs"]
mod pebble_relay;
#[path = "support/s3_server.rs"]
mod s3_server;
#[path = "support/workload.rs"]
mod workload;

use std::fs;
use std::time::Duration;

use pebble_client::{Client, Error, Stdin, WriteFile};
use pebble_relay::{Entry, PebbleRelay, Point};
use workload::{Kind, Workload};

const JOURNAL: &str = "/data/.synapse-charm/journal.json";

async fn write(client: &Client, step: &str) -> Result<(), Error> {
    let file = WriteFile::new(JOURNAL).make_dirs(true);
    let content = format!(r#"{{"format":1,"kind":"restore","step":"{step}","attempts":{{}}}}"#);
    client.write_file(file, content.as_bytes()).await
}

/// Writes three steps, each with a file of its own once it is done, and removes the journal.
async fn job(client: Client) -> Result<(), Error> {
    for step in ["one", "two", "three"] {
        write(&client, step).await?;
        client
            .write_file(WriteFile::new(&format!("/data/{step}")), b"done")
            .await?;
    }
    client.remove_path(JOURNAL, false).await
}

fn step_of(journal: &str) -> String {
    let quoted: Vec<_> = journal.split('"').collect();
    let key = quoted.iter().position(|word| *word == "step");
    key.map_or_else(String::new, |key| quoted[key + 2].to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn relay_passes_all_and_stops_between_two_steps() {
    let workload = Workload::start(Kind::Ours).await;
    let socket = workload.pod.pebble_socket("synapse");
    let client = Client::new(&socket);
    let file = |name: &str| fs::read_to_string(workload.data().join(name)).ok();

    let relay = PebbleRelay::before(&socket);
    let echoed = client
        .exec(["cat"])
        .stdin(Stdin::Bytes(b"through a websocket".to_vec()))
        .output();
    assert_eq!(echoed.await.unwrap().stdout, b"through a websocket");
    job(client.clone()).await.unwrap();
    let step = |name: &str| Entry::Step(name.to_owned());
    let all = [step("one"), step("two"), step("three"), Entry::Removed];
    assert_eq!(relay.entries(), all);
    drop(relay);
    client.system_info().await.unwrap();

    for (point, journal, done) in [
        (Point::Before("two".to_owned()), "two", "one"),
        (Point::After("two".to_owned()), "two", "two"),
        (Point::After("three".to_owned()), "three", "three"),
    ] {
        for name in ["one", "two", "three"] {
            let _ = fs::remove_file(workload.data().join(name));
        }
        let relay = PebbleRelay::before(&socket);
        relay.stop_at(point.clone());
        let running = tokio::spawn(job(client.clone()));
        let reached = tokio::task::block_in_place(|| {
            relay.reaches(Duration::from_secs(30), || running.is_finished())
        });
        assert!(reached, "{point:?}");
        // As a killed charm ends: before anything passes again.
        running.abort();
        running.await.unwrap_err();
        drop(relay);
        assert_eq!(step_of(&file(&JOURNAL["/data/".len()..]).unwrap()), journal);
        let found: Vec<_> = ["one", "two", "three"]
            .into_iter()
            .filter(|name| file(name).is_some())
            .collect();
        assert_eq!(found.last(), Some(&done), "{point:?}");
        client.system_info().await.unwrap();
    }
}
