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
