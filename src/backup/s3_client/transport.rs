//! How requests travel: TLS by rustls, explicit settings, nothing from environment or home folder.

use std::sync::Arc;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    BehaviorVersion, Builder, Credentials, Region, RequestChecksumCalculation,
    ResponseChecksumValidation, SharedHttpClient,
};
use aws_smithy_http_client::tls::{self, TlsContext, TrustStore, rustls_provider::CryptoMode};
use secrecy::ExposeSecret;

use super::server_clock::{ReadDate, ServerClock};
use crate::backup::limits::{S3_ATTEMPTS, S3_CONNECT, S3_PATIENT_READ, S3_READ, S3_REQUEST};
use crate::backup::s3_error::{S3Error, S3ErrorKind};
use crate::backup::s3_parameters::{S3Parameters, S3UriStyle};

pub(super) fn client(
    s3_parameters: &S3Parameters,
    clock: &Arc<ServerClock>,
) -> Result<Client, S3Error> {
    let credentials = Credentials::new(
        s3_parameters.access_key.expose_secret(),
        s3_parameters.secret_key.expose_secret(),
        None,
        None,
        "charm",
    );
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(S3_CONNECT)
        .read_timeout(S3_READ)
        .operation_timeout(S3_REQUEST)
        .build();
    let mut config = Builder::new()
        .behavior_version(BehaviorVersion::latest())
        .http_client(http_client(s3_parameters)?)
        .credentials_provider(credentials)
        .region(Region::new(s3_parameters.signing_region().to_owned()))
        .force_path_style(s3_parameters.s3_uri_style == S3UriStyle::Path)
        .timeout_config(timeouts)
        .retry_config(RetryConfig::standard().with_max_attempts(S3_ATTEMPTS))
        .interceptor(ReadDate(Arc::clone(clock)));
    if let Some(endpoint) = &s3_parameters.endpoint {
        config = config.endpoint_url(endpoint);
    }
    if !s3_parameters.is_aws() {
        // Many other servers refuse the newer checksums.
        config = config
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
    }
    Ok(Client::from_conf(config.build()))
}

/// Time limits of requests that must not fail lightly.
pub(super) fn patient() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(S3_CONNECT)
        .read_timeout(S3_PATIENT_READ)
        .operation_timeout(S3_PATIENT_READ * S3_ATTEMPTS)
        .build()
}

fn http_client(s3_parameters: &S3Parameters) -> Result<SharedHttpClient, S3Error> {
    let plain = s3_parameters
        .endpoint
        .as_deref()
        .is_some_and(|endpoint| endpoint.starts_with("http://"));
    let trust = match &s3_parameters.tls_ca_chain {
        Some(chain) => TrustStore::empty().with_pem_certificate(chain.as_bytes()),
        // The system's certificates take time and memory to read.
        None if plain => TrustStore::empty(),
        None => TrustStore::default(),
    };
    let context = TlsContext::builder()
        .with_trust_store(trust)
        .build()
        .map_err(|error| {
            S3Error::new(
                S3ErrorKind::Other,
                "set up TLS for S3",
                "the certificates cannot be used",
            )
            .with_source(error)
        })?;
    let client = aws_smithy_http_client::Builder::new()
        .tls_provider(tls::Provider::Rustls(CryptoMode::Ring))
        .tls_context(context)
        .build_https();
    Ok(client)
}
