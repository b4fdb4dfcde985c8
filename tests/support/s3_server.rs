//! An S3 server for one test: SeaweedFS on free loopback ports, with its data in a temporary
//! folder, gone with the value.
//!
//! Include it by `#[path = "support/s3_server.rs"] mod s3_server;`. It takes three seconds to
//! start, so begin it first and deploy meanwhile. Keep the value in the thread that made it:
//! the server dies with that thread.
#![expect(
    clippy::disallowed_methods,
    clippy::panic,
    reason = "it starts a process, and a test fails by panicking"
)]
#![allow(
    dead_code,
    unreachable_pub,
    clippy::allow_attributes,
    reason = "no test uses all of it"
)]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// How long a server may take to answer, on a machine that builds something besides.
const START_DEADLINE: Duration = Duration::from_mins(1);

/// A running S3 server.
///
/// It knows two identities: one that may do everything ([`access_key`](Self::access_key)) and
/// one that may only read and list. Wrong keys are refused, a missing bucket is not made.
#[derive(Debug)]
pub struct S3Server {
    process: Child,
    folder: tempfile::TempDir,
    facts: BTreeMap<String, String>,
}

/// What an object is listed as.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Object {
    /// The key, without the bucket.
    pub key: String,
    /// Its size.
    pub size_bytes: u64,
}

/// Who signed the certificate of a server that speaks HTTPS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certificate {
    /// An authority of the server's own, unknown to everyone; see [`S3Server::ca_pem`].
    OwnAuthority,
    /// The server itself, as `openssl req -x509` makes it: rustls refuses it even when told
    /// to trust it.
    SelfSigned,
}

impl S3Server {
    /// Starts a server and waits until it answers.
    pub fn start() -> Self {
        Self::start_with(None)
    }

    /// Starts a server that serves HTTPS besides HTTP, and waits until it answers.
    pub fn start_with_https(certificate: Certificate) -> Self {
        Self::start_with(Some(certificate))
    }

    fn start_with(certificate: Option<Certificate>) -> Self {
        // A port that was free may be taken when the server gets to it: then another try.
        for _ in 0..3 {
            if let Some(server) = Self::try_start(certificate) {
                return server;
            }
        }
        panic!("the S3 server ended three times before it answered");
    }

