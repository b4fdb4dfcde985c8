//! What services wrote.

use std::time::Duration;

use pebble_client::{Client, LayerMode};

use crate::daemon::{Daemon, until};

const LAYER: &str = "\
services:
  talker:
    override: replace
    command: sh -c 'for i in 1 2 3; do echo line $i; done; while ! [ -e $GO ]; do sleep 0.02; done; echo last; exec sleep 100'
    environment: {GO: GO_FILE}
  silent:
    override: replace
    command: sleep 100
";

async fn with_services() -> Daemon {
    let daemon = Daemon::start().await;
    let layer = LAYER.replace("GO_FILE", &daemon.path("go"));
    daemon
        .client
        .add_layer("test", &layer, LayerMode::New)
        .await
        .unwrap();
    let change = daemon.client.start(&["talker", "silent"]).await.unwrap();
    daemon
        .client
        .wait_change(&change, Duration::from_secs(30))
        .await
        .unwrap();
    daemon
}

async fn messages(client: &Client, services: &[&str], count: u32) -> Vec<String> {
    let entries = client.logs(services, count).await.unwrap();
    entries.into_iter().map(|entry| entry.message).collect()
}

#[tokio::test]
async fn logs_are_the_last_entries() {
    let daemon = with_services().await;
    assert_eq!(
        messages(&daemon.client, &[], 10).await,
        ["line 1", "line 2", "line 3"]
    );
    assert_eq!(
        messages(&daemon.client, &["talker", "unheard-of"], 2).await,
        ["line 2", "line 3"]
    );
    let entry = daemon.client.logs(&["talker"], 1).await.unwrap().remove(0);
    assert_eq!(entry.service, "talker");
    assert!(entry.time.as_second() > 1_500_000_000);
}

#[tokio::test]
async fn logs_of_a_silent_service_are_empty() {
    let daemon = with_services().await;
    assert!(messages(&daemon.client, &["silent"], 10).await.is_empty());
    assert!(messages(&daemon.client, &["talker"], 0).await.is_empty());
    assert!(
        messages(&daemon.client, &["unheard-of"], 10)
            .await
            .is_empty()
    );
}

#[tokio::test]
async fn follow_gives_old_entries_and_then_new_ones() {
    let daemon = with_services().await;
    let mut stream = daemon.client.follow_logs(&["talker"], 1);
    assert_eq!(stream.next().await.unwrap().unwrap().message, "line 3");
    let early = tokio::time::timeout(Duration::from_millis(100), stream.next()).await;
    assert!(early.is_err(), "{early:?}");
    std::fs::write(daemon.path("go"), "").unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap().message, "last");
}

#[tokio::test]
async fn follow_ends_with_the_daemon() {
    let mut daemon = with_services().await;
    let mut stream = daemon.client.follow_logs(&["talker"], 1);
    stream.next().await.unwrap().unwrap();
    daemon.kill();
    let ended = tokio::time::timeout(Duration::from_secs(30), stream.next())
        .await
        .unwrap();
    assert!(!matches!(ended, Ok(Some(_))), "{ended:?}");
    until("nobody answers", async || {
        daemon.client.system_info().await.is_err()
    })
    .await;
}
