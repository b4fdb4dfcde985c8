//! The how-to for the day without Juju: its own commands turn a backup into a Synapse that its users go on with.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test runs what the page says, and fails by panicking"
)]

#[path = "support/deployment.rs"]
mod deployment;
#[path = "support/homeserver.rs"]
mod homeserver;
#[path = "support/s3_server.rs"]
mod s3_server;

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use deployment::{BUCKET, Deployment, PASSPHRASE, SERVER_NAME, root};
use homeserver::Homeserver;
use serde_json::{Value, json};

const PAGE: &str = "recover-by-hand.md";

/// The commands that a page gives below a heading.
fn commands_of(page: &str, heading: &str) -> String {
    let text = fs::read_to_string(root().join("docs/how-to").join(page)).unwrap();
    let (_, below) = text.split_once(&format!("## {heading}\n")).unwrap();
    let (_, commands) = below.split_once("```sh\n").unwrap();
    commands.split("```").next().unwrap().to_owned()
}

/// Runs a program in `folder` with the tools that the how-to asks for, and returns what it prints.
fn run(command: &mut Command, folder: &Path) -> String {
    let tools = root().join(".tools");
    let path = format!(
        "{}:{}:{}",
        tools.join("synapse/bin").display(),
        tools.join("awscli/bin").display(),
        env::var("PATH").unwrap()
    );
    let output = command
        .current_dir(folder)
        .env("PATH", path)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn how_to_recover_by_hand_gives_back_users_messages_media_and_signing_key() {
    let deployment = Deployment::with_backups("ours");
    let homeserver = Homeserver::fill(&deployment);
    let id = deployment.create_backup();

    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::create_dir(folder.join("gnupg")).unwrap();
    fs::write(folder.join("passphrase"), format!("{PASSPHRASE}\n")).unwrap();
    let server = &deployment.server;
    let unpack = commands_of("open-a-backup.md", "Unpack it");
    let mut bash = Command::new("bash");
    bash.args(["-euc", &unpack])
        .env("AWS_ACCESS_KEY_ID", server.access_key())
        .env("AWS_SECRET_ACCESS_KEY", server.secret_key())
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .env("AWS_ENDPOINT_URL", server.endpoint())
        .env("URL", format!("s3://{BUCKET}"))
        .env("ID", &id)
        .env("PASSPHRASE_FILE", "passphrase")
        .env("GNUPGHOME", folder.join("gnupg"));
    run(&mut bash, folder);
    for heading in [
        "Check the database, and empty the one-time keys",
        "Tell Synapse where its things are",
    ] {
        let said = run(
            Command::new("bash").args(["-euc", &commands_of(PAGE, heading)]),
            folder,
        );
        assert!(said.is_empty() || said.trim() == "ok", "{said}");
    }

    let (paths, expected) = questions(&homeserver);
    fs::write(folder.join("start"), commands_of(PAGE, "Start it")).unwrap();
    fs::write(folder.join("questions"), Value::from(paths).to_string()).unwrap();
    let ask = root().join("tests/support/ask_recovered.py");
    // In a network of its own, where the port is free and nobody can be federated with.
    let mut sandbox = Command::new("bwrap");
    sandbox
        .args(["--dev-bind", "/", "/", "--unshare-net", "python3"])
        .arg(ask)
        .args(["start", "questions"]);
    let answers: Vec<String> = serde_json::from_str(&run(&mut sandbox, folder)).unwrap();
    assert_eq!(answers.len(), expected.len());
    for (answer, holds) in answers.iter().zip(expected) {
        let answer = STANDARD.decode(answer).unwrap();
        assert!(holds(&answer), "{}", String::from_utf8_lossy(&answer));
    }
}

type Expected<'a> = Box<dyn Fn(&[u8]) -> bool + 'a>;

/// What is asked of the recovered server, each with the access token from before, and what it must answer.
fn questions(homeserver: &Homeserver) -> (Vec<Value>, Vec<Expected<'_>>) {
    fn parse(answer: &[u8]) -> Value {
        serde_json::from_slice(answer).unwrap()
    }
    let mut asked: Vec<(Value, Expected<'_>)> = Vec::new();
    for user in &homeserver.users {
        asked.push((
            json!(["/_matrix/client/v3/account/whoami", user.token]),
            Box::new(|answer| parse(answer)["user_id"] == user.id.as_str()),
        ));
    }
    let token = &homeserver.users[0].token;
    for (id, content) in &homeserver.media {
        let path = format!("/_matrix/client/v1/media/download/{SERVER_NAME}/{id}");
        asked.push((
            json!([path, token]),
            Box::new(move |answer| answer == content),
        ));
    }
    for (event, text) in &homeserver.messages {
        let room = &homeserver.room;
        let path = format!("/_matrix/client/v3/rooms/{room}/event/{event}");
        asked.push((
            json!([path, token]),
            Box::new(move |answer| parse(answer)["content"]["body"] == text.as_str()),
        ));
    }
    asked.push((
        json!(["/_matrix/key/v2/server", null]),
        Box::new(|answer| parse(answer)["verify_keys"] == homeserver.signing_keys),
    ));
    asked.into_iter().unzip()
}
