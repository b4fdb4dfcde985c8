//! `juju config`, turned into checked types.
//!
//! Faults of the homeserver's options and of the backups' options are kept apart: the latter
//! never keep Synapse from starting.

use std::net::Ipv6Addr;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use crate::synapse::homeserver_yaml::Settings;

/// The options of `config.yaml` as Juju gives them.
///
/// `Debug` shows neither keys nor passphrase.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
#[expect(
    missing_docs,
    reason = "each field is an option, described in config.yaml"
)]
pub struct Options {
    pub server_name: Option<String>,
    pub public_baseurl: Option<String>,
    pub report_stats: bool,
    pub s3_endpoint: Option<String>,
    pub s3_bucket: Option<String>,
    pub s3_region: Option<String>,
    pub s3_path: Option<String>,
    pub s3_uri_style: Option<String>,
    pub s3_tls_ca_chain: Option<String>,
    pub s3_credentials: Option<String>,
    pub s3_access_key: Option<SecretString>,
    pub s3_secret_key: Option<SecretString>,
    pub backup_passphrase: Option<SecretString>,
    pub backup_passphrase_secret: Option<String>,
    pub backup_extra_paths: Option<String>,
    pub backup_max_duration: Option<String>,
}

impl Options {
    /// Treats an empty text as an option that is not set, as `juju config x=""` means it.
    #[must_use]
    pub fn without_empty(mut self) -> Self {
        for text in [
            &mut self.server_name,
            &mut self.public_baseurl,
            &mut self.s3_endpoint,
            &mut self.s3_bucket,
            &mut self.s3_region,
            &mut self.s3_path,
            &mut self.s3_uri_style,
            &mut self.s3_tls_ca_chain,
            &mut self.s3_credentials,
            &mut self.backup_passphrase_secret,
            &mut self.backup_extra_paths,
            &mut self.backup_max_duration,
        ] {
            text.take_if(|text| text.is_empty());
        }
        for secret in [
            &mut self.s3_access_key,
            &mut self.s3_secret_key,
            &mut self.backup_passphrase,
        ] {
            secret.take_if(|secret| secret.expose_secret().is_empty());
        }
        self
    }

    /// Returns the names of the S3 options that are set.
    pub fn s3_options_set(&self) -> Vec<&'static str> {
        [
            ("s3_endpoint", self.s3_endpoint.is_some()),
            ("s3_bucket", self.s3_bucket.is_some()),
            ("s3_region", self.s3_region.is_some()),
            ("s3_path", self.s3_path.is_some()),
            ("s3_uri_style", self.s3_uri_style.is_some()),
            ("s3_tls_ca_chain", self.s3_tls_ca_chain.is_some()),
            ("s3_credentials", self.s3_credentials.is_some()),
            ("s3_access_key", self.s3_access_key.is_some()),
            ("s3_secret_key", self.s3_secret_key.is_some()),
        ]
        .into_iter()
        .filter_map(|(name, set)| set.then_some(name))
        .collect()
    }

    /// Returns the checked settings of the homeserver of the application `app`.
    ///
    /// # Errors
    ///
    /// Fails with a sentence for each faulty option, which names it and what to do.
    pub fn homeserver(&self, app: &str) -> Result<Settings, Vec<String>> {
        let mut faults = Vec::new();
        match self.server_name.as_deref().map(server_name_fault) {
            None => faults.push(format!(
                "server_name is not set: juju config {app} server_name=<your domain>"
            )),
            Some(Some(fault)) => faults.push(format!("server_name {fault}")),
            Some(None) => {}
        }
        if let Some(fault) = self.public_baseurl.as_deref().and_then(baseurl_fault) {
            faults.push(format!("public_baseurl {fault}"));
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(Settings {
            server_name: self.server_name.clone().unwrap_or_default(),
            public_baseurl: self
                .public_baseurl
                .as_ref()
                .map(|url| format!("{}/", url.trim_end_matches('/'))),
            report_stats: self.report_stats,
        })
    }

    /// Returns the admin's further paths for backups.
    ///
    /// # Errors
    ///
    /// Fails with a sentence that names the option.
    pub fn extra_paths(&self) -> Result<Vec<String>, String> {
        let Some(text) = &self.backup_extra_paths else {
            return Ok(Vec::new());
        };
        let paths: Vec<&str> = text
            .split(',')
            .map(str::trim)
            .filter(|path| !path.is_empty())
            .collect();
        match paths.iter().find(|path| !is_below_data(path)) {
            Some(path) => Err(format!(
                "backup_extra_paths holds {path:?}: give full paths below /data, without . and .., separated by commas"
            )),
            None => Ok(paths
                .into_iter()
                .map(|path| path.trim_end_matches('/').to_owned())
                .collect()),
        }
    }

    /// Returns after which time a backup is ended; 12 hours where the option is not set.
    ///
    /// # Errors
    ///
    /// Fails with a sentence that names the option.
    pub fn max_duration(&self) -> Result<Duration, String> {
        let Some(text) = &self.backup_max_duration else {
            return Ok(Duration::from_hours(12));
        };
        parse_duration(text.trim()).ok_or_else(|| {
            format!("backup_max_duration is {text:?}: give a number and a unit, such as 90m, 12h or 2d, up to 30d")
        })
    }
}

