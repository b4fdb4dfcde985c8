//! The file systems that containers and charms see: a folder of the host as `/`, the host's programs read-only over it,
//! and binds; all of it as arguments of bubblewrap.

use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::Privilege;
use super::image::{Image, check_inside};

/// The host's folders that every root has, read-only.
const PROGRAMS: [&str; 6] = ["usr", "bin", "sbin", "lib", "lib32", "lib64"];

/// What programs expect in /etc, of the host, read-only. Everything else there is the root's own.
const HOST_ETC: [&str; 8] = [
    "alternatives",
    "ca-certificates",
    "ca-certificates.conf",
    "ld.so.cache",
    "localtime",
    "mime.types",
    "ssl/certs",
    "ssl/openssl.cnf",
];

/// What a container of Kubernetes may do as root; above all it may not look into other users' processes.
const CAPABILITIES: [&str; 13] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

/// How a folder or file of the host is seen inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    ReadOnly,
    ReadWrite,
}

/// A root being built.
#[derive(Debug, Clone)]
pub(super) struct Root {
    folder: PathBuf,
    binds: Vec<(PathBuf, PathBuf)>,
    arguments: Vec<OsString>,
}

impl Root {
    /// Makes a fresh root in `folder`; what was there is removed.
    pub(super) fn fresh(
        folder: &Path,
        image: &Image,
        hostname: &str,
        privilege: Privilege,
    ) -> anyhow::Result<Self> {
        let mut root = Self {
            folder: folder.to_owned(),
            binds: Vec::new(),
            arguments: Vec::new(),
        };
        remove_folder(folder)?;
        root.make(image, hostname, privilege)
            .with_context(|| format!("cannot make the root {}", folder.display()))?;
        Ok(root)
    }

    fn make(&mut self, image: &Image, hostname: &str, privilege: Privilege) -> anyhow::Result<()> {
        make_folder(&self.folder, 0o755)?;
        self.arguments.extend([
            "--bind".into(),
            self.folder.clone().into_os_string(),
            "/".into(),
        ]);
        for (path, mode) in [
            ("/etc", 0o755),
            ("/home", 0o755),
            ("/opt", 0o755),
            ("/root", 0o700),
            ("/run", 0o755),
            ("/tmp", 0o1777),
            ("/var/lib", 0o755),
            ("/var/log", 0o755),
            ("/var/tmp", 0o1777),
            ("/proc", 0o755),
            ("/dev", 0o755),
        ] {
            make_folder(&self.on_host(Path::new(path)), mode)?;
        }
        self.programs()?;
        self.etc(image, hostname)?;
        for bind in &image.binds {
            self.bind(&bind.from, &bind.to, Access::ReadOnly)?;
        }
        for user in &image.users {
            let home = self.on_host(&user.home);
            make_folder(&home, 0o755)?;
            if privilege == Privilege::Root {
                chown(&home, Some(user.uid), Some(user.gid))?;
            }
        }
        for (link, target) in &image.symlinks {
            let link = self.on_host(link);
            make_folder(link.parent().unwrap_or(&self.folder), 0o755)?;
            symlink(target, &link)
                .with_context(|| format!("cannot make the link {}", link.display()))?;
        }
        for program in &image.hide {
            self.hide(program)?;
        }
        Ok(())
    }

    fn programs(&mut self) -> anyhow::Result<()> {
        for name in PROGRAMS {
            let host = Path::new("/").join(name);
            let Ok(metadata) = host.symlink_metadata() else {
                continue;
            };
            if metadata.is_symlink() {
                symlink(fs::read_link(&host)?, self.folder.join(name))?;
            } else {
                self.bind(&host, &host, Access::ReadOnly)?;
            }
        }
        Ok(())
    }

    fn etc(&mut self, image: &Image, hostname: &str) -> anyhow::Result<()> {
        let (passwd, group) = image.accounts();
        let hosts =
            format!("127.0.0.1 localhost\n::1 localhost ip6-localhost\n127.0.0.1 {hostname}\n");
        let etc = self.folder.join("etc");
        for (name, content) in [
            ("passwd", passwd.as_str()),
            ("group", &group),
            ("hosts", &hosts),
            ("hostname", &format!("{hostname}\n")),
            (
                "nsswitch.conf",
                "passwd: files\ngroup: files\nhosts: files dns\n",
            ),
            // Nothing answers in a unit's network; without this file the resolver waits for 127.0.0.1.
            ("resolv.conf", "options timeout:1 attempts:1\n"),
        ] {
            let file = etc.join(name);
            fs::write(&file, content)?;
            fs::set_permissions(&file, Permissions::from_mode(0o644))?;
        }
        for name in HOST_ETC {
            let host = Path::new("/etc").join(name);
            if host.exists() {
                self.bind(&host, &host, Access::ReadOnly)?;
            }
        }
        Ok(())
    }

