//! What an installation may choose about HTTP: TLS, proxies, browsers of other origins, patience, and how much at once.

use super::ConfigError;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

/// TLS, ended by this process itself. Without it a reverse proxy ends it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// The certificate and those that lead to its root (PEM, the server's own first). Read again on SIGHUP.
    pub certificate_file: Option<PathBuf>,
    /// Its private key (PEM). Read again on SIGHUP.
    pub key_file: Option<PathBuf>,
}

impl Tls {
    /// Both files, when TLS is wanted.
    pub fn files(&self) -> Option<(&PathBuf, &PathBuf)> {
        self.certificate_file.as_ref().zip(self.key_file.as_ref())
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.certificate_file.is_some() != self.key_file.is_some() {
            let reason = "certificate_file and key_file are set together or not at all";
            return Err(ConfigError::Unusable { key: "tls", reason });
        }
        Ok(())
    }
}

/// Addresses of proxies: one, or a network in CIDR notation (RFC 4632, RFC 4291 §2.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network(IpNet);

impl Network {
    /// Whether an address (in its canonical form) is one of these.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address)
    }
}

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let one = || text.parse::<IpAddr>().map(IpNet::from);
        let net = text.parse::<IpNet>().or_else(|_| one());
        net.map(|net| Self(net.trunc())).map_err(|_| format!("{text} is neither an IP address nor a network"))
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.0.to_string()
    }
}

/// Which header of a trusted proxy names the client. Only one: a proxy sets one of them and hands the other on as the
/// client wrote it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForwardedHeader {
    /// `X-Forwarded-For`, with `X-Forwarded-Proto`.
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// Patience with clients, and how much of them at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    /// Open connections; more wait in the backlog. Default 10,000.
    pub connections: NonZeroUsize,
    /// Open connections of one address (of IPv6, of one /64), but of a trusted proxy; more are answered 503. Default 2,000: behind the
    /// gateway of a mobile network, a whole province may come from a few addresses.
    pub connections_per_address: NonZeroUsize,
    /// Connections that the system keeps until they are accepted. Default 1,024.
    pub backlog: u16,
    /// Requests that are being answered, those that wait among them; more are answered 503. Default 4,000.
    pub requests: NonZeroUsize,
    /// Pulls that wait for something new; more are answered 503. Default 2,500, and always fewer than `requests`, so that
    /// others find a place.
    pub waiting_pulls: usize,
    /// Of one device, which needs one, and has perhaps left others without a word; more are answered 429. Default 8.
    pub waiting_pulls_per_device: NonZeroUsize,
    /// Reads, and pushes to be assessed, that wait for their turn; more are answered 503. Default 1,000.
    pub waiting: usize,
    /// Bytes of all bodies in memory at once, as they came and as they were inflated; more are answered 503.
    /// Default 64 MiB. What is made of a body takes several times its size while it is worked on.
    pub body_bytes: usize,
    /// How long the head of a request may take to arrive, and a TLS handshake. Default 30.
    pub head_seconds: u16,
    /// How long a body may take to arrive. Default 600: 1 MiB over a mountain's 2G takes minutes.
    pub body_seconds: u16,
    /// How long a body may stand still on its way, and how long a client may take to accept a buffer (32 KiB) of an
    /// answer. Default 60.
    pub stall_seconds: u16,
    /// How long an idle connection is kept. Default 75: longer than the usual 60 of proxies, so that they close first.
    pub keep_alive_seconds: u16,
}

const fn at_least_one(number: usize) -> NonZeroUsize {
    match NonZeroUsize::new(number) {
        Some(number) => number,
        None => NonZeroUsize::MIN,
    }
}

impl Default for Http {
    fn default() -> Self {
        Self {
            connections: at_least_one(10_000),
            connections_per_address: at_least_one(2_000),
            backlog: 1_024,
            requests: at_least_one(4_000),
            waiting_pulls: 2_500,
            waiting_pulls_per_device: at_least_one(8),
            waiting: 1_000,
            body_bytes: 64 << 20,
            head_seconds: 30,
            body_seconds: 600,
            stall_seconds: 60,
            keep_alive_seconds: 75,
        }
    }
}

impl Http {
    /// `head_seconds`.
    pub fn head(&self) -> Duration {
        Duration::from_secs(self.head_seconds.into())
    }
    /// `body_seconds`.
    pub fn body(&self) -> Duration {
        Duration::from_secs(self.body_seconds.into())
    }
    /// `stall_seconds`.
    pub fn stall(&self) -> Duration {
        Duration::from_secs(self.stall_seconds.into())
    }
    /// `keep_alive_seconds`.
    pub fn keep_alive(&self) -> Duration {
        Duration::from_secs(self.keep_alive_seconds.into())
    }

    /// `waiting_pulls`, but for a place that is left for others.
    pub fn most_waiting_pulls(&self) -> usize {
        self.waiting_pulls.min(self.requests.get() - 1)
    }

    /// `largest`: what one request may need of `body_bytes`.
    pub(super) fn check(&self, largest: usize) -> Result<(), ConfigError> {
        let unusable = |key, reason| Err(ConfigError::Unusable { key, reason });
        if [self.head_seconds, self.body_seconds, self.stall_seconds, self.keep_alive_seconds].contains(&0) {
            return unusable("http", "seconds must be greater than 0");
        }
        if self.backlog == 0 {
            return unusable("http.backlog", "must be greater than 0");
        }
        if self.body_bytes < largest {
            return unusable(
                "http.body_bytes",
                "must have room for limits.wire_bytes and limits.inflated_bytes together",
            );
        }
        Ok(())
    }
}

/// An origin as a browser names it (RFC 6454 §6.2): scheme, host and perhaps a port, and nothing else.
pub(super) fn is_origin(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or_default();
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.:[]".contains(c);
    !rest.is_empty() && rest.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_an_address_or_a_network() {
        let network = |text: &str| Network::try_from(text.to_owned());
        let contains = |text, address: &str| network(text).unwrap().contains(address.parse().unwrap());
        assert!(contains("10.0.0.0/8", "10.1.2.3") && !contains("10.0.0.0/8", "11.0.0.1"));
        assert!(contains("192.0.2.1", "192.0.2.1") && !contains("192.0.2.1", "192.0.2.2"));
        assert!(contains("2001:db8::/32", "2001:db8::1") && !contains("2001:db8::/32", "10.0.0.1"));
        assert_eq!(String::from(network("10.9.9.9/8").unwrap()), "10.0.0.0/8");
        for bad in ["", "localhost", "10.0.0.0/33", "10.0.0.1:80", "*"] {
            assert!(network(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_origin_has_neither_path_nor_wildcard() {
        for good in ["https://muong.example", "http://localhost:5173", "https://[::1]:8443"] {
            assert!(is_origin(good), "{good}");
        }
        for bad in ["*", "https://*", "https://muong.example/", "muong.example", "null", "https://", "https://Muong.vn"]
        {
            assert!(!is_origin(bad), "{bad}");
        }
    }
}
