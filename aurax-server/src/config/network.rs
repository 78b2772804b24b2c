//! Networks by address and prefix.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use aurax::{Error, ErrorKind};

/// How long the part of an IPv6 address is that says that it is an IPv4 address.
const CLOTHES: u32 = 96;

/// A network, such as `10.0.0.0/8`, `fd00::/8` or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network {
    address: IpAddr,
    prefix: u32,
}

impl Network {
    /// Whether an address is in the network. An IPv4 address in IPv6 clothes is the IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let shift = 32_u32.saturating_sub(self.prefix);
                let bits = |address: std::net::Ipv4Addr| address.to_bits().checked_shr(shift);
                bits(own) == bits(other)
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let shift = 128_u32.saturating_sub(self.prefix);
                let bits = |address: std::net::Ipv6Addr| address.to_bits().checked_shr(shift);
                bits(own) == bits(other)
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = || {
            let message = "a network is an address, or one with a prefix, such as 10.0.0.0/8";
            Error::new(ErrorKind::Config, message)
        };
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix: u32 = match prefix {
            Some(prefix) => prefix.parse().map_err(|_| wrong())?,
            None => longest,
        };
        if prefix > longest {
            return Err(wrong());
        }
        // IPv4 in IPv6 clothes: addresses are compared without them.
        let mapped = match address {
            IpAddr::V6(address) => address.to_ipv4_mapped(),
            IpAddr::V4(_) => None,
        };
        match (mapped, prefix.checked_sub(CLOTHES)) {
            (None, _) => Ok(Self { address, prefix }),
            (Some(address), Some(prefix)) => Ok(Self {
                address: address.into(),
                prefix,
            }),
            (Some(_), None) => {
                let message = "a network of IPv4 addresses has a prefix of 96 or more where it is \
                               written as IPv6: write it as IPv4, such as 10.0.0.0/8";
                Err(Error::new(ErrorKind::Config, message))
            }
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_in_its_network() {
        let inside = |network: &str, address: &str| {
            let network: Network = network.parse().unwrap();
            network.contains(address.parse().unwrap())
        };
        assert!(inside("10.0.0.0/8", "10.255.0.1"));
        assert!(!inside("10.0.0.0/8", "11.0.0.1"));
        assert!(inside("10.0.0.0/8", "::ffff:10.1.2.3"));
        assert!(inside("0.0.0.0/0", "8.8.8.8"));
        assert!(!inside("0.0.0.0/0", "::1"));
        assert!(inside("fd00::/8", "fdff::1"));
        assert!(inside("::1", "::1") && !inside("::1", "::2"));
        assert!(inside("127.0.0.1", "127.0.0.1") && !inside("127.0.0.1", "127.0.0.2"));
        assert!(inside("::/0", "2001:db8::1"));
        for address in ["10.255.0.1", "::ffff:10.255.0.1"] {
            assert!(inside("::ffff:10.0.0.0/104", address));
            assert!(!inside("::ffff:11.0.0.0/104", address));
            assert!(inside("::ffff:0:0/96", address));
        }
        assert!(inside("::ffff:10.1.2.3", "10.1.2.3") && !inside("::ffff:10.1.2.3", "10.1.2.4"));
        for wrong in [
            "",
            "10",
            "10.0.0.0/33",
            "::/129",
            "::ffff:10.0.0.0/95",
            "::ffff:10.0.0.0/8",
            "10.0.0.0/",
            "10.0.0.0/-1",
            "host",
        ] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }
}
