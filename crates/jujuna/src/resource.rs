//! `resource-get`: files that come with a charm.

use std::path::PathBuf;

use crate::{Error, ErrorKind, HookCommand, Juju};

impl Juju {
    /// Returns the path of a resource, after downloading it if need be, which takes as long as it takes.
    ///
    /// An oci-image resource is a YAML file that names the image.
    ///
    /// # Errors
    ///
    /// Returns [`ErrorKind::NotFound`] when the resource is not declared, or was never given.
    ///
    /// # Example
    ///
    /// ```
    /// # use jujuna::{Juju, testing::{FakeJuju, State}};
    /// # let mut state = State::new("hello/0");
    /// # state.resources.insert("image".to_owned(), "/resources/image.yaml".into());
    /// # let juju = Juju::new(Box::new(FakeJuju::new(state)));
    /// assert_eq!(juju.resource_get("image")?.to_str(), Some("/resources/image.yaml"));
    /// # Ok::<(), jujuna::Error>(())
    /// ```
    pub fn resource_get(&self, name: &str) -> Result<PathBuf, Error> {
        let command = HookCommand::new("resource-get")
            .arg(name)
            .without_deadline();
        let output = self.run(&command, &|| format!("get the resource {name}"))?;
        let path = String::from_utf8_lossy(&output.stdout)
            .trim_end_matches('\n')
            .to_owned();
        if path.is_empty() {
            return Err(Error::new(
                ErrorKind::Protocol,
                format!("cannot get the resource {name}: no path given"),
            ));
        }
        Ok(path.into())
    }
}
