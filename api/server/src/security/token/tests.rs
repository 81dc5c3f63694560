use super::opaque::hash_of;
use super::pem::{each_has_its_name, name_of, public_part, thumbprint};
use super::*;
use crate::clock::Entropy;
use chrono::TimeDelta;
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey};

fn pem(seed: u64) -> String {
    SigningKey::from_bytes(&Entropy::seeded(seed).bytes()).to_pkcs8_pem(LineEnding::LF).unwrap().to_string()
}

fn keys(pem: &str) -> Keys {
    Keys::from_pem(pem, "muong", "muong").unwrap()
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_772_600_000, 0).unwrap()
}

fn bearer() -> Bearer {
    Bearer { user: Uuid::from_u128(1).into(), device: Uuid::from_u128(2).into(), session: Uuid::from_u128(3).into() }
}

fn token(keys: &Keys) -> String {
    keys.issue(bearer(), now(), 900).unwrap()
}

/// A token of any header and body, signed by anyone or no one.
fn forged(header: &serde_json::Value, claims: &AccessClaims, signature: &[u8]) -> String {
    let part = |bytes: Vec<u8>| URL_SAFE_NO_PAD.encode(bytes);
    let head = part(serde_json::to_vec(header).unwrap());
    let body = part(serde_json::to_vec(claims).unwrap());
    format!("{head}.{body}.{}", URL_SAFE_NO_PAD.encode(signature))
}

#[test]
fn a_token_is_believed_until_its_last_second_and_not_after() {
    let keys = keys(&pem(1));
    let token = token(&keys);
    let claims = keys.verify(&token, now()).unwrap();
    assert_eq!((claims.sub, claims.dev, claims.sid), (bearer().user, bearer().device, bearer().session));
    assert!(keys.verify(&token, now() + TimeDelta::seconds(899)).is_ok());
    assert_eq!(keys.verify(&token, now() + TimeDelta::seconds(900)), Err(TokenError::Expired));
}

#[test]
fn no_algorithm_but_ours_is_taken() {
    let keys = keys(&pem(1));
    let claims = keys.verify(&token(&keys), now()).unwrap();
    let kid = keys.signs.0.clone();
    for alg in ["none", "HS256", "ES256", "RS256", "eddsa"] {
        let header = serde_json::json!({"alg": alg, "typ": "JWT", "kid": kid});
        for signature in [&[][..], &[7; 64][..]] {
            assert_eq!(keys.verify(&forged(&header, &claims, signature), now()), Err(TokenError::Invalid), "{alg}");
        }
    }
    // The public key as an HMAC secret: the classic confusion of algorithms.
    let public = SigningKey::from_pkcs8_pem(&pem(1)).unwrap().verifying_key();
    let header = Header { kid: Some(kid), ..Header::new(Algorithm::HS256) };
    let confused = jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(public.as_bytes())).unwrap();
    assert_eq!(keys.verify(&confused, now()), Err(TokenError::Invalid));
}

#[test]
fn a_stranger_a_missing_kid_and_a_changed_letter_are_refused() {
    let (ours, theirs) = (keys(&pem(1)), keys(&pem(2)));
    assert_eq!(ours.verify(&token(&theirs), now()), Err(TokenError::Invalid));
    let claims = ours.verify(&token(&ours), now()).unwrap();
    let unnamed = jsonwebtoken::encode(&Header::new(Algorithm::EdDSA), &claims, &ours.signs.1).unwrap();
    assert_eq!(ours.verify(&unnamed, now()), Err(TokenError::Invalid));
    // Another's signature under our key's name.
    let named = Header { kid: Some(ours.signs.0.clone()), ..Header::new(Algorithm::EdDSA) };
    let borrowed = jsonwebtoken::encode(&named, &claims, &theirs.signs.1).unwrap();
    assert_eq!(ours.verify(&borrowed, now()), Err(TokenError::Invalid));
    let changed = token(&ours).replacen(".e", ".f", 1);
    for bad in [changed.as_str(), "", "a.b.c", "..", "a.b"] {
        assert_eq!(ours.verify(bad, now()), Err(TokenError::Invalid), "{bad}");
    }
}

#[test]
fn another_audience_or_issuer_is_refused() {
    let ours = keys(&pem(1));
    for (issuer, audience) in [("muong", "other"), ("other", "muong")] {
        let theirs = Keys::from_pem(&pem(1), issuer, audience).unwrap();
        assert_eq!(ours.verify(&token(&theirs), now()), Err(TokenError::Invalid), "{issuer} {audience}");
    }
}

#[test]
fn a_key_can_be_changed_while_its_tokens_are_out() {
    let (old, new) = (pem(1), pem(2));
    let before = token(&keys(&old));
    let both = keys(&format!("# new first\n{new}\n{old}"));
    assert!(both.verify(&before, now()).is_ok());
    assert!(keys(&new).verify(&token(&both), now()).is_ok());
    assert_eq!(keys(&new).verify(&before, now()), Err(TokenError::Invalid));
    assert!(matches!(Keys::from_pem("nothing", "muong", "muong"), Err(KeyError::Malformed)));
}

