//! What is needed to reach a bucket, checked.

use std::collections::BTreeMap;
use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

mod ca_chain;
mod checks;

/// S3 settings as they were given, by option or by databag; nothing is checked yet. Empty text counts as not given.
#[derive(Debug, Clone, Default)]
pub struct RawS3Parameters {
    /// `access-key`
    pub access_key: Option<SecretString>,
    /// `secret-key`
    pub secret_key: Option<SecretString>,
    /// `region`
    pub region: Option<String>,
    /// `bucket`
    pub bucket: Option<String>,
    /// `endpoint`
    pub endpoint: Option<String>,
    /// `path`
    pub path: Option<String>,
    /// `s3-uri-style`
    pub s3_uri_style: Option<String>,
    /// `tls-ca-chain`: PEM, base64 of PEM, or a JSON list of either
    pub tls_ca_chain: Option<String>,
}

/// One thing that is wrong with S3 settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterProblem {
    /// Which one, by its databag key: `bucket`, `s3-uri-style`, ...
    pub parameter: &'static str,
    /// What is wrong and what to do; never holds a key.
    pub message: String,
}

impl fmt::Display for ParameterProblem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.parameter, self.message)
    }
}

/// How a bucket is named in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum S3UriStyle {
    /// `https://endpoint/bucket/key`
    Path,
    /// `https://bucket.endpoint/key`
    Host,
}

/// Checked S3 settings. `Debug` shows no key.
#[derive(Debug, Clone)]
pub struct S3Parameters {
    /// Access key.
    pub access_key: SecretString,
    /// Secret key.
    pub secret_key: SecretString,
    /// Region; signing uses `us-east-1` where it is absent.
    pub region: Option<String>,
    /// Bucket.
    pub bucket: String,
    /// `scheme://host[:port]`, without a slash at its end; absent: AWS.
    pub endpoint: Option<String>,
    /// Where in the bucket: segments joined by `/`, without a slash at either end; empty for the top.
    pub path: String,
    /// How the bucket is addressed.
    pub s3_uri_style: S3UriStyle,
    /// The S3 server's certificate authorities as PEM; absent: the system's.
    pub tls_ca_chain: Option<String>,
}

impl S3Parameters {
    /// Checks settings, all of them at once.
    ///
    /// # Errors
    /// Everything that is missing or wrong, one problem a parameter.
    ///
    /// # Example
    /// ```
    /// use synapse_charm::backup::{RawS3Parameters, S3Parameters};
    ///
    /// let problems = S3Parameters::new(RawS3Parameters::default()).unwrap_err();
    /// assert!(problems.iter().any(|problem| problem.parameter == "bucket"));
    /// ```
    pub fn new(raw: RawS3Parameters) -> Result<Self, Vec<ParameterProblem>> {
        let mut problems = Vec::new();
        let access_key = keep(
            &mut problems,
            "access-key",
            checks::key(raw.access_key, "access key"),
        );
        let secret_key = keep(
            &mut problems,
            "secret-key",
            checks::key(raw.secret_key, "secret key"),
        );
        let bucket = keep(&mut problems, "bucket", checks::bucket(raw.bucket));
        let region = keep(&mut problems, "region", checks::region(raw.region));
        let endpoint = keep(&mut problems, "endpoint", checks::endpoint(raw.endpoint));
        let path = keep(&mut problems, "path", checks::path(raw.path));
        let style = keep(
            &mut problems,
            "s3-uri-style",
            checks::uri_style(raw.s3_uri_style),
        );
        let chain = keep(
            &mut problems,
            "tls-ca-chain",
            ca_chain::parse(raw.tls_ca_chain.as_deref()),
        );
        if let (Some(endpoint), Some(region)) = (&endpoint, &region) {
            let both = check_endpoint_or_region_set(endpoint.as_deref(), region.as_deref());
            keep(&mut problems, "endpoint", both);
        }
        match (
            access_key, secret_key, bucket, region, endpoint, path, style, chain,
        ) {
            (
                Some(access_key),
                Some(secret_key),
                Some(bucket),
                Some(region),
                Some(endpoint),
                Some(path),
                Some(style),
                Some(tls_ca_chain),
            ) if problems.is_empty() => Ok(Self {
                s3_uri_style: style.unwrap_or_else(|| default_style(endpoint.as_deref())),
                access_key,
                secret_key,
                region,
                bucket,
                endpoint,
                path,
                tls_ca_chain,
            }),
            _ => Err(problems),
        }
    }

