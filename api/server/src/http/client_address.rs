//! Where a request comes from: the only place that believes what proxies say. Only the configured ones are believed, and
//! of what they hand on, only what the nearest of them have seen themselves.

use super::connection::Traffic;
use crate::config::{Config, ForwardedHeader};
use crate::state::App;
use actix_web::HttpRequest;
use actix_web::http::header::{FORWARDED, HeaderMap, HeaderName};
use actix_web::web::Data;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// More hops than anybody has in front of a server; what stands further left is not looked at.
const MAX_HOPS: usize = 32;

/// The address of whoever asks, IPv4 as IPv4 however it was written. Behind trusted proxies the right-most address that
/// is none of theirs. None without a connection, as in a unit test.
pub fn client_address(request: &HttpRequest) -> Option<IpAddr> {
    let peer = peer(request)?;
    let app = request.app_data::<Data<App>>();
    Some(app.map_or(peer, |app| behind_proxies(peer, request.headers(), &app.config)))
}

/// Whether nobody could read along between the client and us, or the trusted proxy in front of us.
pub fn is_secure(request: &HttpRequest) -> bool {
    if request.conn_data::<Rc<Traffic>>().is_some_and(|traffic| traffic.secure) {
        return true;
    }
    let Some(app) = request.app_data::<Data<App>>() else { return false };
    let trusted = peer(request).is_some_and(|peer| is_trusted(&app.config, peer));
    trusted && says_https(request.headers(), app.config.forwarded_header)
}

fn peer(request: &HttpRequest) -> Option<IpAddr> {
    request.peer_addr().map(|peer| peer.ip().to_canonical())
}

/// Whether this is one of the proxies that the installation trusts.
pub fn is_trusted(config: &Config, address: IpAddr) -> bool {
    config.trusted_proxies.iter().any(|network| network.contains(address))
}

/// Walks from the nearest hop outwards, as far as each one is trusted to tell the next. An entry that is no address
/// ends the walk: whoever wrote it is the last that is known.
fn behind_proxies(peer: IpAddr, headers: &HeaderMap, config: &Config) -> IpAddr {
    let mut known = peer;
    if !is_trusted(config, peer) {
        return known;
    }
    for hop in hops(headers, config.forwarded_header) {
        let Some(address) = hop else { return known };
        known = address;
        if !is_trusted(config, address) {
            return known;
        }
    }
    known
}

/// The addresses that the header names, the nearest first; `None` where one cannot be read.
fn hops(headers: &HeaderMap, header: ForwardedHeader) -> Vec<Option<IpAddr>> {
    match header {
        ForwardedHeader::XForwardedFor => {
            entries(headers, &X_FORWARDED_FOR).map(|entry| entry.and_then(address)).take(MAX_HOPS).collect()
        }
        ForwardedHeader::Forwarded => {
            let named = |entry: &str| parameter(entry, "for").and_then(|node| address(&node));
            entries(headers, &FORWARDED).map(|entry| entry.and_then(named)).take(MAX_HOPS).collect()
        }
    }
}

/// The elements of a list header, the last first, over all its lines (RFC 9110 §5.3). A line that is not text is one
/// element that says nothing.
fn entries<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = Option<&'a str>> {
    let lines: Vec<_> = headers.get_all(name).collect();
    lines.into_iter().rev().flat_map(|line| match line.to_str() {
        Ok(text) => text.rsplit(',').map(|entry| Some(entry.trim())).collect::<Vec<_>>(),
        Err(_) => vec![None],
    })
}

/// A parameter of one element of `Forwarded` (RFC 7239 §4), out of its quotes.
fn parameter(entry: &str, name: &str) -> Option<String> {
    let pairs = entry.split(';').filter_map(|pair| pair.split_once('='));
    let value = pairs.filter(|(key, _)| key.trim().eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()?;
    Some(value.trim_matches('"').to_owned())
}

/// An address, with or without a port and the brackets of IPv6. Neither `unknown` nor a made-up name is one.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let found = bare.parse::<IpAddr>().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()));
    found.map(|address| address.to_canonical())
}

