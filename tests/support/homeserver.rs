//! A homeserver with data: users, a room, messages and media, made as clients make them, to be
//! read back and compared; and a fingerprint of what lies on the volume.
//!
//! Include it by `#[path = "support/homeserver.rs"] mod homeserver;`, beside `deployment`.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::allow_attributes,
    clippy::panic,
    clippy::unwrap_used,
    reason = "no test uses all of it, and a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::deployment::{Answer, Model, SERVER_NAME, command};

/// A user who is logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// `@alice:a.example`.
    pub id: String,
    pub token: String,
}

/// What a homeserver has been told, and must tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Homeserver {
    /// The first is an admin.
    pub users: Vec<User>,
    /// All users are in it.
    pub room: String,
    /// Event id and text, oldest first.
    pub messages: Vec<(String, String)>,
    /// Media id and content.
    pub media: BTreeMap<String, Vec<u8>>,
    /// Of `/_matrix/key/v2/server`.
    pub signing_keys: Value,
}

impl Homeserver {
    /// Fills the Synapse of the main unit: three users, a room, six messages, four files.
    pub fn fill(model: &Model) -> Self {
        Self::with_users(model, &["alice", "bob", "carol"])
    }

    /// The same with other users; five at most can log in.
    pub fn with_users(model: &Model, names: &[&str]) -> Self {
        let mut homeserver = Self {
            users: Vec::new(),
            room: String::new(),
            messages: Vec::new(),
            media: BTreeMap::new(),
            signing_keys: signing_keys(model),
        };
        for name in names {
            homeserver.add_user(model, name);
        }
        let (admin, others) = homeserver.users.split_first().unwrap();
        for user in &homeserver.users {
            let path = format!(
                "/_synapse/admin/v1/users/{}/override_ratelimit",
                encode(&user.id)
            );
            let unlimited = json!({"messages_per_second": 0, "burst_count": 0});
            admin.call(model, "POST", &path, &unlimited);
        }
        let ids: Vec<&str> = others.iter().map(|user| user.id.as_str()).collect();
        let wish = json!({"name": "A room", "invite": ids});
        let made = admin.call(model, "POST", "/_matrix/client/v3/createRoom", &wish);
        let room = made["room_id"].as_str().unwrap().to_owned();
        for user in others {
            let path = format!("/_matrix/client/v3/join/{}", encode(&room));
            user.call(model, "POST", &path, &json!({}));
        }
        homeserver.room = room;
        homeserver.add_messages(model, 6);
        for size_bytes in [1, 1000, 70_000, 300_000] {
            homeserver.add_media(model, size_bytes);
        }
        homeserver
    }

    /// One more user; not in the room.
    pub fn add_user(&mut self, model: &Model, name: &str) {
        let admin = self.users.is_empty();
        let wish = json!({"username": name, "admin": admin});
        let made = model.done("register-user", wish);
        let body = json!({
            "type": "m.login.password",
            "identifier": {"type": "m.id.user", "user": name},
            "password": made.result("user-password").unwrap(),
        });
        let (status, answer) = model.ask("POST", "/_matrix/client/v3/login", &body);
        assert_eq!(status, 200, "{answer}");
        self.users.push(User {
            id: answer["user_id"].as_str().unwrap().to_owned(),
            token: answer["access_token"].as_str().unwrap().to_owned(),
        });
    }

    /// More messages, by all users in turn.
    pub fn add_messages(&mut self, model: &Model, count: usize) {
        for _ in 0..count {
            let number = self.messages.len();
            let user = &self.users[number % self.users.len()];
            let text = format!("message {number} of {}: ünï 媒體", user.id);
            let path = format!(
                "/_matrix/client/v3/rooms/{}/send/m.room.message/t{number}",
                encode(&self.room)
            );
            let body = json!({"msgtype": "m.text", "body": text});
            let sent = user.call(model, "PUT", &path, &body);
            let event = sent["event_id"].as_str().unwrap().to_owned();
            self.messages.push((event, text));
        }
    }

    /// One more file of media, by the last user; returns its id.
    pub fn add_media(&mut self, model: &Model, size_bytes: usize) -> String {
        let number = self.media.len();
        let content: Vec<u8> = (0..size_bytes)
            .map(|index| u8::try_from((index * 31 + index / 251 + number * 7) % 256).unwrap())
            .collect();
        let path = format!("/_matrix/media/v3/upload?filename=file%20{number}.bin");
        let token = &self.users.last().unwrap().token;
        let answer = model.http("POST", &path, Some(token), &content);
        assert_eq!(answer.status, 200, "{answer:?}");
        let made = answer.json();
        let uri = made["content_uri"].as_str().unwrap();
        let id = uri.rsplit('/').next().unwrap().to_owned();
        self.media.insert(id.clone(), content);
        id
    }

