//! The blocking client of a model: the same verbs as the command line.

mod disturb;
mod error;
mod outcome;
mod start;
mod watch;

pub use error::Error;
pub use outcome::{ApplicationStatus, Status, StatusInfo, TaskLog, TaskOutcome, UnitStatus};
pub use start::AddModel;

use crate::protocol::{Reply, Request};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A model. One made by [`Juju::add_model`] is destroyed when this is dropped.
#[derive(Debug)]
pub struct Juju {
    folder: PathBuf,
    controller: Option<start::Owned>,
}

/// What to deploy: a charm's folder and what `juju deploy` takes with it.
#[derive(Debug, Clone, Default)]
pub struct Deploy {
    /// The charm's folder, as Juju would unpack it.
    pub charm: PathBuf,
    /// The application's name; without it the charm's.
    pub application: Option<String>,
    /// Options, as text.
    pub config: BTreeMap<String, String>,
    /// Resources: for an `oci-image`, the file that describes the image.
    pub resources: BTreeMap<String, PathBuf>,
    /// How many units; none means one.
    pub units: Option<u32>,
    /// How long storage takes until it is there.
    pub storage_delay: Duration,
    /// Let a container whose image was not given be an empty one, which Juju's controller lets a client do and `juju deploy` refuses.
    pub allow_missing_images: bool,
}

impl Deploy {
    /// One unit of the charm in `folder`, with its defaults.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            charm: folder.into(),
            ..Self::default()
        }
    }

    /// Adds an option.
    #[must_use]
    pub fn config(mut self, name: &str, value: &str) -> Self {
        self.config.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Adds a resource.
    #[must_use]
    pub fn resource(mut self, name: &str, file: impl Into<PathBuf>) -> Self {
        self.resources.insert(name.to_owned(), file.into());
        self
    }

    /// Names the application.
    #[must_use]
    pub fn application(mut self, name: &str) -> Self {
        self.application = Some(name.to_owned());
        self
    }
}

/// What a verb returns.
pub(crate) type Result<T> = std::result::Result<T, Error>;

