//! Waiting for a daemon, a service and a check, over restarts.

use std::time::Duration;

use pebble_client::{CheckStatus, Client, ConnectFailure, ErrorKind, LayerMode, ServiceStatus};

use crate::daemon::Daemon;

const LONG: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(100);

const LAYER: &str = "\
services:
  steady: {override: replace, command: sleep 1000}
checks:
  bad: {override: replace, period: 50ms, threshold: 2, exec: {command: 'false'}}
  later: {override: replace, startup: disabled, exec: {command: 'true'}}
";

#[tokio::test]
async fn wait_ready_sees_a_daemon_come_up() {
    let mut daemon = Daemon::start().await;
    daemon.kill();
    let client = daemon.client.clone();
    let (info, ()) = tokio::join!(client.wait_ready(LONG), async {
        tokio::time::sleep(SHORT).await;
        daemon.start_again().await;
    });
    assert!(info.unwrap().version.starts_with('v'));
}

#[tokio::test]
async fn wait_ready_without_a_daemon_tells_why() {
    let dir = tempfile::tempdir().unwrap();
    let error = Client::new(dir.path().join("socket"))
        .wait_ready(SHORT)
        .await
        .unwrap_err();
    assert_eq!(error.connect_failure(), Some(ConnectFailure::Missing));

    let mut daemon = Daemon::start().await;
    daemon.kill();
    let error = daemon.client.wait_ready(SHORT).await.unwrap_err();
    assert_eq!(error.connect_failure(), Some(ConnectFailure::Refused));
    daemon.start_again().await;
    daemon.freeze();
    let error = daemon.client.wait_ready(SHORT).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error:?}");
}

#[tokio::test]
async fn wait_for_service_sees_it_start_in_a_daemon_that_was_restarted() {
    let mut daemon = Daemon::with_layer(LAYER).await;
    let client = daemon.client.clone();
    let waiting = client.wait_for_service("steady", &ServiceStatus::Active, LONG);
    let (service, ()) = tokio::join!(waiting, async {
        tokio::time::sleep(SHORT).await;
        daemon.kill();
        daemon.start_again().await;
        let client = &daemon.client;
        client
            .add_layer("test", LAYER, LayerMode::New)
            .await
            .unwrap();
        client.start(&["steady"]).await.unwrap();
    });
    assert!(service.unwrap().is_active());
    let error = client
        .wait_for_service("unheard-of", &ServiceStatus::Active, SHORT)
        .await
        .unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    daemon.kill();
    let error = client
        .wait_for_service("steady", &ServiceStatus::Active, SHORT)
        .await
        .unwrap_err();
    assert!(error.is_not_connectable(), "{error:?}");
}

#[tokio::test]
async fn wait_for_check_sees_it_go_down_and_come_up() {
    let daemon = Daemon::with_layer(LAYER).await;
    let client = &daemon.client;
    let bad = client.wait_for_check("bad", &CheckStatus::Down, LONG).await;
    assert!(bad.unwrap().failures >= 2);
    let waiting = client.wait_for_check("later", &CheckStatus::Up, LONG);
    let (later, _) = tokio::join!(waiting, client.start_checks(&["later"]));
    assert_eq!(later.unwrap().status, CheckStatus::Up);
    let error = client
        .wait_for_check("bad", &CheckStatus::Up, SHORT)
        .await
        .unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
}
