use std::time::Duration;

use juju_sim::pod::{PebbleEvent, Pod, Privilege};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::fixture::{Fixture, answers, eventually, exec, pebble, replan, succeed};

async fn next(events: &mut UnboundedReceiver<PebbleEvent>) -> PebbleEvent {
    tokio::time::timeout(Duration::from_secs(30), events.recv())
        .await
        .unwrap()
        .unwrap()
}

fn ready() -> PebbleEvent {
    PebbleEvent::PebbleReady {
        container: "synapse".into(),
    }
}

fn notify(pod: &Pod, key: &str) -> PebbleEvent {
    let id = succeed(pebble(pod, &["notify", key]));
    let id = id.trim().trim_start_matches("Recorded notice ").to_owned();
    PebbleEvent::CustomNotice {
        container: "synapse".into(),
        id,
        key: key.into(),
    }
}

const FRESH: &str =
    "touch /data/kept /tmp/lost /etc/lost /var/lib/lost /home/synapse/lost /root/lost";
const LEFT: &str = "find / -xdev -name lost 2>/dev/null; ls /data";

#[tokio::test]
async fn killed_pebble_comes_back_fresh_with_its_volume() {
    let fixture = Fixture::new();
    let mut pod = fixture.pod().await;
    let mut events = pod.watch_pebble();
    assert_eq!(next(&mut events).await, ready());
    exec(&pod, &["sh", "-c", FRESH]);
    pod.kill_container("synapse").await.unwrap();
    assert!(!answers(&pod));
    assert_eq!(next(&mut events).await, ready());
    assert_eq!(exec(&pod, &["sh", "-c", LEFT]), "kept\n");
}

#[tokio::test]
async fn pebble_that_died_by_itself_comes_back() {
    let fixture = Fixture::new();
    let pod = fixture.pod().await;
    let mut events = pod.watch_pebble();
    assert_eq!(next(&mut events).await, ready());
    // Its own process 1 stops at TERM; what Pebble then answers the client is of no matter.
    pebble(&pod, &["exec", "--", "kill", "1"]);
    assert_eq!(next(&mut events).await, ready());
    exec(&pod, &["true"]);
}

#[tokio::test]
async fn restarted_container_ends_its_services_cleanly_and_is_ready_again() {
    let fixture = Fixture::new();
    let mut pod = fixture.pod().await;
    let mut events = pod.watch_pebble();
    assert_eq!(next(&mut events).await, ready());
    let service =
        "exec >/data/log; trap 'echo ended; exit 0' TERM; echo began; while :; do sleep 0.1; done";
    replan(
        &pod,
        &format!("services: {{s: {{override: replace, startup: enabled, command: 'sh -c \"{service}\"'}}}}")
            .replace("'echo ended; exit 0'", "''echo ended; exit 0''"),
    );
    exec(&pod, &["sh", "-c", FRESH]);
    pod.restart_container("synapse").await.unwrap();
    assert_eq!(next(&mut events).await, ready());
    assert_eq!(exec(&pod, &["cat", "/data/log"]), "began\nended\n");
    assert_eq!(exec(&pod, &["sh", "-c", LEFT]), "kept\nlog\n");
}

#[tokio::test]
async fn replaced_pod_is_fresh_and_keeps_volume_and_exposed_port() {
    let fixture = Fixture::new();
    let mut pod = fixture.pod().await;
    let address = pod.expose(8008).await.unwrap();
    exec(&pod, &["sh", "-c", FRESH]);
    fixture.charm(&pod, &["touch", "/tmp/lost"]).await;
    pod.replace().await.unwrap();
    assert_eq!(exec(&pod, &["sh", "-c", LEFT]), "kept\n");
    assert_eq!(
        fixture
            .charm(&pod, &["sh", "-c", "ls /tmp /charm/containers/synapse"])
            .await,
        "/charm/containers/synapse:\npebble\npebble.socket\n\n/tmp:\n"
    );
    assert!(std::net::TcpStream::connect(address).is_ok());
}

