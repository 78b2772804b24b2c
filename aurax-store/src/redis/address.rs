//! Where Redis is, and whom to trust there.

use ::redis::{Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _, TlsCertificates};
use aurax_core::{Error, ErrorKind, Result};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::options::RedisOptions;

pub(super) fn parse(url: &str) -> Result<ConnectionInfo> {
    let config = |message: &str| Error::new(ErrorKind::Config, message);
    if !url.starts_with("redis://") && !url.starts_with("rediss://") {
        return Err(config("redis's URL begins with redis:// or rediss://"));
    }
    let info = url.into_connection_info().map_err(|_| {
        config("redis's URL is not of the form redis://[user][:password@]host[:port][/database]")
    })?;
    match info.addr() {
        ConnectionAddr::TcpTls { insecure: true, .. } => Err(config(
            "redis's certificate is always checked; take #insecure off its URL and name a CA file",
        )),
        _ => Ok(info),
    }
}

pub(super) fn client(info: ConnectionInfo, options: &RedisOptions) -> Result<Client> {
    let is_tls = matches!(info.addr(), ConnectionAddr::TcpTls { .. });
    if is_tls && rustls::crypto::CryptoProvider::get_default().is_none() {
        // The redis crate uses the process's own. Where somebody was quicker, theirs does.
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        provider.install_default().ok();
    }
    let unusable = |_| Error::new(ErrorKind::Config, "redis's URL cannot be used");
    let Some(file) = &options.ca_file else {
        return Client::open(info).map_err(unusable);
    };
    let named =
        |message: &str| Error::new(ErrorKind::Config, message).with_context("file", file.display());
    if !is_tls {
        return Err(named("a CA file goes with a URL of rediss://"));
    }
    let pem =
        std::fs::read(file).map_err(|e| named("redis's CA file cannot be read").with_source(e))?;
    let none = || named("redis's CA file holds no certificate in PEM");
    let first = CertificateDer::pem_slice_iter(&pem).next();
    first.and_then(Result::ok).ok_or_else(none)?;
    let certificates = TlsCertificates {
        client_tls: None,
        root_cert: Some(pem),
    };
    Client::build_with_tls(info, certificates).map_err(|_| none())
}
