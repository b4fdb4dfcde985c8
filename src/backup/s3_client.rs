//! The charm's own S3 client: probes, listings and small objects. Archives go by the aws of the workload.

use std::sync::Arc;

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::Object;
use jiff::{SignedDuration, Timestamp};

use super::limits::{MAX_SMALL_OBJECT_BYTES, PROBE};
use super::s3_error::{S3Error, S3ErrorKind};
use super::s3_parameters::S3Parameters;

mod classify;
mod server_clock;
mod transport;

use server_clock::ServerClock;

/// An object of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectInfo {
    /// The whole key.
    pub key: String,
    /// Size in bytes.
    pub size_bytes: u64,
    /// When it was written, by the server's clock.
    pub modified: Timestamp,
}

/// What became of an object that was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// It is gone, as far as the server tells.
    Gone,
    /// The bucket keeps versions: a marker hides the object, whose data stays.
    Hidden,
}

/// What a successful probe saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BucketCheck {
    /// The server's clock minus ours; absent when the server did not send its date.
    pub clock_skew: Option<SignedDuration>,
}

/// A client for one bucket. Cheap to make and to clone; each request has a deadline.
#[derive(Debug, Clone)]
pub struct S3Client {
    client: Client,
    bucket: String,
    path: String,
    place: String,
    bucket_place: String,
    clock: Arc<ServerClock>,
}

impl S3Client {
    /// Makes a client; nothing is sent yet.
    ///
    /// # Errors
    /// When TLS cannot be set up with the given certificates.
    pub fn new(s3_parameters: &S3Parameters) -> Result<Self, S3Error> {
        let clock = Arc::new(ServerClock::default());
        let client = transport::client(s3_parameters, &clock)?;
        Ok(Self {
            client,
            bucket: s3_parameters.bucket.clone(),
            path: s3_parameters.path.clone(),
            place: s3_parameters.place(),
            bucket_place: s3_parameters.bucket_place(),
            clock,
        })
    }

    /// The same with more time for each answer, for requests that must not fail lightly.
    #[must_use]
    pub fn patient(&self) -> Self {
        let config = self.client.config().to_builder();
        let client = Client::from_conf(config.timeout_config(transport::patient()).build());
        Self {
            client,
            ..self.clone()
        }
    }

    /// True if the bucket exists and is accessible; [`S3Client::check_bucket`] says why not.
    pub async fn can_use_bucket(&self) -> bool {
        self.check_bucket().await.is_ok()
    }

    /// Asks for one key of the bucket, within 10 s.
    ///
    /// # Errors
    /// Why the bucket cannot be used.
    pub async fn check_bucket(&self) -> Result<BucketCheck, S3Error> {
        let doing = format!("use {}", self.place);
        // A listing, not HeadBucket: an answer to HEAD has no body, so it cannot say which key is wrong.
        let request = self
            .client
            .list_objects_v2()
            .bucket(&self.bucket)
            .prefix(self.key(""))
            .max_keys(1)
            .send();
        match tokio::time::timeout(PROBE, request).await {
            Ok(Ok(_)) => Ok(BucketCheck {
                clock_skew: self.clock.skew(),
            }),
            Ok(Err(error)) => Err(classify::classify(error, doing)),
            Err(_) => Err(S3Error::new(
                S3ErrorKind::Unreachable,
                doing,
                format!("no answer within {} s", PROBE.as_secs()),
            )),
        }
    }

    /// The server's time now: its last answer's date, moved on by the time since. Absent before any answer.
    pub fn server_now(&self) -> Option<Timestamp> {
        self.clock.now()
    }

    /// Server clock minus ours at its last answer.
    pub fn clock_skew(&self) -> Option<SignedDuration> {
        self.clock.skew()
    }

