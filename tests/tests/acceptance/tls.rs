//! TLS that the server ends itself. On one database: none is asked.

use muong_tests::{Backend, Socket, TestApp, eventually};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use tempfile::TempDir;

/// A certificate that signs itself, and its key, in a folder.
struct Shown {
    folder: TempDir,
}

impl Shown {
    fn new() -> Self {
        let shown = Self { folder: TempDir::with_prefix("muong-tls-").expect("a folder") };
        shown.renew();
        shown
    }

    fn certificate(&self) -> PathBuf {
        self.folder.path().join("certificate.pem")
    }

    fn key(&self) -> PathBuf {
        self.folder.path().join("key.pem")
    }

    /// Another certificate under the same names.
    fn renew(&self) {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        std::fs::write(self.certificate(), cert.pem()).expect("it is written");
        std::fs::write(self.key(), signing_key.serialize_pem()).expect("it is written");
    }

    fn serve(&self) -> TestApp {
        TestApp::start_with(Backend::Sqlite, |config| {
            config.tls.certificate_file = Some(self.certificate());
            config.tls.key_file = Some(self.key());
            config.http.head_seconds = 1;
        })
    }
}

/// What a client gets that trusts what this file holds and nothing else.
fn ask(app: &TestApp, trusted: &Path) -> io::Result<String> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(trusted).expect("a certificate")).expect("a root");
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").expect("a name");
    let stream = TcpStream::connect(app.address().trim_start_matches("http://"))?;
    let connection = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    let mut tls = StreamOwned::new(connection, stream);
    tls.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    tls.read_to_string(&mut answer)?;
    Ok(answer)
}

#[test]
fn those_who_open_a_connection_and_say_nothing_keep_nobody_from_theirs() {
    let shown = Shown::new();
    let app = TestApp::start_with(Backend::Sqlite, |config| {
        config.tls.certificate_file = Some(shown.certificate());
        config.tls.key_file = Some(shown.key());
    });
    let _silent: Vec<Socket> = (0..300).map(|_| Socket::connect(&app)).collect();
    eventually("all are let in", || app.app().capacity.connections.taken() == 300);
    let answer = ask(&app, &shown.certificate()).expect("it answers, long before they are given up");
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(app.app().capacity.connections.taken() >= 300, "they are still there");
}

#[test]
fn a_client_that_knows_the_certificate_is_answered_over_tls() {
    let shown = Shown::new();
    let app = shown.serve();
    let answer = ask(&app, &shown.certificate()).expect("it answers");
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(answer.contains("strict-transport-security: max-age=31536000"), "{answer}");
    let other = Shown::new();
    assert!(ask(&app, &other.certificate()).is_err(), "a client that knows another one goes away");
}

fn hang_up() {
    let told = Command::new("kill").args(["-HUP", &std::process::id().to_string()]).status().expect("it can be told");
    assert!(told.success());
}

#[test]
fn a_renewed_certificate_is_taken_up_when_the_process_is_told() {
    let shown = Shown::new();
    let app = shown.serve();
    ask(&app, &shown.certificate()).expect("it answers");
    shown.renew();
    assert!(ask(&app, &shown.certificate()).is_err(), "it still shows the old one");
    hang_up();
    eventually("it shows the new one", || ask(&app, &shown.certificate()).is_ok());
}

#[test]
fn a_certificate_that_cannot_be_read_again_leaves_the_old_one() {
    let shown = Shown::new();
    let app = shown.serve();
    let certificates = app.app().certificates.as_ref().expect("it speaks TLS");
    std::fs::write(shown.key(), "nothing").expect("it is written");
    assert!(certificates.reload().is_err());
    ask(&app, &shown.certificate()).expect("it answers");
}

#[test]
fn who_never_ends_the_handshake_is_closed() {
    let shown = Shown::new();
    let app = shown.serve();
    let mut silent = Socket::connect(&app);
    let mut slow = Socket::connect(&app);
    // The beginning of a TLS record that never ends.
    slow.send([22, 3, 1, 2, 0]);
    assert_eq!(silent.rest(), "");
    slow.rest();
}

#[test]
fn who_speaks_in_the_clear_is_closed() {
    let shown = Shown::new();
    let app = shown.serve();
    let mut socket = Socket::connect(&app);
    socket.send("GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n");
    assert!(!socket.rest().contains("HTTP"));
    ask(&app, &shown.certificate()).expect("others are answered");
}
