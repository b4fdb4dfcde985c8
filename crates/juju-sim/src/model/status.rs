//! Statuses.

use jiff::Timestamp;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Status {
    pub(crate) name: String,
    pub(crate) message: String,
    pub(crate) data: serde_json::Map<String, serde_json::Value>,
    pub(crate) since: Timestamp,
}

impl Status {
    pub(crate) fn new(name: &str, message: &str) -> Self {
        Self {
            name: name.to_owned(),
            message: message.to_owned(),
            data: serde_json::Map::new(),
            since: Timestamp::now(),
        }
    }

    /// Juju's order of what matters most when an application's status is that of its units.
    pub(crate) fn severity(&self) -> u8 {
        match self.name.as_str() {
            "error" => 6,
            "blocked" => 5,
            "maintenance" => 4,
            "waiting" => 3,
            "active" => 2,
            "terminated" => 1,
            _ => 0,
        }
    }
}