    /// Shows a folder or file of the host at a path inside.
    pub(super) fn bind(&mut self, from: &Path, to: &Path, access: Access) -> anyhow::Result<()> {
        check_inside(to)?;
        let is_folder = (fs::metadata(from))
            .with_context(|| format!("cannot show {} in a root", from.display()))?
            .is_dir();
        if self.bind_over(to).is_none() {
            let place = self.on_host(to);
            if is_folder {
                make_folder(&place, 0o755)?;
            } else if !place.exists() {
                make_folder(place.parent().unwrap_or(&self.folder), 0o755)?;
                fs::write(&place, "")?;
            }
        }
        let option = match access {
            Access::ReadOnly => "--ro-bind",
            Access::ReadWrite => "--bind",
        };
        self.arguments
            .extend([option.into(), from.into(), to.into()]);
        self.binds.push((from.to_owned(), to.to_owned()));
        Ok(())
    }

    /// Puts a file that nobody can execute, root included, over a program.
    fn hide(&mut self, program: &Path) -> anyhow::Result<()> {
        // A bind over a link would cover what the link leads to on the host's side of the mount.
        let mut target = program.to_owned();
        for _ in 0..8 {
            let (from, to) = match self.bind_over(&target) {
                Some(bind) => bind.clone(),
                None => (self.folder.clone(), PathBuf::from("/")),
            };
            let on_host = from.join(target.strip_prefix(&to)?);
            match fs::read_link(&on_host) {
                Ok(link) => target = normal(&target.parent().unwrap_or(&to).join(link)),
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
                Err(_) => break,
            }
        }
        let nothing = self.folder.with_extension("nothing");
        if !nothing.exists() {
            fs::write(&nothing, "")?;
            fs::set_permissions(&nothing, Permissions::from_mode(0o000))?;
        }
        self.bind(&nothing, &target, Access::ReadOnly)
            .with_context(|| format!("cannot hide {}", program.display()))
    }

    /// The last bind that covers a path inside.
    fn bind_over(&self, inside: &Path) -> Option<&(PathBuf, PathBuf)> {
        self.binds
            .iter()
            .rev()
            .find(|(_, to)| inside.starts_with(to))
    }

    /// Where a path inside lies on the host, unless something is bound over it.
    pub(super) fn on_host(&self, inside: &Path) -> PathBuf {
        self.folder.join(inside.strip_prefix("/").unwrap_or(inside))
    }

    /// The arguments of bubblewrap for a container: process numbers of its own, nothing seen of the host's.
    pub(super) fn container_arguments(
        &self,
        hostname: &str,
        privilege: Privilege,
    ) -> Vec<OsString> {
        let mut arguments = common_arguments(hostname);
        arguments.push("--unshare-pid".into());
        // Pebble can switch to no other user here, so it starts as the one the workload is to have.
        arguments.extend(privilege_arguments(privilege, "991"));
        arguments.extend_from_slice(&self.arguments);
        arguments.extend(["--proc", "/proc", "--dev", "/dev"].map(OsString::from));
        arguments
    }

    /// The arguments of bubblewrap for a charm: it keeps the host's process numbers, as the agent reads
    /// `/proc/<pid>/fd/<n>` of its processes.
    pub(super) fn charm_arguments(&self, hostname: &str, privilege: Privilege) -> Vec<OsString> {
        let mut arguments = common_arguments(hostname);
        arguments.extend(privilege_arguments(privilege, "0"));
        arguments.extend_from_slice(&self.arguments);
        arguments.extend(["--bind", "/proc", "/proc", "--dev", "/dev"].map(OsString::from));
        arguments
    }
}

fn common_arguments(hostname: &str) -> Vec<OsString> {
    [
        "--die-with-parent",
        "--unshare-ipc",
        "--unshare-uts",
        "--hostname",
        hostname,
    ]
    .map(OsString::from)
    .to_vec()
}

fn privilege_arguments(privilege: Privilege, id: &str) -> Vec<OsString> {
    match privilege {
        Privilege::Root => {
            let kept = CAPABILITIES
                .iter()
                .flat_map(|name| ["--cap-add".into(), format!("CAP_{name}").into()]);
            ["--cap-drop".into(), "ALL".into()]
                .into_iter()
                .chain(kept)
                .collect()
        }
        Privilege::Ordinary => {
            // The charm is user 0 of its namespace, which alone would leave it every capability there.
            [
                "--unshare-user",
                "--uid",
                id,
                "--gid",
                id,
                "--cap-drop",
                "ALL",
            ]
            .map(OsString::from)
            .to_vec()
        }
    }
}

/// Makes a folder and those above it, each new one readable by all (the umask of whoever starts us is not for
/// the inside), the last one with `mode`.
pub(super) fn make_folder(path: &Path, mode: u32) -> anyhow::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        make_folder(parent, 0o755)?;
    }
    match fs::create_dir(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        result => result
            .and_then(|()| fs::set_permissions(path, Permissions::from_mode(mode)))
            .with_context(|| format!("cannot make the folder {}", path.display())),
    }
}

/// Removes a folder and all in it; one that is not there is no error.
pub(super) fn remove_folder(path: &Path) -> anyhow::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Takes `.` and `..` out of an absolute path without looking at the disk.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            std::path::Component::ParentDir => drop(normal.pop()),
            std::path::Component::CurDir => {}
            other => normal.push(other),
        }
    }
    normal
}
