//! Where models live, and small forms of arguments.

use crate::client::Juju;
use anyhow::{Context as _, Result, bail};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The folder of all models: `JUJU_SIM_DATA`, else the user's data folder.
fn base() -> Result<PathBuf> {
    let given = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    given("JUJU_SIM_DATA")
        .or_else(|| given("XDG_DATA_HOME").map(|data| data.join("juju-sim")))
        .or_else(|| given("HOME").map(|home| home.join(".local/share/juju-sim")))
        .context("set JUJU_SIM_DATA, or HOME, to say where models live")
}

/// The folder of a model that is to be, which becomes the current one.
pub(super) fn new_model(name: &str, data: Option<PathBuf>) -> Result<PathBuf> {
    if !crate::model::name::is_application_name(name) {
        bail!(
            "{name:?} is not a valid name: model names may only contain lowercase letters, digits and hyphens"
        );
    }
    let base = base()?;
    let folder = data.unwrap_or_else(|| base.join(name));
    std::fs::create_dir_all(&base).with_context(|| format!("cannot make {}", base.display()))?;
    let absolute = std::path::absolute(&folder)?;
    std::fs::write(
        base.join("current"),
        absolute.as_os_str().as_encoded_bytes(),
    )
    .context("cannot note the current model")?;
    Ok(folder)
}

/// The folder of the model that is meant.
pub(super) fn folder(model: Option<&str>, data: Option<&Path>) -> Result<PathBuf> {
    if let Some(data) = data {
        return Ok(data.to_owned());
    }
    let base = base()?;
    match model {
        Some(model) => Ok(base.join(model)),
        None => match std::fs::read_to_string(base.join("current")) {
            Ok(folder) if Path::new(&folder).exists() => Ok(PathBuf::from(folder)),
            // None yet, or it was destroyed.
            _ => bail!("no model selected: use add-model, or name one by -m or --data"),
        },
    }
}

pub(super) fn connect(model: Option<&str>, data: Option<&Path>) -> Result<Juju> {
    let folder = folder(model, data)?;
    Juju::connect(&folder)
        .with_context(|| format!("the model in {} does not run", folder.display()))
}

/// `KEY=VALUE` words as a map.
pub(super) fn pairs(words: &[String]) -> Result<BTreeMap<String, String>> {
    words
        .iter()
        .map(|word| {
            let (key, value) = word
                .split_once('=')
                .with_context(|| format!("expected \"key=value\", got {word:?}"))?;
            Ok((key.to_owned(), value.to_owned()))
        })
        .collect()
}

/// The same, where `@FILE` as a value stands for the file's content.
pub(super) fn settings(words: &[String]) -> Result<BTreeMap<String, String>> {
    let mut all = pairs(words)?;
    for value in all.values_mut() {
        if let Some(file) = value.strip_prefix('@') {
            *value =
                std::fs::read_to_string(file).with_context(|| format!("cannot read {file}"))?;
        }
    }
    Ok(all)
}

/// The same, where `KEY#file=PATH` stands for the file's content.
pub(super) fn secret_content(words: &[String]) -> Result<BTreeMap<String, String>> {
    let all = pairs(words)?;
    all.into_iter()
        .map(|(key, value)| match key.strip_suffix("#file") {
            Some(key) => Ok((
                key.to_owned(),
                std::fs::read_to_string(&value).with_context(|| format!("cannot read {value}"))?,
            )),
            None => Ok((key, value)),
        })
        .collect()
}
