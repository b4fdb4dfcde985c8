//! Streams of notices and logs that go on when Pebble is restarted.

use std::collections::BTreeMap;
use std::time::Duration;

use pebble_client::{
    Client, ErrorKind, Identity, IdentityAccess, LayerMode, LogTail, NoticeFilter, NoticeType,
    ServiceStatus,
};

use crate::daemon::{Daemon, Settings};

const LONG: Duration = Duration::from_mins(1);

/// Writes numbers from `$FROM` on, as fast as a file names them.
const LAYER: &str = "\
services:
  counter:
    override: replace
    on-success: ignore
    environment: {UP_TO: UP_TO_FILE}
    command: sh -c 'n=0; while :; do read -r to <$UP_TO || to=0; while [ $n -lt $to ]; do n=$((n+1)); echo $MARK$n; done; sleep 0.02; done'
  later:
    override: replace
    command: sh -c 'echo late; exec sleep 1000'
  silent:
    override: replace
    command: sleep 1000
";

async fn add_layer(daemon: &Daemon, mark: &str) {
    std::fs::write(daemon.path("up_to"), "0\n").unwrap();
    let layer = LAYER
        .replace("UP_TO_FILE", &daemon.path("up_to"))
        .replace("$MARK", mark);
    let added = daemon.client.add_layer("test", &layer, LayerMode::New);
    added.await.unwrap();
}

async fn start(client: &Client, service: &str) {
    let change = client.start(&[service]).await.unwrap();
    client.wait_change(&change, LONG).await.unwrap();
}

fn count_up_to(daemon: &Daemon, to: u32) {
    std::fs::write(daemon.path("up_to"), format!("{to}\n")).unwrap();
}

async fn next(tail: &mut LogTail) -> String {
    let entry = tokio::time::timeout(LONG, tail.next()).await.unwrap();
    entry.unwrap().message
}

#[tokio::test]
async fn logs_go_on_over_restarts_without_loss_or_repetition() {
    let mut daemon = Daemon::start().await;
    let mut tail = daemon.client.tail_logs(&["counter"], 0);
    for mark in ["a", "b", "c"] {
        add_layer(&daemon, mark).await;
        start(&daemon.client, "counter").await;
        // What was written before the tail is first asked is old.
        let quiet = tokio::time::timeout(Duration::from_millis(300), tail.next()).await;
        assert!(quiet.is_err(), "{quiet:?}");
        count_up_to(&daemon, 150);
        for expected in 1..=150 {
            assert_eq!(next(&mut tail).await, format!("{mark}{expected}"));
        }
        daemon.kill();
        // The tail has to be asked to see that the daemon is gone.
        let early = tokio::time::timeout(Duration::from_millis(300), tail.next()).await;
        assert!(early.is_err(), "{early:?}");
        daemon.start_again().await;
    }
}

#[tokio::test]
async fn logs_go_on_when_only_the_connection_is_lost() {
    let daemon = Daemon::start().await;
    add_layer(&daemon, "x").await;
    start(&daemon.client, "counter").await;
    count_up_to(&daemon, 40);
    let mut tail = daemon.client.tail_logs(&["counter"], 100);
    for expected in 1..=40 {
        assert_eq!(next(&mut tail).await, format!("x{expected}"));
    }
    // A service that starts for the first time makes it ask anew.
    let mut all = daemon.client.tail_logs(&[], 2);
    assert_eq!(next(&mut all).await, "x39");
    assert_eq!(next(&mut all).await, "x40");
    let (late, ()) = tokio::join!(next(&mut all), start(&daemon.client, "later"));
    assert_eq!(late, "late");
    count_up_to(&daemon, 60);
    for expected in 41..=60 {
        assert_eq!(next(&mut all).await, format!("x{expected}"));
        assert_eq!(next(&mut tail).await, format!("x{expected}"));
    }
}

#[tokio::test]
async fn logs_of_a_service_that_is_restarted_go_on() {
    let daemon = Daemon::start().await;
    add_layer(&daemon, "").await;
    count_up_to(&daemon, 3);
    start(&daemon.client, "counter").await;
    let mut tail = daemon.client.tail_logs(&["counter"], 0);
    let quiet = tokio::time::timeout(Duration::from_millis(200), tail.next()).await;
    assert!(quiet.is_err(), "{quiet:?}");
    let change = daemon.client.restart(&["counter"]).await.unwrap();
    daemon.client.wait_change(&change, LONG).await.unwrap();
    for expected in ["1", "2", "3"] {
        assert_eq!(next(&mut tail).await, expected);
    }
}

