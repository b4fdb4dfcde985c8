use super::*;
use crate::backup::catalog::manifest::ArchiveManifest;
use crate::backup::s3_error::S3ErrorKind;
use crate::backup::s3_parameters::{RawS3Parameters, S3Parameters};

fn failing(kind: S3ErrorKind) -> Result<(), S3Error> {
    Err(S3Error::new(kind, "test", ""))
}

#[test]
fn heartbeats_that_are_refused_twice_or_missed_ten_times_in_a_row_end_the_job() {
    let mut missed = Missed::default();
    assert!(missed.after(failing(S3ErrorKind::WrongAccessKey)).is_none());
    assert!(missed.after(Ok(())).is_none());
    assert!(missed.after(failing(S3ErrorKind::NoSuchBucket)).is_none());
    let error = missed.after(failing(S3ErrorKind::AccessDenied)).unwrap();
    assert_eq!(error.kind(), S3ErrorKind::AccessDenied);

    let mut missed = Missed::default();
    for _ in 1..MISSED_HEARTBEATS {
        assert!(missed.after(failing(S3ErrorKind::Unreachable)).is_none());
    }
    assert!(missed.after(failing(S3ErrorKind::Server)).is_some());
}

/// An S3 server that answers each request with the next of `answers` (an empty one: not at all), then with 404.
async fn server(answers: Vec<String>) -> S3Client {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
        .await
        .unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut answers = answers.into_iter();
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut seen = Vec::new();
            let mut buffer = [0; 4096];
            while !seen.windows(4).any(|end| end == b"\r\n\r\n") {
                match stream.read(&mut buffer).await {
                    Ok(read) if read > 0 => seen.extend_from_slice(&buffer[..read]),
                    _ => break,
                }
            }
            let answer = answers.next().unwrap_or_else(|| status("404 Not Found", 0));
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    let raw = RawS3Parameters {
        access_key: Some("AK".into()),
        secret_key: Some("SK".into()),
        bucket: Some("backups".to_owned()),
        endpoint: Some(endpoint),
        ..RawS3Parameters::default()
    };
    S3Client::new(&S3Parameters::new(raw).unwrap()).unwrap()
}

fn status(status: &str, length: usize) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n")
}

fn manifest() -> Manifest {
    let archive = ArchiveManifest {
        object: names::MEDIA.to_owned(),
        size_bytes: 1,
        sha256: String::new(),
        entries: 2,
        file_bytes: 0,
    };
    Manifest {
        format: FORMAT,
        id: "backup-20261123-070501-00ff".to_owned(),
        server_name: "a.example".to_owned(),
        engine: "sqlite".to_owned(),
        synapse_version: None,
        schema_version: None,
        compat_version: None,
        started: Timestamp::UNIX_EPOCH,
        finished: Timestamp::UNIX_EPOCH,
        changed_while_read: 0,
        state: archive.clone(),
        media: archive,
        contents: None,
    }
}

async fn committed(answers: Vec<String>) -> Result<(), S3Error> {
    let manifest = manifest();
    let id = manifest.id.parse().unwrap();
    commit(&server(answers).await, &id, &manifest).await
}

#[tokio::test]
async fn marker_is_written_though_the_server_is_away_for_a_while() {
    let no_answer = String::new;
    // Each request is tried twice.
    let answers = vec![no_answer(), no_answer(), no_answer(), status("200 OK", 0)];
    committed(answers).await.unwrap();
}

#[tokio::test]
async fn marker_that_was_stored_though_the_answer_was_no_counts() {
    let length = json(&manifest()).len();
    let refused = || status("403 Forbidden", 0);
    committed(vec![refused(), status("200 OK", length)])
        .await
        .unwrap();
    let error = committed(vec![refused()]).await.unwrap_err();
    assert_eq!(error.kind(), S3ErrorKind::AccessDenied);
}
