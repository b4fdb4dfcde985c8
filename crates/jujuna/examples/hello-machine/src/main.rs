//! Keeps a greeting in a file, and counts how often it was another one.

use std::process::ExitCode;

use jujuna::{BoxError, Context, Event, Juju, Outcome, Status, Statuses};

#[derive(serde::Deserialize)]
struct Options {
    greeting: String,
    name: Option<String>,
}

fn main() -> ExitCode {
    jujuna::run(handle)
}

fn handle(context: &Context, juju: &mut Juju) -> Result<Outcome, BoxError> {
    let file = context.charm_dir.join("greeting.txt");
    if let Event::Stop | Event::Remove = context.event {
        let _ = std::fs::remove_file(file);
        return Ok(Outcome::Done);
    }
    let options: Options = juju.config()?;
    let mut statuses = Statuses::new();
    match options.name {
        None => statuses.add("greeting", Status::Blocked("set the option name".into())),
        Some(name) => {
            let greeting = format!("{}, {name}!\n", options.greeting);
            if std::fs::read_to_string(&file).ok().as_deref() != Some(&greeting) {
                std::fs::write(&file, &greeting)?;
                let changes = juju
                    .state_get()?
                    .get("changes")
                    .and_then(|text| text.parse().ok());
                juju.state_set("changes", (changes.unwrap_or(0) + 1).to_string());
            }
        }
    }
    let network = juju.network_get("juju-info")?;
    let address = network.ingress_addresses.first().cloned();
    statuses.add(
        "network",
        address.map_or(Status::Waiting("for an address".into()), Status::Active),
    );
    if context.event.may_change_workload() {
        juju.application_version_set("1.0")?;
    }
    Ok(statuses.compose().into())
}

#[cfg(test)]
mod tests;