    /// The word that aws's configuration has for the style: `path` or `virtual`.
    pub fn addressing_style(&self) -> &'static str {
        match self.s3_uri_style {
            S3UriStyle::Path => "path",
            S3UriStyle::Host => "virtual",
        }
    }

    /// The region that requests are signed for.
    pub fn signing_region(&self) -> &str {
        self.region.as_deref().unwrap_or("us-east-1")
    }

    /// Whether the endpoint is Amazon's own.
    pub fn is_aws(&self) -> bool {
        self.endpoint.as_deref().is_none_or(is_aws)
    }

    /// The key of something under the path.
    pub fn key(&self, name: &str) -> String {
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}/{name}", self.path)
        }
    }

    /// What a person calls the bucket: its name and endpoint, no keys.
    pub fn bucket_place(&self) -> String {
        let endpoint = self.endpoint.as_deref().unwrap_or("AWS");
        format!("bucket {} at {endpoint}", self.bucket)
    }

    /// What a person calls this place: endpoint, bucket and path, no keys. Without a path it is the whole bucket.
    pub fn place(&self) -> String {
        let bucket = self.bucket_place();
        if self.path.is_empty() {
            bucket
        } else {
            format!("path {} in {bucket}", self.path)
        }
    }

    /// SHA-256 over everything, keys included, in hexadecimal: tells whether a probe's result is still about these
    /// settings.
    pub fn hash(&self) -> String {
        let mut digest = Sha256::new();
        let fields: [Option<&str>; 8] = [
            Some(self.access_key.expose_secret()),
            Some(self.secret_key.expose_secret()),
            self.region.as_deref(),
            Some(&self.bucket),
            self.endpoint.as_deref(),
            Some(&self.path),
            Some(self.addressing_style()),
            self.tls_ca_chain.as_deref(),
        ];
        for field in fields {
            let text = field.unwrap_or_default();
            digest.update([u8::from(field.is_some())]);
            digest.update((text.len() as u64).to_be_bytes());
            digest.update(text);
        }
        hex(&digest.finalize())
    }
}

/// One of region or endpoint must be set: without either nobody knows where the bucket is.
///
/// # Errors
/// Says so when neither is set.
pub fn check_endpoint_or_region_set(
    endpoint: Option<&str>,
    region: Option<&str>,
) -> Result<(), String> {
    if endpoint.is_none() && region.is_none() {
        return Err("one of region or endpoint must be set".to_owned());
    }
    Ok(())
}

/// Bytes in hexadecimal, lower case.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            use fmt::Write as _;
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

fn keep<T>(
    problems: &mut Vec<ParameterProblem>,
    parameter: &'static str,
    checked: Result<T, String>,
) -> Option<T> {
    match checked {
        Ok(value) => Some(value),
        Err(message) => {
            problems.push(ParameterProblem { parameter, message });
            None
        }
    }
}

fn is_aws(endpoint: &str) -> bool {
    let host = endpoint.split("://").nth(1).unwrap_or(endpoint);
    let host = host.split(':').next().unwrap_or(host);
    host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn")
}

/// Other servers are often reached by IP address, where a bucket cannot be a host name.
fn default_style(endpoint: Option<&str>) -> S3UriStyle {
    if endpoint.is_none_or(is_aws) {
        S3UriStyle::Host
    } else {
        S3UriStyle::Path
    }
}

/// What programs in the workload need in their environment to reach the bucket; the keys are secrets.
///
/// # Example
/// ```
/// # use synapse_charm::backup::{RawS3Parameters, S3Parameters, get_environment};
/// let parameters = S3Parameters::new(RawS3Parameters {
///     access_key: Some("AK".into()),
///     secret_key: Some("SK".into()),
///     bucket: Some("backups".into()),
///     region: Some("eu-west-1".into()),
///     ..RawS3Parameters::default()
/// })
/// .unwrap();
/// let environment = get_environment(&parameters);
/// assert!(environment.contains_key("AWS_SECRET_ACCESS_KEY"));
/// assert!(!format!("{environment:?}").contains("SK\""));
/// ```
pub fn get_environment(s3_parameters: &S3Parameters) -> BTreeMap<&'static str, SecretString> {
    let mut environment = BTreeMap::from([
        ("AWS_ACCESS_KEY_ID", s3_parameters.access_key.clone()),
        ("AWS_SECRET_ACCESS_KEY", s3_parameters.secret_key.clone()),
        (
            "AWS_DEFAULT_REGION",
            SecretString::from(s3_parameters.signing_region()),
        ),
    ]);
    if let Some(endpoint) = &s3_parameters.endpoint {
        environment.insert("AWS_ENDPOINT_URL", SecretString::from(endpoint.as_str()));
    }
    environment
}

#[cfg(test)]
mod tests;
