//! JSON Schema (draft 4) as Juju's agent takes it: what it refuses, in its words.

use regex_lite::Regex;
use serde_json::{Map, Value};

const ROOT: &str = "(root)";
/// The largest number that is taken for whole.
const MOST_WHOLE: f64 = 9_007_199_254_740_991.0;

/// What does not fit, and how well the rest did: of several alternatives the closest is told.
#[derive(Debug, Default)]
struct Verdict {
    faults: Vec<String>,
    score: i32,
}

impl Verdict {
    fn fault(&mut self, path: &str, what: &str, given: &Value) {
        self.faults.push(format!("{path} : {what}, given {given}"));
        self.score -= 2;
    }

    /// Numbers out of their bounds are shown as texts.
    fn number_fault(&mut self, path: &str, what: &str, given: f64) {
        self.fault(path, what, &Value::String(number_text(given)));
    }

    fn take(&mut self, other: Self) {
        self.faults.extend(other.faults);
        self.score += other.score;
    }
}

/// The faults of parameters against an action's schema, joined as Juju joins them.
pub(super) fn faults(schema: &Value, parameters: &Map<String, Value>) -> Option<String> {
    let verdict = judge(schema, &Value::Object(parameters.clone()), ROOT);
    (!verdict.faults.is_empty()).then(|| verdict.faults.join("; "))
}

/// Fills in what has a default, objects included. The error is Juju's own of an object whose properties are not said.
pub(super) fn fill_in(schema: &Value, into: &mut Map<String, Value>) -> Result<(), &'static str> {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return Err(
            "schema error caused a panic: interface conversion: interface {} is nil, not map[string]interface {}",
        );
    };
    for (name, inner) in properties {
        if let Some(given) = into.get_mut(name) {
            if let Value::Object(given) = given {
                fill_in(inner, given)?;
            }
        } else if let Some(default) = inner.get("default") {
            into.insert(name.clone(), default.clone());
        } else if inner.get("properties").is_some() {
            let mut filled = Map::new();
            fill_in(inner, &mut filled)?;
            if !filled.is_empty() {
                into.insert(name.clone(), Value::Object(filled));
            }
        }
    }
    Ok(())
}

fn judge(schema: &Value, value: &Value, path: &str) -> Verdict {
    let mut verdict = Verdict::default();
    if let Some(wanted) = wrong_type(schema, value) {
        verdict.fault(path, &format!("must be of type {wanted}"), value);
        return verdict;
    }
    combined(schema, value, path, &mut verdict);
    match value {
        Value::Array(items) => array(schema, items, value, path, &mut verdict),
        Value::Object(fields) => object(schema, fields, value, path, &mut verdict),
        Value::Number(_) => number(schema, value, path, &mut verdict),
        _ => {}
    }
    let choices = schema.get("enum").and_then(Value::as_array);
    if let Some(choices) = choices.filter(|choices| !choices.contains(value)) {
        let choices: Vec<_> = choices.iter().map(Value::to_string).collect();
        let what = format!("must match one of the enum values [{}]", choices.join(","));
        verdict.fault(path, &what, value);
    }
    match value {
        Value::String(text) => string(schema, text, value, path, &mut verdict),
        Value::Object(fields) => {
            let properties = schema.get("properties").and_then(Value::as_object);
            for (name, inner) in properties.into_iter().flatten() {
                if let Some(field) = fields.get(name) {
                    verdict.take(judge(inner, field, &format!("{path}.{name}")));
                }
            }
        }
        _ => {}
    }
    verdict.score += 1;
    verdict
}

/// The types that are allowed, if the value is of none of them.
fn wrong_type(schema: &Value, value: &Value) -> Option<String> {
    let (names, shown): (Vec<&str>, String) = match schema.get("type")? {
        Value::String(name) => (vec![name.as_str()], name.clone()),
        Value::Array(names) => {
            let names: Vec<_> = names.iter().filter_map(Value::as_str).collect();
            let shown = format!("[{}]", names.join(","));
            (names, shown)
        }
        _ => return None,
    };
    let fits = |name: &&str| match *name {
        "null" => value.is_null(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.as_f64().is_some_and(is_whole),
        _ => false,
    };
    (!names.iter().any(fits)).then_some(shown)
}

fn is_whole(number: f64) -> bool {
    number.abs() <= MOST_WHOLE && number.fract() == 0.0
}

fn number_text(number: f64) -> String {
    number.to_string()
}

fn schemas<'a>(schema: &'a Value, name: &str) -> Option<&'a Vec<Value>> {
    schema.get(name)?.as_array().filter(|all| !all.is_empty())
}

