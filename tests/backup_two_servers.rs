//! One path, two servers: what is another's is never taken for one's own, judged, or lost sight of.

#[path = "support/deployment.rs"]
mod deployment;
#[path = "support/s3_server.rs"]
mod s3_server;

use deployment::{BUCKET, Deployment, UNIT, must, names_in, shipped};
use s3_server::S3Server;
use serde_json::json;

const OTHER: &str = "other/0";
const PLACE: &str = "path matrix in bucket backups at http://127.0.0.1:8333";

fn settings(deployment: &Deployment, server_name: &str) -> Vec<(&'static str, String)> {
    let mut settings = deployment.settings();
    settings.push(("s3_path", "matrix".to_owned()));
    settings.push(("server_name", server_name.to_owned()));
    settings
}

fn deploy(deployment: &Deployment, application: &str, server_name: &str) {
    let settings = settings(deployment, server_name);
    deployment.deploy_with(&settings, |deploy| {
        deploy
            .application(application)
            .resource("synapse-image", shipped("ours"))
    });
}

/// Runs an action that must succeed and returns which backup it was about.
fn done(deployment: &Deployment, unit: &str, action: &str, backup: &str) -> String {
    let outcome = deployment.run(unit, action, json!({"backup-id": backup}));
    assert_eq!(outcome.status, "completed", "{unit} {action}: {outcome:?}");
    outcome.result("backup-id").unwrap_or_default().to_owned()
}

#[track_caller]
fn refused(deployment: &Deployment, action: &str, backup: &str, words: &[&str]) {
    let said = deployment.refused(OTHER, action, json!({"backup-id": backup}));
    for word in words {
        assert!(said.contains(word), "{word}: {said}");
    }
}

fn create(deployment: &Deployment, unit: &str, take_over: bool) -> String {
    let outcome = deployment.run(unit, "create-backup", json!({"take-over": take_over}));
    assert_eq!(outcome.status, "completed", "{outcome:?}");
    outcome.result("backup-id").unwrap_or_default().to_owned()
}

/// The keys of all objects of a backup, and what list-backups says of its verification.
fn record(deployment: &Deployment, id: &str) -> (Vec<String>, String) {
    let objects = deployment.server.objects(BUCKET, &format!("matrix/{id}/"));
    let listed = deployment.done("list-backups", json!({}));
    let verified = listed.results["backups"][id]["verified"].as_str();
    (
        objects.into_iter().map(|object| object.key).collect(),
        verified.unwrap_or_default().to_owned(),
    )
}

#[test]
fn path_of_two_servers_gives_each_its_own_backups_and_none_is_forgotten() {
    let deployment = Deployment::empty(S3Server::start());
    deploy(&deployment, "synapse", "a.example");
    deployment.wait(UNIT, "active", "no backup yet");
    let listed = deployment.done("list-backups", json!({}));
    let nothing = format!("there is no backup in {PLACE}");
    assert_eq!(listed.result("formatted"), Some(nothing.as_str()));
    let first = create(&deployment, UNIT, false);
    done(&deployment, UNIT, "verify-backup", &first);

    deploy(&deployment, "other", "b.example");
    deployment.wait(OTHER, "active", "no backup yet");
    assert_owner_is_named(&deployment, OTHER, "application synapse (server a.example)");
    nothing_there_is_the_others(&deployment, &first);

    let second = create(&deployment, OTHER, true);
    deployment.wait(OTHER, "active", "last backup just now, ");
    let said = deployment.shown(OTHER).message;
    assert!(!said.contains("belongs to"), "{said}");
    for (unit, own) in [(UNIT, &first), (OTHER, &second)] {
        assert_eq!(&done(&deployment, unit, "show-backup", "latest"), own);
        assert_eq!(&done(&deployment, unit, "verify-backup", "latest"), own);
    }
    status_tells_of_own_backups_alone(&deployment, &first);
    let again = create(&deployment, UNIT, false);

    // The other one claims the path again; then this one's model is lost.
    create(&deployment, OTHER, true);
    deploy(&deployment, "again", "a.example");
    let lost = "the data volume is empty but a.example existed";
    deployment.wait("again/0", "blocked", lost);
    let volume = must(deployment.juju.storage_folder("again/0", "data"));
    assert_eq!(names_in(&volume), [""; 0]);
    assert_eq!(done(&deployment, "again/0", "show-backup", "latest"), again);
    deploy(&deployment, "new", "c.example");
    deployment.wait("new/0", "active", "no backup yet");
}

/// The other server can look at the only backup, and neither restore nor judge it.
fn nothing_there_is_the_others(deployment: &Deployment, first: &str) {
    let good = record(deployment, first);
    assert!(good.1.starts_with("ok 20"), "{good:?}");
    let none = format!(
        "there is no finished backup of b.example in {PLACE}, those there are of another server: a.example"
    );
    for action in ["show-backup", "verify-backup", "restore-backup"] {
        refused(deployment, action, "latest", &[&none]);
    }
    let not_here = format!(
        "backup {first} is of the server a.example; this is b.example: verify it where it was made"
    );
    refused(deployment, "verify-backup", first, &[&not_here]);
    assert_eq!(record(deployment, first), good);
    let words = [
        "a.example",
        "backup-id=latest is the newest backup of b.example",
    ];
    refused(deployment, "restore-backup", first, &words);
    assert_eq!(done(deployment, OTHER, "show-backup", first), first);

    // A damaged one neither.
    let media = format!("matrix/{first}/media.tar.gpg");
    let content = deployment.server.object(BUCKET, &media).unwrap_or_default();
    deployment.server.put_object(BUCKET, &media, &content[1..]);
    refused(deployment, "verify-backup", first, &[&not_here]);
    deployment.server.put_object(BUCKET, &media, &content);
    assert_eq!(record(deployment, first), good);
}

/// The newest backup of all is the other's, and so is the path.
fn status_tells_of_own_backups_alone(deployment: &Deployment, first: &str) {
    must(deployment.juju.config("synapse", [("s3_region", "eu")]));
    deployment.wait(UNIT, "active", "belongs to");
    assert_owner_is_named(deployment, UNIT, "application other (server b.example)");
    let gone = json!({"backup-id": first, "take-over": true});
    deployment.done("delete-backup", gone);
    deployment.wait(UNIT, "active", "no backup yet");
}

#[track_caller]
fn assert_owner_is_named(deployment: &Deployment, unit: &str, owner: &str) {
    let said = deployment.shown(unit).message;
    for words in [
        format!("{PLACE} belongs to {owner}"),
        "create-backup take-over=true".to_owned(),
    ] {
        assert!(said.contains(&words), "{words}: {said}");
    }
}