fn parse_duration(text: &str) -> Option<Duration> {
    let (number, unit_s) = match text.split_at_checked(text.len().checked_sub(1)?)? {
        (number, "s") => (number, 1),
        (number, "m") => (number, 60),
        (number, "h") => (number, 3600),
        (number, "d") => (number, 86_400),
        _ => return None,
    };
    let digits = number.bytes().all(|byte| byte.is_ascii_digit());
    let duration = Duration::from_secs(
        number
            .parse::<u64>()
            .ok()
            .filter(|_| digits)?
            .checked_mul(unit_s)?,
    );
    (Duration::from_mins(1)..=Duration::from_hours(30 * 24))
        .contains(&duration)
        .then_some(duration)
}

fn is_below_data(path: &str) -> bool {
    path.strip_prefix("/data/").is_some_and(|rest| {
        let rest = rest.trim_end_matches('/');
        !rest.is_empty()
            && rest.split('/').all(|part| !matches!(part, "" | "." | ".."))
            && !rest.chars().any(char::is_control)
    })
}

/// Says what is wrong with a server name, by the grammar of the Matrix specification.
fn server_name_fault(name: &str) -> Option<String> {
    const NEXT: &str = "give a domain such as example.com, or with a port, example.com:8448";
    let fault = |what: &str| Some(format!("{name:?} {what}: {NEXT}"));
    // A user's full name takes 255 bytes at most, and some of them must be left for the user.
    if name.len() > 230 {
        return fault("is longer than 230 bytes");
    }
    let (host, port) = match name.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (name, None),
    };
    if port.is_some_and(|port| {
        port.parse::<u16>().is_err() || !port.bytes().all(|b| b.is_ascii_digit())
    }) {
        return fault("has a port that is no number from 0 to 65535");
    }
    let v6 = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    if let Some(address) = v6 {
        return if address.parse::<Ipv6Addr>().is_ok() {
            None
        } else {
            fault("holds no IPv6 address")
        };
    }
    let plain = host
        .bytes()
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.'));
    if !plain && host.bytes().any(|b| b.is_ascii_uppercase()) {
        return fault("has capital letters, which other servers may not find");
    }
    let labels = host
        .split('.')
        .all(|label| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-'));
    if plain && labels {
        None
    } else {
        fault("is no domain")
    }
}

