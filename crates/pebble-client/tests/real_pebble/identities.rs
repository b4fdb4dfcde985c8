//! Identities, metrics, and the plain TCP address that both are for.

use std::process::{Command, Stdio};

use pebble_client::{
    CheckFilter, Client, ConnectFailure, ErrorKind, ExitStatus, Identity, IdentityAccess,
    MetricKind, NoticeFilter,
};
use secrecy::SecretString;

use crate::daemon::Daemon;

const LAYER: &str = "\
services:
  steady: {override: replace, command: sleep 1000}
checks:
  good: {override: replace, exec: {command: 'true'}}
  bad: {override: replace, exec: {command: 'false'}}
";

fn local(access: IdentityAccess, user_id: u32) -> Identity {
    Identity::new(access).local_user_id(user_id)
}

/// The hash as an admin makes it.
#[expect(clippy::disallowed_methods, reason = "a tool of the test's own")]
fn hash_of(password: &str) -> SecretString {
    let output = Command::new("openssl")
        .args(["passwd", "-6", password])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().into()
}

#[tokio::test]
async fn identities_are_added_updated_replaced_and_removed() {
    let client = &Daemon::start().await;
    let client = &client.client;
    assert!(client.identities().await.unwrap().is_empty());

    let reader = local(IdentityAccess::Read, 70_001);
    let both = local(IdentityAccess::Metrics, 70_002).basic_password_hash(hash_of("sekret"));
    client
        .add_identities(&[("reader", &reader), ("both", &both)])
        .await
        .unwrap();
    let identities = client.identities().await.unwrap();
    let names: Vec<_> = identities.keys().map(String::as_str).collect();
    assert_eq!(names, ["both", "reader"]);
    let shown = &identities["both"];
    assert_eq!(
        (shown.access.clone(), shown.local_user_id),
        (IdentityAccess::Metrics, Some(70_002))
    );
    assert!(shown.has_basic && !shown.has_certificate && !identities["reader"].has_basic);

    let admin = local(IdentityAccess::Admin, 70_003);
    client
        .update_identities(&[("reader", &admin)])
        .await
        .unwrap();
    let identities = client.identities().await.unwrap();
    assert_eq!(identities["reader"].access, IdentityAccess::Admin);

    let untrusted = local(IdentityAccess::Untrusted, 70_004);
    client
        .replace_identities(&[("new", Some(&untrusted)), ("both", None)])
        .await
        .unwrap();
    let identities = client.identities().await.unwrap();
    let names: Vec<_> = identities.keys().map(String::as_str).collect();
    assert_eq!(names, ["new", "reader"]);

    client.remove_identities(&["new", "reader"]).await.unwrap();
    assert!(client.identities().await.unwrap().is_empty());
}

#[tokio::test]
async fn identities_that_are_wrong_are_refused_together() {
    let daemon = Daemon::start().await;
    let client = &daemon.client;
    let reader = local(IdentityAccess::Read, 70_001);
    let same_user = local(IdentityAccess::Admin, 70_001);
    let nobody = Identity::new(IdentityAccess::Read);
    let new_word = local(String::from("new-word").into(), 70_002);
    for wrong in [
        &[("reader", &reader), ("other", &same_user)][..],
        &[("reader", &reader), ("nobody", &nobody)],
        &[("reader", &reader), ("new", &new_word)],
        &[("reader", &reader), ("1 wrong name", &same_user)],
    ] {
        let error = client.add_identities(wrong).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BadRequest, "{error:?}");
    }
    assert!(client.identities().await.unwrap().is_empty());

    client.add_identities(&[("reader", &reader)]).await.unwrap();
    for error in [
        client
            .add_identities(&[("reader", &reader)])
            .await
            .unwrap_err(),
        client
            .update_identities(&[("other", &reader)])
            .await
            .unwrap_err(),
        client
            .remove_identities(&["reader", "other"])
            .await
            .unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::BadRequest, "{error:?}");
    }
    assert_eq!(client.identities().await.unwrap().len(), 1);
}

#[tokio::test]
async fn identity_of_a_certificate_is_shown_without_it() {
    let daemon = Daemon::start().await;
    let pem = certificate(&daemon);
    let identity = Identity::new(IdentityAccess::Read).certificate(pem);
    daemon
        .client
        .add_identities(&[("holder", &identity)])
        .await
        .unwrap();
    let identities = daemon.client.identities().await.unwrap();
    assert!(identities["holder"].has_certificate && identities["holder"].local_user_id.is_none());
}

#[expect(clippy::disallowed_methods, reason = "a tool of the test's own")]
fn certificate(daemon: &Daemon) -> String {
    let pem = daemon.path("cert.pem");
    let done = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ed25519", "-nodes"])
        .args(["-subj", "/CN=holder", "-keyout", "/dev/null", "-out", &pem])
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(done.success());
    std::fs::read_to_string(pem).unwrap()
}