    /// Fails unless the main unit's Synapse tells exactly this.
    #[track_caller]
    pub fn assert_told_by(&self, model: &Model) {
        let differences = self.differences(model);
        assert!(
            differences.is_empty(),
            "{differences:#?}\n{}",
            model.log_end()
        );
    }

    /// What the main unit's Synapse tells otherwise; empty where it tells exactly this.
    pub fn differences(&self, model: &Model) -> Vec<String> {
        let mut found = Vec::new();
        let keys = signing_keys(model);
        if keys != self.signing_keys {
            found.push(format!("its signing keys are {keys}"));
        }
        for user in &self.users {
            let answer = user.ask(model, "GET", "/_matrix/client/v3/account/whoami", b"");
            if answer.json()["user_id"] != user.id.as_str() {
                found.push(format!("{}: {}", user.id, text(&answer.body)));
            }
        }
        let admin = &self.users[0];
        let users = admin.ask(model, "GET", "/_synapse/admin/v2/users?limit=1000", b"");
        if users.json()["total"] != self.users.len() {
            found.push(format!("its users are {}", text(&users.body)));
        }
        let messages = self.messages_told(model);
        if messages != self.messages {
            found.push(format!("its messages are {messages:?}"));
        }
        for (id, content) in &self.media {
            let path = format!("/_matrix/client/v1/media/download/{SERVER_NAME}/{id}");
            let answer = admin.ask(model, "GET", &path, b"");
            if answer.status != 200 || answer.body != *content {
                let length = answer.body.len();
                found.push(format!(
                    "media {id} of {} bytes: {} with {length} bytes",
                    content.len(),
                    answer.status
                ));
            }
        }
        found
    }

    fn messages_told(&self, model: &Model) -> Vec<(String, String)> {
        let filter = encode(r#"{"types":["m.room.message"]}"#);
        let path = format!(
            "/_matrix/client/v3/rooms/{}/messages?dir=b&limit=1000&filter={filter}",
            encode(&self.room)
        );
        let told = self.users[0].ask(model, "GET", &path, b"").json();
        let events = told["chunk"].as_array().cloned().unwrap_or_default();
        let told = events.iter().rev().map(|event| {
            let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            (word(&event["event_id"]), word(&event["content"]["body"]))
        });
        told.collect()
    }
}

impl User {
    /// Asks for something as this user.
    pub fn ask(&self, model: &Model, method: &str, path: &str, body: &[u8]) -> Answer {
        model.http(method, path, Some(&self.token), body)
    }

    /// Asks for something that must be had.
    #[track_caller]
    pub fn call(&self, model: &Model, method: &str, path: &str, body: &Value) -> Value {
        let answer = self.ask(model, method, path, body.to_string().as_bytes());
        assert_eq!(
            answer.status,
            200,
            "{method} {path}: {}",
            text(&answer.body)
        );
        answer.json()
    }
}

/// Each part of what a restore may change on the volume, and its digest: tables of the database, keys, local media.
///
/// Tables that Synapse writes to unasked are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint(BTreeMap<String, String>);

impl Fingerprint {
    /// Of the main unit's volume, whose Synapse may run.
    pub fn of(model: &Model) -> Self {
        Self::of_folder(&model.data())
    }

    /// Of a folder that is like a volume, such as an archive's.
    pub fn of_folder(folder: &Path) -> Self {
        let program = include_str!("fingerprint.py");
        let printed = command("/usr/bin/python3", |python| {
            python.args(["-I", "-S", "-c", program]).arg(folder)
        });
        Self(serde_json::from_str(&printed).unwrap())
    }

    /// The parts that are not the same.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let keys = self.0.keys().chain(other.0.keys());
        let mut differences: Vec<String> = keys
            .filter(|key| self.0.get(*key) != other.0.get(*key))
            .map(|key| format!("{key}: {:?} {:?}", self.0.get(key), other.0.get(key)))
            .collect();
        differences.sort();
        differences.dedup();
        differences
    }

    /// Fails where a part is not the same.
    #[track_caller]
    pub fn assert_is(&self, other: &Self, when: &str) {
        let differences = self.differences(other);
        assert!(differences.is_empty(), "{when}: {differences:#?}");
    }
}

fn signing_keys(model: &Model) -> Value {
    let (_, answer) = model.ask("GET", "/_matrix/key/v2/server", &Value::Null);
    answer["verify_keys"].clone()
}

fn text(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(1000)]).into_owned()
}

/// For a part of a URL.
fn encode(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}
