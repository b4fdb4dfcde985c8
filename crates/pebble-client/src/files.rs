//! Files of the workload: list, make directories, remove; reading and writing are in the modules below.

pub(crate) mod attributes;
pub(crate) mod multipart;
pub(crate) mod pull;
pub(crate) mod push;
pub(crate) mod read_files;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Client;
use crate::client::Operation;
use crate::envelope::{Envelope, PathResult, each_path, single_path};
use crate::error::{Error, Failure};
use crate::files::attributes::{Attributes, attribute_setters};
use crate::open_enum::open_enum;
use crate::query::Target;

open_enum! {
    /// What stands at a path.
    FileType {
        /// A regular file.
        File = "file",
        /// A directory.
        Directory = "directory",
        /// A symbolic link.
        Symlink = "symlink",
        /// A unix socket.
        Socket = "socket",
        /// A named pipe.
        NamedPipe = "named-pipe",
        /// A block or character device.
        Device = "device",
    }
}

/// One file or directory. A name that is not UTF-8 comes with replacement characters, and cannot be asked for.
///
/// [`Client::list_files`] has an example.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct FileInfo {
    /// Its whole path.
    pub path: String,
    /// The last part of the path.
    pub name: String,
    /// What it is.
    #[serde(rename = "type")]
    pub file_type: FileType,
    /// Its size in bytes; regular files only.
    #[serde(rename = "size")]
    pub size_bytes: Option<u64>,
    /// The lowest nine bits of its mode.
    #[serde(deserialize_with = "octal")]
    pub permissions: u32,
    /// When it was last changed, in whole seconds.
    pub last_modified: Timestamp,
    /// The id of its owner.
    pub user_id: Option<u32>,
    /// The name of its owner, where that has one.
    pub user: Option<String>,
    /// The id of its group.
    pub group_id: Option<u32>,
    /// The name of its group, where that has one.
    pub group: Option<String>,
}

impl FileInfo {
    /// Returns whether it is a directory.
    ///
    /// # Example
    ///
    /// ```no_run
    /// // no_run: needs a daemon
    /// # async fn example(client: pebble_client::Client) -> Result<(), pebble_client::Error> {
    /// let is_there = client.file_info("/data").await.is_ok_and(|info| info.is_directory());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn is_directory(&self) -> bool {
        self.file_type == FileType::Directory
    }
}

/// How to list; the default is everything in a directory.
///
/// [`Client::list_files_with`] has an example.
#[derive(Debug, Clone, Copy, Default)]
pub struct ListOptions<'a> {
    /// Only names that match this pattern of Go's `path.Match` (`*.gz`).
    pub pattern: Option<&'a str>,
    /// The directory itself instead of what is in it.
    pub itself: bool,
}

/// A directory to make; see [`Client::make_dir`].
///
/// [`Client::make_dir`] has an example.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct MakeDir<'a> {
    path: &'a str,
    make_parents: bool,
    #[serde(flatten)]
    attributes: Attributes<'a>,
}

impl<'a> MakeDir<'a> {
    /// A directory at the absolute `path`, mode 0755, owned by whoever Pebble runs as.
    ///
    /// # Example
    ///
    /// ```
    /// use pebble_client::MakeDir;
    /// let directory = MakeDir::new("/data/media");
    /// ```
    #[must_use]
    pub fn new(path: &'a str) -> Self {
        Self {
            path,
            make_parents: false,
            attributes: Attributes::default(),
        }
    }

    /// Makes missing parents too, with the same mode and owner, and takes a directory that is there for made.
    ///
    /// # Example
    ///
    /// ```
    /// use pebble_client::MakeDir;
    /// let directory = MakeDir::new("/data/media/local").make_parents(true);
    /// ```
    #[must_use]
    pub fn make_parents(mut self, make_parents: bool) -> Self {
        self.make_parents = make_parents;
        self
    }

