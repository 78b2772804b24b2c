//! Addresses of the internet, for a transport that sends where its users say.
//!
//! Which addresses are global unicast: <https://www.iana.org/assignments/iana-ipv4-special-registry>
//! and <https://www.iana.org/assignments/iana-ipv6-special-registry>.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use ::reqwest::Url;
use ::reqwest::dns::{Addrs, Name, Resolve, Resolving};
use aurax_core::{Error, ErrorKind, Phase, Result, Retry};
use http::Uri;

/// Reads an address that may be sent to by a transport with
/// [`public_only`](super::ReqwestOptions::public_only): `https`, without a user or password, and
/// at a name or an address of the internet. What the name stands for is looked at when it is
/// connected to.
///
/// # Errors
/// `InvalidRequest`, which says what is wrong, and never repeats the address: it may hold a token.
pub fn public_url(text: &str) -> Result<Uri> {
    let url = Url::parse(text)
        .map_err(|e| refuse("this is no URL: write it as https://host/path").with_source(e))?;
    check(&url, is_public)?;
    url.as_str()
        .parse()
        .map_err(|e: http::uri::InvalidUri| refuse("the URL cannot be sent to").with_source(e))
}

fn refuse(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidRequest, message).with_phase(Phase::Encode)
}

fn check(url: &Url, is_allowed: fn(IpAddr) -> bool) -> Result<()> {
    if url.scheme() != "https" {
        return Err(refuse("the URL does not begin with https://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refuse("the URL names a user or a password: leave them out"));
    }
    let host = url.host_str().unwrap_or_default();
    // The parser has written every form of an IPv4 address, octal and the like, as four decimals.
    let literal = host.trim_start_matches('[').trim_end_matches(']');
    match literal.parse() {
        Ok(address) if !is_allowed(address) => Err(not_public(host)),
        _ => Ok(()),
    }
}

fn not_public(host: &str) -> Error {
    Error::new(
        ErrorKind::InvalidRequest,
        format!("`{host}` is no public address: name a host that the internet can reach"),
    )
    .with_retry(Retry::Never)
}

/// Keeps a client from addresses that are not public. Addresses in URLs never come to a resolver,
/// so that each is looked at twice: before it is sent to, and when its name is resolved.
#[derive(Clone)]
pub(super) struct Guard {
    names: Arc<dyn Resolve>,
    is_allowed: fn(IpAddr) -> bool,
}

impl Guard {
    /// Lets through what is public, by the system's resolver.
    pub(super) fn new() -> Self {
        Self {
            names: Arc::new(System),
            is_allowed: is_public,
        }
    }

    /// Refuses a URL before anything is resolved.
    pub(super) fn check(&self, url: &Url) -> Result<()> {
        check(url, self.is_allowed)
    }

    /// The refusal among the causes of an error, if that is what it is.
    pub(super) fn refusal(error: &::reqwest::Error, host: &str) -> Option<Error> {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
        while let Some(error) = cause {
            if error.is::<NotPublic>() {
                return Some(not_public(host).with_phase(Phase::Connect));
            }
            cause = error.source();
        }
        None
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").finish_non_exhaustive()
    }
}

/// The client connects to what this answers and to nothing else, so that a name that stands for
/// something else a moment later changes nothing.
impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let (found, is_allowed) = (self.names.resolve(name), self.is_allowed);
        Box::pin(async move {
            let found: Vec<SocketAddr> = found.await?.collect();
            if found.iter().all(|address| is_allowed(address.ip())) {
                Ok(Box::new(found.into_iter()) as Addrs)
            } else {
                Err(NotPublic.into())
            }
        })
    }
}

/// A name stands for an address that is not public.
#[derive(Debug)]
struct NotPublic;

impl fmt::Display for NotPublic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the address is not public")
    }
}

impl std::error::Error for NotPublic {}

/// The system's resolver.
struct System;

impl Resolve for System {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let found: Vec<SocketAddr> = found.collect();
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// Whether an address is one of the internet's own: global unicast, and set aside for nothing else.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match within(address) {
            Some(address) => is_public_v4(address),
            None => is_public_v6(address),
        },
    }
}

/// The IPv4 address that an IPv6 address leads to: mapped, or through NAT64 (RFC 6052), which
/// networks without IPv4 reach all of it by.
fn within(address: Ipv6Addr) -> Option<Ipv4Addr> {
    const NAT64: u128 = 0x0064_ff9b << 96;
    let bits = address.to_bits();
    let low = u32::try_from(bits & u128::from(u32::MAX)).ok()?;
    let is_nat64 = bits & !u128::from(u32::MAX) == NAT64;
    let mapped = address.to_ipv4_mapped();
    mapped.or(is_nat64.then_some(Ipv4Addr::from_bits(low)))
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    // What is set aside, and how many bits of it say so.
    const APART: &[([u8; 4], u32)] = &[
        ([0, 0, 0, 0], 8),       // this network
        ([10, 0, 0, 0], 8),      // private
        ([100, 64, 0, 0], 10),   // shared behind carriers' NAT
        ([127, 0, 0, 0], 8),     // loopback
        ([169, 254, 0, 0], 16),  // link-local, and clouds' metadata
        ([172, 16, 0, 0], 12),   // private
        ([192, 0, 0, 0], 24),    // protocols
        ([192, 0, 2, 0], 24),    // documentation
        ([192, 88, 99, 0], 24),  // relays of 6to4
        ([192, 168, 0, 0], 16),  // private
        ([198, 18, 0, 0], 15),   // benchmarks
        ([198, 51, 100, 0], 24), // documentation
        ([203, 0, 113, 0], 24),  // documentation
        ([224, 0, 0, 0], 4),     // multicast
        ([240, 0, 0, 0], 4),     // reserved, and broadcast
    ];
    let bits = address.to_bits();
    !APART.iter().any(|(net, length)| {
        let mask = u32::MAX << (32 - length);
        bits & mask == Ipv4Addr::from(*net).to_bits()
    })
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    // All that is given out lies in 2000::/3; what is set aside there, and its bits.
    const APART: &[(u128, u32)] = &[
        (0x2001 << 112, 23),     // protocols: Teredo, benchmarks, ORCHID
        (0x2001_0db8 << 96, 32), // documentation
        (0x2002 << 112, 16),     // 6to4, which leads to any IPv4 address
        (0x3fff << 112, 20),     // documentation
    ];
    let bits = address.to_bits();
    let is_in = |net: u128, length: u32| bits & (u128::MAX << (128 - length)) == net;
    is_in(0x2000 << 112, 3) && !APART.iter().any(|(net, length)| is_in(*net, *length))
}

#[cfg(test)]
mod tests;
