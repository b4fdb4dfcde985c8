use crate::fixture::{DEADLINE, Fixture, charm};

/// `tiny` reads from `server`, another application of the same charm, through relation `tiny:db server:backend`.
fn related() -> Fixture {
    let fixture = Fixture::deployed();
    let juju = &fixture.juju;
    juju.deploy(&charm().application("server")).unwrap();
    juju.wait_for_unit("server/0", "active", DEADLINE).unwrap();
    juju.integrate("tiny:db", "server:backend").unwrap();
    fixture.wait_for_message("db served first");
    juju.wait_until_idle(DEADLINE).unwrap();
    fixture
}

/// A command beside a charm that must end well; what it printed.
fn exec(fixture: &Fixture, unit: &str, command: &str) -> String {
    let (code, stdout, stderr) = fixture.juju.exec(unit, &["bash", "-c", command]).unwrap();
    assert_eq!(code, 0, "{command}: {stderr}");
    stdout.trim_end().to_owned()
}

fn refusal(fixture: &Fixture, unit: &str, command: &str) -> (i32, String) {
    let (code, _, stderr) = fixture.juju.exec(unit, &["bash", "-c", command]).unwrap();
    (code, stderr.trim_end().to_owned())
}

fn uri(fixture: &Fixture) -> String {
    let id = exec(fixture, "server/0", "secret-ids");
    format!("secret:{id}")
}

#[test]
fn new_revision_is_told_to_the_reader_and_the_old_one_is_removed_by_the_owner() {
    let fixture = related();
    let uri = uri(&fixture);
    exec(
        &fixture,
        "server/0",
        &format!("secret-set {uri} password=second"),
    );
    fixture.wait_for_message("told of: password: second");
    fixture
        .juju
        .wait_for(DEADLINE, |_| {
            let log = fixture.juju.debug_log().unwrap();
            log.iter()
                .any(|line| line.starts_with("server/0") && line.contains("ran \"secret-remove\""))
        })
        .unwrap();
    let read = exec(&fixture, "tiny/0", &format!("secret-get {uri} password"));
    assert_eq!(read, "second");
    let first = exec(
        &fixture,
        "server/0",
        &format!("secret-info-get {uri} | grep revision"),
    );
    assert_eq!(first.trim(), "revision: 2");
}

#[test]
fn owners_that_have_read_a_secret_are_told_of_its_change_too() {
    let fixture = Fixture::deployed();
    fixture.juju.add_unit("tiny", 1).unwrap();
    fixture
        .juju
        .wait_for_unit("tiny/1", "active", DEADLINE)
        .unwrap();
    fixture.juju.wait_until_idle(DEADLINE).unwrap();
    let uri = exec(&fixture, "tiny/0", "secret-add --label own password=first");
    exec(&fixture, "tiny/0", "secret-get --label own");
    exec(&fixture, "tiny/1", &format!("secret-get {uri}"));
    exec(
        &fixture,
        "tiny/0",
        &format!("secret-set {uri} password=second"),
    );
    let told = |unit: &str| {
        let log = fixture.juju.debug_log().unwrap();
        log.iter()
            .any(|line| line.starts_with(unit) && line.contains("ran \"secret-changed\""))
    };
    fixture
        .juju
        .wait_for(DEADLINE, |_| told("tiny/0") && told("tiny/1"))
        .unwrap();
}

#[test]
fn several_writes_in_one_run_make_one_revision() {
    let fixture = related();
    let uri = uri(&fixture);
    let twice = format!("secret-set {uri} password=a; secret-set {uri} password=b");
    exec(&fixture, "server/0", &twice);
    let info = exec(&fixture, "server/0", &format!("secret-info-get {uri}"));
    assert!(info.contains("revision: 2"), "{info}");
    assert!(info.contains("target: application-tiny"), "{info}");
    assert!(
        info.contains("scope: relation-tiny.db#server.backend"),
        "{info}"
    );
}

#[test]
fn secret_can_be_read_only_while_it_is_granted() {
    let fixture = related();
    let uri = uri(&fixture);
    let read = format!("secret-get {uri} password");
    assert_eq!(exec(&fixture, "tiny/0", &read), "first");
    exec(
        &fixture,
        "server/0",
        &format!("secret-revoke {uri} --app tiny"),
    );
    let denied = (1, "ERROR permission denied".to_owned());
    assert_eq!(refusal(&fixture, "tiny/0", &read), denied);
    exec(
        &fixture,
        "server/0",
        &format!("secret-grant {uri} -r backend:$(relation-ids backend | cut -d: -f2)"),
    );
    assert_eq!(exec(&fixture, "tiny/0", &read), "first");
    fixture.juju.remove_relation("tiny:db", "server").unwrap();
    fixture.juju.wait_until_idle(DEADLINE).unwrap();
    assert_eq!(refusal(&fixture, "tiny/0", &read), denied);
}

