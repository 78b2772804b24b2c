//! HTTPS by the server itself.

use std::path::Path;
use std::sync::Arc;

use aurax::{Error, ErrorKind, Result};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::config::TlsFiles;

/// Takes TLS 1.2 and 1.3, with the certificate and key of two files; HTTP/2 where clients can.
///
/// # Errors
/// `Config` for a file that cannot be read or holds something else; the message names the setting.
pub fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor> {
    let wrong = |field: &str, path: &Path, what: &str| {
        let message = format!("{field} names {}, {what}", path.display());
        Error::new(ErrorKind::Config, message)
    };
    let path = &files.certificate;
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|_| wrong("tls.certificate", path, "which cannot be read as PEM"))?;
    if chain.is_empty() {
        return Err(wrong("tls.certificate", path, "which holds no certificate"));
    }
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|_| wrong("tls.key", &files.key, "which holds no private key in PEM"))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| wrong("tls", path, "and TLS cannot be set up").with_source(e))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|e| {
            wrong("tls.key", &files.key, "which is not of the certificate").with_source(e)
        })?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
