//! A whole charm: it greets whom its option names, and counts how often it was woken.
//!
//! Build it and let the charm's `dispatch` be the program, or end in `exec ./bin/hello`.

use std::process::ExitCode;

use jujuna::{Context, Error, Event, Juju, Outcome, ProcessHookTools, Status, exit_code};

/// The options of this charm's `config.yaml`.
#[derive(serde::Deserialize)]
struct Options {
    name: Option<String>,
}

fn main() -> ExitCode {
    let context = match Context::from_env() {
        Ok(context) => context,
        // Not started by Juju: nobody listens but stderr.
        Err(error) => return fail(&error),
    };
    let tools = ProcessHookTools::new();
    if let Err(error) = jujuna::log::init(tools.clone()) {
        return fail(&error);
    }
    let mut juju = Juju::new(Box::new(tools)).with_unit(context.unit.clone());
    let outcome = run(&context.event, &mut juju);
    ExitCode::from(exit_code(&context.event, &outcome))
}

/// Dispatches, and tells of a failure where it is looked for: in the log, and to whoever waits for an action.
fn run(event: &Event, juju: &mut Juju) -> Outcome {
    let error = match dispatch(event, juju) {
        Ok(outcome) => return outcome,
        Err(error) => error,
    };
    tracing::error!(error = &error as &dyn std::error::Error, "{event}");
    juju.discard();
    if let Event::Action(_) = event {
        juju.action_fail(error.to_string());
        if let Err(error) = juju.flush() {
            tracing::error!(error = &error as &dyn std::error::Error, "{event}");
        }
    }
    Outcome::Failed
}

/// Does what the event asks for. Juju hears of it only if all goes well.
fn dispatch(event: &Event, juju: &mut Juju) -> Result<Outcome, Error> {
    let outcome = match event {
        Event::Action(action) if action.name == "greet" => greet(juju)?,
        // Of a newer Juju than this crate knows.
        Event::Unknown(_) => Outcome::Done,
        _ => reconcile(juju)?,
    };
    juju.flush()?;
    Ok(outcome)
}

fn reconcile(juju: &mut Juju) -> Result<Outcome, Error> {
    let options: Options = juju.config()?;
    let Some(name) = options.name else {
        let message = "set the option name".to_owned();
        juju.status_set(&Status::Blocked(message.clone()))?;
        return Ok(Outcome::Blocked(message));
    };
    let woken: u64 = juju
        .state_get()?
        .get("woken")
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    juju.state_set("woken", (woken + 1).to_string());
    juju.status_set(&Status::Active(format!("hello {name}")))?;
    Ok(Outcome::Done)
}

fn greet(juju: &mut Juju) -> Result<Outcome, Error> {
    let options: Options = juju.config()?;
    match options.name {
        Some(name) => juju.action_set([("greeting".to_owned(), format!("hello {name}"))].into()),
        None => juju.action_fail("nobody to greet: set the option name"),
    }
    Ok(Outcome::Done)
}

fn fail(error: &Error) -> ExitCode {
    use std::io::Write;
    // If stderr is closed, too, there is nothing left to do.
    let _ = writeln!(std::io::stderr(), "{error}");
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use jujuna::testing::{FakeJuju, State};

    use super::*;

    fn woken(event: &Event, fake: &FakeJuju) -> u8 {
        let outcome = run(event, &mut Juju::new(Box::new(fake.clone())));
        let code = exit_code(event, &outcome);
        fake.end(code);
        code
    }

    #[test]
    fn unnamed_world_blocks() {
        let fake = FakeJuju::new(State::new("hello/0"));
        assert_eq!(woken(&Event::Start, &fake), 0);
        assert_eq!(
            fake.state().status,
            Status::Blocked("set the option name".to_owned()).into()
        );
    }

    #[test]
    fn failed_hook_does_not_count() {
        let fake = FakeJuju::new(State::new("hello/0").with_option("name", "world"));
        assert_eq!(woken(&Event::Start, &fake), 0);
        // config-get, state-get, status-get, then state-set.
        fake.forget_calls();
        fake.fail_at(4, 1, "ERROR connection is shut down\n");
        assert_eq!(woken(&Event::UpdateStatus, &fake), 1);
        assert_eq!(fake.state().state["woken"], "1");
    }

    #[test]
    fn greeting_is_the_actions_result() {
        let fake = FakeJuju::new(
            State::new("hello/0")
                .with_option("name", "world")
                .with_action(),
        );
        woken(&Event::action("greet", "1"), &fake);
        assert_eq!(fake.action_results()["greeting"], "hello world");
    }

    #[test]
    fn failed_action_says_why() {
        let fake = FakeJuju::new(State::new("hello/0").with_action());
        fake.fail_at(1, 1, "ERROR connection is shut down\n");
        assert_eq!(woken(&Event::action("greet", "1"), &fake), 0);
        assert_eq!(
            fake.action_failure().unwrap(),
            "cannot read the charm's options"
        );
    }
}
