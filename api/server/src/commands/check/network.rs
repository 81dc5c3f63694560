//! Addresses to listen on, proxies, and how many connections the system allows.

use super::{Report, Subject};
use crate::open_files;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::time::Duration;

/// A server on this machine answers at once, or is none of ours.
const PATIENCE: Duration = Duration::from_secs(2);

/// Both can be listened on, or are by a muong.
pub(super) fn addresses(subject: &Subject, report: &mut Report) {
    let config = &subject.config;
    let both = [("listen", Some(&config.listen)), ("metrics_listen", config.metrics_listen.as_ref())];
    for (key, address) in both.into_iter().filter_map(|(key, address)| Some((key, address?))) {
        match TcpListener::bind(address) {
            Ok(_) => report.ok(format!("{key} {address} is free")),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_muong(address) => {
                report.ok(format!("{key} {address} is served by a muong already"));
            }
            Err(error) => {
                let remedy = format!("stop who listens there, or choose another address in {key}");
                report.fault(format!("{key} {address} cannot be listened on: {error}"), remedy);
            }
        }
    }
}

/// Whether what listens there answers as we do: with the security headers of `/healthz`, or with our numbers.
fn is_muong(address: &str) -> bool {
    let ask = |path: &str| -> io::Result<String> {
        let address = address.to_socket_addrs()?.next().ok_or(io::ErrorKind::AddrNotAvailable)?;
        let mut connection = TcpStream::connect_timeout(&address, PATIENCE)?;
        connection.set_read_timeout(Some(PATIENCE))?;
        write!(connection, "GET {path} HTTP/1.1\r\nhost: muong\r\nconnection: close\r\n\r\n")?;
        let mut answer = Vec::new();
        connection.take(1 << 20).read_to_end(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    ask("/healthz").is_ok_and(|answer| answer.contains("\"status\":\"ok\""))
        || ask("/metrics").is_ok_and(|answer| answer.contains("muong_build_info"))
}

/// Tokens and passwords do not cross a network in the clear.
pub(super) fn proxies(subject: &Subject, report: &mut Report) {
    let config = &subject.config;
    let local =
        config.listen.to_socket_addrs().is_ok_and(|mut addresses| addresses.all(|address| address.ip().is_loopback()));
    if config.tls.files().is_none() && !local && config.trusted_proxies.is_empty() {
        let says = "others can reach it in the clear, and no proxy is trusted to end TLS in front of it";
        report.warning(says, "set tls, or name the proxy in trusted_proxies");
    } else {
        report.ok("what comes in is local, over TLS, or through a proxy that is known");
    }
}

/// As many connections as are configured can be open.
pub(super) fn open_files(subject: &Subject, report: &mut Report) {
    let needed = open_files::needed(&subject.config);
    match open_files::allowed() {
        Some(allowed) if allowed < needed => {
            let remedy = "raise the limit (ulimit -Hn, LimitNOFILE=), or lower http.connections";
            report.fault(format!("{needed} may be needed, the system allows {allowed}"), remedy);
        }
        _ => report.ok(format!("{needed} may be needed and are allowed")),
    }
}
