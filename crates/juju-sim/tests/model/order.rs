use crate::fixture::{DEADLINE, Fixture, charm};
use juju_sim::Deploy;

const REMOTE: &str = "
name: postgres
endpoint: database
interface: database
units: {2: {k: two}, 10: {k: ten}}
";

/// The hooks of a unit, oldest first.
fn hooks(fixture: &Fixture, unit: &str) -> Vec<String> {
    let begin = format!("{unit}: ");
    let log = fixture.juju.debug_log().unwrap();
    let ran = log.iter().filter(|line| line.starts_with(&begin));
    ran.filter_map(|line| {
        Some(
            line.split_once(" ran \"")?
                .1
                .split_once("\" hook")?
                .0
                .to_owned(),
        )
    })
    .collect()
}

/// Those from the `seen`th on, once nothing is left to do.
fn hooks_after(fixture: &Fixture, unit: &str, seen: usize) -> Vec<String> {
    fixture.juju.wait_until_idle(DEADLINE).unwrap();
    hooks(fixture, unit).split_off(seen)
}

/// What a unit logged of its relation hooks.
fn told(fixture: &Fixture, unit: &str) -> Vec<String> {
    let begin = format!("{unit}: ");
    let log = fixture.juju.debug_log().unwrap();
    let told = log.iter().filter(|line| line.starts_with(&begin));
    told.filter_map(|line| Some(line.split_once("was told: ")?.1.to_owned()))
        .collect()
}

#[test]
fn remote_units_join_by_the_letters_of_their_names_each_changed_at_once() {
    let fixture = Fixture::deployed();
    fixture.juju.deploy_remote(REMOTE, None).unwrap();
    fixture.juju.integrate("tiny:db", "postgres").unwrap();
    fixture.juju.wait_until_idle(DEADLINE).unwrap();
    let expected = [
        "joined postgres/10",
        "changed postgres/10",
        "joined postgres/2",
        "changed postgres/2",
    ];
    assert_eq!(told(&fixture, "tiny/0"), expected);
    let list = "relation-list -r $(relation-ids db)";
    let (_, listed, _) = fixture.juju.exec("tiny/0", &["bash", "-c", list]).unwrap();
    assert_eq!(listed, "postgres/10\npostgres/2\n");
    // A unit that comes is told before the change of one that was there.
    fixture
        .juju
        .set_databag("postgres", Some(2), [("k", "more")])
        .unwrap();
    fixture.juju.wait_until_idle(DEADLINE).unwrap();
    assert_eq!(told(&fixture, "tiny/0")[4..], ["changed postgres/2"]);
    let seen = hooks(&fixture, "tiny/0").len();
    fixture.juju.remove_relation("tiny:db", "postgres").unwrap();
    assert_eq!(
        hooks_after(&fixture, "tiny/0", seen),
        [
            "db-relation-departed",
            "db-relation-departed",
            "db-relation-broken"
        ]
    );
    assert_eq!(
        told(&fixture, "tiny/0")[5..],
        ["departed postgres/10", "departed postgres/2"]
    );
}

#[test]
fn data_of_another_unit_are_read_anew_only_after_it_was_told_that_they_changed() {
    let fixture = Fixture::deployed();
    fixture.juju.deploy_remote(REMOTE, None).unwrap();
    fixture.juju.integrate("tiny:db", "postgres").unwrap();
    fixture.juju.wait_until_idle(DEADLINE).unwrap();
    let read = "relation-get -r $(relation-ids db) k postgres/2";
    let gate = fixture.path("gate");
    // A hook that holds until the gate is there and reads before and after.
    let options = [("hold-config", gate.to_str().unwrap()), ("greeting", read)];
    fixture.juju.config("tiny", options).unwrap();
    let begun = gate.with_extension("begun");
    fixture.juju.wait_for(DEADLINE, |_| begun.exists()).unwrap();
    fixture
        .juju
        .set_databag("postgres", Some(2), [("k", "new")])
        .unwrap();
    std::fs::write(&gate, "").unwrap();
    fixture.wait_for_message("read two then two");
    fixture.juju.wait_until_idle(DEADLINE).unwrap();
    let (_, now, _) = fixture.juju.exec("tiny/0", &["bash", "-c", read]).unwrap();
    assert_eq!(now, "new\n");
}

#[test]
fn refresh_replaces_the_units_one_after_the_other_the_highest_first() {
    let fixture = Fixture::deployed();
    fixture.juju.add_unit("tiny", 2).unwrap();
    fixture.juju.wait_until_idle(DEADLINE).unwrap();
    fixture
        .juju
        .wait_for_unit("tiny/2", "active", DEADLINE)
        .unwrap();
    fixture.juju.wait_until_idle(DEADLINE).unwrap();
    let seen: Vec<_> = (0..3)
        .map(|number| hooks(&fixture, &format!("tiny/{number}")).len())
        .collect();
    fixture.juju.refresh("tiny", None).unwrap();
    fixture
        .juju
        .wait_for(DEADLINE, |_| {
            hooks(&fixture, "tiny/0")[seen[0]..].contains(&"start".to_owned())
        })
        .unwrap();
    let upgrade = ["stop", "upgrade-charm", "config-changed", "start"];
    assert_eq!(hooks_after(&fixture, "tiny/0", seen[0])[..4], upgrade);
    for unit in [1, 2] {
        let after = hooks_after(&fixture, &format!("tiny/{unit}"), seen[unit]);
        assert_eq!(after[..4], upgrade);
        // The agent is new and does not know which of the leader's settings were told.
        assert_eq!(after[4], "leader-settings-changed");
    }
    let log = fixture.juju.debug_log().unwrap();
    let stops = log.iter().filter(|line| line.contains("ran \"stop\""));
    let order: Vec<_> = stops.map(|line| line.split(':').next().unwrap()).collect();
    assert_eq!(order, ["tiny/2", "tiny/1", "tiny/0"]);
}