    /// Kills the server; what it has stored stays.
    pub fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        // The process was the sandbox; the server in it is killed with it, a moment later.
        let deadline = Instant::now() + Duration::from_secs(10);
        while !self.facts.is_empty()
            && TcpStream::connect(self.address()).is_ok()
            && Instant::now() < deadline
        {
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Starts a server that was killed, with what it had stored, and waits until it answers. Its unix socket is where
    /// it was, its ports are others.
    pub fn restart(&mut self) {
        for _ in 0..3 {
            self.facts.clear();
            let folder = self.folder.path();
            must(fs::remove_file(folder.join("s3.env")));
            let log = must(File::options().append(true).open(folder.join("log")));
            let mut command = Command::new(root().join("scripts/s3-server"));
            command.arg(folder).stdout(must(log.try_clone()));
            self.process = must(command.stderr(log).spawn());
            if self.wait_until_it_answers() && self.wait_until_it_stores() {
                return;
            }
        }
        panic!("the S3 server does not come back:\n{}", self.log());
    }

    // Its part that holds the content of objects answers a little later than the others.
    fn wait_until_it_stores(&self) -> bool {
        let deadline = Instant::now() + START_DEADLINE;
        let ask = |method: &str, body: &[u8]| request(self.filer(), method, "/probe", body);
        while Instant::now() < deadline {
            let probe = [7; 10_000];
            if ask("PUT", &probe).is_ok_and(|answer| answer.status < 300)
                && ask("GET", &[]).is_ok_and(|answer| answer.body == probe)
            {
                return ask("DELETE", &[]).is_ok();
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        false
    }

    fn try_start(certificate: Option<Certificate>) -> Option<Self> {
        // Not where TMPDIR says: its unix sockets need a short path.
        let folder = must(tempfile::Builder::new().prefix("s3-").tempdir_in("/tmp"));
        let log = must(File::create(folder.path().join("log")));
        let mut command = Command::new(root().join("scripts/s3-server"));
        command.arg(folder.path());
        if let Some(certificate) = certificate {
            make_certificate(folder.path(), certificate);
            command.arg(folder.path().join("server.pem"));
            command.arg(folder.path().join("server.key"));
        }
        command.stdout(must(log.try_clone())).stderr(log);
        let process = must(command.spawn());
        let mut server = Self {
            process,
            folder,
            facts: BTreeMap::new(),
        };
        server.wait_until_it_answers().then_some(server)
    }

    fn wait_until_it_answers(&mut self) -> bool {
        let deadline = Instant::now() + START_DEADLINE;
        while must(self.process.try_wait()).is_none() {
            if self.facts.is_empty()
                && let Ok(text) = fs::read_to_string(self.folder.path().join("s3.env"))
            {
                self.facts = read_facts(&text);
            }
            if !self.facts.is_empty()
                && answers(self.address())
                && answers(self.filer())
                && answers_on(&self.socket())
            {
                return true;
            }
            assert!(
                Instant::now() < deadline,
                "the S3 server does not answer:\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        false
    }

    /// The URL of the server, such as `http://127.0.0.1:40123`.
    pub fn endpoint(&self) -> &str {
        &self.facts["S3_ENDPOINT"]
    }

    /// The HTTPS URL of a server made by [`start_with_https`](Self::start_with_https).
    pub fn https_endpoint(&self) -> &str {
        &self.facts["S3_HTTPS_ENDPOINT"]
    }

    /// Where the server listens for HTTP.
    pub fn address(&self) -> SocketAddr {
        parse_address(self.endpoint())
    }

    /// Where the server listens for HTTPS.
    pub fn https_address(&self) -> SocketAddr {
        parse_address(self.https_endpoint())
    }

    /// The server's unix socket, which speaks the same HTTP.
    pub fn socket(&self) -> PathBuf {
        self.facts["S3_SOCKET"].clone().into()
    }

    /// The access key of the identity that may do everything.
    pub fn access_key(&self) -> &str {
        &self.facts["S3_ACCESS_KEY"]
    }

    /// The secret key that belongs to [`access_key`](Self::access_key).
    pub fn secret_key(&self) -> &str {
        &self.facts["S3_SECRET_KEY"]
    }

    /// The access key of the identity that may only read and list.
    pub fn reader_access_key(&self) -> &str {
        &self.facts["S3_READER_ACCESS_KEY"]
    }

    /// The secret key that belongs to [`reader_access_key`](Self::reader_access_key).
    pub fn reader_secret_key(&self) -> &str {
        &self.facts["S3_READER_SECRET_KEY"]
    }

    /// What a client must trust to reach [`https_endpoint`](Self::https_endpoint), in PEM.
    pub fn ca_pem(&self) -> String {
        must(fs::read_to_string(self.folder.path().join("ca.pem")))
    }

    /// What the server has printed.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Makes a bucket.
    pub fn create_bucket(&self, bucket: &str) {
        self.filer_request("POST", &format!("/buckets/{}/", encode(bucket)), &[]);
    }

    /// All objects of a bucket whose keys begin with `folder` (`""`, or one that ends in `/`),
    /// by key.
    pub fn objects(&self, bucket: &str, folder: &str) -> Vec<Object> {
        let mut objects = Vec::new();
        self.list_into(bucket, folder, &mut objects);
        objects.sort();
        objects
    }

    /// How many multipart uploads of a bucket were begun and neither completed nor aborted.
    pub fn incomplete_uploads(&self, bucket: &str) -> usize {
        self.entries(bucket, ".uploads/").len()
    }

    /// The content of an object, or `None` when there is no such object.
    pub fn object(&self, bucket: &str, key: &str) -> Option<Vec<u8>> {
        let path = format!("/buckets/{}/{}", encode(bucket), encode(key));
        let response = must(request(self.filer(), "GET", &path, &[]));
        (response.status == 200).then_some(response.body)
    }

    /// Puts an object, whoever's it would be.
    pub fn put_object(&self, bucket: &str, key: &str, content: &[u8]) {
        let path = format!("/buckets/{}/{}", encode(bucket), encode(key));
        self.filer_request("PUT", &path, content);
    }

    /// Removes an object, or a whole folder of keys when `key` ends in `/`.
    pub fn remove(&self, bucket: &str, key: &str) {
        let path = format!("/buckets/{}/{}", encode(bucket), encode(key));
        self.filer_request("DELETE", &format!("{path}?recursive=true"), &[]);
    }

    /// Makes the server refuse something to everyone: each of `denied` is an action and the keys it may not be done to,
    /// such as `("s3:DeleteObject", "*/media.tar.gpg")`. None of them allows all again.
    pub fn deny(&self, bucket: &str, denied: &[(&str, &str)]) {
        let mut aws = self.aws();
        aws.arg("s3api");
        if denied.is_empty() {
            aws.args(["delete-bucket-policy", "--bucket", bucket]);
        } else {
            let statements: Vec<_> = denied
                .iter()
                .map(|(action, keys)| {
                    serde_json::json!({
                        "Effect": "Deny",
                        "Principal": "*",
                        "Action": action,
                        "Resource": format!("arn:aws:s3:::{bucket}/{keys}"),
                    })
                })
                .collect();
            let policy = serde_json::json!({"Version": "2012-10-17", "Statement": statements});
            aws.args(["put-bucket-policy", "--bucket", bucket, "--policy"])
                .arg(policy.to_string());
        }
        let output = must(aws.output());
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// The AWS CLI (version 1), set up for this server; add the arguments.
    pub fn aws(&self) -> Command {
        let mut command = Command::new(root().join(".tools/awscli/bin/aws"));
        command
            .args(["--endpoint-url", self.endpoint()])
            .env("AWS_ACCESS_KEY_ID", self.access_key())
            .env("AWS_SECRET_ACCESS_KEY", self.secret_key())
            .env("AWS_DEFAULT_REGION", "us-east-1")
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
        command
    }

    // SeaweedFS keeps buckets as folders of its filer, whose HTTP needs no signature.
    fn filer(&self) -> SocketAddr {
        parse_address(&self.facts["S3_FILER"])
    }

    fn filer_request(&self, method: &str, path: &str, body: &[u8]) -> Vec<u8> {
        let response = must(request(self.filer(), method, path, body));
        assert!(
            (200..300).contains(&response.status),
            "{method} {path}: {} {}",
            response.status,
            String::from_utf8_lossy(&response.body)
        );
        response.body
    }

    fn list_into(&self, bucket: &str, folder: &str, objects: &mut Vec<Object>) {
        for (name, is_folder, size_bytes) in self.entries(bucket, folder) {
            let key = format!("{folder}{name}");
            if !is_folder {
                objects.push(Object { key, size_bytes });
            } else if key != ".uploads" {
                self.list_into(bucket, &format!("{key}/"), objects);
            }
        }
    }

    fn entries(&self, bucket: &str, folder: &str) -> Vec<(String, bool, u64)> {
        const GO_MODE_FOLDER: u64 = 1 << 31;
        let path = format!("/buckets/{}/{}", encode(bucket), encode(folder));
        let response = must(request(
            self.filer(),
            "GET",
            &format!("{path}?limit=100000"),
            &[],
        ));
        if response.status == 404 {
            return Vec::new();
        }
        let listing: serde_json::Value = must(serde_json::from_slice(&response.body));
        let entries = listing["Entries"].as_array().cloned().unwrap_or_default();
        entries
            .iter()
            .map(|entry| {
                let full_path = entry["FullPath"].as_str().unwrap_or_default();
                let name = full_path.rsplit('/').next().unwrap_or_default().to_owned();
                let is_folder = entry["Mode"].as_u64().unwrap_or(0) & GO_MODE_FOLDER != 0;
                (name, is_folder, entry["FileSize"].as_u64().unwrap_or(0))
            })
            .collect()
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        // Its data goes with it, so there is nothing to stop cleanly.
        self.kill();
    }
}

/// The socket's file can be there before somebody listens on it: that of a server that was killed is.
fn answers_on(socket: &Path) -> bool {
    let ask = || -> std::io::Result<Vec<u8>> {
        let mut stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.starts_with(b"HTTP/1."))
}

fn answers(address: SocketAddr) -> bool {
    request(address, "GET", "/", &[]).is_ok()
}

struct Response {
    status: u16,
    body: Vec<u8>,
}

// HTTP/1.0, so that the answer ends where the connection does, in one piece.
fn request(to: SocketAddr, method: &str, path: &str, body: &[u8]) -> std::io::Result<Response> {
    let mut stream = TcpStream::connect_timeout(&to, Duration::from_secs(5))?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.0\r\nHost: {to}\r\nAccept: application/json\r\nContent-Length: {length}\r\n\r\n"
    )?;
    stream.write_all(body)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let head = String::from_utf8_lossy(&answer[..end.unwrap_or(0)]).into_owned();
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    let body = answer.split_off(end.map_or(0, |end| end + 4));
    let status = status.ok_or(std::io::ErrorKind::InvalidData)?;
    Ok(Response { status, body })
}

fn encode(path: &str) -> String {
    use std::fmt::Write as _;
    let mut encoded = String::new();
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

fn read_facts(text: &str) -> BTreeMap<String, String> {
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
}

fn parse_address(url: &str) -> SocketAddr {
    must(url.rsplit('/').next().unwrap_or_default().parse())
}

fn make_certificate(folder: &Path, certificate: Certificate) {
    // Elliptic curve keys: made in a moment.
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    let alternative = "subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:*.localhost";
    let script = match certificate {
        Certificate::SelfSigned => format!(
            "openssl req -x509 -days 2 {key} -subj /CN=127.0.0.1 -addext {alternative} -keyout server.key -out server.pem
             cp server.pem ca.pem"
        ),
        Certificate::OwnAuthority => format!(
            "openssl req -x509 -days 2 {key} -subj '/CN=Authority of a test' -keyout ca.key -out ca.pem
             openssl req {key} -subj /CN=127.0.0.1 -keyout server.key -out server.csr
             printf '%s\n' {alternative} basicConstraints=CA:FALSE > server.ext
             openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile server.ext -out server.pem"
        ),
    };
    let output = must(
        Command::new("bash")
            .args(["-euc", &script])
            .current_dir(folder)
            .output(),
    );
    assert!(
        output.status.success(),
        "openssl: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[track_caller]
fn must<T, E: std::fmt::Display>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}
