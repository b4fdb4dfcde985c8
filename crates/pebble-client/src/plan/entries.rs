//! What stands in a layer: services, checks, log targets.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::checks::CheckLevel;
use crate::duration;
use crate::open_enum::open_enum;
use crate::plan::layer::{Environment, Unknown};
use crate::services::Startup;

open_enum! {
    /// What an entry does to one of its name in a lower layer.
    Override {
        /// Takes its place.
        Replace = "replace",
        /// Changes just what it says.
        Merge = "merge",
    }
}

open_enum! {
    /// What Pebble does when a service ends, or a check that it names goes down.
    ServiceAction {
        /// Starts the service again.
        Restart = "restart",
        /// Ends the daemon, and with it the container.
        Shutdown = "shutdown",
        /// As `Shutdown`, with a good exit code whatever happened.
        SuccessShutdown = "success-shutdown",
        /// As `Shutdown`, with a bad exit code whatever happened.
        FailureShutdown = "failure-shutdown",
        /// Nothing.
        Ignore = "ignore",
    }
}

/// Declares a struct of optional fields: each is left out when it is empty, and there is a place for unknown keys.
macro_rules! entry {
    ($(#[$meta:meta])* $name:ident {
        $($(#[$field_meta:meta])* $field:ident: $type:ty;)*
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case", default)]
        #[non_exhaustive]
        pub struct $name {
            $(
                $(#[$field_meta])*
                pub $field: $type,
            )*
            /// Further keys.
            #[serde(flatten)]
            pub unknown: Unknown,
        }
    };
}

entry! {
    /// A service of a layer.
    ///
    /// # Example
    ///
    /// ```
    /// use std::time::Duration;
    /// use pebble_client::{Service, ServiceAction, Startup};
    /// let mut service = Service::replace("web --port 80").startup(Startup::Enabled).environment("LANG", "C.UTF-8");
    /// service.kill_delay = Some(Duration::from_secs(30));
    /// service.on_failure = Some(ServiceAction::Shutdown);
    /// ```
    Service {
        /// What it does to one of its name below.
        #[serde(skip_serializing_if = "Option::is_none")]
        r#override: Option<Override>;
        /// One line for a person.
        #[serde(skip_serializing_if = "Option::is_none")]
        summary: Option<String>;
        /// More for a person.
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<String>;
        /// The command, split like a shell would do it, and run without one.
        #[serde(skip_serializing_if = "Option::is_none")]
        command: Option<String>;
        /// Whether it is started by itself.
        #[serde(skip_serializing_if = "Option::is_none")]
        startup: Option<Startup>;
        /// Services that it is started after.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        after: Vec<String>;
        /// Services that it is started before.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        before: Vec<String>;
        /// Services that are started with it.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        requires: Vec<String>;
        /// Its environment, on top of the daemon's own.
        #[serde(skip_serializing_if = "Environment::is_empty")]
        environment: Environment;
        /// The id of its user.
        #[serde(skip_serializing_if = "Option::is_none")]
        user_id: Option<u32>;
        /// The name of its user.
        #[serde(skip_serializing_if = "Option::is_none")]
        user: Option<String>;
        /// The id of its group.
        #[serde(skip_serializing_if = "Option::is_none")]
        group_id: Option<u32>;
        /// The name of its group.
        #[serde(skip_serializing_if = "Option::is_none")]
        group: Option<String>;
        /// The directory it runs in.
        #[serde(skip_serializing_if = "Option::is_none")]
        working_dir: Option<String>;
        /// What is done when it ends well.
        #[serde(skip_serializing_if = "Option::is_none")]
        on_success: Option<ServiceAction>;
        /// What is done when it ends badly.
        #[serde(skip_serializing_if = "Option::is_none")]
        on_failure: Option<ServiceAction>;
        /// What is done when a check of this name goes down.
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        on_check_failure: BTreeMap<String, ServiceAction>;
        /// How long it is waited before it is started again; 500 ms when nothing is said.
        #[serde(skip_serializing_if = "Option::is_none", with = "duration::optional")]
        backoff_delay: Option<Duration>;
        /// By how much that grows each time; 2 when nothing is said.
        #[serde(skip_serializing_if = "Option::is_none")]
        backoff_factor: Option<f64>;
        /// The longest that it grows to; 30 s when nothing is said.
        #[serde(skip_serializing_if = "Option::is_none", with = "duration::optional")]
        backoff_limit: Option<Duration>;
        /// How long it has from SIGTERM to SIGKILL; 5 s when nothing is said.
        #[serde(skip_serializing_if = "Option::is_none", with = "duration::optional")]
        kill_delay: Option<Duration>;
    }
}

entry! {
    /// A check of a layer; it has one of `http`, `tcp` and `exec`.
    ///
    /// # Example
    ///
    /// ```
    /// use std::time::Duration;
    /// use pebble_client::{Check, CheckLevel};
    /// let mut check = Check::replace().level(CheckLevel::Ready).exec("pg_isready");
    /// check.period = Some(Duration::from_secs(30));
    /// ```
    Check {
        /// What it does to one of its name below.
        #[serde(skip_serializing_if = "Option::is_none")]
        r#override: Option<Override>;
        /// What it is for.
        #[serde(skip_serializing_if = "Option::is_none")]
        level: Option<CheckLevel>;
        /// Whether it is started by itself; it is, when nothing is said.
        #[serde(skip_serializing_if = "Option::is_none")]
        startup: Option<Startup>;
        /// How often it is performed; every 10 s when nothing is said.
        #[serde(skip_serializing_if = "Option::is_none", with = "duration::optional")]
        period: Option<Duration>;
        /// How long it may take; 3 s when nothing is said, and less than the period.
        #[serde(skip_serializing_if = "Option::is_none", with = "duration::optional")]
        timeout: Option<Duration>;
        /// How many failures in a row make it go down; 3 when nothing is said.
        #[serde(skip_serializing_if = "Option::is_none")]
        threshold: Option<u64>;
        /// A GET that has to be answered with a status of 200 to 299.
        #[serde(skip_serializing_if = "Option::is_none")]
        http: Option<CheckHttp>;
        /// A port that has to be open.
        #[serde(skip_serializing_if = "Option::is_none")]
        tcp: Option<CheckTcp>;
        /// A command that has to end with 0.
        #[serde(skip_serializing_if = "Option::is_none")]
        exec: Option<CheckExec>;
    }
}

entry! {
    /// What an HTTP check asks for.
    CheckHttp {
        /// Where.
        #[serde(skip_serializing_if = "Option::is_none")]
        url: Option<String>;
        /// Header lines that are sent.
        #[serde(skip_serializing_if = "Environment::is_empty")]
        headers: Environment;
    }
}

entry! {
    /// What a TCP check connects to.
    CheckTcp {
        /// The port.
        #[serde(skip_serializing_if = "Option::is_none")]
        port: Option<u16>;
        /// The host; `localhost` when nothing is said.
        #[serde(skip_serializing_if = "Option::is_none")]
        host: Option<String>;
    }
}

entry! {
    /// What an exec check runs.
    CheckExec {
        /// The command, split like a shell would do it, and run without one.
        #[serde(skip_serializing_if = "Option::is_none")]
        command: Option<String>;
        /// A service whose environment, user, group and working directory it takes.
        #[serde(skip_serializing_if = "Option::is_none")]
        service_context: Option<String>;
        /// Its environment.
        #[serde(skip_serializing_if = "Environment::is_empty")]
        environment: Environment;
        /// The id of its user.
        #[serde(skip_serializing_if = "Option::is_none")]
        user_id: Option<u32>;
        /// The name of its user.
        #[serde(skip_serializing_if = "Option::is_none")]
        user: Option<String>;
        /// The id of its group.
        #[serde(skip_serializing_if = "Option::is_none")]
        group_id: Option<u32>;
        /// The name of its group.
        #[serde(skip_serializing_if = "Option::is_none")]
        group: Option<String>;
        /// The directory it runs in.
        #[serde(skip_serializing_if = "Option::is_none")]
        working_dir: Option<String>;
    }
}

entry! {
    /// Where the logs of services are sent.
    LogTarget {
        /// What it does to one of its name below.
        #[serde(skip_serializing_if = "Option::is_none")]
        r#override: Option<Override>;
        /// The protocol: `loki`, `opentelemetry`, or what a newer daemon knows.
        #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
        target_type: Option<String>;
        /// Where.
        #[serde(skip_serializing_if = "Option::is_none")]
        location: Option<String>;
        /// Which services: names, `all`, or `-name` for all but that one.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        services: Vec<String>;
        /// What is sent with each line.
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        labels: BTreeMap<String, String>;
    }
}

impl Service {
    /// A service that takes the place of one of its name.
    ///
    /// # Example
    ///
    /// ```
    /// use pebble_client::Service;
    /// let service = Service::replace("/bin/web --port 8080");
    /// assert_eq!(service.command.as_deref(), Some("/bin/web --port 8080"));
    /// ```
    #[must_use]
    pub fn replace(command: impl Into<String>) -> Self {
        Self {
            r#override: Some(Override::Replace),
            command: Some(command.into()),
            ..Self::default()
        }
    }

    /// A service that changes, of one of its name, just what is set from here on.
    ///
    /// # Example
    ///
    /// ```
    /// use pebble_client::Service;
    /// let service = Service::merge().environment("WORKERS", "4");
    /// assert_eq!(service.command, None);
    /// ```
    #[must_use]
    pub fn merge() -> Self {
        Self {
            r#override: Some(Override::Merge),
            ..Self::default()
        }
    }

    /// Sets whether it is started by itself.
    ///
    /// # Example
    ///
    /// ```
    /// use pebble_client::{Service, Startup};
    /// let service = Service::replace("/bin/web").startup(Startup::Enabled);
    /// ```
    #[must_use]
    pub fn startup(mut self, startup: Startup) -> Self {
        self.startup = Some(startup);
        self
    }

    /// Sets a variable.
    ///
    /// # Example
    ///
    /// ```
    /// use pebble_client::Service;
    /// let service = Service::replace("/bin/web").environment("WORKERS", "4");
    /// ```
    #[must_use]
    pub fn environment(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.environment.0.insert(name.into(), value.into());
        self
    }

    /// Sets the services that it is started after.
    ///
    /// # Example
    ///
    /// ```
    /// use pebble_client::Service;
    /// let service = Service::replace("/bin/web").after(["database"]);
    /// ```
    #[must_use]
    pub fn after(mut self, services: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.after = services.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the services that are started with it.
    ///
    /// # Example
    ///
    /// ```
    /// use pebble_client::Service;
    /// let service = Service::replace("/bin/web").requires(["database"]).after(["database"]);
    /// ```
    #[must_use]
    pub fn requires(mut self, services: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.requires = services.into_iter().map(Into::into).collect();
        self
    }
}

impl Check {
    /// A check that takes the place of one of its name.
    ///
    /// # Example
    ///
    /// ```
    /// use pebble_client::{Check, CheckLevel};
    /// let check = Check::replace().level(CheckLevel::Alive).tcp(8080);
    /// ```
    #[must_use]
    pub fn replace() -> Self {
        Self {
            r#override: Some(Override::Replace),
            ..Self::default()
        }
    }

    /// A check that changes, of one of its name, just what is set from here on.
    ///
    /// # Example
    ///
    /// ```
    /// use pebble_client::{Check, CheckLevel};
    /// let check = Check::merge().level(CheckLevel::Ready);
    /// ```
    #[must_use]
    pub fn merge() -> Self {
        Self {
            r#override: Some(Override::Merge),
            ..Self::default()
        }
    }

    /// Sets what it is for.
    ///
    /// # Example
    ///
    /// ```
    /// use pebble_client::{Check, CheckLevel};
    /// let check = Check::replace().tcp(8080).level(CheckLevel::Alive);
    /// ```
    #[must_use]
    pub fn level(mut self, level: CheckLevel) -> Self {
        self.level = Some(level);
        self
    }

    /// Makes it a GET of `url`.
    ///
    /// # Example
    ///
    /// ```
    /// use pebble_client::Check;
    /// let check = Check::replace().http("http://127.0.0.1:8080/health");
    /// ```
    #[must_use]
    pub fn http(mut self, url: impl Into<String>) -> Self {
        self.http.get_or_insert_default().url = Some(url.into());
        self
    }

    /// Makes it a connection to a port of this machine.
    ///
    /// # Example
    ///
    /// ```
    /// use pebble_client::Check;
    /// let check = Check::replace().tcp(8080);
    /// ```
    #[must_use]
    pub fn tcp(mut self, port: u16) -> Self {
        self.tcp.get_or_insert_default().port = Some(port);
        self
    }

    /// Makes it a command.
    ///
    /// # Example
    ///
    /// ```
    /// use pebble_client::Check;
    /// let check = Check::replace().exec("/bin/web --check");
    /// ```
    #[must_use]
    pub fn exec(mut self, command: impl Into<String>) -> Self {
        self.exec.get_or_insert_default().command = Some(command.into());
        self
    }
}

impl LogTarget {
    /// A target that takes the place of one of its name.
    ///
    /// # Example
    ///
    /// ```
    /// use pebble_client::{Layer, LogTarget};
    /// let loki = LogTarget::replace("loki", "http://loki:3100/loki/api/v1/push", ["all"]);
    /// let layer = Layer::new().log_target("loki", loki);
    /// ```
    #[must_use]
    pub fn replace(
        target_type: impl Into<String>,
        location: impl Into<String>,
        services: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        Self {
            r#override: Some(Override::Replace),
            target_type: Some(target_type.into()),
            location: Some(location.into()),
            services: services.into_iter().map(Into::into).collect(),
            ..Self::default()
        }
    }
}
