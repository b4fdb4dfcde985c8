use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Lines of the recording.
pub(crate) struct Recording {
    lines: Vec<Value>,
}

impl Recording {
    pub(crate) fn read() -> Self {
        let text = include_str!("../data/juju-3.6.11.jsonl");
        Self {
            lines: text
                .lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect(),
        }
    }

    fn runs(&self) -> impl Iterator<Item = &Value> {
        self.lines.iter().filter(|line| line.get("unit").is_some())
    }

    pub(crate) fn commands(&self) -> u64 {
        self.runs()
            .map(|run| run["commands"].as_array().unwrap().len() as u64)
            .sum()
    }

    /// By `<unit> <times the pod was replaced> <path>`, the runs in order: what the probe charm looks up.
    pub(crate) fn by_run(&self) -> Value {
        let mut epochs: BTreeMap<&str, u32> = BTreeMap::new();
        let mut all = Map::new();
        for run in self.runs() {
            let (unit, path) = (run["unit"].as_str().unwrap(), run["path"].as_str().unwrap());
            let epoch = epochs.entry(unit).or_default();
            *epoch += u32::from(path == "hooks/upgrade-charm");
            let entry = all
                .entry(format!("{unit} {epoch} {path}"))
                .or_insert_with(|| json!([]));
            entry.as_array_mut().unwrap().push(run.clone());
        }
        Value::Object(all)
    }

    pub(crate) fn orders(&self) -> BTreeMap<String, Vec<String>> {
        let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for run in self.runs() {
            all.entry(run["unit"].as_str().unwrap().to_owned())
                .or_default()
                .push(run["path"].as_str().unwrap().to_owned());
        }
        all
    }

    /// What the actions ended with, in order, without times.
    pub(crate) fn answers(&self) -> Vec<Value> {
        let ended = self
            .lines
            .iter()
            .filter(|line| line.get("answer").is_some_and(|answer| !answer.is_null()));
        ended
            .map(|line| outcome(&line["step"], &line["answer"]))
            .collect()
    }
}

fn outcome(step: &Value, answer: &Value) -> Value {
    let messages: Vec<_> = answer["log"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| &line["message"])
        .collect();
    json!({"step": step, "status": answer["status"], "message": answer["message"], "results": answer["results"], "log": messages})
}

/// An action's outcome in the recording's form.
pub(crate) fn of_task(step: &str, task: &juju_sim::TaskOutcome) -> Value {
    let mut results = task.results.clone();
    if let Some(big) = results.get_mut("big") {
        *big = json!(
            big.as_str()
                .unwrap()
                .replace(&"y".repeat(20000), "<20000 y>")
        );
    }
    let messages: Vec<_> = task.log.iter().map(|line| &line.message).collect();
    json!({"step": step, "status": task.status, "message": task.message, "results": results, "log": messages})
}