fn combined(schema: &Value, value: &Value, path: &str, verdict: &mut Verdict) {
    for (name, what, only_one) in [
        ("anyOf", "must validate at least one schema (anyOf)", false),
        (
            "oneOf",
            "must validate one and only one schema (oneOf)",
            true,
        ),
    ] {
        let Some(all) = schemas(schema, name) else {
            continue;
        };
        let verdicts: Vec<_> = all.iter().map(|one| judge(one, value, path)).collect();
        let (good, bad): (Vec<_>, Vec<_>) = verdicts
            .into_iter()
            .partition(|verdict| verdict.faults.is_empty());
        if good.len() == 1 || (!only_one && !good.is_empty()) {
            continue;
        }
        verdict.fault(path, what, value);
        if good.is_empty() {
            // The first of those that came closest.
            let closest = bad.into_iter().rev().max_by_key(|verdict| verdict.score);
            verdict.take(closest.unwrap_or_default());
        }
    }
    if let Some(all) = schemas(schema, "allOf") {
        let before = verdict.faults.len();
        for one in all {
            verdict.take(judge(one, value, path));
        }
        if verdict.faults.len() > before {
            verdict.fault(path, "must validate all the schemas (allOf)", value);
        }
    }
    let refused = schema.get("not").map(|one| judge(one, value, path));
    if refused.is_some_and(|verdict| verdict.faults.is_empty()) {
        verdict.fault(path, "must not validate the schema (not)", value);
    }
    let dependencies = schema.get("dependencies").and_then(Value::as_object);
    for (name, wanted) in dependencies.into_iter().flatten() {
        if value.get(name).is_none() {
            continue;
        }
        let Some(names) = wanted.as_array() else {
            verdict.take(judge(wanted, value, path));
            continue;
        };
        for other in names.iter().filter_map(Value::as_str) {
            if value.get(other).is_none() {
                verdict.fault(path, &format!("has a dependency on {other}"), value);
            }
        }
    }
}

fn count(schema: &Value, name: &str) -> Option<usize> {
    usize::try_from(schema.get(name)?.as_u64()?).ok()
}

fn array(schema: &Value, items: &[Value], value: &Value, path: &str, verdict: &mut Verdict) {
    match schema.get("items") {
        Some(Value::Array(schemas)) if schemas.len() <= items.len() => {
            let rest = schema.get("additionalItems");
            if schemas.len() == items.len() {
                for (index, (one, item)) in schemas.iter().zip(items).enumerate() {
                    verdict.take(judge(one, item, &format!("{path}.{index}")));
                }
            } else if rest == Some(&Value::Bool(false)) {
                verdict.fault(path, "no additional item allowed on array", value);
            } else if let Some(rest) = rest.filter(|rest| rest.is_object()) {
                for (index, item) in items.iter().enumerate().skip(schemas.len()) {
                    verdict.take(judge(rest, item, &format!("{path}.{index}")));
                }
            }
        }
        Some(one @ Value::Object(_)) => {
            for (index, item) in items.iter().enumerate() {
                verdict.take(judge(one, item, &format!("{path}.{index}")));
            }
        }
        _ => {}
    }
    if let Some(least) = count(schema, "minItems").filter(|least| items.len() < *least) {
        let what = format!("array must have at least {least} items");
        verdict.fault(path, &what, value);
    }
    if let Some(most) = count(schema, "maxItems").filter(|most| items.len() > *most) {
        let what = format!("array must have at the most {most} items");
        verdict.fault(path, &what, value);
    }
    if schema.get("uniqueItems") == Some(&Value::Bool(true)) {
        let repeated = (1..items.len()).filter(|index| items[..*index].contains(&items[*index]));
        for _ in repeated {
            verdict.fault(path, "array items must be unique", value);
        }
    }
}

