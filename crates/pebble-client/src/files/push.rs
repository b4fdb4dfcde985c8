//! Writing files of the workload, from a stream or from memory.

use std::collections::hash_map::RandomState;
use std::fmt::Write as _;
use std::hash::{BuildHasher, Hasher};

use bytes::Bytes;
use hyper::Method;
use serde::Serialize;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::mpsc;
use zeroize::Zeroizing;

use crate::Client;
use crate::client::{Operation, envelope_of, request, within};
use crate::envelope::{PathResult, each_path};
use crate::error::{Error, Failure};
use crate::files::attributes::{Attributes, attribute_setters};
use crate::files::of_each;
use crate::query::{Target, percent_encode};
use crate::transport::RequestBody;

/// A reader like tokio's files changes threads for each piece.
const PIECE_BYTES: usize = 256 << 10;

/// A file to write; see [`Client::write_file`].
///
/// [`Client::write_file`] has an example.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct WriteFile<'a> {
    path: &'a str,
    make_dirs: bool,
    #[serde(flatten)]
    attributes: Attributes<'a>,
}

#[derive(Serialize)]
struct WriteRequest<'a> {
    action: &'static str,
    files: &'a [WriteFile<'a>],
}

impl<'a> WriteFile<'a> {
    /// A file at the absolute `path`, mode 0644, owned by whoever Pebble runs as.
    ///
    /// # Example
    ///
    /// ```
    /// use pebble_client::WriteFile;
    /// let file = WriteFile::new("/data/homeserver.yaml");
    /// ```
    #[must_use]
    pub fn new(path: &'a str) -> Self {
        Self {
            path,
            make_dirs: false,
            attributes: Attributes::default(),
        }
    }

    /// Makes missing parents too, mode 0755, with the file's owner.
    ///
    /// # Example
    ///
    /// ```
    /// use pebble_client::WriteFile;
    /// let file = WriteFile::new("/data/conf.d/web.yaml").make_dirs(true);
    /// ```
    #[must_use]
    pub fn make_dirs(mut self, make_dirs: bool) -> Self {
        self.make_dirs = make_dirs;
        self
    }

    attribute_setters!('a);
}

impl Client {
    /// Writes a file of the workload, replacing one that is there. The content is written beside it, synced to disk
    /// and renamed, so a reader sees the old or the new file, whole. A symbolic link at the path is replaced, not
    /// followed.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) when the directory is missing;
    /// [`PermissionDenied`](crate::ErrorKind::PermissionDenied);
    /// [`GenericFile`](crate::ErrorKind::GenericFile), also for a path that is not absolute;
    /// [`BadRequest`](crate::ErrorKind::BadRequest) for permissions above 0777.
    ///
    /// # Example
    ///
    /// ```no_run
    /// // no_run: needs a daemon
    /// # async fn example(client: pebble_client::Client) -> Result<(), pebble_client::Error> {
    /// use pebble_client::WriteFile;
    /// let file = WriteFile::new("/data/homeserver.yaml").permissions(0o600).user_id(991).group_id(991);
    /// client.write_file(file, b"server_name: example.org\n").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn write_file(&self, file: WriteFile<'_>, content: &[u8]) -> Result<(), Error> {
        self.push(file, content).await
    }