#[test]
fn refresh_of_a_unit_in_error_stops_it_and_forgets_the_hook_that_failed() {
    let fixture = Fixture::deployed();
    fixture
        .juju
        .config("tiny", [("fail-hook", "update-status")])
        .unwrap();
    fixture.juju.wait_until_idle(DEADLINE).unwrap();
    fixture.juju.fire("tiny/0", "update-status").unwrap();
    fixture.wait_for_message("hook failed: \"update-status\"");
    let seen = hooks(&fixture, "tiny/0").len();
    fixture.juju.refresh("tiny", None).unwrap();
    fixture
        .juju
        .wait_for_unit("tiny/0", "active", DEADLINE)
        .unwrap();
    let after = hooks_after(&fixture, "tiny/0", seen);
    assert_eq!(after, ["stop", "upgrade-charm", "config-changed", "start"]);
}

#[test]
fn former_leader_is_told_of_settings_that_it_has_not_been_told() {
    let fixture = Fixture::deployed();
    fixture.juju.add_unit("tiny", 1).unwrap();
    fixture
        .juju
        .wait_for_unit("tiny/1", "active", DEADLINE)
        .unwrap();
    let mut seen = [0, 1].map(|number| {
        fixture.juju.wait_until_idle(DEADLINE).unwrap();
        hooks(&fixture, &format!("tiny/{number}")).len()
    });
    let mut after_leader = |unit: &str| {
        fixture.juju.set_leader(unit).unwrap();
        let ran = [0, 1]
            .map(|number| hooks_after(&fixture, &format!("tiny/{number}"), seen[number]).join(" "));
        seen = [0, 1].map(|number| hooks(&fixture, &format!("tiny/{number}")).len());
        ran
    };
    assert_eq!(
        after_leader("tiny/1"),
        ["leader-settings-changed", "leader-elected"]
    );
    // tiny/1 was told of the settings when it came.
    assert_eq!(after_leader("tiny/0"), ["leader-elected", ""]);
    fixture.juju.exec("tiny/0", &["leader-set", "a=b"]).unwrap();
    // Who leads is not told; the other at once, and the leader as soon as it does not lead any more.
    assert_eq!(
        after_leader("tiny/1"),
        [
            "leader-settings-changed",
            "leader-settings-changed leader-elected"
        ]
    );
}

#[test]
fn two_applications_live_from_install_to_remove_in_legal_order() {
    let fixture = Fixture::deployed();
    let juju = &fixture.juju;
    juju.deploy(&Deploy {
        units: Some(2),
        ..charm().application("server")
    })
    .unwrap();
    juju.wait_for_unit("server/1", "active", DEADLINE).unwrap();
    juju.integrate("tiny:db", "server:backend").unwrap();
    juju.wait_until_idle(DEADLINE).unwrap();
    juju.remove_unit("server/1").unwrap();
    juju.wait_for(DEADLINE, |status| status.unit("server/1").is_none())
        .unwrap();
    juju.wait_until_idle(DEADLINE).unwrap();
    juju.remove_application("server").unwrap();
    juju.wait_for(DEADLINE, |status| {
        !status.applications.contains_key("server")
    })
    .unwrap();
    juju.wait_until_idle(DEADLINE).unwrap();
    juju.remove_unit("tiny/0").unwrap();
    juju.wait_for(DEADLINE, |status| status.unit("tiny/0").is_none())
        .unwrap();
    for unit in ["tiny/0", "server/0", "server/1"] {
        let ran = hooks(&fixture, unit);
        assert_eq!(ran[0], "install", "{unit}");
        assert_eq!(ran[ran.len() - 2..], ["stop", "remove"], "{unit}: {ran:?}");
        let first = |hook: &str| ran.iter().position(|other| other == hook);
        let last = |hook: &str| ran.iter().rposition(|other| other == hook);
        assert!(first("config-changed") < first("start"), "{unit}: {ran:?}");
        let endpoint = if unit.starts_with("tiny") {
            "db"
        } else {
            "backend"
        };
        let at = |word: &str| first(&format!("{endpoint}-relation-{word}")).unwrap();
        assert!(
            at("created") < at("joined") && first("start") < Some(at("joined")),
            "{unit}: {ran:?}"
        );
        assert_eq!(
            ran[at("joined") + 1],
            format!("{endpoint}-relation-changed"),
            "{unit}: {ran:?}"
        );
        let broken = last(&format!("{endpoint}-relation-broken")).unwrap();
        let departed = last(&format!("{endpoint}-relation-departed")).unwrap();
        assert!(
            departed < broken && Some(broken) < last("stop"),
            "{unit}: {ran:?}"
        );
    }
    // The unit that stays is told who goes; the one that goes, that it is itself.
    assert!(told(&fixture, "tiny/0").contains(&"departed server/1 by server/1".to_owned()));
    assert!(told(&fixture, "server/1").contains(&"departed tiny/0 by server/1".to_owned()));
}
