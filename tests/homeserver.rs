//! The homeserver with data that other tests restore: it tells what it was told, also after restarts, and notices what is
//! missing.

#[path = "support/deployment.rs"]
mod deployment;
#[path = "support/homeserver.rs"]
mod homeserver;
#[path = "support/s3_server.rs"]
mod s3_server;

use std::fs;

use deployment::{Model, SERVER_NAME, UNIT, wait_until};
use homeserver::{Fingerprint, Homeserver};

#[test]
fn homeserver_with_data_is_the_same_after_restarts_and_not_after_a_change() {
    let model = Model::with_charm(&[("server_name", SERVER_NAME)]);
    model.wait_active(UNIT);
    let mut homeserver = Homeserver::fill(&model);
    homeserver.assert_told_by(&model);
    let fingerprint = Fingerprint::of(&model);
    let first = homeserver.clone();

    for _ in 0..2 {
        let hooks = model.runs_of("synapse-pebble-ready");
        model.juju.kill_container(UNIT, "synapse").unwrap();
        wait_until(
            || model.runs_of("synapse-pebble-ready") > hooks,
            || "Pebble is not back".to_owned(),
        );
        model.wait_active(UNIT);
        homeserver.assert_told_by(&model);
        Fingerprint::of(&model).assert_is(&fingerprint, "after a restart");
    }

    homeserver.add_messages(&model, 1);
    let media = homeserver.add_media(&model, 10);
    assert_eq!(first.differences(&model).len(), 1);
    homeserver.assert_told_by(&model);
    let (one, two, rest) = (&media[..2], &media[2..4], &media[4..]);
    let stored = format!("media_store/local_content/{one}/{two}/{rest}");
    let changed = Fingerprint::of(&model).differences(&fingerprint);
    for part in ["table events", "table local_media_repository", &stored] {
        assert!(
            changed.iter().any(|line| line.contains(part)),
            "{part}: {changed:?}"
        );
    }
    fs::remove_file(model.data().join(stored)).unwrap();
    assert_eq!(homeserver.differences(&model).len(), 1);
}
