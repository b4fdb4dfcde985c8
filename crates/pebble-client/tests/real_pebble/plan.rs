//! The plan and layers as values, and layers between layers.

use std::time::Duration;

use pebble_client::{
    Check, CheckLevel, ErrorKind, Layer, LayerMode, LayerOptions, LogTarget, Override, Service,
    ServiceAction, Startup,
};

use crate::daemon::{Daemon, until};

const COMBINE: LayerOptions = LayerOptions {
    mode: LayerMode::Combine,
    inner: false,
};

fn everything() -> Layer {
    let mut service = Service::replace("sh -c 'echo \"$GREETING\"; exec sleep 1000'")
        .startup(Startup::Enabled)
        .environment("GREETING", "on: 12:34 #ü \"'\n")
        .after(["idle"])
        .requires(["idle"]);
    service.kill_delay = Some(Duration::from_millis(1_500));
    service.backoff_factor = Some(1.5);
    service.on_success = Some(ServiceAction::Ignore);
    service
        .on_check_failure
        .insert(String::from("up"), ServiceAction::Restart);
    let mut check = Check::replace().level(CheckLevel::Alive).exec("true");
    check.period = Some(Duration::from_mins(1));
    let mut labels = LogTarget::replace("loki", "http://localhost:1/push", ["all", "-idle"]);
    labels
        .labels
        .insert(String::from("env"), String::from("test"));
    Layer::new()
        .service("steady", service)
        .service("idle", Service::replace("sleep 1000"))
        .check("up", check)
        .check("port", Check::replace().tcp(1))
        .log_target("far", labels)
}

#[tokio::test]
async fn layer_that_was_put_together_is_the_plan() {
    let daemon = Daemon::start().await;
    let layer = everything();
    daemon
        .client
        .put_layer("typed", &layer, COMBINE)
        .await
        .unwrap();
    let plan = daemon.client.plan_layer().await.unwrap();
    let (ours, theirs) = (&layer.services["steady"], &plan.services["steady"]);
    assert_eq!(ours.environment, theirs.environment);
    assert_eq!(ours.command, theirs.command);
    assert_eq!(ours.kill_delay, theirs.kill_delay);
    assert_eq!(ours.on_check_failure, theirs.on_check_failure);
    assert_eq!(
        (ours.backoff_factor, &ours.after),
        (theirs.backoff_factor, &theirs.after)
    );
    assert_eq!(plan.checks["up"].level, Some(CheckLevel::Alive));
    assert_eq!(plan.checks["up"].period, Some(Duration::from_mins(1)));
    assert_eq!(
        plan.checks["port"].tcp.as_ref().and_then(|tcp| tcp.port),
        Some(1)
    );
    assert_eq!(plan.log_targets["far"].labels["env"], "test");
    assert_eq!(plan.log_targets["far"].target_type.as_deref(), Some("loki"));

    let change = daemon.client.start(&["steady"]).await.unwrap();
    let timeout = Duration::from_secs(30);
    daemon.client.wait_change(&change, timeout).await.unwrap();
    until("the variable is what was given", async || {
        let logs = daemon.client.logs(&["steady"], 9).await.unwrap();
        let text: Vec<_> = logs.iter().map(|entry| &*entry.message).collect();
        text.join("\n").starts_with("on: 12:34 #ü \"'\n")
    })
    .await;
}

#[tokio::test]
async fn plan_that_is_read_can_be_written_back() {
    let daemon = Daemon::start().await;
    daemon
        .client
        .put_layer("typed", &everything(), COMBINE)
        .await
        .unwrap();
    let before = daemon.client.plan().await.unwrap();
    let plan = daemon.client.plan_layer().await.unwrap();
    daemon
        .client
        .put_layer("again", &plan, COMBINE)
        .await
        .unwrap();
    assert_eq!(daemon.client.plan().await.unwrap(), before);

    let merge = Layer::new().service("steady", Service::merge().environment("MORE", "1"));
    daemon
        .client
        .put_layer("again", &merge, COMBINE)
        .await
        .unwrap();
    let plan = daemon.client.plan_layer().await.unwrap();
    let steady = &plan.services["steady"];
    assert_eq!(steady.environment.0.len(), 2);
    assert!(matches!(
        steady.r#override,
        Some(Override::Replace | Override::Merge)
    ));
}

#[tokio::test]
async fn empty_plan_is_an_empty_layer() {
    let daemon = Daemon::start().await;
    assert_eq!(daemon.client.plan_layer().await.unwrap(), Layer::new());
}

#[tokio::test]
async fn layer_between_layers_needs_inner() {
    let daemon = Daemon::start().await;
    let client = &daemon.client;
    let service = |command: &str| Layer::new().service("s", Service::replace(command));
    let (first, last) = (service("first"), service("last"));
    client
        .put_layer("folder/one", &first, LayerOptions::default())
        .await
        .unwrap();
    client
        .put_layer("top", &last, LayerOptions::default())
        .await
        .unwrap();

    let between = service("between");
    let error = client
        .put_layer("folder/two", &between, LayerOptions::default())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Daemon, "{error:?}");
    assert!(error.daemon_message().unwrap().contains("inner"));
    let inner = LayerOptions {
        inner: true,
        ..LayerOptions::default()
    };
    client
        .put_layer("folder/two", &between, inner)
        .await
        .unwrap();
    let plan = client.plan_layer().await.unwrap();
    assert_eq!(plan.services["s"].command.as_deref(), Some("last"));

    let error = client
        .put_layer("folder/two", &between, inner)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BadRequest, "{error:?}");
}

#[tokio::test]
async fn log_target_and_its_labels_are_in_the_plan() {
    let daemon = Daemon::start().await;
    daemon
        .client
        .put_layer("typed", &everything(), COMBINE)
        .await
        .unwrap();
    let plan = daemon.client.plan().await.unwrap();
    for line in [
        "type: loki",
        "location: http://localhost:1/push",
        "env: test",
    ] {
        assert!(plan.contains(line), "{plan}");
    }
}
