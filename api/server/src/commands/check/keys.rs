//! Keys and certificates: there, readable, and good for some time.

use super::{Report, Subject};
use crate::security::certificate::{Certificates, chain};
use crate::security::master_key;
use crate::security::token::Keys;
use crate::state::SIGNING_KEY;
use chrono::{DateTime, TimeDelta, Utc};
use muong_store::{DatabaseUrl, MasterKey, seal};
use x509_cert::Certificate;
use x509_cert::der::Decode;

/// Renewing a certificate may take a person some days.
const SOON: TimeDelta = TimeDelta::days(14);

/// What signs access tokens.
pub(super) fn signing(subject: &Subject, report: &mut Report) {
    let config = &subject.config;
    let make = "make one: openssl genpkey -algorithm ed25519 -out signing_key.pem";
    let path = match &config.signing_key_file {
        Some(path) => path.clone(),
        None if DatabaseUrl::parse(config.database_url.expose()).is_ok_and(|url| url.kind() == "sqlite") => {
            config.data_dir.join(SIGNING_KEY)
        }
        None => {
            let says = "signing_key_file is not set, and on PostgreSQL every process must sign with the same key";
            return report.fault(says, format!("{make}, and name it in signing_key_file"));
        }
    };
    if config.signing_key_file.is_none() && !path.exists() {
        return report.ok(format!("{} will be made at the first start", path.display()));
    }
    match Keys::load(&path, &config.issuer, &config.audience) {
        Ok(keys) => {
            let kids = keys.key_ids(subject.clock.now()).join(", also knows ");
            report.ok(format!("{} signs as {kids}", path.display()));
        }
        Err(error) => report.fault(error.to_string(), make),
    }
}

/// What personal data is sealed under in the end, and whether this database is sealed under it.
pub(super) fn master(subject: &Subject, report: &mut Report) {
    let config = &subject.config;
    let make =
        "make one: openssl rand -base64 32 > master_key.txt, name it in master_key_file, and keep a copy elsewhere";
    let own = DatabaseUrl::parse(config.database_url.expose()).is_ok_and(|url| url.kind() == "sqlite");
    let keys = match (&config.master_key, &config.master_key_file) {
        (Some(keys), _) => master_key::parse_words(keys.expose()),
        (None, Some(path)) => master_key::load(path),
        (None, None) if own => {
            let path = config.data_dir.join(master_key::FILE);
            if !path.exists() {
                return report.ok(format!("{} will be made at the first start", path.display()));
            }
            master_key::load(&path)
        }
        (None, None) => {
            let says = "neither master_key_file nor MUONG_MASTER_KEY is set, and every process must have the same";
            return report.fault(says, make);
        }
    };
    let keys = match keys {
        Ok(keys) => keys,
        Err(error) => return report.fault(error.to_string(), make),
    };
    let used = subject.migrated().map(|database| database.read(|snapshot| seal::masters(snapshot)));
    match used {
        Some(Err(error)) => report.fault(error.to_string(), "look at what is said of the database"),
        Some(Ok(used)) if used.iter().any(|id| keys.iter().all(|key| key.id() != id)) => report.fault(
            "this database is sealed under a master key that is not among those given",
            "put the key back that it was sealed under: without it no personal data can be read",
        ),
        _ => report.ok(format!("{} seals; {} in all", keys.first().map_or("", MasterKey::id), keys.len())),
    }
}

/// What is shown over TLS, and for how long.
pub(super) fn certificate(subject: &Subject, report: &mut Report) {
    let Some((certificate, key)) = subject.config.tls.files() else {
        return report.ok("none: a proxy in front of it ends TLS");
    };
    if let Err(error) = Certificates::load(certificate, key) {
        return report.fault(error.to_string(), "name a certificate and its key, both PEM, in tls");
    }
    let validity = chain(certificate).ok().and_then(|chain| {
        let own = Certificate::from_der(chain.first()?).ok()?;
        let validity = own.tbs_certificate().validity();
        let at = |time: x509_cert::time::Time| DateTime::<Utc>::from(time.to_system_time());
        Some((at(validity.not_before), at(validity.not_after)))
    });
    let Some((from, to)) = validity else {
        return report.fault("the certificate does not say how long it is good for", "renew it");
    };
    let (now, shown) = (subject.clock.now(), to.format("%Y-%m-%d"));
    if to <= now {
        report.fault(format!("the certificate has expired on {shown}"), "renew it, then kill -HUP the server");
    } else if from > now {
        report.fault(format!("the certificate is good from {} on", from.format("%Y-%m-%d")), "wait, or set the clock");
    } else if to - now < SOON {
        report.warning(format!("the certificate expires on {shown}"), "renew it, then kill -HUP the server");
    } else {
        report.ok(format!("good until {shown}"));
    }
}
