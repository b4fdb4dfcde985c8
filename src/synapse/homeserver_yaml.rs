//! Renders Synapse's configuration.
//!
//! Synapse reads it with `PyYAML`, which follows YAML 1.1. There `on`, `12:34`, `1_000` or
//! `2001-01-01` are no strings unless quoted, so every string is quoted
//! (`docs/decisions/0002-yaml-crate.md`).

use std::collections::BTreeMap;

use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::identity::{Identity, hex};
use super::names;

mod trial;

pub use trial::render_trial;

/// What the admin decides about the homeserver, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// What stands after the colon in every user's and room's name.
    pub server_name: String,
    /// The URL at which clients reach the server; Synapse's own default where there is none.
    pub public_baseurl: Option<String>,
    /// Whether Synapse sends statistics to its developers.
    pub report_stats: bool,
}

/// The rendered files and a digest of them.
#[derive(Debug, Clone)]
pub struct Rendered {
    /// The content of [`names::HOMESERVER_YAML`]. It holds secrets.
    pub homeserver_yaml: SecretString,
    /// The content of [`names::LOG_CONFIG`].
    pub log_config: String,
    /// A digest in hexadecimal over both and the signing key, which Synapse reads from a file of
    /// its own. It goes into the service's environment, so that
    /// Pebble restarts Synapse exactly when one of them changed.
    pub digest: String,
}

/// Returns the files that configure Synapse for `settings` and `identity`.
///
/// # Errors
///
/// Fails when a value cannot be written as YAML, which is a bug.
pub fn render(
    settings: &Settings,
    identity: &Identity,
) -> Result<Rendered, serde_saphyr::ser::Error> {
    let homeserver_yaml = to_yaml(&Homeserver::new(settings, identity))?;
    let log_config = log_config()?;
    let digest = Sha256::new()
        .chain_update(&homeserver_yaml)
        .chain_update([0])
        .chain_update(&log_config)
        .chain_update([0])
        .chain_update(identity.signing_key.expose_secret())
        .finalize();
    Ok(Rendered {
        homeserver_yaml: homeserver_yaml.into(),
        log_config,
        digest: hex(&digest),
    })
}

/// Returns the content of [`names::LOG_CONFIG`].
///
/// # Errors
///
/// Fails when a value cannot be written as YAML, which is a bug.
pub fn log_config() -> Result<String, serde_saphyr::ser::Error> {
    to_yaml(&LogConfig::new())
}

/// Returns `value` as YAML that a YAML 1.1 reader reads back unchanged.
///
/// # Errors
///
/// Fails when a value cannot be written as YAML.
pub(crate) fn to_yaml<T: Serialize>(value: &T) -> Result<String, serde_saphyr::ser::Error> {
    // Block scalars are wrong for lines that begin with a tab; quoted ones never were.
    let options = serde_saphyr::ser_options! { quote_all: true, prefer_block_scalars: false };
    serde_saphyr::to_string_with_options(value, options)
}

#[derive(Serialize)]
struct Homeserver<'a> {
    server_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    public_baseurl: Option<&'a str>,
    report_stats: bool,
    listeners: [Listener; 1],
    database: Database,
    media_store_path: &'static str,
    log_config: &'static str,
    enable_registration: bool,
    signing_key_path: String,
    macaroon_secret_key: &'a str,
    form_secret: &'a str,
    registration_shared_secret: &'a str,
    suppress_key_server_warning: bool,
}

#[derive(Serialize)]
struct Listener {
    port: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    bind_addresses: Option<[&'static str; 1]>,
    r#type: &'static str,
    tls: bool,
    x_forwarded: bool,
    resources: [Resource; 1],
}

#[derive(Serialize)]
struct Resource {
    names: &'static [&'static str],
    compress: bool,
}

#[derive(Serialize)]
struct Database {
    name: &'static str,
    args: BTreeMap<&'static str, &'static str>,
}

impl<'a> Homeserver<'a> {
    fn new(settings: &'a Settings, identity: &'a Identity) -> Self {
        // Every http listener answers /health; naming it would stop older Synapse.
        let resources = [Resource {
            names: &["client", "federation"],
            compress: false,
        }];
        Self {
            server_name: &settings.server_name,
            public_baseurl: settings.public_baseurl.as_deref(),
            report_stats: settings.report_stats,
            listeners: [Listener {
                port: names::PORT,
                bind_addresses: None,
                r#type: "http",
                tls: false,
                x_forwarded: true,
                resources,
            }],
            database: Database {
                name: "sqlite3",
                args: BTreeMap::from([("database", names::DATABASE)]),
            },
            media_store_path: names::MEDIA_STORE,
            log_config: names::LOG_CONFIG,
            enable_registration: false,
            signing_key_path: names::signing_key(&settings.server_name),
            // Inline and not by path, because the options that take a path are young.
            macaroon_secret_key: identity.macaroon_secret.expose_secret(),
            form_secret: identity.form_secret.expose_secret(),
            registration_shared_secret: identity.registration_secret.expose_secret(),
            // The default key server is meant; the warning asks whether it is.
            suppress_key_server_warning: true,
        }
    }
}

