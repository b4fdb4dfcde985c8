//! What Juju's agent asks of every Pebble, in as little HTTP as that takes: has it (re)started, what was noticed, which
//! checks failed or recovered.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::{sleep, timeout};

/// How often a Pebble that does not answer is asked again.
const RETRY: Duration = Duration::from_millis(250);
/// How long one wait for notices lasts; also how old the knowledge of the boot id may be.
const NOTICE_WAIT: Duration = Duration::from_secs(5);
const ANSWER_DEADLINE: Duration = Duration::from_secs(10);

/// Something that Juju turns into a hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PebbleEvent {
    /// Pebble has started, or started again: `<container>-pebble-ready`.
    PebbleReady {
        /// The container.
        container: String,
    },
    /// Somebody ran `pebble notify`: `<container>-pebble-custom-notice`.
    CustomNotice {
        /// The container.
        container: String,
        /// The notice's number.
        id: String,
        /// Its key, `domain/path`.
        key: String,
    },
    /// A check reached its threshold of failures: `<container>-pebble-check-failed`.
    CheckFailed {
        /// The container.
        container: String,
        /// The check's name in the plan.
        check: String,
    },
    /// A check that had failed succeeded again: `<container>-pebble-check-recovered`.
    CheckRecovered {
        /// The container.
        container: String,
        /// The check's name in the plan.
        check: String,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Notice {
    id: String,
    r#type: String,
    key: String,
    last_repeated: String,
    #[serde(default)]
    last_data: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Change {
    status: String,
}

/// Reports what happens in one container until nobody listens any more.
pub(super) async fn watch(
    container: String,
    socket: PathBuf,
    events: UnboundedSender<PebbleEvent>,
) {
    let mut watcher = Watcher {
        container,
        socket,
        after: None,
        boot: None,
        reported: BTreeMap::new(),
    };
    while !events.is_closed() {
        if watcher.round(&events).await.is_err() {
            sleep(RETRY).await;
        }
    }
}

struct Watcher {
    container: String,
    socket: PathBuf,
    boot: Option<String>,
    /// When the last notice seen was last repeated, to the nanosecond, in Pebble's own words.
    after: Option<String>,
    /// The last change reported of each check: one change may give several notices.
    reported: BTreeMap<String, String>,
}

impl Watcher {
    async fn round(&mut self, events: &UnboundedSender<PebbleEvent>) -> anyhow::Result<()> {
        let boot = boot_id(&self.socket).await?;
        if self.boot.as_ref() != Some(&boot) {
            // Juju's agent asks for notices at once and for this only at its next poll.
            self.notices(Duration::ZERO, events).await?;
            self.boot = Some(boot);
            drop(events.send(PebbleEvent::PebbleReady {
                container: self.container.clone(),
            }));
        }
        self.notices(NOTICE_WAIT, events).await
    }

    /// Tells what was noticed since, or within `wait` from now.
    async fn notices(
        &mut self,
        wait: Duration,
        events: &UnboundedSender<PebbleEvent>,
    ) -> anyhow::Result<()> {
        for notice in self.new_notices(wait).await? {
            self.after = Some(notice.last_repeated.clone());
            if let Some(event) = self.event(notice).await? {
                drop(events.send(event));
            }
        }
        Ok(())
    }

    async fn new_notices(&self, wait: Duration) -> anyhow::Result<Vec<Notice>> {
        let mut path = format!(
            "/v1/notices?types=custom,change-update&timeout={}s",
            wait.as_secs()
        );
        if let Some(after) = &self.after {
            path.push_str("&after=");
            path.push_str(&after.replace('+', "%2B"));
        }
        get(&self.socket, &path, wait + ANSWER_DEADLINE).await
    }

    async fn event(&mut self, notice: Notice) -> anyhow::Result<Option<PebbleEvent>> {
        let container = self.container.clone();
        if notice.r#type == "custom" {
            let Notice { id, key, .. } = notice;
            return Ok(Some(PebbleEvent::CustomNotice { container, id, key }));
        }
        let (Some(kind), Some(check)) = (
            notice.last_data.get("kind"),
            notice.last_data.get("check-name"),
        ) else {
            return Ok(None);
        };
        let (status, event) = match kind.as_str() {
            "perform-check" => (
                "Error",
                PebbleEvent::CheckFailed {
                    container,
                    check: check.clone(),
                },
            ),
            "recover-check" => (
                "Done",
                PebbleEvent::CheckRecovered {
                    container,
                    check: check.clone(),
                },
            ),
            _ => return Ok(None),
        };
        let path = format!("/v1/changes/{}", notice.key);
        // A change that Pebble no longer knows has nothing to tell.
        let Ok(change) = get::<Change>(&self.socket, &path, ANSWER_DEADLINE).await else {
            return Ok(None);
        };
        if change.status != status || self.reported.get(check) == Some(&notice.key) {
            return Ok(None);
        }
        self.reported.insert(check.clone(), notice.key.clone());
        Ok(Some(event))
    }
}

/// The number that Pebble, as process 1, draws anew at each start.
pub(super) async fn boot_id(socket: &Path) -> anyhow::Result<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "kebab-case")]
    struct SystemInfo {
        boot_id: String,
    }
    let info: SystemInfo = get(socket, "/v1/system-info", ANSWER_DEADLINE).await?;
    Ok(info.boot_id)
}

async fn get<T: DeserializeOwned>(socket: &Path, path: &str, limit: Duration) -> anyhow::Result<T> {
    #[derive(Deserialize)]
    struct Envelope<T> {
        result: T,
    }
    let body = timeout(limit, fetch(socket, path))
        .await
        .with_context(|| format!("Pebble at {} does not answer", socket.display()))?
        .with_context(|| format!("cannot ask Pebble at {} for {path}", socket.display()))?;
    let envelope: Envelope<T> = serde_json::from_slice(&body)
        .with_context(|| format!("Pebble's answer to {path} cannot be read"))?;
    Ok(envelope.result)
}

/// HTTP/1.0: the answer comes in one piece and ends with the connection.
async fn fetch(socket: &Path, path: &str) -> anyhow::Result<Vec<u8>> {
    let mut stream = UnixStream::connect(socket).await?;
    let request = format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let head_end = (answer.windows(4).position(|window| window == b"\r\n\r\n"))
        .context("the answer is cut off")?;
    let head = String::from_utf8_lossy(&answer[..head_end]).into_owned();
    let body = answer.split_off(head_end + 4);
    match head.split_whitespace().nth(1) {
        Some("200") => Ok(body),
        status => bail!(
            "status {}: {}",
            status.unwrap_or("missing"),
            String::from_utf8_lossy(&body).trim()
        ),
    }
}
