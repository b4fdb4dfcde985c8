//! Mode and owner of something that is made.

use serde::{Serialize, Serializer};

use crate::error::Failure;

#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Attributes<'a> {
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "three_octal_digits"
    )]
    pub(crate) permissions: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) user_id: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) group_id: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) group: Option<&'a str>,
}

impl Attributes<'_> {
    pub(crate) fn check(&self) -> Result<(), Failure> {
        match self.permissions {
            Some(bits) if bits > 0o777 => Err(Failure::Refused(format!(
                "permissions {bits:o} are more than 777"
            ))),
            _ => Ok(()),
        }
    }
}

#[expect(
    clippy::ref_option,
    clippy::trivially_copy_pass_by_ref,
    reason = "serde gives the field by reference"
)]
fn three_octal_digits<S: Serializer>(
    permissions: &Option<u32>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{:03o}", permissions.unwrap_or_default()))
}

/// The setters that [`MakeDir`](crate::MakeDir) and [`WriteFile`](crate::WriteFile) share.
macro_rules! attribute_setters {
    ($lifetime:lifetime) => {
        /// Sets the mode, at most 0777. The daemon's umask does not matter.
        ///
        /// # Example
        ///
        /// ```
        /// use pebble_client::{MakeDir, WriteFile};
        /// let file = WriteFile::new("/data/web.yaml").permissions(0o600);
        /// let directory = MakeDir::new("/data/media").permissions(0o600);
        /// ```
        #[must_use]
        pub fn permissions(mut self, permissions: u32) -> Self {
            self.attributes.permissions = Some(permissions);
            self
        }

        /// Sets the owner by id. Pebble must be root for it.
        ///
        /// # Example
        ///
        /// ```
        /// use pebble_client::{MakeDir, WriteFile};
        /// let file = WriteFile::new("/data/web.yaml").user_id(991);
        /// let directory = MakeDir::new("/data/media").user_id(991);
        /// ```
        #[must_use]
        pub fn user_id(mut self, user_id: u32) -> Self {
            self.attributes.user_id = Some(user_id);
            self
        }

        /// Sets the owner by name. Pebble must be root for it.
        ///
        /// # Example
        ///
        /// ```
        /// use pebble_client::{MakeDir, WriteFile};
        /// let file = WriteFile::new("/data/web.yaml").user("web");
        /// let directory = MakeDir::new("/data/media").user("web");
        /// ```
        #[must_use]
        pub fn user(mut self, user: &$lifetime str) -> Self {
            self.attributes.user = Some(user);
            self
        }

        /// Sets the group by id. Pebble must be root for it.
        ///
        /// # Example
        ///
        /// ```
        /// use pebble_client::{MakeDir, WriteFile};
        /// let file = WriteFile::new("/data/web.yaml").group_id(991);
        /// let directory = MakeDir::new("/data/media").group_id(991);
        /// ```
        #[must_use]
        pub fn group_id(mut self, group_id: u32) -> Self {
            self.attributes.group_id = Some(group_id);
            self
        }

        /// Sets the group by name. Pebble must be root for it.
        ///
        /// # Example
        ///
        /// ```
        /// use pebble_client::{MakeDir, WriteFile};
        /// let file = WriteFile::new("/data/web.yaml").group("web");
        /// let directory = MakeDir::new("/data/media").group("web");
        /// ```
        #[must_use]
        pub fn group(mut self, group: &$lifetime str) -> Self {
            self.attributes.group = Some(group);
            self
        }
    };
}

pub(crate) use attribute_setters;