    /// As [`write_file`](Self::write_file), with content that is read while it is sent. When reading fails or the
    /// future is dropped, nothing is written.
    ///
    /// # Errors
    ///
    /// As [`write_file`](Self::write_file), and [`LocalIo`](crate::ErrorKind::LocalIo) when `content` fails.
    ///
    /// # Example
    ///
    /// ```no_run
    /// // no_run: needs a daemon
    /// # async fn example(client: pebble_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// use pebble_client::WriteFile;
    /// let content = tokio::fs::File::open("media.tar").await?;
    /// client.push(WriteFile::new("/data/media.tar"), content).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn push(&self, file: WriteFile<'_>, content: impl AsyncRead) -> Result<(), Error> {
        let path = file.path;
        self.upload(&[file], [content])
            .await
            .and_then(|results| results.into_iter().collect())
            .on_path("write file", path)
    }

    /// As [`write_file`](Self::write_file), several in one request, one after the other. Tells of each how it went, in
    /// their order; one that fails does not keep the next ones back. All content is sent in any case.
    ///
    /// # Errors
    ///
    /// What concerns the whole request; [`BadRequest`](crate::ErrorKind::BadRequest) for permissions above 0777, and
    /// then nothing was sent.
    ///
    /// # Example
    ///
    /// ```no_run
    /// // no_run: needs a daemon
    /// # async fn example(client: pebble_client::Client) -> Result<(), pebble_client::Error> {
    /// use pebble_client::WriteFile;
    /// let files = [(WriteFile::new("/data/a"), &b"one"[..]), (WriteFile::new("/data/b"), b"two")];
    /// for result in client.write_files(&files).await? {
    ///     result?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn write_files(
        &self,
        files: &[(WriteFile<'_>, &[u8])],
    ) -> Result<Vec<Result<(), Error>>, Error> {
        let all: Vec<WriteFile<'_>> = files.iter().map(|(file, _)| file.clone()).collect();
        let results = self
            .upload(&all, files.iter().map(|(_, content)| *content))
            .await
            .operation(|| String::from("write files"))?;
        Ok(of_each(
            "write file",
            all.iter().map(|file| file.path),
            results,
        ))
    }

    async fn upload<R: AsyncRead>(
        &self,
        files: &[WriteFile<'_>],
        contents: impl IntoIterator<Item = R>,
    ) -> Result<Vec<Result<(), Failure>>, Failure> {
        files.iter().try_for_each(|file| file.attributes.check())?;
        let boundary = boundary();
        let head = head(files, &boundary)?;
        let (sender, receiver) = mpsc::channel(1);
        let content_type = format!("multipart/form-data; boundary={boundary}");
        let body = RequestBody::Pieces(receiver);
        let request = request(
            &Method::POST,
            &Target::new("/v1/files"),
            Some(&content_type),
            body,
        )?;
        let mut exchange = std::pin::pin!(async {
            let answer = self.transport().send(request).await?;
            envelope_of::<Vec<PathResult>>(answer).await
        });
        let sending = async {
            let mut next = Bytes::from(head);
            for (file, content) in files.iter().zip(contents) {
                let part = part_head(file.path, &boundary);
                if !self.send_piece(&sender, next).await? {
                    return Ok(());
                }
                next = Bytes::from(part);
                if !self.send_content(&sender, &mut next, content).await? {
                    return Ok(());
                }
            }
            self.send_piece(&sender, next).await?;
            let tail = Bytes::from(format!("\r\n--{boundary}--\r\n"));
            self.send_piece(&sender, tail).await?;
            drop(sender);
            Ok(())
        };
        let envelope = tokio::select! {
            biased;
            // An early answer is a refusal; the rest need not be sent.
            envelope = &mut exchange => envelope,
            sent = sending => match sent {
                Ok(()) => within(self.timeout(), exchange).await,
                Err(failure) => Err(failure),
            },
        };
        each_path(envelope?.result, files.len())
    }

    /// Hands a piece of the body over; false when nobody takes it any more, which shows in the answer, or in the lack
    /// of one. The caller's reader may take its time; the daemon may not.
    async fn send_piece(
        &self,
        sender: &mpsc::Sender<Bytes>,
        piece: Bytes,
    ) -> Result<bool, Failure> {
        within(self.timeout(), async {
            Ok(sender.send(piece).await.is_ok())
        })
        .await
    }

    /// Sends what `next` holds and then all of `content` but its last piece, which is left in `next`.
    async fn send_content(
        &self,
        sender: &mpsc::Sender<Bytes>,
        next: &mut Bytes,
        content: impl AsyncRead,
    ) -> Result<bool, Failure> {
        let mut content = std::pin::pin!(content);
        loop {
            // What is written may be a secret.
            let mut piece = Zeroizing::new(vec![0; PIECE_BYTES]);
            let count = content.read(&mut piece).await.map_err(Failure::LocalIo)?;
            if count == 0 {
                return Ok(true);
            }
            let piece = Bytes::from_owner(piece).slice(..count);
            if !self
                .send_piece(sender, std::mem::replace(next, piece))
                .await?
            {
                return Ok(false);
            }
        }
    }
}

/// The first part of the body, up to the content of the first file.
fn head(files: &[WriteFile<'_>], boundary: &str) -> Result<String, Failure> {
    let payload = WriteRequest {
        action: "write",
        files,
    };
    let metadata =
        serde_json::to_string(&payload).map_err(|error| Failure::Refused(error.to_string()))?;
    Ok(format!(
        "--{boundary}\r\nContent-Type: application/json\r\nContent-Disposition: form-data; name=\"request\"\r\n\r\n\
         {metadata}"
    ))
}

/// What stands before the content of a file.
fn part_head(path: &str, boundary: &str) -> String {
    format!(
        "\r\n--{boundary}\r\nContent-Type: application/octet-stream\r\n\
         Content-Disposition: form-data; name=\"files\"; {}\r\n\r\n",
        filename(path)
    )
}

/// Names the file so that the daemon reads back the very path of the metadata, whatever it holds.
fn filename(path: &str) -> String {
    let mut parameter = String::new();
    if path.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        parameter.push_str("filename=\"");
        for character in path.chars() {
            if matches!(character, '"' | '\\') {
                parameter.push('\\');
            }
            parameter.push(character);
        }
        parameter.push('"');
    } else {
        parameter.push_str("filename*=utf-8''");
        percent_encode(path, &mut parameter);
    }
    parameter
}

/// Returns a delimiter that content cannot know beforehand.
fn boundary() -> String {
    let mut text = String::from("pebble-client-");
    for _ in 0..4 {
        let _ = write!(text, "{:016x}", RandomState::new().build_hasher().finish());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{boundary, filename};

    #[test]
    fn filename_cannot_end_its_header() {
        assert_eq!(filename("/a b.txt"), "filename=\"/a b.txt\"");
        assert_eq!(filename(r#"/a"b\c"#), r#"filename="/a\"b\\c""#);
        assert_eq!(
            filename("/a\r\nX: ü"),
            "filename*=utf-8''%2Fa%0D%0AX%3A%20%C3%BC"
        );
    }

    #[test]
    fn boundary_is_new_each_time() {
        assert_ne!(boundary(), boundary());
    }
}
