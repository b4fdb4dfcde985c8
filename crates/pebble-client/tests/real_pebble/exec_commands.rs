//! Exec: what is run, as whom and where.

use pebble_client::{Client, ErrorKind, ExitStatus, LayerMode};

use crate::daemon::Daemon;

async fn output_of(client: &Client, script: &str) -> String {
    let output = client.exec(["sh", "-c", script]).output().await.unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn arguments_arrive_as_they_are() {
    let daemon = Daemon::start().await;
    let words = ["", " ", "a b", "$HOME", "'\"\\", "*", "-n", "ü\n"];
    let output = daemon
        .client
        .exec(["printf", "[%s]"].iter().chain(&words).copied())
        .output()
        .await;
    let expected = format!("[{}]", words.join("]["));
    assert_eq!(String::from_utf8(output.unwrap().stdout).unwrap(), expected);
}

#[tokio::test]
async fn environment_arrives_as_it_is() {
    let daemon = Daemon::start().await;
    let value = "two words 'quoted' \"so\" $PATH ü\nline";
    let exec = daemon
        .client
        .exec(["sh", "-c", r#"printf '%s|%s' "$VALUE" "$UNSET""#]);
    let output = exec.environment("VALUE", value).output().await.unwrap();
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        format!("{value}|")
    );
    assert!(!output_of(&daemon.client, "env").await.contains("VALUE="));
}

#[tokio::test]
async fn working_directory_is_used() {
    let daemon = Daemon::start().await;
    let directory = std::fs::canonicalize(daemon.dir.path()).unwrap();
    let exec = daemon
        .client
        .exec(["pwd"])
        .working_dir(directory.to_str().unwrap());
    let output = exec.output().await.unwrap();
    assert_eq!(
        output.stdout,
        format!("{}\n", directory.display()).into_bytes()
    );
}

#[tokio::test]
async fn working_directory_that_is_missing_is_refused() {
    let daemon = Daemon::start().await;
    let error = daemon
        .client
        .exec(["pwd"])
        .working_dir("/nowhere/at/all")
        .spawn()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Daemon);
    assert!(
        error.daemon_message().unwrap().contains("/nowhere/at/all"),
        "{error:?}"
    );
}

#[tokio::test]
async fn service_context_lends_its_environment() {
    let daemon = Daemon::start().await;
    let layer = "services: {lender: {override: replace, command: sleep 1, environment: {A: lent, B: lent}}}";
    daemon
        .client
        .add_layer("test", layer, LayerMode::New)
        .await
        .unwrap();
    let exec = daemon
        .client
        .exec(["sh", "-c", "echo $A $B"])
        .service_context("lender");
    let output = exec.environment("B", "own").output().await.unwrap();
    assert_eq!(output.stdout, b"lent own\n");

    let error = daemon
        .client
        .exec(["true"])
        .service_context("nobody")
        .spawn()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BadRequest);
}

#[tokio::test]
async fn own_user_may_be_named() {
    let daemon = Daemon::start().await;
    let user = output_of(&daemon.client, "id -un").await;
    let exec = daemon.client.exec(["id", "-un"]).user(user.trim());
    assert_eq!(
        String::from_utf8(exec.output().await.unwrap().stdout).unwrap(),
        user
    );
}

#[tokio::test]
async fn user_and_group_ids_are_taken_or_refused_by_the_system() {
    let daemon = Daemon::start().await;
    let is_root = output_of(&daemon.client, "id -u").await == "0\n";
    let exec = daemon
        .client
        .exec(["sh", "-c", "echo $(id -u):$(id -g)"])
        .user_id(991)
        .group_id(992);
    let result = exec.working_dir("/").output().await;
    if is_root {
        let output = result.unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), "991:992\n");
    } else {
        assert_eq!(result.unwrap().status, ExitStatus::FailedToStart);
    }
}

#[tokio::test]
async fn wrong_users_are_refused() {
    let daemon = Daemon::start().await;
    let error = daemon
        .client
        .exec(["true"])
        .group("root")
        .spawn()
        .await
        .unwrap_err();
    assert_eq!(
        error.daemon_message(),
        Some("must specify user, not just group")
    );
    let error = daemon
        .client
        .exec(["true"])
        .user("no-such-user")
        .spawn()
        .await
        .unwrap_err();
    assert!(
        error.daemon_message().unwrap().contains("no-such-user"),
        "{error:?}"
    );
}

#[tokio::test]
async fn program_that_is_missing_is_not_found() {
    let daemon = Daemon::start().await;
    for program in ["no-such-program", "/no/such/program"] {
        let error = daemon.client.exec([program]).output().await.unwrap_err();
        assert!(error.is_not_found(), "{error:?}");
        assert_eq!(error.to_string(), format!("cannot run {program}"));
        assert!(error.daemon_message().unwrap().contains(program));
    }
}

#[tokio::test]
async fn program_that_cannot_be_executed_failed_to_start() {
    let daemon = Daemon::start().await;
    let program = daemon.path("program");
    std::fs::write(&program, "no interpreter").unwrap();
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&program, executable).unwrap();
    let output = daemon.client.exec([&program]).output().await.unwrap();
    assert_eq!(output.status, ExitStatus::FailedToStart);
    let failure = output.failure.unwrap();
    assert!(failure.contains("exec format error"), "{failure}");
    assert!(!output.status.success() && output.status.code().is_none());
}

#[tokio::test]
async fn empty_command_is_refused() {
    let daemon = Daemon::start().await;
    let error = daemon
        .client
        .exec(Vec::<String>::new())
        .output()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BadRequest);
}

#[tokio::test]
async fn secrets_are_in_no_error_and_no_change() {
    let daemon = Daemon::start().await;
    let exec = daemon
        .client
        .exec(["sh", "-c", "exit 3"])
        .environment("KEY", "hunter2-env");
    let mut process = exec
        .stdin(pebble_client::Stdin::Bytes(b"hunter2-in".to_vec()))
        .spawn()
        .await
        .unwrap();
    assert_eq!(process.wait().await.unwrap(), ExitStatus::Exited(3));
    let change = daemon.client.change(process.change_id()).await.unwrap();
    let exec = daemon
        .client
        .exec(["no-such-program"])
        .environment("KEY", "hunter2-env");
    let error = exec.output().await.unwrap_err();
    assert!(!format!("{process:?} {change:?} {error:?} {error}").contains("hunter2"));
}

#[tokio::test]
async fn many_commands_at_once_do_not_mix() {
    let daemon = Daemon::start().await;
    let runs = (0..20).map(|number| {
        let exec = daemon.client.exec(["sh", "-c", "cat; exit $CODE"]);
        let exec = exec.environment("CODE", number.to_string());
        tokio::spawn(
            exec.stdin(pebble_client::Stdin::Bytes(number.to_string().into_bytes()))
                .output(),
        )
    });
    for (number, run) in (0..).zip(runs.collect::<Vec<_>>()) {
        let output = run.await.unwrap().unwrap();
        assert_eq!(output.status, ExitStatus::Exited(number));
        assert_eq!(output.stdout, number.to_string().into_bytes());
    }
}
