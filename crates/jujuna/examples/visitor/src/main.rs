//! Says its name to what it is related to, and shows how it was greeted.

use std::process::ExitCode;

use jujuna::secrecy::ExposeSecret as _;
use jujuna::{BoxError, Context, Juju, Outcome, Revision, SecretUri};

/// What this unit says.
#[derive(serde::Serialize)]
struct Visitor {
    nickname: String,
}

/// What this application is told.
#[derive(serde::Deserialize)]
struct Greeting {
    phrase: Option<String>,
    known: Option<usize>,
    word: Option<SecretUri>,
}

fn main() -> ExitCode {
    jujuna::run(handle)
}

fn handle(context: &Context, juju: &mut Juju) -> Result<Outcome, BoxError> {
    let Some(id) = juju.relation("host")? else {
        return Ok(Outcome::Blocked("relate it to a greeter".into()));
    };
    let nickname = format!("number {}", context.unit.number());
    juju.relation_set_unit_as(&id, &Visitor { nickname })?;
    let app = juju.relation_app(&id)?.unwrap_or_default();
    let greeting: Greeting = juju.relation_get_app_as(&id, &app)?;
    let (Some(phrase), Some(word)) = (greeting.phrase, greeting.word) else {
        return Ok(Outcome::Waiting("to be greeted".into()));
    };
    let secret = match juju.secret_get(&word, Revision::Refresh) {
        Ok(secret) => secret,
        Err(error) if error.is_permission_denied() => {
            return Ok(Outcome::Waiting("to be told the word".into()));
        }
        Err(error) => return Err(error.into()),
    };
    let length = secret
        .get("word")
        .map_or(0, |word| word.expose_secret().len());
    let known = greeting.known.unwrap_or(0);
    Ok(Outcome::Active(format!(
        "{phrase}: {known} known, a word of {length} letters"
    )))
}

#[cfg(test)]
mod tests;
