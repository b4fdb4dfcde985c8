//! `config-get`: the options that an operator sets.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::typed::{Fields, Input, fit};
use crate::{Error, HookCommand, Juju};

impl Juju {
    /// Returns every option that is set or has a default, by name.
    ///
    /// Options of type `secret` are URIs. Numbers may be whole though the option is a float.
    ///
    /// # Errors
    ///
    /// Returns an error when Juju does not answer.
    ///
    /// # Example
    ///
    /// ```
    /// # use jujuna::{Juju, testing::{FakeJuju, State}};
    /// let fake = FakeJuju::new(State::new("hello/0").with_option("port", 8008));
    /// let juju = Juju::new(Box::new(fake));
    /// assert_eq!(juju.config_get()?["port"], 8008);
    /// # Ok::<(), jujuna::Error>(())
    /// ```
    pub fn config_get(&self) -> Result<Map<String, Value>, Error> {
        if let Some(config) = &self.cache.borrow().config {
            return Ok(config.clone());
        }
        let config: Option<Map<String, Value>> = self
            .read(&HookCommand::json("config-get"), &|| {
                "read the charm's options".to_owned()
            })?;
        let config = config.unwrap_or_default();
        self.cache.borrow_mut().config = Some(config.clone());
        Ok(config)
    }

    /// Returns the options as the charm's own type. Give options without a default the type `Option`.
    ///
    /// # Errors
    ///
    /// Returns [`ErrorKind::Mismatch`](crate::ErrorKind::Mismatch) when they do not fit, with every option that does not
    /// in [`Error::problems`](crate::Error::problems): by name, without its value.
    ///
    /// # Example
    ///
    /// ```
    /// # use jujuna::{Juju, testing::{FakeJuju, State}};
    /// #[derive(serde::Deserialize)]
    /// struct Options {
    ///     port: u16,
    ///     server_name: Option<String>,
    /// }
    /// let fake = FakeJuju::new(State::new("hello/0").with_option("port", 8008));
    /// let options: Options = Juju::new(Box::new(fake)).config()?;
    /// assert_eq!((options.port, options.server_name), (8008, None));
    /// # Ok::<(), jujuna::Error>(())
    /// ```
    pub fn config<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let options = self.config_get()?;
        let fields = options
            .iter()
            .map(|(name, value)| (name.as_str(), Input::Json(value)));
        fit(&Fields::new(fields), "options")
    }
}
