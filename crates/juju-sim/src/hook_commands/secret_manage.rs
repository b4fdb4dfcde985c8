//! `secret-grant`, `secret-revoke`, `secret-remove`.

use super::arguments::Takes;
use super::secret::secret_id;
use super::{Call, CommandError, Output};
use crate::context::Grant;
use crate::model::name::UnitName;

impl Call<'_> {
    /// Refuses a secret that the unit does not own.
    pub(super) fn owned(&self, id: &str) -> Result<(), CommandError> {
        let pending = self.context.changes.secrets.created.contains_key(id);
        let owned = self
            .model
            .secrets
            .get(id)
            .is_some_and(|secret| secret.is_owned_by(&self.context.unit));
        if pending || owned {
            Ok(())
        } else {
            Err(CommandError::refused(format!("secret {id:?} not found")))
        }
    }

    fn counterpart(&self, relation: u32) -> String {
        self.model
            .relations
            .get(&relation)
            .map(|relation| {
                relation
                    .counterpart(&self.context.unit.application)
                    .to_owned()
            })
            .unwrap_or_default()
    }
}

pub(super) fn grant(call: &mut Call<'_>) -> Output {
    let arguments = call.silent(&[
        (&["r", "relation"], Takes::Value),
        (&["unit"], Takes::Value),
    ])?;
    let Some(uri) = arguments.word(0) else {
        return Err(CommandError::usage("missing secret URI"));
    };
    let id = secret_id(uri)?;
    let relation = call.relation(&arguments)?;
    arguments.words.get(1).map_or(Ok(()), |_| {
        Err(CommandError::usage(format!(
            "unrecognized args: [{:?}]",
            arguments.words[1]
        )))
    })?;
    let reader = match arguments.option("unit") {
        Some(unit) => unit
            .parse::<UnitName>()
            .map_err(|_| CommandError::usage(format!("unit {unit:?} not valid")))?
            .to_string(),
        None => call.counterpart(relation),
    };
    call.owned(&id)?;
    call.context.changes.secrets.granted.push(Grant {
        secret: id,
        reader,
        relation: Some(relation),
    });
    Ok(String::new())
}

pub(super) fn revoke(call: &mut Call<'_>) -> Output {
    let arguments = call.silent(&[
        (&["r", "relation"], Takes::Value),
        (&["app", "application"], Takes::Value),
        (&["unit"], Takes::Value),
    ])?;
    let Some(uri) = arguments.word(0) else {
        return Err(CommandError::usage("missing secret URI"));
    };
    let id = secret_id(uri)?;
    let named = call.named_relation(&arguments)?;
    let reader = match (
        arguments.option("unit"),
        arguments.option("application"),
        named.or(call.context.relation().map(|hook| hook.id)),
    ) {
        (Some(reader), _, _) | (None, Some(reader), _) => reader.to_owned(),
        (None, None, Some(relation)) => call.counterpart(relation),
        (None, None, None) => {
            return Err(CommandError::usage(
                "missing relation or application or unit",
            ));
        }
    };
    call.owned(&id)?;
    call.context.changes.secrets.revoked.push(Grant {
        secret: id,
        reader,
        relation: named,
    });
    Ok(String::new())
}

pub(super) fn remove(call: &mut Call<'_>) -> Output {
    let arguments = call.silent(&[(&["revision"], Takes::Value)])?;
    let Some(uri) = arguments.word(0) else {
        return Err(CommandError::usage("missing secret URI"));
    };
    let id = secret_id(uri)?;
    arguments.at_most(1)?;
    let revision = match arguments.option("revision") {
        None => None,
        Some(text) => Some(text.parse().map_err(|_| CommandError::usage(format!("invalid value {text:?} for option --revision: strconv.ParseInt: parsing {text:?}: invalid syntax")))?),
    };
    let changes = &mut call.context.changes.secrets;
    if revision.is_none() && changes.created.remove(&id).is_some() {
        return Ok(String::new());
    }
    changes.removed.insert((id, revision));
    Ok(String::new())
}
