//! Notices: things that happened, kept by the daemon for seven days.

pub(crate) mod stream;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Client;
use crate::client::Operation;
use crate::duration;
use crate::envelope::Envelope;
use crate::error::{Error, Failure};
use crate::open_enum::open_enum;
use crate::query::{Target, is_id};

/// How much longer than the daemon's own deadline the client waits for its answer.
const ANSWER_GRACE: Duration = Duration::from_secs(5);

open_enum! {
    /// What a notice is about.
    NoticeType {
        /// A change began, moved on or ended; the key is its id.
        ChangeUpdate = "change-update",
        /// Somebody called [`Client::notify`] or `pebble notify`.
        Custom = "custom",
        /// A warning of the daemon; the key is its text.
        Warning = "warning",
    }
}

/// Something that happened, once or more often.
///
/// [`Client::notices`] has an example.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Notice {
    /// Its id.
    pub id: String,
    /// The user who may see it; `None` means everyone.
    pub user_id: Option<u32>,
    /// What it is about.
    #[serde(rename = "type")]
    pub notice_type: NoticeType,
    /// What it is about in particular; unique for a type and user.
    pub key: String,
    /// When it happened first.
    pub first_occurred: Timestamp,
    /// When it happened last.
    pub last_occurred: Timestamp,
    /// When it was last told; with `repeat_after` not every time counts. The cursor for [`NoticeFilter::after`].
    pub last_repeated: Timestamp,
    /// How often it happened.
    pub occurrences: u64,
    /// What was given with it the last time.
    #[serde(default)]
    pub last_data: BTreeMap<String, String>,
    /// How long it is not told again after it was.
    #[serde(default, with = "duration::optional")]
    pub repeat_after: Option<Duration>,
    /// How long after it happened last it is forgotten.
    #[serde(default, with = "duration::optional")]
    pub expire_after: Option<Duration>,
}

/// Which notices; the default is all of this user.
///
/// [`Client::notices`] has an example.
#[derive(Debug, Clone, Default)]
pub struct NoticeFilter<'a> {
    /// Only these types, unless empty.
    pub types: &'a [NoticeType],
    /// Only these keys, unless empty.
    pub keys: &'a [&'a str],
    /// Only those told after this time, which is exact to the nanosecond.
    pub after: Option<Timestamp>,
    /// Those of this user and those for everyone, instead of one's own; for admins.
    pub user_id: Option<u32>,
    /// Those of all users; for admins, and not together with `user_id`.
    pub all_users: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Notify<'a> {
    action: &'static str,
    r#type: &'static str,
    key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    repeat_after: Option<String>,
}

#[derive(Deserialize)]
struct Notified {
    id: String,
}