#[tokio::test]
async fn custom_notices_come_in_order_and_again_to_a_new_watcher() {
    let fixture = Fixture::new();
    let pod = fixture.pod().await;
    let mut events = pod.watch_pebble();
    assert_eq!(next(&mut events).await, ready());
    let first = notify(&pod, "example.com/first");
    assert_eq!(next(&mut events).await, first);
    let second = notify(&pod, "example.com/second");
    assert_eq!(next(&mut events).await, second);
    assert_eq!(notify(&pod, "example.com/first"), first);
    assert_eq!(next(&mut events).await, first);

    let mut again = pod.watch_pebble();
    assert_eq!(events.recv().await, None);
    assert_eq!(
        [next(&mut again).await, next(&mut again).await],
        [second, first]
    );
    assert_eq!(next(&mut again).await, ready());
}

const NOTIFIER: &str = "/charm/bin/pebble notify example.com/job-resume";

/// A service that notifies and stays, as Pebble takes one that ends at once for a failure.
fn notifier(name: &str, notify: &str, more: &str) -> String {
    format!(
        "services: {{{name}: {{override: replace, startup: enabled, command: 'sh -c \"{notify}; sleep 1000\"'{more}}}}}"
    )
}

#[tokio::test]
async fn service_notifies_with_the_pods_own_pebble_and_environment() {
    for fixture in [Fixture::new(), Fixture::new().ordinary()] {
        let pod = fixture.pod().await;
        let mut events = pod.watch_pebble();
        assert_eq!(next(&mut events).await, ready());
        let notify = format!("echo $PEBBLE $PEBBLE_SOCKET >/data/seen; {NOTIFIER}");
        replan(&pod, &notifier("job", &notify, ""));
        let event = next(&mut events).await;
        assert!(
            matches!(&event, PebbleEvent::CustomNotice { key, .. } if key == "example.com/job-resume"),
            "{event:?}"
        );
        assert_eq!(
            exec(&pod, &["cat", "/data/seen"]),
            "/charm/container/pebble /charm/container/pebble.socket\n"
        );
    }
}

#[tokio::test]
async fn another_users_notice_is_taken_by_pebble_and_not_told_to_the_agent() {
    let fixture = Fixture::new();
    if fixture.privilege == Privilege::Ordinary {
        // There is no other user.
        return;
    }
    let pod = fixture.pod().await;
    let mut events = pod.watch_pebble();
    assert_eq!(next(&mut events).await, ready());
    replan(
        &pod,
        &notifier("job", NOTIFIER, ", user-id: 991, group-id: 991"),
    );
    eventually("the notice is there", || {
        let notices = succeed(pebble(&pod, &["notices", "--users=all"]));
        notices.lines().any(|line| {
            let words: Vec<_> = line.split_whitespace().collect();
            words.get(1..4) == Some(&["991", "custom", "example.com/job-resume"])
        })
    })
    .await;
    // A notice is told in the order in which it was taken: one that is told now was not preceded by another.
    let own = notify(&pod, "example.com/own");
    assert_eq!(next(&mut events).await, own);
}

#[tokio::test]
async fn pebbles_state_outlives_its_container_and_not_the_pod() {
    let fixture = Fixture::new();
    let mut pod = fixture.pod().await;
    notify(&pod, "example.com/kept");
    pod.kill_container("synapse").await.unwrap();
    eventually("it is back", || answers(&pod)).await;
    let kept = |pod: &Pod| succeed(pebble(pod, &["notices"])).contains("example.com/kept");
    assert!(kept(&pod));
    pod.replace().await.unwrap();
    assert!(!kept(&pod));
}

#[tokio::test]
async fn check_that_fails_and_recovers_is_reported_once_each() {
    let fixture = Fixture::new();
    let pod = fixture.pod().await;
    let mut events = pod.watch_pebble();
    assert_eq!(next(&mut events).await, ready());
    exec(&pod, &["touch", "/data/healthy"]);
    replan(
        &pod,
        "checks: {up: {override: replace, level: ready, period: 100ms, timeout: 90ms, threshold: 2, exec: {command: test -e /data/healthy}}}",
    );
    let (container, check) = (String::from("synapse"), String::from("up"));
    for _ in 0..2 {
        exec(&pod, &["rm", "/data/healthy"]);
        let failed = PebbleEvent::CheckFailed {
            container: container.clone(),
            check: check.clone(),
        };
        assert_eq!(next(&mut events).await, failed);
        exec(&pod, &["touch", "/data/healthy"]);
        let recovered = PebbleEvent::CheckRecovered {
            container: container.clone(),
            check: check.clone(),
        };
        assert_eq!(next(&mut events).await, recovered);
    }
    let last = notify(&pod, "example.com/last");
    assert_eq!(next(&mut events).await, last);
}
