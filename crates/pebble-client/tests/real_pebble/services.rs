//! System info, services, changes, plan and layers.

use std::time::Duration;

use pebble_client::{ChangeId, ChangeSelect, ErrorKind, LayerMode, ServiceStatus, Startup};

use crate::daemon::Daemon;

const WAIT: Duration = Duration::from_secs(30);

const LAYER: &str = "\
services:
  steady:
    override: replace
    command: sleep 1000
    startup: enabled
  idle:
    override: replace
    command: sleep 1000
  broken:
    override: replace
    command: sh -c 'echo what is wrong; exit 3'
";

#[tokio::test]
async fn system_info_tells_the_version() {
    let daemon = Daemon::start().await;
    let info = daemon.client.system_info().await.unwrap();
    assert!(info.version.starts_with('v'), "{info:?}");
    assert!(!info.boot_id.is_empty());
}

#[tokio::test]
async fn replan_starts_what_is_enabled() {
    let daemon = Daemon::start().await;
    daemon
        .client
        .add_layer("test", LAYER, LayerMode::New)
        .await
        .unwrap();
    let change = daemon.client.replan().await.unwrap();
    let change = daemon.client.wait_change(&change, WAIT).await.unwrap();
    assert!(change.is_done());

    let services = daemon.client.services(&[]).await.unwrap();
    let names: Vec<&str> = services
        .iter()
        .map(|service| service.name.as_str())
        .collect();
    assert_eq!(names, ["broken", "idle", "steady"]);
    let steady = daemon
        .client
        .services(&["steady", "unheard-of"])
        .await
        .unwrap()
        .remove(0);
    assert_eq!(
        (steady.current.clone(), steady.startup.clone()),
        (ServiceStatus::Active, Startup::Enabled)
    );
    assert!(steady.current_since.is_some());
    assert_eq!(services[1].current, ServiceStatus::Inactive);
}

#[tokio::test]
async fn stop_and_restart_take_the_named_service() {
    let daemon = Daemon::start().await;
    daemon
        .client
        .add_layer("test", LAYER, LayerMode::New)
        .await
        .unwrap();
    for (action, active) in [
        ("restart", true),
        ("stop", false),
        ("start", true),
        ("restart", true),
    ] {
        let names = &["idle"][..];
        let change = match action {
            "start" => daemon.client.start(names).await,
            "stop" => daemon.client.stop(names).await,
            _ => daemon.client.restart(names).await,
        };
        daemon
            .client
            .wait_change(&change.unwrap(), WAIT)
            .await
            .unwrap();
        assert_eq!(
            daemon.client.services(names).await.unwrap()[0].is_active(),
            active,
            "{action}"
        );
    }
    assert!(!daemon.client.services(&["steady"]).await.unwrap()[0].is_active());
}

#[tokio::test]
async fn failed_start_tells_what_the_service_wrote() {
    let daemon = Daemon::start().await;
    daemon
        .client
        .add_layer("test", LAYER, LayerMode::New)
        .await
        .unwrap();
    let change = daemon.client.start(&["broken"]).await.unwrap();
    let error = daemon.client.wait_change(&change, WAIT).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ChangeFailed);
    assert_eq!(
        error.to_string(),
        format!("cannot wait for change {change}")
    );
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(
        cause.contains("what is wrong") && cause.contains("exited quickly with code 3"),
        "{cause}"
    );
    assert_eq!(error.change().unwrap().id, change);
}

#[tokio::test]
async fn wait_change_past_its_timeout_is_a_timeout() {
    let daemon = Daemon::start().await;
    daemon
        .client
        .add_layer("test", LAYER, LayerMode::New)
        .await
        .unwrap();
    let change = daemon.client.start(&["steady"]).await.unwrap();
    for timeout in [Duration::ZERO, Duration::from_millis(1)] {
        let error = daemon
            .client
            .wait_change(&change, timeout)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout);
    }
    daemon.client.wait_change(&change, WAIT).await.unwrap();
}