fn texts<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> BTreeMap<String, String> {
    pairs
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

fn absolute(path: &Path) -> Result<PathBuf> {
    path.canonicalize()
        .map_err(|error| Error::io(format!("cannot find {}", path.display()), error))
}

impl Juju {
    /// Connects to a model whose controller runs, by its folder.
    ///
    /// # Errors
    /// When no controller listens there.
    pub fn connect(folder: &Path) -> Result<Self> {
        let juju = Self {
            folder: folder.to_owned(),
            controller: None,
        };
        juju.open()?;
        Ok(juju)
    }

    /// A connection of its own for each request: a long one does not hold up another thread's.
    fn open(&self) -> Result<BufReader<UnixStream>> {
        let socket = self.folder.join("controller.sock");
        let stream = UnixStream::connect(&socket).map_err(|error| {
            Error::io(
                format!("no controller answers at {}", socket.display()),
                error,
            )
        })?;
        Ok(BufReader::new(stream))
    }

    /// The model's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn ask(&self, request: &Request) -> Result<Value> {
        let lost = |error| Error::io("the controller does not answer".to_owned(), error);
        let mut text = serde_json::to_string(request).map_err(|error| Error::protocol(&error))?;
        text.push('\n');
        let mut connection = self.open()?;
        connection
            .get_mut()
            .write_all(text.as_bytes())
            .map_err(lost)?;
        let mut line = String::new();
        connection.read_line(&mut line).map_err(lost)?;
        match serde_json::from_str(&line).map_err(|error| Error::protocol(&error))? {
            Reply::Done(value) => Ok(value),
            Reply::Refused(text) => Err(Error::refused(text)),
        }
    }

    fn get<T: DeserializeOwned>(&self, request: &Request) -> Result<T> {
        serde_json::from_value(self.ask(request)?).map_err(|error| Error::protocol(&error))
    }

    fn tell(&self, request: &Request) -> Result<()> {
        self.ask(request).map(drop)
    }

    /// Deploys a charm; returns the application's name. The units come up by themselves.
    ///
    /// # Errors
    /// What Juju refuses: an unknown option or resource, a value of the wrong type, a name that is taken; a charm or image file that cannot be read.
    pub fn deploy(&self, deploy: &Deploy) -> Result<String> {
        let resources = deploy
            .resources
            .iter()
            .map(|(name, file)| Ok((name.clone(), absolute(file)?)))
            .collect::<Result<_>>()?;
        self.get(&Request::Deploy {
            source: absolute(&deploy.charm)?,
            name: deploy.application.clone(),
            config: deploy.config.clone(),
            resources,
            units: deploy.units.unwrap_or(1),
            storage_delay_ms: u64::try_from(deploy.storage_delay.as_millis()).unwrap_or(u64::MAX),
            allow_missing_images: deploy.allow_missing_images,
        })
    }

    /// Adds an application without a charm from the text of its file; returns its name.
    ///
    /// # Errors
    /// When the text is not of that form or the name is taken.
    pub fn deploy_remote(&self, text: &str, name: Option<&str>) -> Result<String> {
        self.get(&Request::DeployRemote {
            text: text.to_owned(),
            name: name.map(str::to_owned),
        })
    }

    /// Sets options.
    ///
    /// # Errors
    /// Unknown options and values of the wrong type.
    pub fn config<'a>(
        &self,
        application: &str,
        values: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<()> {
        self.tell(&Request::Config {
            application: application.to_owned(),
            set: texts(values),
            reset: Vec::new(),
        })
    }

    /// Sets options back to their defaults.
    ///
    /// # Errors
    /// Unknown options.
    pub fn config_reset(&self, application: &str, names: &[&str]) -> Result<()> {
        self.tell(&Request::Config {
            application: application.to_owned(),
            set: BTreeMap::new(),
            reset: names.iter().map(|name| (*name).to_owned()).collect(),
        })
    }

    /// Relates two applications, each `application` or `application:endpoint`.
    ///
    /// # Errors
    /// Unknown applications and endpoints, interfaces that do not fit, ambiguity, a relation that is there.
    pub fn integrate(&self, one: &str, other: &str) -> Result<()> {
        self.tell(&Request::Integrate {
            one: one.to_owned(),
            other: other.to_owned(),
        })
    }

    /// Begins to remove a relation.
    ///
    /// # Errors
    /// When there is none.
    pub fn remove_relation(&self, one: &str, other: &str) -> Result<()> {
        self.tell(&Request::RemoveRelation {
            one: one.to_owned(),
            other: other.to_owned(),
        })
    }

    /// Adds an operator's secret; returns its URI, `secret:<id>`.
    ///
    /// # Errors
    /// A name that is taken, keys and values that Juju refuses.
    pub fn add_secret<'a>(
        &self,
        name: &str,
        content: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<String> {
        self.get(&Request::AddSecret {
            name: name.to_owned(),
            content: texts(content),
            info: None,
        })
    }

    /// Gives an operator's secret (by name or URI) a new revision.
    ///
    /// # Errors
    /// As [`Juju::add_secret`]; an unknown secret.
    pub fn update_secret<'a>(
        &self,
        name: &str,
        content: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<()> {
        self.tell(&Request::UpdateSecret {
            name: name.to_owned(),
            content: texts(content),
        })
    }

    /// Lets an application read an operator's secret. No hook follows, as in Juju.
    ///
    /// # Errors
    /// An unknown secret or application.
    pub fn grant_secret(&self, name: &str, application: &str) -> Result<()> {
        self.tell(&Request::GrantSecret {
            name: name.to_owned(),
            applications: vec![application.to_owned()],
            grant: true,
        })
    }

    /// Takes that right back.
    ///
    /// # Errors
    /// As [`Juju::grant_secret`].
    pub fn revoke_secret(&self, name: &str, application: &str) -> Result<()> {
        self.tell(&Request::GrantSecret {
            name: name.to_owned(),
            applications: vec![application.to_owned()],
            grant: false,
        })
    }

    /// Removes an operator's secret. No hook follows for its readers, as in Juju.
    ///
    /// # Errors
    /// An unknown secret.
    pub fn remove_secret(&self, name: &str) -> Result<()> {
        self.tell(&Request::RemoveSecret {
            name: name.to_owned(),
        })
    }

    /// The lines of the log, oldest first.
    ///
    /// # Errors
    /// When the controller is gone.
    pub fn debug_log(&self) -> Result<Vec<String>> {
        let lines: Vec<Value> = self.get(&Request::DebugLog { after: 0 })?;
        Ok(lines
            .iter()
            .filter_map(|line| line["text"].as_str().map(str::to_owned))
            .collect())
    }

    /// Runs a command beside the charm, with the hook commands on its PATH, as `juju exec` does; returns exit code, standard output and error.
    ///
    /// # Errors
    /// An unknown unit, or changes that are refused at the end.
    pub fn exec(&self, unit: &str, words: &[&str]) -> Result<(i32, String, String)> {
        let answer = self.ask(&Request::Exec {
            unit: unit.to_owned(),
            words: words.iter().map(|word| (*word).to_owned()).collect(),
        })?;
        let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
        let code = answer["return-code"]
            .as_i64()
            .and_then(|code| i32::try_from(code).ok())
            .unwrap_or(-1);
        Ok((code, text("stdout"), text("stderr")))
    }

    /// Adds units.
    ///
    /// # Errors
    /// An unknown application, or one without a charm.
    pub fn add_unit(&self, application: &str, count: u32) -> Result<()> {
        self.tell(&Request::AddUnit {
            application: application.to_owned(),
            count,
            attach_storage: Vec::new(),
        })
    }

    /// Adds a unit with storage that another unit left, by its id (`data/0`).
    ///
    /// # Errors
    /// As [`Juju::add_unit`]; storage that is not detached, or that the charm has none of.
    pub fn add_unit_with_storage(&self, application: &str, storage: &[&str]) -> Result<()> {
        self.tell(&Request::AddUnit {
            application: application.to_owned(),
            count: 1,
            attach_storage: storage.iter().map(|id| (*id).to_owned()).collect(),
        })
    }

    /// Adds or removes units until there are so many; those of the highest numbers go first.
    ///
    /// # Errors
    /// An unknown application.
    pub fn scale_application(&self, application: &str, units: u32) -> Result<()> {
        self.tell(&Request::ScaleApplication {
            application: application.to_owned(),
            units,
        })
    }

    /// Begins to remove a unit. Its storage is kept, detached.
    ///
    /// # Errors
    /// An unknown unit.
    pub fn remove_unit(&self, unit: &str) -> Result<()> {
        self.tell(&Request::RemoveUnit {
            unit: unit.to_owned(),
        })
    }

    /// Begins to remove an application.
    ///
    /// # Errors
    /// An unknown application.
    pub fn remove_application(&self, application: &str) -> Result<()> {
        self.tell(&Request::RemoveApplication {
            application: application.to_owned(),
        })
    }
}