impl Client {
    /// Records that `key` (like `example.org/backup-due`) happened, and returns the id of its notice.
    ///
    /// `data` is at most 4,096 bytes of JSON. With `repeat_after`, one that was told less than that ago is counted
    /// but not told.
    ///
    /// # Errors
    ///
    /// [`BadRequest`](crate::ErrorKind::BadRequest) for a key without a domain or of more than 256 bytes.
    ///
    /// # Example
    ///
    /// ```no_run
    /// // no_run: needs a daemon
    /// # async fn example(client: pebble_client::Client) -> Result<(), pebble_client::Error> {
    /// use std::collections::BTreeMap;
    /// let data = BTreeMap::from([("reason".to_owned(), "nightly".to_owned())]);
    /// let id = client.notify("example.org/backup-due", &data, None).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn notify(
        &self,
        key: &str,
        data: &BTreeMap<String, String>,
        repeat_after: Option<Duration>,
    ) -> Result<String, Error> {
        let payload = Notify {
            action: "add",
            r#type: "custom",
            key,
            data: Some(data).filter(|data| !data.is_empty()),
            repeat_after: repeat_after.map(duration::format),
        };
        let envelope = self.post(Target::new("/v1/notices"), &payload).await;
        let notified: Notified = envelope
            .and_then(Envelope::result)
            .operation(|| format!("notify {key}"))?;
        Ok(notified.id)
    }

    /// Returns one notice.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) when there is none of this id.
    ///
    /// # Example
    ///
    /// ```no_run
    /// // no_run: needs a daemon
    /// # async fn example(client: pebble_client::Client) -> Result<(), pebble_client::Error> {
    /// let notice = client.notice("7").await?;
    /// let line = format!("{} happened {} times", notice.key, notice.occurrences);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn notice(&self, id: &str) -> Result<Notice, Error> {
        let result = if is_id(id) {
            self.get(Target::new(&format!("/v1/notices/{id}"))).await
        } else {
            Err(Failure::Refused(format!(
                "{id:?} is not the id of a notice"
            )))
        };
        result
            .and_then(Envelope::result)
            .operation(|| format!("get notice {id}"))
    }

    /// Returns the notices that pass the filter, the one told last at the end.
    ///
    /// # Errors
    ///
    /// Of a connection only.
    ///
    /// # Example
    ///
    /// ```no_run
    /// // no_run: needs a daemon
    /// # async fn example(client: pebble_client::Client) -> Result<(), pebble_client::Error> {
    /// use pebble_client::{NoticeFilter, NoticeType};
    /// let filter = NoticeFilter { types: &[NoticeType::Custom], ..NoticeFilter::default() };
    /// for notice in client.notices(filter).await? {
    ///     let line = format!("{}: {:?}", notice.key, notice.last_data);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn notices(&self, filter: NoticeFilter<'_>) -> Result<Vec<Notice>, Error> {
        let envelope: Result<Envelope<Vec<Notice>>, Failure> = self.get(filter.target()).await;
        Ok(envelope
            .operation(|| String::from("list notices"))?
            .result
            .unwrap_or_default())
    }

    /// Returns the warnings of the daemon that were told after `after` and have not expired, the latest at the end.
    /// Their text is in [`Notice::key`]. There is nothing to confirm them with: remember the last `last_repeated`.
    ///
    /// # Errors
    ///
    /// Of a connection only.
    ///
    /// # Example
    ///
    /// ```no_run
    /// // no_run: needs a daemon
    /// # async fn example(client: pebble_client::Client) -> Result<(), pebble_client::Error> {
    /// let warnings = client.warnings(None).await?;
    /// let texts: Vec<&str> = warnings.iter().map(|warning| warning.key.as_str()).collect();
    /// # Ok(())
    /// # }
    /// ```
    pub async fn warnings(&self, after: Option<Timestamp>) -> Result<Vec<Notice>, Error> {
        self.notices(NoticeFilter {
            types: &[NoticeType::Warning],
            after,
            ..NoticeFilter::default()
        })
        .await
    }

    /// Returns the notices that pass the filter as soon as there is one; none when `timeout` has passed.
    ///
    /// To follow notices, give the `last_repeated` of the last one as `after`.
    ///
    /// # Errors
    ///
    /// Of a connection only.
    ///
    /// # Example
    ///
    /// ```no_run
    /// // no_run: needs a daemon
    /// # async fn example(client: pebble_client::Client) -> Result<(), pebble_client::Error> {
    /// use pebble_client::NoticeFilter;
    /// use std::time::Duration;
    /// let filter = NoticeFilter { keys: &["example.org/backup-due"], ..NoticeFilter::default() };
    /// let is_due = !client.wait_notices(filter, Duration::from_secs(30)).await?.is_empty();
    /// # Ok(())
    /// # }
    /// ```
    pub async fn wait_notices(
        &self,
        filter: NoticeFilter<'_>,
        timeout: Duration,
    ) -> Result<Vec<Notice>, Error> {
        let limit = timeout.max(Duration::from_nanos(1));
        let target = filter.target().with("timeout", &duration::format(limit));
        let envelope: Result<Envelope<Vec<Notice>>, Failure> = self
            .get_within(target, limit.saturating_add(ANSWER_GRACE))
            .await;
        Ok(envelope
            .operation(|| String::from("wait for notices"))?
            .result
            .unwrap_or_default())
    }
}

impl NoticeFilter<'_> {
    fn target(&self) -> Target {
        let types: Vec<&str> = self.types.iter().map(NoticeType::as_str).collect();
        let after = self.after.map(|after| after.to_string());
        let user_id = self.user_id.map(|user_id| user_id.to_string());
        Target::new("/v1/notices")
            .with_all("types", &types)
            .with_all("keys", self.keys)
            .with_some("after", after.as_deref())
            .with_some("user-id", user_id.as_deref())
            .with_some("users", self.all_users.then_some("all"))
    }
}