    attribute_setters!('a);
}

impl Client {
    /// Returns what is in the directory `path`, or the file `path` itself, ordered by name. A symbolic link at `path`
    /// is followed, those in the directory are not.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound), [`PermissionDenied`](crate::ErrorKind::PermissionDenied), or
    /// [`GenericFile`](crate::ErrorKind::GenericFile); [`BadRequest`](crate::ErrorKind::BadRequest) for a path that is
    /// not absolute or a pattern that is not valid.
    ///
    /// # Example
    ///
    /// ```no_run
    /// // no_run: needs a daemon
    /// # async fn example(client: pebble_client::Client) -> Result<(), pebble_client::Error> {
    /// let files = client.list_files("/data").await?;
    /// let bytes: u64 = files.iter().filter_map(|file| file.size_bytes).sum();
    /// # Ok(())
    /// # }
    /// ```
    pub async fn list_files(&self, path: &str) -> Result<Vec<FileInfo>, Error> {
        self.list_files_with(path, ListOptions::default()).await
    }

    /// As [`list_files`](Self::list_files), with options.
    ///
    /// # Errors
    ///
    /// As [`list_files`](Self::list_files).
    ///
    /// # Example
    ///
    /// ```no_run
    /// // no_run: needs a daemon
    /// # async fn example(client: pebble_client::Client) -> Result<(), pebble_client::Error> {
    /// use pebble_client::ListOptions;
    /// let options = ListOptions { pattern: Some("*.key"), ..ListOptions::default() };
    /// let keys = client.list_files_with("/data", options).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn list_files_with(
        &self,
        path: &str,
        options: ListOptions<'_>,
    ) -> Result<Vec<FileInfo>, Error> {
        let mut target = Target::new("/v1/files")
            .with("action", "list")
            .with("path", path)
            .with_some("pattern", options.pattern);
        if options.itself {
            target = target.with("itself", "true");
        }
        let envelope: Result<Envelope<Vec<FileInfo>>, Failure> = self.get(target).await;
        Ok(envelope
            .on_path("list files in", path)?
            .result
            .unwrap_or_default())
    }