fn baseurl_fault(url: &str) -> Option<String> {
    let fault = || {
        Some(format!(
            "is {url:?}: give a URL such as https://matrix.example.com/; until then a running Synapse goes on as it \
             is, and one that has to be started is not"
        ))
    };
    let Ok(parsed) = url.parse::<hyper::Uri>() else {
        return fault();
    };
    let web = matches!(parsed.scheme_str(), Some("http" | "https"));
    let named = parsed.host().is_some_and(|host| !host.is_empty());
    let bare = parsed.query().is_none() && !url.contains(['#', '@', '\\', '"', '<', '>']);
    if web && named && bare { None } else { fault() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Options {
        Options {
            server_name: Some(name.into()),
            ..Options::default()
        }
    }

    #[test]
    fn server_names_of_the_matrix_grammar_are_taken() {
        for name in [
            "example.com",
            "localhost",
            "a.b:8448",
            "1.2.3.4",
            "[::1]",
            "[2001:db8::1]:8448",
            "x-1.example",
        ] {
            assert_eq!(named(name).homeserver("synapse").unwrap().server_name, name);
        }
    }

    #[test]
    fn other_server_names_are_refused_with_the_options_name() {
        for name in [
            "a b",
            "https://a.b",
            "a.b/",
            "a..b",
            ".a",
            "-a",
            "A.b",
            "a:x",
            "a:99999",
            "a:+1",
            "[::1",
            "[x]",
            "é.example",
            "a\nb",
            "../etc",
            "",
            ":1",
            "::1",
        ] {
            let faults = named(name).homeserver("synapse").unwrap_err();
            assert!(faults[0].starts_with("server_name "), "{name}: {faults:?}");
        }
        assert!(named(&"a".repeat(231)).homeserver("synapse").is_err());
    }

    #[test]
    fn server_name_unset_or_empty_names_the_option() {
        for options in [Options::default(), named("").without_empty()] {
            assert!(
                options.homeserver("synapse").unwrap_err()[0].starts_with("server_name is not set")
            );
        }
    }

    #[test]
    fn public_baseurl_gets_exactly_one_slash_at_its_end() {
        for url in [
            "https://m.example",
            "https://m.example/",
            "https://m.example//",
        ] {
            let options = Options {
                public_baseurl: Some(url.into()),
                ..named("a.b")
            };
            assert_eq!(
                options
                    .homeserver("synapse")
                    .unwrap()
                    .public_baseurl
                    .as_deref(),
                Some("https://m.example/")
            );
        }
    }

    #[test]
    fn public_baseurl_that_is_no_url_is_refused() {
        for url in [
            "m.example",
            "ftp://a",
            "https://",
            "https://a/?b",
            "https://u@a/",
            "https://a#b",
            "x",
        ] {
            let options = Options {
                public_baseurl: Some(url.into()),
                ..named("a.b")
            };
            assert!(
                options.homeserver("synapse").unwrap_err()[0].starts_with("public_baseurl "),
                "{url}"
            );
        }
    }

    #[test]
    fn durations_have_a_number_and_a_unit() {
        let options = |text: &str| Options {
            backup_max_duration: Some(text.into()),
            ..Options::default()
        };
        for (text, hours) in [
            ("90m", 1.5),
            ("12h", 12.0),
            ("2d", 48.0),
            ("3600s", 1.0),
            (" 1h ", 1.0),
        ] {
            assert_eq!(
                options(text).max_duration().unwrap(),
                Duration::from_secs_f64(hours * 3600.0),
                "{text}"
            );
        }
        for text in [
            "",
            "12",
            "h",
            "1.5h",
            "-1h",
            "+1h",
            "0h",
            "31d",
            "99999999999999999999d",
            "1w",
            "é",
            "1é",
        ] {
            assert!(
                options(text)
                    .max_duration()
                    .unwrap_err()
                    .contains("backup_max_duration"),
                "{text}"
            );
        }
        assert_eq!(
            Options::default().max_duration().unwrap(),
            Duration::from_hours(12)
        );
    }

    #[test]
    fn extra_paths_stay_below_the_volume() {
        let options = |text: &str| Options {
            backup_extra_paths: Some(text.into()),
            ..Options::default()
        };
        assert_eq!(
            options("/data/a, /data/b c/ ,").extra_paths().unwrap(),
            ["/data/a", "/data/b c"]
        );
        for text in [
            "/etc",
            "a",
            "/data",
            "/data/",
            "/data/../etc",
            "/data/./a",
            "/data//a",
            "/data/a\nb",
            "/database/a",
        ] {
            assert!(options(text).extra_paths().is_err(), "{text}");
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let options = Options {
            backup_passphrase: Some("hunter2".into()),
            ..Options::default()
        };
        assert!(!format!("{options:?}").contains("hunter2"));
    }
}
