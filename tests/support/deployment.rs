//! A deployed charm for one test: an S3 server, a model, and Synapse in it, as an admin has them.
//!
//! Include it by `#[path = "support/deployment.rs"] mod deployment;`, beside `s3_server`.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::allow_attributes,
    clippy::disallowed_methods,
    clippy::panic,
    clippy::unwrap_used,
    reason = "no test uses all of it, it starts programs, and a test fails by panicking"
)]

use std::fs;
use std::net::SocketAddr;
use std::ops::Deref;
use std::path::PathBuf;

use juju_sim::pod::{Forward, ForwardTarget};
use serde_json::json;

use crate::s3_server::{Certificate, S3Server};

pub mod model;

pub use model::*;

pub const BUCKET: &str = "backups";
pub const PASSPHRASE: &str = "geheimes-wort-4711";
/// Where a unit reaches the S3 server.
pub const ENDPOINT: &str = "http://127.0.0.1:8333";
pub const HTTPS_ENDPOINT: &str = "https://127.0.0.1:8334";

/// A model whose units reach an S3 server.
#[derive(Debug)]
pub struct Deployment {
    // First: its units use the server until they end.
    pub model: Model,
    pub server: S3Server,
    folder: tempfile::TempDir,
}

impl Deref for Deployment {
    type Target = Model;

    fn deref(&self) -> &Model {
        &self.model
    }
}

impl Deployment {
    /// A model without applications; the server has the bucket.
    pub fn empty(server: S3Server) -> Self {
        server.create_bucket(BUCKET);
        let mut forwards = vec![Forward {
            listen: 8333,
            to: ForwardTarget::Unix(server.socket()),
        }];
        if !server.https_endpoint().is_empty() {
            forwards.push(Forward {
                listen: 8334,
                to: ForwardTarget::Tcp(server.https_address()),
            });
        }
        Self::of(Model::empty(forwards), server)
    }

    /// The same where the units reach the server by something before it, and where the model has this folder, if any.
    pub fn behind(server: S3Server, gate: SocketAddr, folder: Option<PathBuf>) -> Self {
        server.create_bucket(BUCKET);
        let forward = Forward {
            listen: 8333,
            to: ForwardTarget::Tcp(gate),
        };
        Self::of(Model::empty_in(folder, vec![forward]), server)
    }

    fn of(model: Model, server: S3Server) -> Self {
        Self {
            model,
            server,
            folder: tempfile::Builder::new()
                .prefix("dp-")
                .tempdir_in("/tmp")
                .unwrap(),
        }
    }

    /// An active Synapse whose backups work, on one of the shipped images.
    pub fn with_backups(image: &str) -> Self {
        let deployment = Self::empty(S3Server::start());
        deployment.deploy("synapse", &shipped(image), &deployment.settings());
        deployment.wait_active(UNIT);
        deployment
    }

    /// The same, with an S3 server that speaks HTTPS too and may be unknown to everyone.
    pub fn with_https() -> Self {
        Self::empty(S3Server::start_with_https(Certificate::OwnAuthority))
    }

    /// Options with which backups work.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("s3_endpoint", ENDPOINT.to_owned()),
            ("s3_bucket", BUCKET.to_owned()),
            ("s3_access_key", self.server.access_key().to_owned()),
            ("s3_secret_key", self.server.secret_key().to_owned()),
            ("backup_passphrase", PASSPHRASE.to_owned()),
        ]
    }

    /// An image like a shipped one, with more lines; programs in `hidden` cannot be executed.
    pub fn image_without(&self, name: &str, hidden: &[&str]) -> PathBuf {
        let tools = root().join(".tools");
        let text = json!({
            "binds": [
                {"from": tools.join("synapse"), "to": "/opt/synapse"},
                {"from": tools.join("awscli"), "to": "/opt/awscli"},
            ],
            "environment": {"PATH": "/opt/synapse/bin:/opt/awscli/bin:/usr/local/bin:/usr/bin:/usr/sbin:/bin:/sbin"},
            "users": [{"name": "synapse", "uid": UID, "gid": UID, "home": "/home/synapse"}],
            "hide": hidden,
        });
        let file = self.folder.path().join(format!("{name}.yaml"));
        fs::write(&file, text.to_string()).unwrap();
        file
    }

    /// Makes a backup that must succeed; returns its id.
    pub fn create_backup(&self) -> String {
        let outcome = self.done("create-backup", json!({}));
        assert_eq!(outcome.result("result"), Some("correct"), "{outcome:?}");
        outcome.result("backup-id").unwrap().to_owned()
    }

    /// What `list-backups` says of the state of each: (id, state), newest first.
    pub fn listed(&self) -> Vec<(String, String)> {
        let outcome = self.done("list-backups", json!({}));
        rows(outcome.result("formatted").unwrap())
    }

    /// Opens an archive with nothing but gpg, zstd and tar; returns where it was extracted.
    pub fn open_archive(&self, passphrase: &[u8], key: &str) -> PathBuf {
        let target = self.fresh_folder();
        let decompress = if key.contains(".zst") {
            "zstd -dc"
        } else {
            "cat"
        };
        let decrypted = self.decrypt(passphrase, key);
        let archive = target.with_extension("tar");
        fs::write(&archive, decrypted).unwrap();
        let script = format!("set -euo pipefail; {decompress} <\"$1\" | tar -x -C \"$2\"");
        command("bash", |bash| {
            bash.args(["-c", &script, "extract"])
                .arg(&archive)
                .arg(&target)
        });
        target
    }

    /// Decrypts an object with nothing but gpg.
    pub fn decrypt(&self, passphrase: &[u8], key: &str) -> Vec<u8> {
        let folder = self.fresh_folder();
        let content = self.server.object(BUCKET, key);
        let content = content.unwrap_or_else(|| panic!("there is no object {key}"));
        fs::write(folder.join("encrypted"), content).unwrap();
        fs::write(folder.join("passphrase"), passphrase).unwrap();
        command("bash", |bash| {
            bash.current_dir(&folder).args([
                "-euc",
                "chmod 700 .; gpg --homedir . --batch --quiet --pinentry-mode loopback --passphrase-file passphrase \
                 --output decrypted --decrypt encrypted; gpgconf --homedir . --kill all",
            ])
        });
        fs::read(folder.join("decrypted")).unwrap()
    }

    /// The name of the only object of a backup that begins so.
    pub fn object_of(&self, folder: &str, name: &str) -> String {
        let objects = self.server.objects(BUCKET, folder);
        let found = objects.iter().find(|object| {
            let (_, last) = object.key.rsplit_once('/').unwrap_or(("", &object.key));
            last.starts_with(name)
        });
        found
            .unwrap_or_else(|| panic!("no {name} among {objects:?}"))
            .key
            .clone()
    }

    fn fresh_folder(&self) -> PathBuf {
        let folder = tempfile::Builder::new().tempdir_in(self.folder.path());
        folder.unwrap().keep()
    }
}

/// (id, state) of the rows of the table that `list-backups` prints.
pub fn rows(formatted: &str) -> Vec<(String, String)> {
    let rows = formatted.lines().skip(2).map(|line| {
        let fields: Vec<_> = line.split('|').map(str::trim).collect();
        (fields[0].to_owned(), fields[3].to_owned())
    });
    rows.collect()
}