    /// Returns what stands at `path`, following symbolic links.
    ///
    /// # Errors
    ///
    /// As [`list_files`](Self::list_files).
    ///
    /// # Example
    ///
    /// ```no_run
    /// // no_run: needs a daemon
    /// # async fn example(client: pebble_client::Client) -> Result<(), pebble_client::Error> {
    /// let info = client.file_info("/data/homeserver.yaml").await?;
    /// let is_private = info.permissions & 0o077 == 0;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn file_info(&self, path: &str) -> Result<FileInfo, Error> {
        // With a trailing slash the daemon would name the last part twice.
        let trimmed = match path.trim_end_matches('/') {
            "" if path.starts_with('/') => "/",
            trimmed => trimmed,
        };
        let mut files = self
            .list_files_with(
                trimmed,
                ListOptions {
                    itself: true,
                    pattern: None,
                },
            )
            .await?;
        files.pop().ok_or_else(|| {
            let failure = Failure::Protocol(String::from("an empty list for one file"));
            Error::new(format!("list files in {path}"), failure).at_path(path)
        })
    }

    /// Makes a directory.
    ///
    /// # Errors
    ///
    /// [`GenericFile`](crate::ErrorKind::GenericFile) when it is there already (unless parents are asked for) or the
    /// path is not absolute; [`NotFound`](crate::ErrorKind::NotFound) when its parent is missing;
    /// [`BadRequest`](crate::ErrorKind::BadRequest) for permissions above 0777.
    ///
    /// # Example
    ///
    /// ```no_run
    /// // no_run: needs a daemon
    /// # async fn example(client: pebble_client::Client) -> Result<(), pebble_client::Error> {
    /// use pebble_client::MakeDir;
    /// let directory = MakeDir::new("/data/media").make_parents(true).permissions(0o750).user_id(991).group_id(991);
    /// client.make_dir(directory).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn make_dir(&self, directory: MakeDir<'_>) -> Result<(), Error> {
        let payload = serde_json::json!({"action": "make-dirs", "dirs": [&directory]});
        let result = match directory.attributes.check() {
            Ok(()) => {
                self.post::<Vec<PathResult>>(Target::new("/v1/files"), &payload)
                    .await
            }
            Err(failure) => Err(failure),
        };
        result
            .and_then(|envelope| single_path(envelope.result))
            .on_path("make directory", directory.path)
    }

    /// As [`make_dir`](Self::make_dir), several in one request, one after the other. Tells of each how it went, in
    /// their order; one that fails does not keep the next ones back.
    ///
    /// # Errors
    ///
    /// What concerns the whole request; [`BadRequest`](crate::ErrorKind::BadRequest) for permissions above 0777, and
    /// then nothing was sent.
    ///
    /// # Example
    ///
    /// ```no_run
    /// // no_run: needs a daemon
    /// # async fn example(client: pebble_client::Client) -> Result<(), pebble_client::Error> {
    /// use pebble_client::MakeDir;
    /// let made = client.make_dirs(&[MakeDir::new("/data/a"), MakeDir::new("/data/b")]).await?;
    /// for result in made {
    ///     result?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn make_dirs(
        &self,
        directories: &[MakeDir<'_>],
    ) -> Result<Vec<Result<(), Error>>, Error> {
        let payload = serde_json::json!({"action": "make-dirs", "dirs": directories});
        let checked = directories
            .iter()
            .try_for_each(|directory| directory.attributes.check());
        let result = match checked {
            Ok(()) => {
                self.post::<Vec<PathResult>>(Target::new("/v1/files"), &payload)
                    .await
            }
            Err(failure) => Err(failure),
        };
        let results = result
            .and_then(|envelope| each_path(envelope.result, directories.len()))
            .operation(|| String::from("make directories"))?;
        let paths = directories.iter().map(|directory| directory.path);
        Ok(of_each("make directory", paths, results))
    }

    /// Removes a file or an empty directory; with `recursive`, a directory with all that is in it, and then a path
    /// that is not there is no error.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound), [`PermissionDenied`](crate::ErrorKind::PermissionDenied), or
    /// [`GenericFile`](crate::ErrorKind::GenericFile), also for a directory that is not empty.
    ///
    /// # Example
    ///
    /// ```no_run
    /// // no_run: needs a daemon
    /// # async fn example(client: pebble_client::Client) -> Result<(), pebble_client::Error> {
    /// client.remove_path("/data/.staging", true).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn remove_path(&self, path: &str, recursive: bool) -> Result<(), Error> {
        let payload = serde_json::json!({"action": "remove", "paths": [{"path": path, "recursive": recursive}]});
        let envelope: Result<Envelope<Vec<PathResult>>, Failure> =
            self.post(Target::new("/v1/files"), &payload).await;
        envelope
            .and_then(|envelope| single_path(envelope.result))
            .on_path("remove", path)
    }

    /// As [`remove_path`](Self::remove_path), several in one request, one after the other. Tells of each how it went,
    /// in their order; one that fails does not keep the next ones back.
    ///
    /// # Errors
    ///
    /// What concerns the whole request.
    ///
    /// # Example
    ///
    /// ```no_run
    /// // no_run: needs a daemon
    /// # async fn example(client: pebble_client::Client) -> Result<(), pebble_client::Error> {
    /// let removed = client.remove_paths(&["/tmp/a", "/tmp/b"], true).await?;
    /// let failed = removed.iter().filter(|result| result.is_err()).count();
    /// # Ok(())
    /// # }
    /// ```
    pub async fn remove_paths(
        &self,
        paths: &[&str],
        recursive: bool,
    ) -> Result<Vec<Result<(), Error>>, Error> {
        let items: Vec<_> = paths
            .iter()
            .map(|path| serde_json::json!({"path": path, "recursive": recursive}))
            .collect();
        let payload = serde_json::json!({"action": "remove", "paths": items});
        let envelope: Result<Envelope<Vec<PathResult>>, Failure> =
            self.post(Target::new("/v1/files"), &payload).await;
        let results = envelope
            .and_then(|envelope| each_path(envelope.result, paths.len()))
            .operation(|| String::from("remove files"))?;
        Ok(of_each("remove", paths.iter().copied(), results))
    }
}

/// Puts each path on its result.
pub(crate) fn of_each<'a, T>(
    operation: &str,
    paths: impl Iterator<Item = &'a str>,
    results: Vec<Result<T, Failure>>,
) -> Vec<Result<T, Error>> {
    let each = paths.zip(results);
    each.map(|(path, result)| result.on_path(operation, path))
        .collect()
}

fn octal<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let text = String::deserialize(deserializer)?;
    u32::from_str_radix(&text, 8).map_err(serde::de::Error::custom)
}