#[tokio::test]
async fn read_access_is_denied_every_admin_call() {
    let daemon = Daemon::with_layer(LAYER).await;
    let client = &daemon.client;
    let own_id = client.exec(["id", "-u"]).output().await.unwrap().stdout;
    let own_id = String::from_utf8(own_id).unwrap().trim().parse().unwrap();
    let change = client.start(&["steady"]).await.unwrap();
    // From here on this process is no admin any more.
    let reader = local(IdentityAccess::Read, own_id);
    client.add_identities(&[("reader", &reader)]).await.unwrap();

    client.services(&[]).await.unwrap();
    client.checks(CheckFilter::default()).await.unwrap();
    client.notices(NoticeFilter::default()).await.unwrap();
    client.logs(&[], 5).await.unwrap();
    client.identities().await.unwrap();
    client.change(&change).await.unwrap();
    client
        .notify("example.org/x", &std::collections::BTreeMap::new(), None)
        .await
        .unwrap();
    let file = pebble_client::WriteFile::new("/nowhere");
    let all_users = NoticeFilter {
        all_users: true,
        ..NoticeFilter::default()
    };
    for error in [
        client.start(&["steady"]).await.unwrap_err(),
        client.replan().await.unwrap_err(),
        client.plan().await.unwrap_err(),
        client
            .add_layer("x", "services: {}", pebble_client::LayerMode::New)
            .await
            .unwrap_err(),
        client.abort_change(&change).await.unwrap_err(),
        client.signal("SIGHUP", &["steady"]).await.unwrap_err(),
        client.start_checks(&["good"]).await.unwrap_err(),
        client.refresh_check("good").await.unwrap_err(),
        client.list_files("/").await.unwrap_err(),
        client.read_file("/etc/passwd").await.unwrap_err(),
        client.read_files(&["/etc/passwd"]).await.unwrap_err(),
        client
            .write_file(file, &vec![0; 8 << 20])
            .await
            .unwrap_err(),
        client
            .make_dir(pebble_client::MakeDir::new("/nowhere"))
            .await
            .unwrap_err(),
        client.remove_path("/nowhere", false).await.unwrap_err(),
        client.exec(["true"]).output().await.unwrap_err(),
        client.remove_identities(&["reader"]).await.unwrap_err(),
        client.notices(all_users).await.unwrap_err(),
    ] {
        assert!(error.is_permission_denied(), "{error:?}");
    }
}

#[tokio::test]
async fn wrong_password_on_the_socket_is_passed_over() {
    let daemon = Daemon::start().await;
    let identity = Identity::new(IdentityAccess::Untrusted).basic_password_hash(hash_of("sekret"));
    daemon
        .client
        .add_identities(&[("somebody", &identity)])
        .await
        .unwrap();
    let wrong = daemon
        .client
        .clone()
        .with_basic_auth("somebody", &"wrong".into());
    wrong.services(&[]).await.unwrap();
    let right = daemon
        .client
        .clone()
        .with_basic_auth("somebody", &"sekret".into());
    assert!(
        right
            .services(&[])
            .await
            .unwrap_err()
            .is_permission_denied()
    );
}

#[tokio::test]
async fn metrics_count_services_and_checks() {
    let daemon = Daemon::with_layer(LAYER).await;
    let client = &daemon.client;
    let change = client.start(&["steady"]).await.unwrap();
    client
        .wait_change(&change, std::time::Duration::from_secs(30))
        .await
        .unwrap();
    client.refresh_check("bad").await.unwrap();
    client.refresh_check("good").await.unwrap();
    let metrics = client.metrics().await.unwrap();
    let value = |name: &str, label: &str, of: &str| {
        let metric = metrics.iter().find(|metric| metric.name == name).unwrap();
        assert!(!metric.help.is_empty());
        let sample = metric.samples.iter().find(|s| s.labels[label] == of);
        (metric.kind.clone(), sample.unwrap().value.to_string())
    };
    let expected = |kind, value: &str| (kind, value.to_owned());
    assert_eq!(
        value("pebble_service_active", "service", "steady"),
        expected(MetricKind::Gauge, "1")
    );
    assert_eq!(
        value("pebble_service_start_count", "service", "steady"),
        expected(MetricKind::Counter, "1")
    );
    assert_eq!(value("pebble_check_up", "check", "good").1, "1");
    assert_eq!(
        value("pebble_check_success_count", "check", "good"),
        expected(MetricKind::Counter, "1")
    );
    assert_eq!(value("pebble_check_failure_count", "check", "bad").1, "1");
}

#[tokio::test]
async fn metrics_of_an_empty_plan_are_none() {
    let daemon = Daemon::start().await;
    assert!(daemon.client.metrics().await.unwrap().is_empty());
}

#[tokio::test]
async fn tcp_answers_what_is_open_to_everyone() {
    let (daemon, address) = Daemon::with_tcp().await;
    let client = Client::tcp(&address);
    let info = client.system_info().await.unwrap();
    assert_eq!(info.http_address.as_deref(), Some(&*address));
    assert!(client.health(None).await.unwrap());
    for error in [
        client.services(&[]).await.unwrap_err(),
        client.metrics().await.unwrap_err(),
        client.exec(["true"]).output().await.unwrap_err(),
    ] {
        assert!(error.is_permission_denied(), "{error:?}");
    }

    let identity = Identity::new(IdentityAccess::Metrics).basic_password_hash(hash_of("sekret"));
    daemon
        .client
        .add_identities(&[("monitor", &identity)])
        .await
        .unwrap();
    let monitor = client.clone().with_basic_auth("monitor", &"sekret".into());
    assert!(!format!("{monitor:?}").contains("sekret"));
    monitor.metrics().await.unwrap();
    assert!(
        monitor
            .services(&[])
            .await
            .unwrap_err()
            .is_permission_denied()
    );
    let wrong = client.with_basic_auth("monitor", &"wrong".into());
    assert!(wrong.metrics().await.unwrap_err().is_permission_denied());
}

#[tokio::test]
async fn tcp_without_a_listener_is_refused() {
    let (mut daemon, address) = Daemon::with_tcp().await;
    daemon.kill();
    let error = Client::tcp(&address).system_info().await.unwrap_err();
    assert_eq!(error.connect_failure(), Some(ConnectFailure::Refused));
    assert!(format!("{error:?}").contains(&address), "{error:?}");
    let status = daemon.client.exec(["true"]).output().await;
    assert!(!status.is_ok_and(|output| output.status == ExitStatus::Exited(0)));
}
