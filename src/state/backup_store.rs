//! Where backups go and what encrypts them: options, relation and secrets, turned into
//! checked parameters.
//!
//! There are two sources of S3 parameters, the relation and `juju config`. Both at once is a
//! fault that names both; there is never a silent choice.

mod relation;

use std::collections::BTreeMap;
use std::time::Duration;

use jujuna::{Context, ErrorKind, Juju, Revision, SecretUri};
use secrecy::SecretString;

use super::config::Options;
use crate::backup::{Passphrase, RawS3Parameters, S3Parameters};
use crate::plan::Answer;

/// Everything that concerns backups.
#[derive(Debug)]
pub struct BackupSettings {
    /// Where they go.
    pub store: Store,
    /// What encrypts them.
    pub passphrase: PassphraseSetting,
    /// The admin's further paths, or what is wrong with them.
    pub extra_paths: Result<Vec<String>, String>,
    /// When a backup is ended, or what is wrong with that option.
    pub max_duration: Result<Duration, String>,
    /// What the S3 provider asks for and does not get, though backups work.
    pub notes: Vec<String>,
}

impl Default for BackupSettings {
    fn default() -> Self {
        Self {
            store: Store::Unset,
            passphrase: PassphraseSetting::Unset,
            extra_paths: Ok(Vec::new()),
            max_duration: Ok(Duration::ZERO),
            notes: Vec::new(),
        }
    }
}

/// Where backups go.
#[derive(Debug)]
pub enum Store {
    /// Nobody asked for backups.
    Unset,
    /// The relation is there, its data is not yet.
    Waiting(String),
    /// A sentence for each fault.
    Faulty(Vec<String>),
    /// All that can be checked without asking S3 is right.
    Ready(Box<S3Parameters>),
}

/// What encrypts backups.
#[derive(Debug)]
pub enum PassphraseSetting {
    /// Neither option is set.
    Unset,
    /// What is wrong and what to do.
    Faulty(String),
    /// It can be used.
    Set(Passphrase),
}

/// Returns the backups' settings, and what the S3 provider waits for.
pub(super) fn read(
    options: &Options,
    context: &Context,
    juju: &Juju,
) -> Result<(BackupSettings, Option<Answer>), jujuna::Error> {
    let app = context.unit.app();
    let relation = relation::read(&context.event, juju)?;
    let set = options.s3_options_set();
    let mut answer = None;
    let mut notes = Vec::new();
    let store = match (relation, set.as_slice()) {
        (None, []) => Store::Unset,
        (None, _) => from_options(options, app, juju)?,
        (Some(relation), []) => {
            answer = relation.answer(app, juju)?;
            notes = relation.notes();
            relation.into_store()
        }
        (Some(relation), set) => Store::Faulty(vec![format!(
            "S3 is set both by the relation with {} and by {}: remove the relation, or reset the options with juju \
             config {app} --reset {}",
            relation.app,
            set.join(", "),
            set.join(",")
        )]),
    };
    let settings = BackupSettings {
        store,
        passphrase: read_passphrase(options, app, juju)?,
        extra_paths: options.extra_paths(),
        max_duration: options.max_duration(),
        notes,
    };
    Ok((settings, answer))
}

