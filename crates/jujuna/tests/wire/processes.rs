//! What the program is started with, and what happens if it fails, hangs or is missing.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, Instant};

use jujuna::{ErrorKind, HookCommand, HookTools, Level, Port, Revision};

use crate::folder::Wire;
use crate::{relation, uri};

#[test]
fn hook_command_inherits_the_dispatchs_environment() {
    let wire = Wire::new();
    wire.juju().juju_log(Level::Info, "x").unwrap();
    let environment = wire.note("environment");
    assert!(
        environment
            .lines()
            .any(|line| line == "JUJU_CONTEXT_ID=hello/0-start-17")
    );
    assert!(
        environment
            .lines()
            .any(|line| line.starts_with("CARGO_MANIFEST_DIR="))
    );
}

#[test]
fn refusal_names_what_was_wanted_and_keeps_jujus_words() {
    let wire = Wire::new().refusing(
        2,
        "ERROR invalid value \"db:3\" for option -r: relation not found\n",
    );
    let error = wire.juju().relation_list(&relation()).unwrap_err();
    assert_eq!(error.to_string(), "cannot list the units of relation db:3");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let source = std::error::Error::source(&error).unwrap();
    assert_eq!(
        source.to_string(),
        "relation-list: invalid value \"db:3\" for option -r: relation not found"
    );
}

#[test]
fn answer_that_is_not_json_is_an_error_that_does_not_quote_it() {
    for stdout in [
        "",
        "hunter2",
        "{\"password\": \"hunter2\"",
        "{\"password\": [\"hunter2\"]}",
    ] {
        let wire = Wire::new().answering(stdout);
        let error = wire.juju().secret_get(&uri(), Revision::Peek).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol, "{stdout}");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}

#[test]
fn hook_command_that_hangs_is_killed_at_its_deadline() {
    let wire = Wire::new();
    std::fs::write(wire.notes().join("hang"), "").unwrap();
    // Long enough for the script to note its process id.
    let command = HookCommand::new("config-get").deadline(Duration::from_secs(3));
    let error = wire.tools().call(&command).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
    let process = wire.note("pid");
    assert!(!Path::new("/proc").join(process.trim()).exists());
}

#[test]
fn opened_ports_are_asked_while_the_charm_works() {
    let wire = Wire::new().answering("[]");
    let mut juju = wire.juju();
    juju.ports_ensure([]);
    wait_for(|| wire.notes().join("names").exists());
    juju.flush().unwrap();
    assert_eq!(wire.note("names"), "opened-ports\n");
    assert!(juju.opened_ports().unwrap().is_empty());
}

#[test]
fn opened_ports_asked_before_a_port_was_opened_are_not_believed_after() {
    let wire = Wire::new().answering("[]");
    let mut juju = wire.juju();
    juju.ports_ensure([]);
    wait_for(|| wire.notes().join("names").exists());
    // This flush does not wait for what was asked, and makes it out of date.
    juju.discard();
    juju.open_port(Port::tcp(80));
    juju.flush().unwrap();
    std::fs::write(wire.notes().join("stdout"), "[\"80/tcp (*)\"]").unwrap();
    assert_eq!(juju.opened_ports().unwrap(), [Port::tcp(80).into()]);
}

#[test]
fn hook_command_begun_for_nothing_is_ended() {
    let wire = Wire::new();
    std::fs::write(wire.notes().join("hang"), "").unwrap();
    let begun = wire.tools().begin(&HookCommand::new("opened-ports"));
    wait_for(|| wire.notes().join("pid").exists() && wire.note("pid").ends_with('\n'));
    drop(begun.unwrap());
    let process = wire.note("pid");
    assert!(!Path::new("/proc").join(process.trim()).exists());
}

#[test]
fn hook_command_begun_says_what_it_would_have_said_if_called() {
    let large = "x".repeat(1 << 20);
    let wire = Wire::new()
        .answering(&large)
        .refusing(2, "ERROR connection is shut down\n");
    let begun = wire.tools().begin(&HookCommand::new("opened-ports"));
    let output = begun.unwrap().finish().unwrap();
    assert_eq!(output.exit_code, Some(2));
    assert_eq!(output.stdout, large.as_bytes());
    assert_eq!(output.stderr, b"ERROR connection is shut down\n");
    std::fs::remove_file(wire.folder.path().join("opened-ports")).unwrap();
    assert!(
        wire.tools()
            .begin(&HookCommand::new("opened-ports"))
            .is_none()
    );
}

#[expect(clippy::disallowed_methods, reason = "looks again, up to a deadline")]
fn wait_for(holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "nothing was started");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn large_answer_before_stdin_is_read_stops_nothing() {
    let large = "x".repeat(1 << 20);
    let wire = Wire::new().answering(&large);
    let command = HookCommand::new("state-set").stdin(large.clone().into_bytes());
    let output = wire.tools().call(&command).unwrap();
    assert_eq!(output.stdout, large.as_bytes());
    assert_eq!(wire.note("stdin"), large);
}

#[test]
fn stdin_that_nobody_reads_is_no_error() {
    let wire = Wire::new().refusing(2, "ERROR no\n");
    std::fs::remove_file(wire.folder.path().join("state-set")).unwrap();
    symlink("/bin/false", wire.folder.path().join("state-set")).unwrap();
    let command = HookCommand::new("state-set").stdin(vec![b'x'; 1 << 20]);
    assert_eq!(wire.tools().call(&command).unwrap().exit_code, Some(1));
}

#[test]
fn hook_command_that_this_juju_lacks_is_unsupported() {
    let wire = Wire::new();
    std::fs::remove_file(wire.folder.path().join("goal-state")).unwrap();
    let error = wire.juju().goal_state().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("goal-state"), "{source}");
}

#[test]
fn argument_too_large_for_the_system_is_refused_before_it_is_tried() {
    let wire = Wire::new();
    let error = wire
        .juju()
        .relation_ids(&"x".repeat(128 * 1024))
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(!wire.notes().join("names").exists());
}

#[test]
fn long_texts_are_cut_and_still_taken() {
    let wire = Wire::new();
    wire.juju()
        .juju_log(Level::Info, &"é".repeat(100_000))
        .unwrap();
    let text = wire.argv().pop().unwrap();
    assert!(text.ends_with("é [...]") && text.len() < 128 * 1024);
}