#[derive(Serialize)]
struct LogConfig {
    version: u8,
    disable_existing_loggers: bool,
    formatters: BTreeMap<&'static str, BTreeMap<&'static str, &'static str>>,
    handlers: BTreeMap<&'static str, BTreeMap<&'static str, &'static str>>,
    loggers: BTreeMap<&'static str, BTreeMap<&'static str, &'static str>>,
    root: Root,
}

#[derive(Serialize)]
struct Root {
    level: &'static str,
    handlers: [&'static str; 1],
}

impl LogConfig {
    fn new() -> Self {
        let format = "%(asctime)s %(name)s %(lineno)d %(levelname)s %(request)s %(message)s";
        let handler = [
            ("class", "logging.StreamHandler"),
            ("formatter", "line"),
            ("stream", "ext://sys.stdout"),
        ];
        Self {
            version: 1,
            disable_existing_loggers: false,
            formatters: BTreeMap::from([("line", BTreeMap::from([("format", format)]))]),
            handlers: BTreeMap::from([("stdout", BTreeMap::from(handler))]),
            // At DEBUG it would log queries with their values.
            loggers: BTreeMap::from([("synapse.storage.SQL", BTreeMap::from([("level", "INFO")]))]),
            root: Root {
                level: "INFO",
                handlers: ["stdout"],
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings {
            server_name: "a.example".into(),
            public_baseurl: None,
            report_stats: false,
        }
    }

    fn read(rendered: &Rendered) -> serde_json::Value {
        serde_saphyr::from_str(rendered.homeserver_yaml.expose_secret()).unwrap()
    }

    #[test]
    fn rendered_file_holds_settings_and_identity() {
        let identity = Identity::generate().unwrap();
        let with_url = Settings {
            public_baseurl: Some("https://m.example/".into()),
            ..settings()
        };
        let yaml = read(&render(&with_url, &identity).unwrap());
        assert_eq!(yaml["server_name"], "a.example");
        assert_eq!(yaml["public_baseurl"], "https://m.example/");
        assert_eq!(yaml["signing_key_path"], "/data/a.example.signing.key");
        assert_eq!(
            yaml["registration_shared_secret"],
            identity.registration_secret.expose_secret()
        );
        assert_eq!(yaml["enable_registration"], false);
        assert_eq!(yaml["listeners"][0]["port"], 8008);
        assert_eq!(yaml["database"]["args"]["database"], "/data/homeserver.db");
    }

    #[test]
    fn public_baseurl_unset_is_left_to_synapse() {
        let yaml = read(&render(&settings(), &Identity::generate().unwrap()).unwrap());
        assert!(yaml.get("public_baseurl").is_none());
    }

    #[test]
    fn digest_changes_exactly_with_the_files() {
        let identity = Identity::generate().unwrap();
        let first = render(&settings(), &identity).unwrap();
        assert_eq!(first.digest, render(&settings(), &identity).unwrap().digest);
        let stats = Settings {
            report_stats: true,
            ..settings()
        };
        assert_ne!(first.digest, render(&stats, &identity).unwrap().digest);
        let other_key = Identity {
            signing_key: Identity::generate().unwrap().signing_key,
            ..identity.clone()
        };
        assert_ne!(
            first.digest,
            render(&settings(), &other_key).unwrap().digest
        );
        assert_ne!(
            first.digest,
            render(&settings(), &Identity::generate().unwrap())
                .unwrap()
                .digest
        );
    }

    #[test]
    fn strings_are_quoted_so_that_yaml_1_1_reads_strings() {
        for word in [
            "on",
            "12:34",
            "1e3",
            "~",
            "2001-01-01",
            "=",
            "1_000",
            "\ta\nb",
            "é: #",
        ] {
            let yaml = to_yaml(&BTreeMap::from([("k", word)])).unwrap();
            let value = yaml.strip_prefix("k: ").unwrap();
            assert!(value.starts_with(['"', '\'']), "{value}");
        }
    }
}
