//! Serves a greeting over HTTP from a workload container.

use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::time::Duration;

use jujuna::{BoxError, Context, Event, Juju, Outcome, Port};
use pebble_client::{Client, LayerMode, WriteFile};

#[derive(serde::Deserialize, std::hash::Hash)]
struct Options {
    greeting: String,
    port: u16,
}

#[derive(serde::Deserialize)]
struct Greet {
    name: String,
}

fn main() -> std::process::ExitCode {
    jujuna::run(handle)
}

fn handle(context: &Context, juju: &mut Juju) -> Result<Outcome, BoxError> {
    let options: Options = juju.config()?;
    if let Event::Action(_) = context.event {
        let Greet { name } = juju.action_params()?;
        juju.action_set([("greeting".into(), format!("{} {name}", options.greeting))].into());
        return Ok(Outcome::Done);
    }
    juju.ports_ensure([Port::tcp(options.port).into()]);
    serve(&options)
}

#[tokio::main(flavor = "current_thread")]
async fn serve(options: &Options) -> Result<Outcome, BoxError> {
    let pebble = Client::new("/charm/containers/web/pebble.socket");
    let Ok(plan) = pebble.plan().await else {
        return Ok(Outcome::Waiting("for the container".into()));
    };
    let hasher = BuildHasherDefault::<DefaultHasher>::new();
    let digest = format!("digest-{:x}", hasher.hash_one(options));
    if !plan.contains(&digest) {
        let page = WriteFile::new("/srv/hello/index.html").make_dirs(true);
        pebble.write_file(page, options.greeting.as_bytes()).await?;
        let command = format!("python3 -m http.server -d /srv/hello {}", options.port);
        let layer = serde_json::json!({"services": {"web": {"override": "replace",
            "startup": "enabled", "command": command, "environment": {"DIGEST": digest}}}})
        .to_string();
        pebble.add_layer("web", &layer, LayerMode::Combine).await?;
        let change = pebble.replan().await?;
        pebble.wait_change(&change, Duration::from_secs(30)).await?;
    }
    Ok(Outcome::Active(format!("on port {}", options.port)))
}

#[cfg(test)]
mod tests;
