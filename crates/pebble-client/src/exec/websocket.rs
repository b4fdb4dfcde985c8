//! The websockets of an exec.

use std::time::Duration;

use tokio::net::UnixStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::Error as WebSocketError;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::Client;
use crate::client::within;
use crate::envelope;
use crate::error::Failure;

/// The daemon waits this long for the streams of a command.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// The daemon sends at most 128 KiB in a frame.
const FRAME_LIMIT_BYTES: usize = 1 << 20;

const BUFFER_BYTES: usize = 64 << 10;

pub(crate) type Socket = WebSocketStream<UnixStream>;

/// Opens one websocket of a task. Never asked for twice: the daemon does not take a second connection.
pub(crate) async fn open(
    client: &Client,
    task_id: &str,
    websocket_id: &str,
) -> Result<Socket, Failure> {
    let url = format!("ws://localhost/v1/tasks/{task_id}/websocket/{websocket_id}");
    let request = url
        .into_client_request()
        .map_err(|error| Failure::Protocol(error.to_string()))?;
    within(HANDSHAKE_TIMEOUT, async {
        let stream = client.transport().connect().await?;
        let handshake = client_async_with_config(request, stream, Some(config())).await;
        handshake.map(|(socket, _response)| socket).map_err(refused)
    })
    .await
}

/// The limits of a websocket.
pub(crate) fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(BUFFER_BYTES)
        // Each frame goes out at once, as a pipe would do it; one frame is the most that is held back.
        .write_buffer_size(0)
        .max_write_buffer_size(4 * BUFFER_BYTES)
        .max_message_size(Some(FRAME_LIMIT_BYTES))
        .max_frame_size(Some(FRAME_LIMIT_BYTES))
}

fn refused(error: WebSocketError) -> Failure {
    match error {
        WebSocketError::Http(response) if response.status().as_u16() >= 400 => {
            let body = response.body().as_deref().unwrap_or_default();
            envelope::error_of(response.status().as_u16(), body)
        }
        WebSocketError::Http(response) => Failure::Protocol(format!(
            "answer of status {} in place of a websocket",
            response.status()
        )),
        other => Failure::Lost(Box::new(other)),
    }
}
