//! What can go wrong with S3, told apart by what the admin has to do.

use std::error::Error;
use std::fmt;

/// Why a request to S3 failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum S3ErrorKind {
    /// The server does not know the access key.
    WrongAccessKey,
    /// The secret key does not belong to the access key.
    WrongSecretKey,
    /// There is no such bucket.
    NoSuchBucket,
    /// The key pair is right but may not do this.
    AccessDenied,
    /// The object is kept by an object lock: retention or legal hold.
    Locked,
    /// No connection: refused, unknown host, no answer in time.
    Unreachable,
    /// The server's certificate is signed by an authority that is not known here.
    UnknownAuthority,
    /// The certificate given as authority is the server's own.
    CaUsedAsEndEntity,
    /// The server's certificate is expired, or for another host name.
    BadCertificate,
    /// The bucket is in another region.
    WrongRegion,
    /// This clock and the server's are too far apart.
    ClockSkew,
    /// The server answered with an error of its own.
    Server,
    /// Something else.
    Other,
}

impl S3ErrorKind {
    /// Whether the server was not there to answer, or failed: then nobody knows.
    pub fn is_outage(self) -> bool {
        matches!(self, Self::Unreachable | Self::Server)
    }

    /// Whether it may pass without anybody doing anything.
    pub fn is_passing(self) -> bool {
        matches!(self, Self::Unreachable | Self::Server | Self::Other)
    }
}

/// A failed request to S3. Its text is one sentence; [`S3Error::next_step`] says what to do about it.
#[derive(Debug)]
pub struct S3Error {
    kind: S3ErrorKind,
    doing: String,
    detail: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl S3Error {
    pub(crate) fn new(
        kind: S3ErrorKind,
        doing: impl Into<String>,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            kind,
            doing: doing.into(),
            detail: detail.into(),
            source: None,
        }
    }

    pub(crate) fn with_source(mut self, source: impl Error + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    /// Why it failed.
    pub fn kind(&self) -> S3ErrorKind {
        self.kind
    }

    /// What to do, as a sentence without a full stop.
    pub fn next_step(&self) -> &'static str {
        match self.kind {
            S3ErrorKind::WrongAccessKey => "check the access key",
            S3ErrorKind::WrongSecretKey => {
                "check the secret key: it does not belong to this access key"
            }
            S3ErrorKind::NoSuchBucket => "create the bucket or correct its name",
            S3ErrorKind::AccessDenied => {
                "allow this key to list the bucket and to read and write objects under the path"
            }
            S3ErrorKind::Locked => {
                "wait until its retention ends, or lift the retention or legal hold with the S3 server's own tools"
            }
            S3ErrorKind::Unreachable => {
                "check the endpoint and that the server runs and can be reached from the pod"
            }
            S3ErrorKind::UnknownAuthority => {
                "give the certificate of the server's authority as s3_tls_ca_chain"
            }
            S3ErrorKind::CaUsedAsEndEntity => {
                "give the certificate of the authority that signed the server's, or make the server's own without CA:TRUE"
            }
            S3ErrorKind::BadCertificate => {
                "renew the server's certificate, or use the host name that it is for"
            }
            S3ErrorKind::WrongRegion => "set the region that the bucket is in",
            S3ErrorKind::ClockSkew => "set the clock of this machine or of the S3 server right",
            S3ErrorKind::Server | S3ErrorKind::Other => {
                "look at the S3 server's own log, then try again"
            }
        }
    }

    /// The sentence and what to do, for a status or an action's failure.
    pub fn with_next_step(&self) -> String {
        format!("{self}; {}", self.next_step())
    }
}

impl fmt::Display for S3Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "cannot {}: ", self.doing)?;
        let what = match self.kind {
            S3ErrorKind::WrongAccessKey => "the S3 server does not know the access key",
            S3ErrorKind::WrongSecretKey => "the S3 server refuses the secret key",
            S3ErrorKind::NoSuchBucket => "the bucket does not exist",
            S3ErrorKind::AccessDenied => "access denied",
            S3ErrorKind::Locked => "the object is kept by an object lock",
            S3ErrorKind::Unreachable => "the S3 server cannot be reached",
            S3ErrorKind::UnknownAuthority => {
                "the S3 server's certificate is signed by an unknown authority"
            }
            S3ErrorKind::CaUsedAsEndEntity => {
                "the S3 server uses a certificate authority's certificate as its own"
            }
            S3ErrorKind::BadCertificate => "the S3 server's certificate is not valid",
            S3ErrorKind::WrongRegion => "the bucket is in another region",
            S3ErrorKind::ClockSkew => {
                "the clocks of this machine and of the S3 server are too far apart"
            }
            S3ErrorKind::Server => "the S3 server failed",
            S3ErrorKind::Other => "unexpected answer",
        };
        formatter.write_str(what)?;
        if !self.detail.is_empty() {
            write!(formatter, " ({})", self.detail)?;
        }
        Ok(())
    }
}

impl Error for S3Error {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn Error + 'static))
    }
}
