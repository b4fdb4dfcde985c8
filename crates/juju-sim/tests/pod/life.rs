use crate::fixture::Fixture;

#[tokio::test]
async fn started_pod_charm_sees_its_own_root_and_every_pebble() {
    let fixture = Fixture::new();
    let pod = fixture.pod().await;
    let script = "id -u; hostname; pwd; ls /charm/containers/*; touch made /var/lib/juju/storage/data/0/x";
    let seen = fixture.charm(&pod, &["sh", "-c", script]).await;
    assert_eq!(
        seen.lines().collect::<Vec<_>>(),
        [
            "0",
            "synapse-0",
            "/var/lib/juju/agents/unit-synapse-0/charm",
            "pebble.socket",
        ]
    );
    assert!(fixture.path("charm/made").exists());
    assert!(fixture.path("volume/x").exists());
}

#[tokio::test]
async fn charm_environment_is_exactly_what_was_given() {
    let fixture = Fixture::new();
    let pod = fixture.pod().await;
    let seen = fixture.charm(&pod, &["/usr/bin/env"]).await;
    assert_eq!(seen, "JUJU_UNIT_NAME=synapse/0\nPATH=/usr/bin:/bin\n");
}

#[tokio::test]
async fn stopped_pod_pebble_is_gone_and_volume_is_kept() {
    let fixture = Fixture::new();
    let mut pod = fixture.pod().await;
    fixture.exec(&pod, &["sh", "-c", "echo kept > /data/kept"]);
    pod.stop().await;
    assert!(!fixture.answers(&pod));
    assert_eq!(
        std::fs::read_to_string(fixture.path("volume/kept")).unwrap(),
        "kept\n"
    );
}