#[tokio::test]
async fn change_that_is_not_there_is_not_found() {
    let daemon = Daemon::start().await;
    let error = daemon
        .client
        .change(&ChangeId::from("4711"))
        .await
        .unwrap_err();
    assert!(error.is_not_found(), "{error:?}");
    let error = daemon
        .client
        .wait_change(&ChangeId::from("4711"), WAIT)
        .await
        .unwrap_err();
    assert!(error.is_not_found(), "{error:?}");
    let error = daemon
        .client
        .change(&ChangeId::from("../services"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BadRequest);
}

#[tokio::test]
async fn changes_are_selected_and_ordered() {
    let daemon = Daemon::start().await;
    daemon
        .client
        .add_layer("test", LAYER, LayerMode::New)
        .await
        .unwrap();
    let mut ids = Vec::new();
    for _ in 0..6 {
        let change = daemon.client.replan().await.unwrap();
        daemon.client.wait_change(&change, WAIT).await.unwrap();
        let change = daemon.client.stop(&["steady"]).await.unwrap();
        daemon.client.wait_change(&change, WAIT).await.unwrap();
        ids.push(change);
    }
    let changes = daemon
        .client
        .changes(ChangeSelect::Ready, Some("steady"))
        .await
        .unwrap();
    let stops = changes
        .iter()
        .filter(|change| change.kind == "stop")
        .map(|change| change.id.clone());
    assert_eq!(stops.collect::<Vec<_>>(), ids);
    assert!(
        daemon
            .client
            .changes(ChangeSelect::InProgress, None)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        daemon
            .client
            .changes(ChangeSelect::All, Some("idle"))
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn abort_of_what_has_ended_is_refused() {
    let daemon = Daemon::start().await;
    daemon
        .client
        .add_layer("test", LAYER, LayerMode::New)
        .await
        .unwrap();
    let change = daemon.client.start(&["steady"]).await.unwrap();
    daemon.client.wait_change(&change, WAIT).await.unwrap();
    let error = daemon.client.abort_change(&change).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BadRequest, "{error:?}");
}

#[tokio::test]
async fn wrong_service_actions_are_refused() {
    let daemon = Daemon::start().await;
    let error = daemon.client.start(&["unheard-of"]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BadRequest);
    assert_eq!(error.to_string(), "cannot start services unheard-of");
    assert!(
        error
            .daemon_message()
            .unwrap()
            .contains("\"unheard-of\" does not exist"),
        "{error:?}"
    );
    assert_eq!(
        daemon.client.stop(&[]).await.unwrap_err().kind(),
        ErrorKind::BadRequest
    );
    assert_eq!(
        daemon.client.autostart().await.unwrap_err().kind(),
        ErrorKind::NoDefaultServices
    );
}

#[tokio::test]
async fn layers_of_one_label_are_combined_or_refused() {
    let daemon = Daemon::start().await;
    daemon
        .client
        .add_layer("test", LAYER, LayerMode::New)
        .await
        .unwrap();
    let error = daemon
        .client
        .add_layer("test", LAYER, LayerMode::New)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BadRequest);

    let more = "services: {steady: {override: merge, environment: {HASH: \"ünï: 'q'\"}}}";
    daemon
        .client
        .add_layer("test", more, LayerMode::Combine)
        .await
        .unwrap();
    let plan = daemon.client.plan().await.unwrap();
    assert!(
        plan.contains("sleep 1000") && plan.contains("HASH: 'ünï: ''q'''"),
        "{plan}"
    );
}

#[tokio::test]
async fn layer_that_is_not_valid_is_refused() {
    let daemon = Daemon::start().await;
    for layer in [
        "services: {x: {override: replace}}",
        "nonsense: {}",
        "services: [",
    ] {
        let error = daemon
            .client
            .add_layer("test", layer, LayerMode::Combine)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BadRequest, "{layer}: {error:?}");
    }
}