#[test]
fn application_secret_is_its_leaders_to_manage() {
    let fixture = related();
    let uri = uri(&fixture);
    fixture.juju.add_unit("server", 1).unwrap();
    fixture
        .juju
        .wait_for_unit("server/1", "active", DEADLINE)
        .unwrap();
    let read = format!("secret-get {uri} password");
    assert_eq!(exec(&fixture, "server/1", &read), "first");
    assert_eq!(exec(&fixture, "server/1", "secret-ids"), "");
    let add = refusal(&fixture, "server/1", "secret-add password=x");
    assert_eq!(add, (1, "ERROR this unit is not the leader".to_owned()));
    let set = fixture
        .juju
        .exec("server/1", &["secret-set", &uri, "password=x"])
        .unwrap_err();
    assert!(
        set.to_string()
            .contains("updating secrets: permission denied")
    );
}

#[test]
fn secret_given_by_file_is_read_from_the_callers_descriptor() {
    let fixture = Fixture::deployed();
    let command = "exec 3<<<'password: \"from a descriptor\"'; secret-add --owner unit --label own --file /proc/$$/fd/3";
    exec(&fixture, "tiny/0", command);
    let content = exec(&fixture, "tiny/0", "secret-get --label own");
    assert_eq!(content, "password: from a descriptor");
    let (code, refused) = refusal(
        &fixture,
        "tiny/0",
        "secret-add --owner unit --file relative.yaml",
    );
    assert_eq!(
        (code, refused.as_str()),
        (1, "ERROR open relative.yaml: no such file or directory")
    );
}

/// The hooks of `tiny/0` from the `seen`th on that are about secrets, each with what it was told.
fn secret_hooks(fixture: &Fixture) -> Vec<String> {
    let log = fixture.juju.debug_log().unwrap();
    let told = log
        .iter()
        .filter_map(|line| line.split_once("about a secret: "));
    told.map(|(_, told)| told.to_owned()).collect()
}

#[test]
fn secret_that_is_due_is_rotated_and_again_after_a_revision_was_made() {
    let fixture = Fixture::deployed();
    let id = exec(
        &fixture,
        "tiny/0",
        "secret-add --owner unit --label own --rotate hourly password=first",
    );
    let id = id.rsplit('/').next().unwrap();
    fixture.juju.rotate_secret("own").unwrap();
    fixture.wait_for_message("rotated own");
    let told = format!("secret-rotate secret:{id} own -");
    assert_eq!(secret_hooks(&fixture).join("; "), told);
    let info = exec(&fixture, "tiny/0", "secret-info-get --label own");
    assert!(
        info.contains("revision: 2") && info.contains("rotation: hourly"),
        "{info}"
    );
    fixture.juju.wait_until_idle(DEADLINE).unwrap();
    fixture.juju.rotate_secret(&format!("secret:{id}")).unwrap();
    fixture
        .juju
        .wait_for(DEADLINE, |_| {
            secret_hooks(&fixture)
                .iter()
                .filter(|hook| **hook == told)
                .count()
                == 2
        })
        .unwrap();
    exec(
        &fixture,
        "tiny/0",
        "secret-set --label own --rotate never $(secret-ids)",
    );
    let refused = fixture.juju.rotate_secret("own").unwrap_err();
    assert_eq!(refused.to_string(), "secret \"own\" is never rotated");
}

#[test]
fn revision_that_expires_is_told_by_bare_id_and_number() {
    let fixture = Fixture::deployed();
    // Juju looks at whole minutes, so that this one is over at once.
    let id = exec(
        &fixture,
        "tiny/0",
        "secret-add --owner unit --label own --expire 1ms password=first",
    );
    let id = id.rsplit('/').next().unwrap();
    fixture.wait_for_message("expired own");
    assert_eq!(
        secret_hooks(&fixture)[0],
        format!("secret-expired {id} own 1")
    );
    let info = exec(&fixture, "tiny/0", "secret-info-get --label own");
    assert!(
        info.contains("revision: 2") && !info.contains("expiry"),
        "{info}"
    );
    fixture.juju.wait_until_idle(DEADLINE).unwrap();
    fixture.juju.expire_secret("own").unwrap();
    fixture
        .juju
        .wait_for(DEADLINE, |_| {
            secret_hooks(&fixture).contains(&format!("secret-expired {id} own 2"))
        })
        .unwrap();
}
