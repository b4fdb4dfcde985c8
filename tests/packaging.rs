//! What Juju and charmcraft read agrees with itself, with the tools' versions and with the
//! documents.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and one asks ops, which is Python"
)]

use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

#[test]
fn metadata_names_only_what_it_declares() {
    let metadata = yaml("metadata.yaml");
    assert_eq!(metadata["name"], "synapse");
    let container = &metadata["containers"]["synapse"];
    let resource = &metadata["resources"][text(&container["resource"])];
    assert_eq!(resource["type"], "oci-image");
    assert!(text(&resource["upstream-source"]).contains('/'));
    let mount = &container["mounts"][0];
    let storage = &metadata["storage"][text(&mount["storage"])];
    assert_eq!(storage["location"], mount["location"]);
    assert_eq!(metadata["requires"]["backup"]["interface"], "s3");
    assert!(metadata["peers"]["synapse-peers"]["interface"].is_string());
}

#[test]
fn options_have_a_type_a_fitting_default_and_a_description() {
    for (name, option) in map(&yaml("config.yaml")["options"]) {
        let fits = |default: &Value| match text(&option["type"]) {
            "string" => default.is_string(),
            "boolean" => default.is_boolean(),
            "int" => default.is_i64(),
            _ => false,
        };
        let known = ["string", "boolean", "int", "secret"].contains(&text(&option["type"]));
        assert!(known, "{name}: unknown type");
        assert!(option.get("default").is_none_or(fits), "{name}: default");
        assert!(
            text(&option["description"]).ends_with(['.', '\n']),
            "{name}"
        );
        assert_snake_case(&name);
    }
}

#[test]
fn actions_take_only_parameters_they_describe() {
    for (name, action) in map(&yaml("actions.yaml")) {
        assert_eq!(action["additionalProperties"], false, "{name}");
        assert!(action["description"].is_string(), "{name}");
        let parameters = action.get("params").map(map).unwrap_or_default();
        for (parameter, schema) in &parameters {
            assert!(schema["description"].is_string(), "{name} {parameter}");
            let known = ["string", "boolean", "integer"].contains(&text(&schema["type"]));
            assert!(known, "{name} {parameter}: unknown type");
        }
        for required in action["required"].as_array().into_iter().flatten() {
            assert!(parameters.contains_key(text(required)), "{name} {required}");
        }
    }
}

#[test]
fn every_option_and_action_is_known_to_the_code() {
    let mut code = String::new();
    let mut waiting = vec![root().join("src")];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                code += &fs::read_to_string(path).unwrap();
            }
        }
    }
    let options = map(&yaml("config.yaml")["options"]);
    for name in options.keys() {
        assert!(
            code.contains(name.as_str()),
            "nothing reads the option {name}"
        );
    }
    for (name, action) in map(&yaml("actions.yaml")) {
        let quoted = format!("\"{name}\"");
        assert!(code.contains(&quoted), "there is no route for {name}");
        for parameter in action.get("params").map(map).unwrap_or_default().keys() {
            let field = parameter.replace('-', "_");
            let known = code.contains(parameter.as_str()) || code.contains(&field);
            assert!(known, "nothing reads {parameter} of {name}");
        }
    }
}

#[test]
fn reference_of_actions_has_every_parameter_and_every_result() {
    let reference = read("docs/reference/actions.md");
    let sections: Vec<(&str, &str)> = reference
        .split("\n## ")
        .skip(2)
        .map(|section| section.split_once('\n').unwrap())
        .collect();
    let documented: BTreeSet<String> = sections
        .iter()
        .map(|(name, _)| (*name).to_owned())
        .collect();
    let actions = map(&yaml("actions.yaml"));
    assert_eq!(documented, actions.keys().cloned().collect());
    for (name, section) in sections {
        let action = &actions[name];
        let required = texts(&action["required"]);
        let parameters = action["params"].as_object().cloned().unwrap_or_default();
        let wanted: BTreeSet<String> = parameters
            .iter()
            .map(|(key, parameter)| {
                let presence = match &parameter["default"] {
                    Value::Null if required.contains(key) => "required".to_owned(),
                    Value::Null => "optional".to_owned(),
                    Value::String(default) => format!("default {default}"),
                    default => format!("default {default}"),
                };
                format!("| `{key}` | {} | {presence} |", text(&parameter["type"]))
            })
            .collect();
        let rows = section.lines().filter(|line| {
            ["string", "boolean", "integer"]
                .iter()
                .any(|kind| line.contains(&format!("` | {kind} | ")))
        });
        let found: BTreeSet<String> = rows
            .map(|row| row.split('|').take(4).collect::<Vec<_>>().join("|") + "|")
            .collect();
        assert_eq!(found, wanted, "{name}");
        for key in result_keys(&format!("actions/{}", name.replace('-', "_"))) {
            assert_names(section, &key);
        }
    }
    for key in result_keys("restore/results") {
        assert_names(&reference, &key);
    }
}

fn assert_names(text: &str, key: &str) {
    let named = ["`", "."].map(|before| format!("{before}{key}`"));
    assert!(
        named.iter().any(|named| text.contains(named)),
        "what {key} is must be said in {text}"
    );
}

