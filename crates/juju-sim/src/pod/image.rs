//! What stands for an OCI image: a YAML file that says what a container sees beside the host's `/usr`.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, bail};
use serde::Deserialize;

/// The content of a container: a read-only view of the host, changed by what the image's file says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Image {
    /// Files and folders of the host, seen read-only inside.
    #[serde(default)]
    pub binds: Vec<Bind>,
    /// Symbolic links: path inside -> what it points to.
    #[serde(default)]
    pub symlinks: BTreeMap<PathBuf, PathBuf>,
    /// Programs that are there but cannot be executed.
    #[serde(default)]
    pub hide: Vec<PathBuf>,
    /// The environment that Pebble, and so every service and exec, starts with.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// Users beside root and nobody, each with a group of the same name and a home of its own.
    #[serde(default)]
    pub users: Vec<User>,
}

/// One file or folder of the host that the image shows.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bind {
    /// Where it is on the host; once loaded, an absolute path.
    pub from: PathBuf,
    /// Where it is inside.
    pub to: PathBuf,
}

/// A user of the image.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// The name, of the user and of its group.
    pub name: String,
    /// The user's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
    /// The home folder, made for the user.
    pub home: PathBuf,
}

impl Image {
    /// Reads an image's file. Relative `from` paths are taken from the folder of the file.
    ///
    /// # Errors
    /// When the file cannot be read, is not of this form, names a path inside that is not absolute, or binds
    /// something that is not on this host.
    pub fn load(file: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(file)
            .with_context(|| format!("cannot read image {}", file.display()))?;
        let mut image: Self = serde_norway::from_str(&text)
            .with_context(|| format!("image {} is not valid", file.display()))?;
        let file = std::path::absolute(file)
            .with_context(|| format!("cannot tell where image {} is", file.display()))?;
        let folder = file.parent().unwrap_or(Path::new("/"));
        for bind in &mut image.binds {
            let from = folder.join(&bind.from);
            bind.from = from.canonicalize().with_context(|| {
                format!(
                    "image {} binds {}, which is not there: run the set-up",
                    file.display(),
                    from.display()
                )
            })?;
        }
        image
            .check()
            .with_context(|| format!("image {} is not valid", file.display()))?;
        Ok(image)
    }

    fn check(&self) -> anyhow::Result<()> {
        let inside = (self.binds.iter().map(|bind| &bind.to))
            .chain(self.symlinks.keys())
            .chain(&self.hide)
            .chain(self.users.iter().map(|user| &user.home));
        for path in inside {
            check_inside(path)?;
        }
        for user in &self.users {
            if user.name.is_empty() || user.name.contains([':', '\n', '/']) {
                bail!("{:?} cannot be the name of a user", user.name);
            }
        }
        Ok(())
    }

    /// The lines of /etc/passwd and /etc/group.
    pub(super) fn accounts(&self) -> (String, String) {
        let passwd = self.users.iter().map(
            |User {
                 name,
                 uid,
                 gid,
                 home,
             }| { format!("{name}:x:{uid}:{gid}::{}:/bin/bash", home.display()) },
        );
        let group = self
            .users
            .iter()
            .map(|User { name, gid, .. }| format!("{name}:x:{gid}:"));
        let passwd = lines(
            "root:x:0:0:root:/root:/bin/bash",
            passwd,
            "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin",
        );
        let group = lines("root:x:0:", group, "nogroup:x:65534:");
        (passwd, group)
    }
}

fn lines(first: &str, between: impl Iterator<Item = String>, last: &str) -> String {
    let between: String = between.map(|line| line + "\n").collect();
    format!("{first}\n{between}{last}\n")
}

/// A path inside a root must be absolute and plain: `..` would lead out of the folder that stands for the root.
pub(crate) fn check_inside(path: &Path) -> anyhow::Result<()> {
    let mut components = path.components();
    if components.next() != Some(Component::RootDir)
        || !components.all(|component| matches!(component, Component::Normal(_)))
    {
        bail!("{} is not an absolute path without `..`", path.display());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> anyhow::Result<Image> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("image.yaml");
        std::fs::write(&file, text).unwrap();
        Image::load(&file)
    }

    #[test]
    fn relative_bind_is_taken_from_the_files_folder() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("tools/x")).unwrap();
        std::fs::create_dir(folder.path().join("images")).unwrap();
        let file = folder.path().join("images/one.yaml");
        std::fs::write(&file, "binds: [{from: ../tools/x, to: /opt/x}]").unwrap();
        let image = Image::load(&file).unwrap();
        assert_eq!(
            image.binds[0].from,
            folder.path().canonicalize().unwrap().join("tools/x")
        );
    }

    #[test]
    fn missing_bind_is_refused_by_name() {
        let error = load("binds: [{from: ./nothing-here, to: /opt/x}]").unwrap_err();
        assert!(error.to_string().contains("nothing-here"), "{error}");
    }

    #[test]
    fn unknown_key_and_path_that_leads_out_are_refused() {
        assert!(load("bind: []").is_err());
        assert!(load("hide: [/usr/../etc/passwd]").is_err());
        assert!(load("symlinks: {aws: /usr/bin/aws}").is_err());
    }

    #[test]
    fn user_appears_in_passwd_and_group() {
        let image =
            load("users: [{name: synapse, uid: 991, gid: 991, home: /home/synapse}]").unwrap();
        let (passwd, group) = image.accounts();
        assert!(passwd.contains("synapse:x:991:991::/home/synapse:/bin/bash\n"));
        assert!(group.contains("synapse:x:991:\n"));
    }
}