fn says_https(headers: &HeaderMap, header: ForwardedHeader) -> bool {
    let nearest = match header {
        ForwardedHeader::XForwardedFor => entries(headers, &X_FORWARDED_PROTO).next().flatten().map(str::to_owned),
        ForwardedHeader::Forwarded => {
            entries(headers, &FORWARDED).next().flatten().and_then(|entry| parameter(entry, "proto"))
        }
    };
    nearest.is_some_and(|scheme| scheme.eq_ignore_ascii_case("https"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Network;
    use actix_web::http::header::HeaderValue;

    fn config(header: ForwardedHeader) -> Config {
        let network = |text: &str| Network::try_from(text.to_owned()).unwrap();
        let trusted_proxies = vec![network("10.0.0.0/8"), network("2001:db8::/32")];
        Config { trusted_proxies, forwarded_header: header, ..Config::default() }
    }

    fn client(peer: &str, header: ForwardedHeader, lines: &[(&HeaderName, &'static str)]) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append((*name).clone(), HeaderValue::from_static(value));
        }
        behind_proxies(peer.parse().unwrap(), &headers, &config(header)).to_string()
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        let said = [(&X_FORWARDED_FOR, "203.0.113.7")];
        assert_eq!(client("10.0.0.1", ForwardedHeader::XForwardedFor, &said), "203.0.113.7");
        assert_eq!(client("198.51.100.1", ForwardedHeader::XForwardedFor, &said), "198.51.100.1");
        assert_eq!(client("10.0.0.1", ForwardedHeader::XForwardedFor, &[]), "10.0.0.1");
    }

    #[test]
    fn the_right_most_address_that_is_no_proxy_counts_whatever_the_client_wrote_before_it() {
        let cases: [(&[(&HeaderName, &'static str)], &str); 8] = [
            (&[(&X_FORWARDED_FOR, "1.1.1.1, 203.0.113.7")], "203.0.113.7"),
            (&[(&X_FORWARDED_FOR, "1.1.1.1, 203.0.113.7, 10.0.0.9")], "203.0.113.7"),
            (&[(&X_FORWARDED_FOR, "1.1.1.1"), (&X_FORWARDED_FOR, "203.0.113.7")], "203.0.113.7"),
            (&[(&X_FORWARDED_FOR, "10.0.0.8, 10.0.0.9")], "10.0.0.8"),
            // What cannot be read ends the walk at the proxy that handed it on.
            (&[(&X_FORWARDED_FOR, "1.1.1.1, rubbish")], "10.0.0.1"),
            (&[(&X_FORWARDED_FOR, "1.1.1.1, rubbish, 10.0.0.9")], "10.0.0.9"),
            (&[(&X_FORWARDED_FOR, "[2001:db9::1]:443")], "2001:db9::1"),
            (&[(&X_FORWARDED_FOR, "::ffff:203.0.113.7")], "203.0.113.7"),
        ];
        for (lines, expected) in cases {
            assert_eq!(client("10.0.0.1", ForwardedHeader::XForwardedFor, lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn the_header_that_was_not_chosen_says_nothing() {
        let both = [(&X_FORWARDED_FOR, "1.1.1.1"), (&FORWARDED, "for=203.0.113.7;proto=https")];
        assert_eq!(client("10.0.0.1", ForwardedHeader::Forwarded, &both), "203.0.113.7");
        assert_eq!(client("10.0.0.1", ForwardedHeader::XForwardedFor, &both), "1.1.1.1");
        let quoted = [(&FORWARDED, "for=1.1.1.1, For=\"[2001:db9::1]:4711\";by=10.0.0.3")];
        assert_eq!(client("10.0.0.1", ForwardedHeader::Forwarded, &quoted), "2001:db9::1");
        for hidden in ["for=_secret", "for=unknown", "proto=https", ""] {
            let said = [(&FORWARDED, hidden)];
            assert_eq!(client("10.0.0.1", ForwardedHeader::Forwarded, &said), "10.0.0.1", "{hidden}");
        }
    }

    #[test]
    fn the_scheme_is_what_the_nearest_proxy_says() {
        let says = |name: &HeaderName, value| {
            let mut headers = HeaderMap::new();
            headers.append(name.clone(), HeaderValue::from_static(value));
            headers
        };
        assert!(says_https(&says(&X_FORWARDED_PROTO, "https"), ForwardedHeader::XForwardedFor));
        assert!(!says_https(&says(&X_FORWARDED_PROTO, "https, http"), ForwardedHeader::XForwardedFor));
        assert!(says_https(&says(&FORWARDED, "for=1.1.1.1;proto=HTTPS"), ForwardedHeader::Forwarded));
        assert!(!says_https(&says(&FORWARDED, "for=1.1.1.1"), ForwardedHeader::Forwarded));
    }
}
