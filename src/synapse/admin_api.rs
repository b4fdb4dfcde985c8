//! What the charm asks of a running Synapse, over HTTP on the loopback that charm and
//! workload share.

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Context as _, bail};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use sha1::Sha1;
use tokio::net::TcpStream;
use zeroize::Zeroizing;

use super::identity::hex;
use super::names;

/// A Synapse that takes longer to say that it is healthy is not.
const HEALTH_DEADLINE: Duration = Duration::from_secs(3);
/// For everything else; hashing a password takes a good part of a second.
const DEADLINE: Duration = Duration::from_secs(30);
/// Where users are registered by whoever knows the registration secret.
const REGISTER: &str = "/_synapse/admin/v1/register";
/// No answer that the charm asks for is longer.
const MOST_BYTES: usize = 64 * 1024;

/// Whether Synapse says that it serves.
pub async fn is_healthy() -> bool {
    let answer = exchange(Method::GET, "/health", None);
    matches!(
        tokio::time::timeout(HEALTH_DEADLINE, answer).await,
        Ok(Ok((StatusCode::OK, _)))
    )
}

/// Whether Synapse answers a query of its admin API.
pub async fn answers() -> bool {
    begin_registration().await.is_ok()
}

/// Returns the version that Synapse says it has.
///
/// # Errors
///
/// Fails when it does not answer, or not with a version.
pub async fn version() -> anyhow::Result<String> {
    let (status, body) = ask(Method::GET, "/_matrix/federation/v1/version", None).await?;
    let body = json_of(&body);
    match body["server"]["version"].as_str() {
        // It is shown to people and is one line.
        Some(version) if status == StatusCode::OK && !version.contains(char::is_control) => {
            Ok(version.to_owned())
        }
        _ => bail!("Synapse did not say its version (HTTP {status})"),
    }
}

/// Registers the user `username` with `password`.
///
/// # Errors
///
/// Fails when Synapse does not answer, and with its own reason when it refuses, such as a
/// name that is taken.
pub async fn register_user(
    registration_secret: &SecretString,
    username: &str,
    password: &SecretString,
    admin: bool,
) -> anyhow::Result<()> {
    let nonce = begin_registration().await?;
    let body = json!({
        "nonce": nonce,
        "username": username,
        "password": password.expose_secret(),
        "admin": admin,
        "mac": proof(registration_secret, &[&nonce, username, password.expose_secret(), role(admin)])?,
    });
    let body = Zeroizing::new(serde_json::to_vec(&body).context("cannot write the registration")?);
    let (status, answer) = ask(Method::POST, REGISTER, Some(&body)).await?;
    if status == StatusCode::OK {
        return Ok(());
    }
    let answer = json_of(&answer);
    match answer["errcode"].as_str() {
        Some("M_USER_IN_USE") => bail!("the username {username} is taken: choose another one"),
        _ => bail!(
            "Synapse refused to register {username} (HTTP {status}): {}",
            answer["error"].as_str().unwrap_or("no reason given")
        ),
    }
}

/// Returns the number with which a registration begins.
async fn begin_registration() -> anyhow::Result<String> {
    let (status, body) = ask(Method::GET, REGISTER, None).await?;
    let nonce = json_of(&body)["nonce"].as_str().map(str::to_owned);
    match nonce.filter(|_| status == StatusCode::OK) {
        Some(nonce) => Ok(nonce),
        None => bail!("Synapse did not begin a registration (HTTP {status})"),
    }
}

fn role(admin: bool) -> &'static str {
    if admin { "admin" } else { "notadmin" }
}

/// Proves knowledge of the secret without sending it.
fn proof(secret: &SecretString, parts: &[&str]) -> anyhow::Result<String> {
    let mut mac = Hmac::<Sha1>::new_from_slice(secret.expose_secret().as_bytes())?;
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            mac.update(b"\0");
        }
        mac.update(part.as_bytes());
    }
    Ok(hex(&mac.finalize().into_bytes()))
}

async fn ask(
    method: Method,
    path: &str,
    body: Option<&[u8]>,
) -> anyhow::Result<(StatusCode, Bytes)> {
    let answer = tokio::time::timeout(DEADLINE, exchange(method, path, body)).await;
    answer
        .unwrap_or_else(|_| bail!("no answer within {} s", DEADLINE.as_secs()))
        .context("cannot talk to Synapse: wait until juju status shows it active, then try again")
}

async fn exchange(
    method: Method,
    path: &str,
    body: Option<&[u8]>,
) -> anyhow::Result<(StatusCode, Bytes)> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, names::PORT)).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", format!("localhost:{}", names::PORT))
        .header("content-type", "application/json")
        .body(Full::new(Bytes::copy_from_slice(body.unwrap_or_default())))?;
    let answer = async {
        let answer = sender.send_request(request).await?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), MOST_BYTES).collect().await;
        Ok((
            status,
            body.map_err(|error| anyhow::anyhow!(error))?.to_bytes(),
        ))
    };
    tokio::pin!(connection);
    // The connection is driven here and not by a task, so that nothing outlives the answer.
    tokio::pin!(answer);
    tokio::select! {
        answer = &mut answer => answer,
        ended = &mut connection => {
            ended?;
            answer.await
        }
    }
}

fn json_of(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proof_is_the_hmac_sha1_of_the_parts_joined_by_nul() {
        // By: printf 'n\0alice\0pw\0notadmin' | openssl dgst -sha1 -hmac key
        let proof = proof(&"key".into(), &["n", "alice", "pw", role(false)]).unwrap();
        assert_eq!(proof, "b9c2562ed55a9cc21cdd4c493bac378316edc265");
    }
}