fn object(
    schema: &Value,
    fields: &Map<String, Value>,
    value: &Value,
    path: &str,
    verdict: &mut Verdict,
) {
    if let Some(least) = count(schema, "minProperties").filter(|least| fields.len() < *least) {
        let what = format!("must have at least {least} properties");
        verdict.fault(path, &what, value);
    }
    if let Some(most) = count(schema, "maxProperties").filter(|most| fields.len() > *most) {
        let what = format!("must have at the most {most} properties");
        verdict.fault(path, &what, value);
    }
    let required = schema.get("required").and_then(Value::as_array);
    for name in required.into_iter().flatten().filter_map(Value::as_str) {
        if fields.contains_key(name) {
            verdict.score += 1;
        } else {
            let what = format!("{name:?} property is missing and required");
            verdict.fault(path, &what, value);
        }
    }
    let patterns = schema.get("patternProperties").and_then(Value::as_object);
    for (name, field) in fields {
        let mut matched = false;
        let mut fits = false;
        for (pattern, inner) in patterns.into_iter().flatten() {
            if Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(name)) {
                let inner = judge(inner, field, &format!("{path}.{name}"));
                matched = true;
                fits |= inner.faults.is_empty();
                verdict.take(inner);
            }
        }
        let named = schema
            .get("properties")
            .and_then(|all| all.get(name))
            .is_some();
        let is_additional = if named { matched && !fits } else { !fits };
        match schema.get("additionalProperties") {
            Some(Value::Bool(false)) if is_additional => {
                let what = format!("additional property {name:?} is not allowed");
                verdict.fault(path, &what, value);
            }
            Some(inner @ Value::Object(_)) if is_additional => {
                verdict.take(judge(inner, field, path));
            }
            None if matched && !fits => {
                let patterns: Vec<_> = patterns.into_iter().flat_map(Map::keys).cloned().collect();
                let patterns = patterns.join(",");
                let what = format!("property {name:?} does not match pattern {patterns}");
                verdict.fault(path, &what, value);
            }
            _ => {}
        }
    }
}

fn number(schema: &Value, value: &Value, path: &str, verdict: &mut Verdict) {
    let Some(given) = value.as_f64() else { return };
    let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
    let exclusive = |name: &str| schema.get(name) == Some(&Value::Bool(true));
    if let Some(factor) = bound("multipleOf").filter(|factor| !is_whole(given / factor)) {
        let what = format!("must be a multiple of {}", number_text(factor));
        verdict.number_fault(path, &what, given);
    }
    // Juju's words are those of the other case.
    if let Some(most) = bound("maximum") {
        let shown = number_text(most);
        if exclusive("exclusiveMaximum") && given >= most {
            verdict.number_fault(
                path,
                &format!("must be lower than or equal to {shown}"),
                given,
            );
        } else if given > most {
            verdict.number_fault(path, &format!("must be lower than {shown}"), given);
        }
    }
    if let Some(least) = bound("minimum") {
        let shown = number_text(least);
        if exclusive("exclusiveMinimum") && given <= least {
            verdict.number_fault(
                path,
                &format!("must be greater than or equal to {shown}"),
                given,
            );
        } else if given < least {
            verdict.number_fault(path, &format!("must be greater than {shown}"), given);
        }
    }
}

fn string(schema: &Value, text: &str, value: &Value, path: &str, verdict: &mut Verdict) {
    let length = text.chars().count();
    if let Some(least) = count(schema, "minLength").filter(|least| length < *least) {
        let what = format!("string length must be greater or equal to {least}");
        verdict.fault(path, &what, value);
    }
    if let Some(most) = count(schema, "maxLength").filter(|most| length > *most) {
        let what = format!("string length must be lower or equal to {most}");
        verdict.fault(path, &what, value);
    }
    let pattern = schema.get("pattern").and_then(Value::as_str);
    let misses = |pattern: &&str| Regex::new(pattern).is_ok_and(|pattern| !pattern.is_match(text));
    if let Some(pattern) = pattern.filter(misses) {
        verdict.fault(path, &format!("does not match pattern '{pattern}'"), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// What Juju 3.6.11's agent answers to these parameters of this schema.
    const ANSWERS: &str = include_str!("../../tests/data/action-parameters.json");

    #[test]
    fn parameters_are_refused_as_jujus_agent_refused_them() {
        let recorded: Value = serde_json::from_str(ANSWERS).unwrap();
        for case in recorded["cases"].as_array().unwrap() {
            let given = case["given"].as_object().unwrap();
            let wanted = case["refusal"].as_str().map(str::to_owned);
            assert_eq!(faults(&recorded["schema"], given), wanted, "{given:?}");
        }
    }

    #[test]
    fn defaults_are_filled_in_at_every_depth_and_kept_out_where_a_value_is() {
        let schema = json!({"properties": {
            "k": {"default": "v"},
            "o": {"properties": {"x": {"default": 7}, "y": {}}},
            "bare": {"type": "object"},
        }});
        let filled = |given: Value| {
            let mut given: Map<String, Value> = serde_json::from_value(given).unwrap();
            fill_in(&schema, &mut given).map(|()| Value::Object(given))
        };
        assert_eq!(filled(json!({})).unwrap(), json!({"k": "v", "o": {"x": 7}}));
        assert_eq!(
            filled(json!({"k": 1, "o": {"y": 2}})).unwrap(),
            json!({"k": 1, "o": {"x": 7, "y": 2}})
        );
        assert!(
            filled(json!({"bare": {"any": 1}}))
                .unwrap_err()
                .contains("panic")
        );
    }
}
