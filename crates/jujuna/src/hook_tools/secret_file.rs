//! A file in memory, by which a secret's value reaches Juju without argv and without disk.

use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsRawFd;

use rustix::fs::{MemfdFlags, Mode};

/// A file that exists in memory only and goes with its owner.
///
/// Juju's agent opens it by the path of the charm's own file descriptor, which works because agent and charm
/// share one process namespace.
///
/// # Example
///
/// ```
/// use jujuna::{HookCommand, SecretFile};
///
/// let file = SecretFile::new(b"{\"password\": \"hunter22\"}")?;
/// assert!(file.path().starts_with("/proc/"));
/// let command = HookCommand::new("secret-add").secret_file(file);
/// assert!(!format!("{command:?}").contains("hunter22"));
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct SecretFile {
    path: String,
    /// Open as long as the hook command runs: without it the path is gone.
    _file: File,
}

impl SecretFile {
    /// Makes a file of this content, readable to this process's user and root.
    ///
    /// # Errors
    ///
    /// Returns the system's error when no such file can be made.
    ///
    /// [`SecretFile`] has an example.
    pub fn new(content: &[u8]) -> io::Result<Self> {
        let descriptor = rustix::fs::memfd_create("juju-secret", MemfdFlags::CLOEXEC)?;
        rustix::fs::fchmod(&descriptor, Mode::RUSR | Mode::WUSR)?;
        let mut file = File::from(descriptor);
        file.write_all(content)?;
        let path = format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd());
        Ok(Self { path, _file: file })
    }

    /// Returns the absolute path by which another process reads the file.
    ///
    /// [`SecretFile`] has an example.
    pub fn path(&self) -> &str {
        &self.path
    }
}

impl fmt::Debug for SecretFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretFile")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_read_by_path_and_gone_with_the_owner() {
        let file = SecretFile::new(b"{\"k\": \"v\"}").unwrap();
        let path = file.path().to_owned();
        assert_eq!(std::fs::read(&path).unwrap(), b"{\"k\": \"v\"}");
        drop(file);
        assert!(std::fs::read(&path).is_err());
    }
}
