//! Checks, health and signals.

use std::time::Duration;

use pebble_client::{
    CheckFilter, CheckLevel, CheckStatus, ErrorKind, LayerMode, ServiceStatus, Startup,
};

use crate::daemon::{Daemon, until};

const LAYER: &str = "\
checks:
  good:
    override: replace
    level: alive
    exec: {command: 'true'}
  bad:
    override: replace
    level: ready
    period: 50ms
    threshold: 2
    exec: {command: sh -c 'echo what is wrong; exit 1'}
  stopped:
    override: replace
    startup: disabled
    exec: {command: 'true'}
";

async fn with_checks() -> Daemon {
    let daemon = Daemon::start().await;
    daemon
        .client
        .add_layer("test", LAYER, LayerMode::New)
        .await
        .unwrap();
    until("the bad check is down", async || {
        let checks = daemon
            .client
            .checks(CheckFilter {
                names: &["bad"],
                level: None,
            })
            .await
            .unwrap();
        checks[0].status == CheckStatus::Down
    })
    .await;
    daemon
}

#[tokio::test]
async fn checks_tell_what_they_found() {
    let daemon = with_checks().await;
    let checks = daemon.client.checks(CheckFilter::default()).await.unwrap();
    let names: Vec<_> = checks.iter().map(|check| &*check.name).collect();
    assert_eq!(names, ["bad", "good", "stopped"]);
    let [bad, good, stopped] = &checks[..] else {
        panic!("{checks:?}")
    };
    assert_eq!(
        (bad.level.clone(), bad.threshold),
        (Some(CheckLevel::Ready), 2)
    );
    assert!(bad.failures >= 2 && bad.change_id.is_some());
    assert_eq!(
        (good.status.clone(), good.level.clone()),
        (CheckStatus::Up, Some(CheckLevel::Alive))
    );
    assert_eq!(
        (stopped.status.clone(), stopped.startup.clone()),
        (CheckStatus::Inactive, Some(Startup::Disabled))
    );
    assert_eq!(
        (stopped.level.clone(), stopped.change_id.clone()),
        (None, None)
    );

    let filter = CheckFilter {
        level: Some(CheckLevel::Alive),
        names: &[],
    };
    assert_eq!(daemon.client.checks(filter).await.unwrap().len(), 1);
}

#[tokio::test]
async fn health_is_that_of_the_level() {
    let daemon = with_checks().await;
    assert!(!daemon.client.health(None).await.unwrap());
    assert!(!daemon.client.health(Some(CheckLevel::Ready)).await.unwrap());
    assert!(daemon.client.health(Some(CheckLevel::Alive)).await.unwrap());
    daemon.client.stop_checks(&["bad"]).await.unwrap();
    assert!(daemon.client.health(None).await.unwrap());
    let level = CheckLevel::from(String::from("nonsense"));
    assert_eq!(
        daemon.client.health(Some(level)).await.unwrap_err().kind(),
        ErrorKind::BadRequest
    );
}

#[tokio::test]
async fn checks_are_started_and_stopped() {
    let daemon = with_checks().await;
    assert_eq!(
        daemon
            .client
            .stop_checks(&["good", "stopped"])
            .await
            .unwrap(),
        ["good"]
    );
    assert_eq!(
        daemon
            .client
            .start_checks(&["stopped", "bad"])
            .await
            .unwrap(),
        ["stopped"]
    );
    let error = daemon
        .client
        .start_checks(&["unheard-of"])
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BadRequest);
}

#[tokio::test]
async fn refresh_performs_the_check_now() {
    // With the usual period: a check may take no longer than that, and a busy machine is slow.
    let daemon = Daemon::start().await;
    let layer = LAYER.replace("    period: 50ms\n", "");
    daemon
        .client
        .add_layer("test", &layer, LayerMode::New)
        .await
        .unwrap();
    let good = daemon.client.refresh_check("good").await.unwrap();
    assert_eq!((&*good.info.name, good.error), ("good", None));
    let bad = daemon.client.refresh_check("bad").await.unwrap();
    assert!(bad.error.unwrap().contains("exit status 1"));
    assert!(
        daemon
            .client
            .refresh_check("unheard-of")
            .await
            .unwrap_err()
            .is_not_found()
    );
}

#[tokio::test]
async fn signal_reaches_the_service() {
    let daemon = Daemon::start().await;
    let marker = daemon.path("marker");
    let layer = format!(
        "services: {{s: {{override: replace, on-success: ignore, environment: {{MARKER: '{marker}'}}, command: \
         sh -c 'trap \"touch $MARKER; exit 0\" USR1; while :; do sleep 0.05; done'}}}}"
    );
    daemon
        .client
        .add_layer("test", &layer, LayerMode::New)
        .await
        .unwrap();
    let change = daemon.client.start(&["s"]).await.unwrap();
    daemon
        .client
        .wait_change(&change, Duration::from_secs(30))
        .await
        .unwrap();
    daemon.client.signal("SIGUSR1", &["s"]).await.unwrap();
    until("the service gets its signal", async || {
        std::fs::exists(&marker).unwrap()
    })
    .await;
    until("the service ends", async || {
        daemon.client.services(&["s"]).await.unwrap()[0].current != ServiceStatus::Active
    })
    .await;
    let error = daemon.client.signal("SIGUSR1", &["s"]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Daemon, "{error:?}");
    assert_eq!(
        daemon
            .client
            .signal("SIGUSR1", &[])
            .await
            .unwrap_err()
            .kind(),
        ErrorKind::BadRequest
    );
}