fn from_options(options: &Options, app: &str, juju: &Juju) -> Result<Store, jujuna::Error> {
    let mut raw = RawS3Parameters {
        access_key: options.s3_access_key.clone(),
        secret_key: options.s3_secret_key.clone(),
        region: options.s3_region.clone(),
        bucket: options.s3_bucket.clone(),
        endpoint: options.s3_endpoint.clone(),
        path: options.s3_path.clone(),
        s3_uri_style: options.s3_uri_style.clone(),
        tls_ca_chain: options.s3_tls_ca_chain.clone(),
    };
    if let Some(uri) = &options.s3_credentials {
        let plain = [
            ("s3_access_key", &options.s3_access_key),
            ("s3_secret_key", &options.s3_secret_key),
        ];
        let plain: Vec<&str> = plain
            .iter()
            .filter(|(_, key)| key.is_some())
            .map(|(name, _)| *name)
            .collect();
        if !plain.is_empty() {
            let plain = plain.join(" and ");
            return Ok(Store::Faulty(vec![format!(
                "both s3_credentials and {plain} are set: reset one or the other"
            )]));
        }
        match read_secret("s3_credentials", uri, app, juju)? {
            Ok(content) => {
                raw.access_key = content.get("access-key").cloned();
                raw.secret_key = content.get("secret-key").cloned();
                let fields = ["access-key", "secret-key"];
                let missing: Vec<&str> = fields
                    .into_iter()
                    .filter(|key| !content.contains_key(*key))
                    .collect();
                if !missing.is_empty() {
                    // An update replaces all fields: naming the missing one alone would lose the other.
                    let fault = format!(
                        "{uri} in s3_credentials has no field {}: juju update-secret {uri} access-key=... secret-key=...",
                        missing.join(" and no field ")
                    );
                    return Ok(Store::Faulty(vec![fault]));
                }
            }
            Err(fault) => return Ok(Store::Faulty(vec![fault])),
        }
    }
    Ok(check(raw, |parameter| {
        format!(
            "s3_{}",
            parameter.replace('-', "_").trim_start_matches("s3_")
        )
    }))
}

/// Checks `raw`; `name` gives the name under which the admin knows a parameter.
fn check(raw: RawS3Parameters, name: impl Fn(&str) -> String) -> Store {
    match S3Parameters::new(raw) {
        Ok(parameters) => Store::Ready(Box::new(parameters)),
        Err(problems) => Store::Faulty(
            problems
                .iter()
                .map(|problem| format!("{}: {}", name(problem.parameter), problem.message))
                .collect(),
        ),
    }
}

fn read_passphrase(
    options: &Options,
    app: &str,
    juju: &Juju,
) -> Result<PassphraseSetting, jujuna::Error> {
    let (option, text) = match (
        &options.backup_passphrase,
        &options.backup_passphrase_secret,
    ) {
        (None, None) => return Ok(PassphraseSetting::Unset),
        (Some(_), Some(_)) => {
            return Ok(PassphraseSetting::Faulty(
                "both backup_passphrase and backup_passphrase_secret are set: reset one or the other".to_owned(),
            ));
        }
        (Some(text), None) => ("backup_passphrase", text.clone()),
        (None, Some(uri)) => match read_secret("backup_passphrase_secret", uri, app, juju)? {
            Ok(content) => match content.get("passphrase") {
                Some(text) => ("backup_passphrase_secret", text.clone()),
                None => {
                    return Ok(PassphraseSetting::Faulty(format!(
                        "{uri} in backup_passphrase_secret has no field passphrase: juju update-secret {uri} passphrase=..."
                    )));
                }
            },
            Err(fault) => return Ok(PassphraseSetting::Faulty(fault)),
        },
    };
    Ok(match Passphrase::new(&text) {
        Ok(passphrase) => PassphraseSetting::Set(passphrase),
        Err(fault) => PassphraseSetting::Faulty(format!("{option}: {fault}")),
    })
}

type Content = BTreeMap<String, SecretString>;

/// Returns the content of a user's secret, or what the admin must do.
///
/// Granting a secret wakes no hook, so the text says when it is looked at again.
fn read_secret(
    option: &str,
    uri: &str,
    app: &str,
    juju: &Juju,
) -> Result<Result<Content, String>, jujuna::Error> {
    let Ok(parsed) = uri.parse::<SecretUri>() else {
        return Ok(Err(format!(
            "{option} is {uri:?}, which is no secret: give the URI that juju add-secret printed"
        )));
    };
    match juju.secret_get(&parsed, Revision::Refresh) {
        Ok(content) => Ok(Ok(content)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Err(format!(
            "{uri} in {option} does not exist: add it with juju add-secret and set the option to what that prints"
        ))),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(Err(format!(
            "{uri} in {option} is not granted: juju grant-secret {uri} {app} (looked at again by the next action or \
             update-status, within minutes)"
        ))),
        Err(error) => Err(error),
    }
}

/// Returns `text` unless there is nothing in it.
fn non_empty(text: Option<&String>) -> Option<SecretString> {
    text.filter(|text| !text.is_empty())
        .map(|text| SecretString::from(text.as_str()))
}

#[cfg(test)]
mod tests;
