//! The environment of a charm: built anew, nothing inherited.

use super::host::Places;
use crate::context::{HookContext, Purpose};
use crate::model::{JUJU_VERSION, Model};
use std::collections::BTreeMap;

const FIXED: &[(&str, &str)] = &[
    ("APT_LISTCHANGES_FRONTEND", "none"),
    ("CLOUD_API_VERSION", "1.32.0"),
    ("DEBIAN_FRONTEND", "noninteractive"),
    ("JUJU_AGENT_SOCKET_NETWORK", "unix"),
    ("JUJU_API_ADDRESSES", "10.1.2.3:17070"),
    ("JUJU_AVAILABILITY_ZONE", ""),
    ("JUJU_CHARM_FTP_PROXY", ""),
    ("JUJU_CHARM_HTTPS_PROXY", ""),
    ("JUJU_CHARM_HTTP_PROXY", ""),
    ("JUJU_CHARM_NO_PROXY", "127.0.0.1,localhost,::1"),
    ("JUJU_MACHINE_ID", ""),
    ("JUJU_PRINCIPAL_UNIT", ""),
    ("JUJU_SLA", "unsupported"),
    ("KUBERNETES_PORT", "tcp://10.152.183.1:443"),
    ("KUBERNETES_PORT_443_TCP", "tcp://10.152.183.1:443"),
    ("KUBERNETES_PORT_443_TCP_ADDR", "10.152.183.1"),
    ("KUBERNETES_PORT_443_TCP_PORT", "443"),
    ("KUBERNETES_PORT_443_TCP_PROTO", "tcp"),
    ("KUBERNETES_SERVICE_HOST", "10.152.183.1"),
    ("KUBERNETES_SERVICE_PORT", "443"),
    ("KUBERNETES_SERVICE_PORT_HTTPS", "443"),
    ("LANG", "C.UTF-8"),
    ("TERM", "tmux-256color"),
];
const CONTAINER_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// All variables of one run.
pub(super) fn variables(
    model: &Model,
    context: &HookContext,
    places: &Places,
) -> BTreeMap<String, String> {
    let mut all: BTreeMap<String, String> = FIXED
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let mut put = |name: &str, value: String| drop(all.insert(name.to_owned(), value));
    let charm = places.charm.display().to_string();
    put("CHARM_DIR", charm.clone());
    put("JUJU_CHARM_DIR", charm);
    put(
        "JUJU_AGENT_SOCKET_ADDRESS",
        places.socket().display().to_string(),
    );
    put("JUJU_CONTEXT_ID", context.id.clone());
    put("JUJU_MODEL_NAME", model.name.clone());
    put("JUJU_MODEL_UUID", model.uuid.clone());
    put("JUJU_UNIT_NAME", context.unit.to_string());
    put("JUJU_VERSION", JUJU_VERSION.to_owned());
    put(
        "PATH",
        format!("{}:{CONTAINER_PATH}", places.tools.display()),
    );
    match &context.purpose {
        Purpose::Hook(hook) => {
            put("JUJU_HOOK_NAME", hook.name());
            put("JUJU_DISPATCH_PATH", format!("hooks/{}", hook.name()));
            for (name, value) in hook.variables() {
                put(name, value);
            }
        }
        Purpose::Action { number, name } => {
            put("JUJU_HOOK_NAME", String::new());
            put("JUJU_DISPATCH_PATH", format!("actions/{name}"));
            put("JUJU_ACTION_NAME", name.clone());
            put("JUJU_ACTION_UUID", number.to_string());
            put("JUJU_ACTION_TAG", format!("action-{number}"));
        }
        Purpose::Command => put("JUJU_HOOK_NAME", String::new()),
    }
    all
}