    /// Endpoint, bucket and path in words, for messages.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// The key of a name under the configured path.
    pub fn key(&self, name: &str) -> String {
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}/{name}", self.path)
        }
    }

    /// Whether names are the whole keys.
    pub fn is_without_path(&self) -> bool {
        self.path.is_empty()
    }

    /// Hands over every object whose name under the path begins with `prefix`, page by page, names relative to the path.
    /// All or an error, never silently short.
    ///
    /// # Errors
    /// When a page cannot be had.
    pub async fn list(
        &self,
        prefix: &str,
        mut take: impl FnMut(ObjectInfo),
    ) -> Result<(), S3Error> {
        let base = self.key("");
        let key_prefix = self.key(prefix);
        let mut token = None;
        loop {
            let page = self
                .client
                .list_objects_v2()
                .bucket(&self.bucket)
                .prefix(&key_prefix)
                .set_continuation_token(token.clone())
                .send()
                .await
                .map_err(|error| classify::classify(error, format!("list {}", self.place)))?;
            let objects = page.contents().iter();
            objects
                // A server that makes nothing of slashes answers with keys that do not begin so.
                .filter(|object| object.key().is_some_and(|key| key.starts_with(&key_prefix)))
                .filter_map(|object| object_info(object, &base))
                .for_each(&mut take);
            if page.is_truncated() != Some(true) {
                return Ok(());
            }
            let before = token;
            token = page.next_continuation_token().map(str::to_owned);
            if token.is_none() || token == before {
                return Err(S3Error::new(
                    S3ErrorKind::Server,
                    format!("list {}", self.place),
                    "a page of the listing does not say where the next one begins",
                ));
            }
        }
    }

    /// Size in bytes of an object under the path, `None` when there is none.
    ///
    /// # Errors
    /// When the server cannot say.
    pub async fn size_bytes(&self, name: &str) -> Result<Option<u64>, S3Error> {
        let key = self.key(name);
        match self
            .client
            .head_object()
            .bucket(&self.bucket)
            .key(&key)
            .send()
            .await
        {
            Ok(head) => Ok(head
                .content_length()
                .and_then(|size| u64::try_from(size).ok())),
            Err(error) if classify::is_not_found(&error) => Ok(None),
            Err(error) => Err(classify::classify(
                error,
                format!("look at {key} in {}", self.bucket_place),
            )),
        }
    }

    /// A small object under the path (at most 256 KiB), `None` when there is none.
    ///
    /// # Errors
    /// When it cannot be read or is larger.
    pub async fn get_small(&self, name: &str) -> Result<Option<Vec<u8>>, S3Error> {
        let key = self.key(name);
        let doing = || format!("read {key} in {}", self.bucket_place);
        let answer = match self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(&key)
            .send()
            .await
        {
            Ok(answer) => answer,
            Err(error) if classify::is_not_found(&error) => return Ok(None),
            Err(error) => return Err(classify::classify(error, doing())),
        };
        let mut body = answer.body;
        let mut content = Vec::new();
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(|error| {
                S3Error::new(S3ErrorKind::Unreachable, doing(), "the answer ended early")
                    .with_source(error)
            })?;
            content.extend_from_slice(&chunk);
            if content.len() as u64 > MAX_SMALL_OBJECT_BYTES {
                return Err(S3Error::new(
                    S3ErrorKind::Other,
                    doing(),
                    "it is larger than such an object can be",
                ));
            }
        }
        Ok(Some(content))
    }

    /// Writes a small object under the path.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn put(&self, name: &str, content: Vec<u8>) -> Result<(), S3Error> {
        let key = self.key(name);
        let request = self.client.put_object().bucket(&self.bucket).key(&key);
        let sent = request.body(ByteStream::from(content)).send().await;
        sent.map_err(|error| {
            classify::classify(error, format!("write {key} to {}", self.bucket_place))
        })?;
        Ok(())
    }

    /// Writes a small object under the path unless there is one of that name, as far as the server can tell. Returns
    /// whether it was written.
    ///
    /// # Errors
    /// When it cannot be written for another reason.
    pub async fn put_new(&self, name: &str, content: Vec<u8>) -> Result<bool, S3Error> {
        let key = self.key(name);
        let request = self.client.put_object().bucket(&self.bucket).key(&key);
        let sent = request
            .if_none_match("*")
            .body(ByteStream::from(content.clone()))
            .send()
            .await;
        match sent {
            Ok(_) => Ok(true),
            Err(error) if classify::is_there_already(&error) => Ok(false),
            // Not every server knows the condition.
            Err(error) if classify::is_not_implemented(&error) => {
                self.put(name, content).await.map(|()| true)
            }
            Err(error) => Err(classify::classify(
                error,
                format!("write {key} to {}", self.bucket_place),
            )),
        }
    }

    /// Removes an object under the path; one that is not there is no error.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub async fn delete(&self, name: &str) -> Result<Removal, S3Error> {
        let key = self.key(name);
        let sent = self
            .client
            .delete_object()
            .bucket(&self.bucket)
            .key(&key)
            .send()
            .await;
        match sent {
            Ok(answer) if answer.delete_marker() == Some(true) => Ok(Removal::Hidden),
            Ok(_) => Ok(Removal::Gone),
            Err(error) => {
                let doing = format!("delete {key} in {}", self.bucket_place);
                Err(classify::classify(error, doing))
            }
        }
    }

    /// Aborts incomplete uploads under a name that are `ours`, by names relative to the path: what a killed aws leaves is
    /// billed and never listed. Returns how many.
    ///
    /// # Errors
    /// When they cannot be listed, or the first that could not be aborted; the others are.
    pub async fn abort_uploads(
        &self,
        prefix: &str,
        ours: impl Fn(&str) -> bool,
    ) -> Result<usize, S3Error> {
        let doing = || format!("abort incomplete uploads in {}", self.place);
        let base = self.key("");
        let (mut aborted, mut failed) = (0, None);
        let mut markers = (None, None);
        loop {
            let (key_marker, id_marker) = markers.clone();
            let request = self
                .client
                .list_multipart_uploads()
                .bucket(&self.bucket)
                .prefix(self.key(prefix))
                .set_key_marker(key_marker)
                .set_upload_id_marker(id_marker);
            let page = request
                .send()
                .await
                .map_err(|error| classify::classify(error, doing()))?;
            for upload in page.uploads() {
                let (Some(key), Some(id)) = (upload.key(), upload.upload_id()) else {
                    continue;
                };
                if !key.strip_prefix(&base).is_some_and(&ours) {
                    continue;
                }
                match self.abort_upload(key, id).await {
                    Ok(()) => aborted += 1,
                    Err(error) => failed = failed.or(Some(error)),
                }
            }
            let next = (
                page.next_key_marker().map(str::to_owned),
                page.next_upload_id_marker().map(str::to_owned),
            );
            // A server that repeats itself is not asked for ever.
            if page.is_truncated() != Some(true) || next == markers || next.0.is_none() {
                return failed.map_or(Ok(aborted), Err);
            }
            markers = next;
        }
    }

    async fn abort_upload(&self, key: &str, upload_id: &str) -> Result<(), S3Error> {
        let request = self
            .client
            .abort_multipart_upload()
            .bucket(&self.bucket)
            .key(key)
            .upload_id(upload_id);
        let sent = request.send().await;
        sent.map_err(|error| {
            let doing = format!(
                "abort an incomplete upload of {key} in {}",
                self.bucket_place
            );
            classify::classify(error, doing)
        })?;
        Ok(())
    }
}

fn object_info(object: &Object, base: &str) -> Option<ObjectInfo> {
    let modified = object.last_modified()?;
    Some(ObjectInfo {
        key: object.key()?.strip_prefix(base)?.to_owned(),
        size_bytes: u64::try_from(object.size()?).ok()?,
        modified: Timestamp::new(
            modified.secs(),
            i32::try_from(modified.subsec_nanos()).ok()?,
        )
        .ok()?,
    })
}
