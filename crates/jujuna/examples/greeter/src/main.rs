//! Greets each application that is related to it, and gives it a word that nobody else knows.

use std::process::ExitCode;

use jujuna::{BoxError, Context, Juju, Outcome, SecretOwner, SecretSpec};

#[derive(serde::Deserialize)]
struct Options {
    phrase: String,
}

/// What a visitor's unit says.
#[derive(serde::Deserialize)]
struct Visitor {
    nickname: Option<String>,
}

/// What a visitor's application is told.
#[derive(serde::Serialize)]
struct Greeting {
    phrase: String,
    /// How many have said their names.
    known: usize,
    /// Where the word is.
    word: String,
}

fn main() -> ExitCode {
    jujuna::run(handle)
}

fn handle(_context: &Context, juju: &mut Juju) -> Result<Outcome, BoxError> {
    let Options { phrase } = juju.config()?;
    let relations = juju.relations("visitors")?;
    let Some(leader) = juju.leader()? else {
        return Ok(Outcome::Active("another unit greets".into()));
    };
    for id in &relations {
        let mut known = 0;
        for unit in juju.relation_list(id)? {
            let visitor: Visitor = juju.relation_get_unit_as(id, &unit)?;
            known += usize::from(visitor.nickname.is_some());
        }
        let label = format!("word-{}", id.number());
        let word = format!("sesame-{}", id.number());
        let spec = SecretSpec::new(&label, [("word", word)]).grant_to(id);
        juju.secret_declare(SecretOwner::Application(&leader), spec);
        let word = juju.secret_uri(&label)?.to_string();
        let phrase = phrase.clone();
        juju.relation_set_app_as(
            &leader,
            id,
            &Greeting {
                phrase,
                known,
                word,
            },
        )?;
    }
    Ok(Outcome::Active(format!("greeting {}", relations.len())))
}

#[cfg(test)]
mod tests;
