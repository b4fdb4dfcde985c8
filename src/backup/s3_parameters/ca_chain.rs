//! The chain of certificate authorities, in the forms in which it is met.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use crate::backup::limits::MAX_CA_CHAIN_BYTES;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";

/// PEM of every certificate, each read once: what does not parse would end the program when TLS begins.
pub(super) fn parse(given: Option<&str>) -> Result<Option<String>, String> {
    let given = given.unwrap_or_default().trim();
    let mut chain = String::new();
    for entry in entries(given)? {
        let pem = to_pem(entry.trim())?;
        let pem = pem.trim();
        if !pem.is_empty() {
            check_certificates(pem)?;
            chain.push_str(pem);
            chain.push('\n');
        }
    }
    if chain.len() > MAX_CA_CHAIN_BYTES {
        return Err(format!(
            "the certificates have more than {} KiB; give those of the server's own authority, not a bundle of all",
            MAX_CA_CHAIN_BYTES / 1024
        ));
    }
    Ok(if chain.is_empty() { None } else { Some(chain) })
}

/// The relation has a JSON list of strings, or the empty JSON string after a reset; the option has plain text.
fn entries(given: &str) -> Result<Vec<String>, String> {
    if given.starts_with('[') {
        return serde_json::from_str(given)
            .map_err(|_| "the list of certificates is not a JSON list of strings".to_owned());
    }
    if given.starts_with('"') {
        let entry = serde_json::from_str(given)
            .map_err(|_| "the certificate is not a JSON string".to_owned())?;
        return Ok(vec![entry]);
    }
    Ok(vec![given.to_owned()])
}

fn to_pem(entry: &str) -> Result<String, String> {
    if entry.is_empty() || entry.contains(BEGIN) {
        // Options lose their line ends when they are pasted with an escape.
        return Ok(entry.replace("\\n", "\n"));
    }
    let compact: String = entry.split_whitespace().collect();
    STANDARD
        .decode(compact)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .filter(|text| text.contains(BEGIN))
        .ok_or_else(|| {
            "neither PEM nor base64 of PEM; give the authority's certificate as PEM".to_owned()
        })
}

fn check_certificates(pem: &str) -> Result<(), String> {
    let mut count = 0;
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate =
            certificate.map_err(|_| "a certificate's PEM is damaged; copy it again".to_owned())?;
        webpki::anchor_from_trusted_cert(&certificate)
            .map_err(|error| format!("a certificate cannot be read ({error}); copy it again"))?;
        count += 1;
    }
    if count == 0 {
        return Err("there is no certificate in the PEM".to_owned());
    }
    Ok(())
}
