//! One status out of many: what each part of a charm has to say, worst first.

use crate::Status;

/// The statuses of a charm's parts, each by name.
///
/// # Example
///
/// ```
/// use jujuna::{Status, Statuses};
///
/// let mut statuses = Statuses::new();
/// statuses.add("web", Status::Active("3 users".to_owned()));
/// statuses.add("database", Status::Waiting("for the relation".to_owned()));
/// statuses.add("tls", Status::Blocked("no certificate".to_owned()));
/// let expected = "tls: no certificate; database: for the relation";
/// assert_eq!(statuses.compose(), Status::Blocked(expected.to_owned()));
///
/// let mut fine = Statuses::new();
/// fine.add("web", Status::Active("3 users".to_owned()));
/// fine.add("database", Status::Active(String::new()));
/// assert_eq!(fine.compose(), Status::Active("web: 3 users".to_owned()));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Statuses {
    components: Vec<(String, Status)>,
}

impl Statuses {
    /// No part has said anything yet: that is active.
    ///
    /// ```
    /// assert_eq!(jujuna::Statuses::new().compose(), jujuna::Status::Active(String::new()));
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds what a part has to say. An empty name adds no name to the message.
    ///
    /// ```
    /// # use jujuna::{Status, Statuses};
    /// let mut statuses = Statuses::new();
    /// statuses.add("", Status::Waiting("for storage".to_owned()));
    /// assert_eq!(statuses.compose().to_string(), "waiting: for storage");
    /// ```
    pub fn add(&mut self, component: impl Into<String>, status: Status) {
        self.components.push((component.into(), status));
    }

    /// Returns the worst status, whose message tells of all that is not active: worst first, then as they were added. If all
    /// is active, what the parts have to say is joined.
    ///
    /// Juju's order is kept: blocked, maintenance, waiting, active. [`Statuses`] has an example.
    pub fn compose(&self) -> Status {
        let mut sorted: Vec<&(String, Status)> = self.components.iter().collect();
        sorted.sort_by_key(|(_, status)| rank(status));
        let Some((_, worst)) = sorted.first() else {
            return Status::Active(String::new());
        };
        let all_active = matches!(worst, Status::Active(_));
        let said: Vec<String> = sorted
            .iter()
            .filter(|(_, status)| all_active || !matches!(status, Status::Active(_)))
            .map(|(name, status)| sentence(name, status.message()))
            .filter(|text| !text.is_empty())
            .collect();
        let message = said.join("; ");
        match worst {
            Status::Blocked(_) => Status::Blocked(message),
            Status::Maintenance(_) => Status::Maintenance(message),
            Status::Waiting(_) => Status::Waiting(message),
            Status::Active(_) => Status::Active(message),
        }
    }
}

fn rank(status: &Status) -> u8 {
    match status {
        Status::Blocked(_) => 0,
        Status::Maintenance(_) => 1,
        Status::Waiting(_) => 2,
        Status::Active(_) => 3,
    }
}

fn sentence(name: &str, message: &str) -> String {
    match (name, message, name.is_empty()) {
        (_, _, true) => message.to_owned(),
        (_, "", _) => String::new(),
        _ => format!("{name}: {message}"),
    }
}
