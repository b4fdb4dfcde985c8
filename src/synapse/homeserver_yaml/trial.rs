//! The configuration of a trial start: Synapse looks at its data and talks to nobody.

use secrecy::SecretString;
use serde::Serialize;

use super::{Homeserver, Resource, Settings, to_yaml};
use crate::synapse::identity::Identity;
use crate::synapse::names;

/// Nothing of the admin's goes in: neither mail nor application services, modules or retention, and whatever an option may
/// say, a trial starts.
#[derive(Serialize)]
struct Trial<'a> {
    #[serde(flatten)]
    homeserver: Homeserver<'a>,
    /// A push that waits would be sent at once.
    start_pushers: bool,
    send_federation: bool,
    /// Nobody may be asked, nor ask.
    federation_domain_whitelist: [&'static str; 0],
    trusted_key_servers: [&'static str; 0],
    presence: Presence,
    app_service_config_files: [&'static str; 0],
    modules: [&'static str; 0],
}

#[derive(Serialize)]
struct Presence {
    enabled: bool,
}

/// Returns the content of [`names::TRIAL_YAML`] for the server `server_name`. It holds secrets.
///
/// # Errors
///
/// Fails when a value cannot be written as YAML, which is a bug.
pub fn render_trial(
    server_name: &str,
    identity: &Identity,
) -> Result<SecretString, serde_saphyr::ser::Error> {
    let settings = Settings {
        server_name: server_name.to_owned(),
        public_baseurl: None,
        report_stats: false,
    };
    let mut homeserver = Homeserver::new(&settings, identity);
    homeserver.log_config = names::TRIAL_LOG_CONFIG;
    let [listener] = &mut homeserver.listeners;
    listener.bind_addresses = Some(["127.0.0.1"]);
    listener.resources = [Resource {
        names: &["client"],
        compress: false,
    }];
    to_yaml(&Trial {
        homeserver,
        start_pushers: false,
        send_federation: false,
        federation_domain_whitelist: [],
        trusted_key_servers: [],
        presence: Presence { enabled: false },
        app_service_config_files: [],
        modules: [],
    })
    .map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret as _;

    #[test]
    fn trial_is_bound_to_loopback_and_sends_nothing() {
        let identity = Identity::generate().unwrap();
        let yaml = render_trial("a.example", &identity).unwrap();
        let yaml: serde_json::Value = serde_saphyr::from_str(yaml.expose_secret()).unwrap();
        let [listener] = yaml["listeners"].as_array().unwrap().as_slice() else {
            panic!("{yaml}");
        };
        assert_eq!(listener["bind_addresses"], serde_json::json!(["127.0.0.1"]));
        assert_eq!(
            listener["resources"][0]["names"],
            serde_json::json!(["client"])
        );
        for off in [
            "start_pushers",
            "send_federation",
            "report_stats",
            "enable_registration",
        ] {
            assert_eq!(yaml[off], false, "{off}");
        }
        for none in [
            "federation_domain_whitelist",
            "trusted_key_servers",
            "app_service_config_files",
            "modules",
        ] {
            assert_eq!(yaml[none], serde_json::json!([]), "{none}");
        }
        for absent in ["email", "retention", "public_baseurl"] {
            assert!(yaml.get(absent).is_none(), "{absent}");
        }
        assert_eq!(yaml["database"]["args"]["database"], "/data/homeserver.db");
        assert_eq!(yaml["signing_key_path"], "/data/a.example.signing.key");
    }
}