#[test]
fn the_public_keys_are_those_of_rfc_8037_and_nothing_private_is_among_them() {
    // RFC 8037, appendices A.1 and A.2.
    let secret = URL_SAFE_NO_PAD.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").unwrap();
    let key = SigningKey::from_bytes(&secret.try_into().unwrap());
    let public = keys(&key.to_pkcs8_pem(LineEnding::LF).unwrap()).public(now());
    assert_eq!(
        public,
        json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
            "kid": "kPrK_qmxVWa", "use": "sig", "alg": "EdDSA"}]})
    );
}

#[test]
fn the_kid_is_the_beginning_of_the_thumbprint_of_rfc_8037() {
    // RFC 8037, appendix A.3.
    let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    assert_eq!(thumbprint(x), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    assert_eq!(name_of(x), "kPrK_qmxVWa");
}

#[test]
fn two_keys_of_one_name_are_refused_and_one_key_twice_is_not() {
    let (one, two) = (pem(1), pem(2));
    let text = format!("{one}{two}");
    let mut both = entries(&text).unwrap();
    assert!(each_has_its_name(&both).is_ok());
    both[1].kid = both[0].kid.clone();
    assert!(matches!(each_has_its_name(&both), Err(KeyError::SameName)));
    assert!(Keys::from_pem(&format!("{one}{one}"), "muong", "muong").is_ok());
}

#[test]
fn a_token_says_no_more_than_it_must() {
    let token = token(&keys(&pem(1)));
    let said = |at: usize| {
        let part = URL_SAFE_NO_PAD.decode(token.split('.').nth(at).unwrap()).unwrap();
        String::from_utf8(part).unwrap()
    };
    let kid = name_of(&public_part(&SigningKey::from_pkcs8_pem(&pem(1)).unwrap()));
    assert_eq!(said(0), format!(r#"{{"alg":"EdDSA","kid":"{kid}"}}"#));
    assert_eq!(
        said(1),
        r#"{"iss":"muong","aud":"muong","sub":"AAAAAAAAAAAAAAAAAAAAAQ","dev":"AAAAAAAAAAAAAAAAAAAAAg","sid":"AAAAAAAAAAAAAAAAAAAAAw","exp":1772600900}"#
    );
}

#[test]
fn an_id_in_any_other_spelling_is_not_believed() {
    let keys = keys(&pem(1));
    let header = Header { kid: Some(keys.signs.0.clone()), ..Header::new(Algorithm::EdDSA) };
    let with = |sub: Value| {
        let mut claims = serde_json::to_value(keys.verify(&token(&keys), now()).unwrap()).unwrap();
        claims["sub"] = sub;
        jsonwebtoken::encode(&header, &claims, &keys.signs.1).unwrap()
    };
    assert!(keys.verify(&with(json!("AAAAAAAAAAAAAAAAAAAAAQ")), now()).is_ok());
    // The text that tokens had before, padding, bits beyond the last byte, the other alphabet, too short, too long, none.
    for other in [
        json!("00000000-0000-0000-0000-000000000001"),
        json!("AAAAAAAAAAAAAAAAAAAAAQ=="),
        json!("AAAAAAAAAAAAAAAAAAAAAR"),
        json!("++++++++++++++++++++++"),
        json!("AAAAAAAAAAAAAAAAAAAA"),
        json!("AAAAAAAAAAAAAAAAAAAAAAAA"),
        json!(""),
        json!(1),
        json!(null),
    ] {
        assert_eq!(keys.verify(&with(other.clone()), now()), Err(TokenError::Invalid), "{other}");
    }
}

#[test]
fn a_key_in_the_shape_that_openssl_writes_is_taken() {
    // RFC 8410 §10.3: version 1, without the public key.
    let pem = "-----BEGIN PRIVATE KEY-----\n\
        MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
        -----END PRIVATE KEY-----\n";
    let keys = keys(pem);
    assert!(keys.verify(&token(&keys), now()).is_ok());
}

#[test]
fn a_generated_key_file_is_private_and_never_overwritten() {
    use std::os::unix::fs::PermissionsExt;
    let directory = std::env::temp_dir().join(format!("muong-keys-{}", std::process::id()));
    std::fs::create_dir(&directory).unwrap();
    let path = directory.join("signing.pem");
    assert!(generate_key_file(&path, &Entropy::System).unwrap());
    let first = std::fs::read(&path).unwrap();
    assert!(!generate_key_file(&path, &Entropy::System).unwrap());
    assert_eq!(std::fs::read(&path).unwrap(), first);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 1, "no draft is left");
    let keys = Keys::load(&path, "muong", "muong").unwrap();
    assert!(keys.verify(&token(&keys), now()).is_ok());
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn refresh_tokens_differ_and_are_known_by_their_hash_alone() {
    let (one, two) = (OpaqueToken::new(&Entropy::System), OpaqueToken::new(&Entropy::System));
    assert_ne!(one.hash(), two.hash());
    assert_eq!(one.expose().len(), 43);
    assert_eq!(hash_of(one.expose()), one.hash());
    assert!(!format!("{one:?}").contains(one.expose()));
}