#[tokio::test]
async fn follow_logs_begins_only_with_the_first_entry() {
    let daemon = Daemon::start().await;
    add_layer(&daemon, "").await;
    start(&daemon.client, "silent").await;
    // Pebble sends the head of its answer with the first entry, so nothing comes, not even an end.
    let mut stream = daemon.client.follow_logs(&["silent"], 10);
    for _ in 0..3 {
        let early = tokio::time::timeout(Duration::from_millis(100), stream.next()).await;
        assert!(early.is_err(), "{early:?}");
    }
    // One that was never started is not covered, although it is named.
    let mut stream = daemon.client.follow_logs(&["later"], 10);
    let early = tokio::time::timeout(Duration::from_millis(300), stream.next()).await;
    assert!(early.is_err(), "{early:?}");
    start(&daemon.client, "later").await;
    let early = tokio::time::timeout(Duration::from_millis(300), stream.next()).await;
    assert!(early.is_err(), "{early:?}");
}

#[tokio::test]
async fn notices_go_on_over_restarts_without_loss_or_repetition() {
    let mut daemon = Daemon::start_with(Settings {
        persist: true,
        ..Settings::default()
    })
    .await;
    let client = daemon.client.clone();
    let types = [NoticeType::Custom];
    let filter = NoticeFilter {
        types: &types,
        ..NoticeFilter::default()
    };
    let mut notices = client.follow_notices(&filter);
    let keys: Vec<String> = (0..60).map(|n| format!("example.org/n{n}")).collect();
    let told = async {
        for (index, key) in keys.iter().enumerate() {
            client.notify(key, &BTreeMap::new(), None).await.unwrap();
            if index % 20 == 10 {
                daemon.kill();
                tokio::time::sleep(Duration::from_millis(50)).await;
                daemon.start_again().await;
            }
        }
    };
    let come = async {
        let mut come = Vec::new();
        while come.len() < keys.len() {
            let notice = tokio::time::timeout(LONG, notices.next()).await.unwrap();
            come.push(notice.unwrap().key);
        }
        come
    };
    let ((), come) = tokio::join!(told, come);
    assert_eq!(come, keys);
    let more = tokio::time::timeout(Duration::from_millis(200), notices.next()).await;
    assert!(more.is_err(), "{more:?}");
}

#[tokio::test]
async fn notices_of_a_daemon_without_state_go_on() {
    let mut daemon = Daemon::start().await;
    let client = daemon.client.clone();
    let keys = ["example.org/a"];
    let filter = NoticeFilter {
        keys: &keys,
        ..NoticeFilter::default()
    };
    let mut notices = client.follow_notices(&filter);
    for _ in 0..3 {
        client
            .notify(keys[0], &BTreeMap::new(), None)
            .await
            .unwrap();
        let notice = tokio::time::timeout(LONG, notices.next()).await.unwrap();
        assert_eq!(notice.unwrap().occurrences, 1);
        daemon.kill();
        daemon.start_again().await;
    }
}

#[tokio::test]
async fn streams_give_up_when_they_are_told_to() {
    let mut daemon = Daemon::with_layer("services: {}").await;
    daemon.kill();
    let outage = Duration::from_millis(100);
    let error = daemon
        .client
        .tail_logs(&[], 1)
        .give_up_after(outage)
        .next()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotConnectable, "{error:?}");
    let mut notices = daemon
        .client
        .follow_notices(&NoticeFilter::default())
        .give_up_after(outage);
    let error = notices.next().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotConnectable, "{error:?}");
}

#[tokio::test]
async fn streams_do_not_go_on_after_a_refusal() {
    let daemon = Daemon::with_layer("services: {}").await;
    let client = &daemon.client;
    let own_id = client.exec(["id", "-u"]).output().await.unwrap().stdout;
    let own_id = String::from_utf8(own_id).unwrap().trim().parse().unwrap();
    let nobody = Identity::new(IdentityAccess::Untrusted).local_user_id(own_id);
    client.add_identities(&[("me", &nobody)]).await.unwrap();
    let error = client.tail_logs(&[], 1).next().await.unwrap_err();
    assert!(error.is_permission_denied(), "{error:?}");
    let mut notices = client.follow_notices(&NoticeFilter::default());
    assert!(notices.next().await.unwrap_err().is_permission_denied());
    let waiting = client.wait_for_service("x", &ServiceStatus::Active, LONG);
    assert!(waiting.await.unwrap_err().is_permission_denied());
}