/// The names of results in an action's source: texts that open a pair or are put.
fn result_keys(module: &str) -> BTreeSet<String> {
    let file = root().join(format!("src/apply/{module}.rs"));
    let source = fs::read_to_string(file).unwrap_or_default();
    let source = source.split("#[cfg(test)]").next().unwrap_or_default();
    let mut keys = BTreeSet::new();
    for part in source.split('(').skip(1) {
        let Some((key, rest)) = part
            .trim_start()
            .strip_prefix('"')
            .and_then(|part| part.split_once('"'))
        else {
            continue;
        };
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'-' || byte == b'.';
        if key.bytes().all(plain)
            && [",", ")", ".to_owned()"]
                .iter()
                .any(|next| rest.starts_with(next))
        {
            keys.insert(key.to_owned());
        }
    }
    keys
}

fn texts(value: &Value) -> Vec<String> {
    let names = value.as_array().into_iter().flatten();
    names.map(|name| text(name).to_owned()).collect()
}

#[test]
fn metadata_config_and_actions_are_read_by_ops_too() {
    let program = "import ops, sys
meta = ops.CharmMeta.from_yaml(open('metadata.yaml').read(), open('actions.yaml').read())
assert meta.containers['synapse'].mounts['data'].location == '/data'
assert meta.storages['data'].minimum_size == '10G'
assert meta.requires['backup'].optional and meta.requires['backup'].limit == 1
print(*sorted(meta.actions))";
    let output = Command::new("/usr/bin/python3")
        .args(["-c", program])
        .env("PYTHONPATH", root().join(".tools/ops"))
        .current_dir(root())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let names: Vec<String> = map(&yaml("actions.yaml"))
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout).trim(),
        names.join(" ")
    );
}

#[test]
fn charmcraft_file_holds_no_metadata_and_the_toolchain_in_use() {
    let charmcraft = yaml("charmcraft.yaml");
    // What stands in both files is refused by charmcraft, or dropped silently.
    for key in map(&charmcraft).keys() {
        assert!(
            ["type", "base", "platforms", "parts"].contains(&key.as_str()),
            "{key}"
        );
    }
    let channel = text(&charmcraft["parts"]["charm"]["rust-channel"]);
    assert!(read("rust-toolchain.toml").contains(&format!("channel = \"{channel}\"")));
}

#[test]
fn versions_written_twice_are_the_same() {
    let versions = read("scripts/versions");
    let version = |name: &str| {
        let line = versions
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{name}=")));
        line.unwrap().to_owned()
    };
    let module = read("scripts/pebble/go.mod");
    assert!(module.contains(&format!("canonical/pebble v{}\n", version("PEBBLE"))));
    assert!(module.contains(&format!("\ngo {}\n", version("GO_AT_LEAST"))));
    let rust = format!("rust-version = \"{}\"", version("RUST_AT_LEAST"));
    assert!(read("Cargo.toml").contains(&rust));
}

#[test]
fn charm_folder_holds_all_that_juju_reads_and_a_dispatch_that_can_run() {
    assert!(read("dispatch").ends_with("\nexec ./bin/synapse-charm\n"));
    let charm = root().join("build/charm");
    for name in [
        "metadata.yaml",
        "config.yaml",
        "actions.yaml",
        "LICENSE",
        "README.md",
    ] {
        let there = fs::read(charm.join(name));
        assert!(
            there.is_ok(),
            "{name} is not in build/charm: run `make charm`"
        );
        assert_eq!(
            there.unwrap(),
            fs::read(root().join(name)).unwrap(),
            "{name}: run `make charm`"
        );
    }
    for name in ["dispatch", "bin/synapse-charm"] {
        let mode = fs::metadata(charm.join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o111, 0o111, "{name} is not executable");
    }
    assert_eq!(
        yaml("build/charm/manifest.yaml")["bases"][0]["name"],
        "ubuntu"
    );
}

#[test]
fn documents_name_make_targets_and_files_that_exist() {
    let makefile = read("Makefile");
    let mut problems = Vec::new();
    for document in documents() {
        let text = read(&document);
        for target in words_after(&text, "make ") {
            let there = makefile.contains(&format!("\n{target}:\n"));
            if !there {
                problems.push(format!("{document}: there is no `make {target}`"));
            }
        }
        for link in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split([')', '#']).next())
        {
            let here = root().join(&document).with_file_name(link);
            let outside = link.is_empty() || link.contains(':');
            if !outside && !here.exists() {
                problems.push(format!("{document}: {link} is not there"));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// The words in backquotes that begin with `prefix`, or stand so in an indented or fenced line.
fn words_after(text: &str, prefix: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut fenced = false;
    for line in text.lines() {
        fenced ^= line.trim_start().starts_with("```");
        let code: Vec<&str> = if fenced {
            vec![line.trim()]
        } else {
            line.split('`').skip(1).step_by(2).collect()
        };
        for command in code.iter().filter_map(|code| code.strip_prefix(prefix)) {
            words.extend(command.split_whitespace().next().map(str::to_owned));
        }
    }
    words
}

/// Every Markdown file at the root, in docs/ and of the crates.
fn documents() -> Vec<String> {
    let mut found = Vec::new();
    let mut waiting = vec![String::from("docs"), String::from("crates")];
    for entry in fs::read_dir(root()).unwrap() {
        found.push(entry.unwrap().file_name().into_string().unwrap());
    }
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(root().join(&folder)).into_iter().flatten() {
            let entry = entry.unwrap();
            let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
            if entry.file_type().unwrap().is_dir() {
                waiting.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found.retain(|name| Path::new(name).extension().is_some_and(|kind| kind == "md"));
    found
}

fn assert_snake_case(name: &str) {
    let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    assert!(name.chars().all(fine), "{name}");
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

fn yaml(path: &str) -> Value {
    serde_saphyr::from_str(&read(path)).unwrap()
}

fn map(value: &Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}
