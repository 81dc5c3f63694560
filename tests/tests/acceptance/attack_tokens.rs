//! Forged tokens: each of the classic ways to make a server believe what it has not signed, tried over HTTP with the real
//! claims of somebody who is signed in, whose real token is in the cache at that moment. Each is answered alike.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use muong_server::clock::Entropy;
use muong_server::security::token;
use muong_tests::client::text;
use muong_tests::province::{self, DEPARTMENT, SECRETARY};
use muong_tests::{Reporter, Socket, TestApp, on_both};
use serde_json::{Value, json};
use std::path::Path;
use uuid::Uuid;

on_both!(
    a_token_without_a_signature_is_not_believed,
    the_public_key_is_no_secret_to_sign_with,
    a_key_that_comes_with_the_token_is_not_believed,
    a_token_for_another_or_from_another_is_not_believed,
    a_token_that_begins_later_or_is_over_is_not_believed,
    a_token_of_another_shape_is_not_believed,
    no_letter_of_a_token_can_be_changed,
    a_token_is_taken_from_its_own_header_and_from_nowhere_else,
    a_token_that_was_revoked_is_out_although_it_was_believed_a_moment_ago,
);

fn bearer(reporter: &Reporter) -> String {
    reporter.authorization().trim_start_matches("Bearer ").to_owned()
}

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

/// An id as tokens have it.
fn letters(id: Uuid) -> String {
    URL_SAFE_NO_PAD.encode(id.as_bytes())
}

fn decoded(part: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64url")).expect("JSON")
}

/// Somebody signed in, the parts of their token, and the server's own key.
struct Forge {
    genuine: String,
    head: Value,
    claims: Value,
    ours: EncodingKey,
}

impl Forge {
    fn open(app: &TestApp) -> (Self, Reporter) {
        let secretary = app.sign_in(SECRETARY);
        secretary.get("/v1/me").expect(200);
        let genuine = bearer(&secretary);
        let parts: Vec<&str> = genuine.split('.').collect();
        let file = app.app().config.signing_key_file.clone().expect("a key of the test");
        let forge = Self { head: decoded(parts[0]), claims: decoded(parts[1]), ours: key(&file), genuine };
        // What follows is refused for what was changed, and not because this could not sign.
        let same = forge.signed(&json!({}), &json!({}));
        app.anonymous().with_token(&same).get("/v1/me").expect(200);
        (forge, secretary)
    }

    /// By our own key, with other members in its header and its claims; null removes one.
    fn signed(&self, head: &Value, claims: &Value) -> String {
        self.signed_by(&self.ours, head, claims)
    }

    fn signed_by(&self, key: &EncodingKey, head: &Value, claims: &Value) -> String {
        let message = format!("{}.{}", part(&with(&self.head, head)), part(&with(&self.claims, claims)));
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), key, Algorithm::EdDSA).expect("it signs");
        format!("{message}.{signature}")
    }

    /// With a signature that is made up.
    fn unsigned(&self, head: &Value, signature: &str) -> String {
        format!("{}.{}.{signature}", part(&with(&self.head, head)), part(&self.claims))
    }
}

fn with(whole: &Value, changes: &Value) -> Value {
    let mut changed = whole.clone();
    let members = changed.as_object_mut().expect("an object");
    for (name, value) in changes.as_object().expect("changes") {
        if value.is_null() {
            members.remove(name);
        } else {
            members.insert(name.clone(), value.clone());
        }
    }
    changed
}

fn key(file: &Path) -> EncodingKey {
    let pem = std::fs::read(file).expect("the file of keys");
    EncodingKey::from_ed_pem(&pem).expect("an Ed25519 key")
}

/// Somebody else's key.
fn foreign_key() -> EncodingKey {
    let folder = tempfile::TempDir::with_prefix("muong-forge-").expect("a folder");
    let file = folder.path().join("key.pem");
    token::generate_key_file(&file, &Entropy::System).expect("a key");
    key(&file)
}

/// Refused for reading and for writing, always in the same words.
#[track_caller]
fn refused(app: &TestApp, what: &str, token: &str) {
    let forger = app.anonymous().with_token(token);
    let answers = [forger.get("/v1/me"), forger.post("/v1/sync/push", &json!({})), forger.get("/v1/records")];
    for answer in answers {
        assert_eq!(answer.status, 401, "{what}: {answer:?}");
        answer.problem(401, "auth.invalid_token");
        assert!(answer.header("www-authenticate").contains("invalid_token"), "{what}: {answer:?}");
    }
}

fn a_token_without_a_signature_is_not_believed(app: &TestApp) {
    let (forge, _) = Forge::open(app);
    let genuine = forge.genuine.rsplit('.').next().expect("a signature");
    for alg in ["none", "None", "NONE", "nOnE", "", "null"] {
        for signature in ["", "AA", genuine] {
            refused(app, alg, &forge.unsigned(&json!({"alg": alg}), signature));
        }
    }
    refused(app, "no alg", &forge.unsigned(&json!({"alg": null}), genuine));
    refused(app, "a list", &forge.unsigned(&json!({"alg": ["EdDSA", "none"]}), genuine));
    refused(app, "zeroes", &forge.unsigned(&json!({}), &URL_SAFE_NO_PAD.encode([0; 64])));
}

fn the_public_key_is_no_secret_to_sign_with(app: &TestApp) {
    let (forge, _) = Forge::open(app);
    let jwks = app.anonymous().read("/.well-known/jwks.json");
    let x = text(&jwks["keys"][0]["x"]);
    let raw = URL_SAFE_NO_PAD.decode(x).expect("base64url");
    let whole = jwks.to_string().into_bytes();
    let spki = [&[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00][..], &raw].concat();
    for secret in [raw.as_slice(), x.as_bytes(), &whole, &spki, b"", b"secret"] {
        for alg in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
            let kid = forge.head["kid"].as_str().map(str::to_owned);
            let header = Header { kid, ..Header::new(alg) };
            let token = jsonwebtoken::encode(&header, &forge.claims, &EncodingKey::from_secret(secret));
            refused(app, &format!("{alg:?}"), &token.expect("it signs"));
        }
    }
}

fn a_key_that_comes_with_the_token_is_not_believed(app: &TestApp) {
    let (forge, _) = Forge::open(app);
    let theirs = foreign_key();
    let jwk = app.anonymous().read("/.well-known/jwks.json")["keys"][0].clone();
    let same_kid = forge.head["kid"].clone();
    for head in [
        json!({}),
        json!({"kid": null}),
        json!({"kid": "theirs"}),
        json!({"kid": ""}),
        json!({"kid": "../../../../dev/null"}),
        json!({"kid": "x' UNION SELECT 'AA'; --"}),
        json!({"kid": [same_kid]}),
        json!({"jwk": jwk}),
        json!({"jku": format!("{}/.well-known/jwks.json", app.address())}),
        json!({"x5u": "http://127.0.0.1/x", "x5c": ["AA"]}),
    ] {
        refused(app, &head.to_string(), &forge.signed_by(&theirs, &head, &json!({})));
    }
    // Our signature under a name that is not ours.
    for kid in [json!(null), json!("theirs"), json!("")] {
        refused(app, "our own signature", &forge.signed(&json!({"kid": kid}), &json!({})));
    }
}

fn a_token_for_another_or_from_another_is_not_believed(app: &TestApp) {
    let (forge, _) = Forge::open(app);
    for claims in [
        json!({"iss": "other"}),
        json!({"iss": null}),
        json!({"iss": "muong\u{0}"}),
        json!({"iss": ["muong"]}),
        json!({"aud": "other"}),
        json!({"aud": null}),
        json!({"aud": ["other", "another"]}),
        json!({"aud": "MUONG"}),
    ] {
        refused(app, &claims.to_string(), &forge.signed(&json!({}), &claims));
    }
}

fn a_token_that_begins_later_or_is_over_is_not_believed(app: &TestApp) {
    let (forge, _) = Forge::open(app);
    let now = app.now().timestamp();
    refused(app, "not yet", &forge.signed(&json!({}), &json!({"nbf": now + 60})));
    for end in [json!(null), json!("never"), json!(1e300), json!("0"), json!(-1), json!(i64::MIN)] {
        refused(app, &end.to_string(), &forge.signed(&json!({}), &json!({"exp": end})));
    }
    for end in [now, now - 1, 1, 0] {
        let over = forge.signed(&json!({}), &json!({"exp": end}));
        app.anonymous().with_token(&over).get("/v1/me").problem(401, "auth.expired_token");
    }
}

fn a_token_of_another_shape_is_not_believed(app: &TestApp) {
    let (forge, _) = Forge::open(app);
    let department = province::user_id(DEPARTMENT);
    // Even with our own signature: no session of this user is known by that name.
    for claims in [
        json!({"sub": letters(department)}),
        json!({"sid": letters(muong_tests::id())}),
        json!({"dev": letters(muong_tests::id())}),
    ] {
        let token = forge.signed(&json!({}), &claims);
        let answer = app.anonymous().with_token(&token).get("/v1/me");
        assert_eq!(answer.status, 401, "{claims}: {answer:?}");
    }
    for claims in [json!({"sub": "secretary"}), json!({"role": "admin"}), json!({"sid": null}), json!({"iat": 1})] {
        refused(app, &claims.to_string(), &forge.signed(&json!({}), &claims));
    }
    // As tokens were before ids were written short, and this one besides.
    let (user, session) = (province::user_id(SECRETARY), forge.claims["sid"].clone());
    let session = URL_SAFE_NO_PAD.decode(text(&session)).map(|bytes| Uuid::from_slice(&bytes));
    let session = session.expect("base64url").expect("an id");
    for claims in [
        json!({"sub": user}),
        json!({"sid": session}),
        json!({"sub": user, "sid": session, "jti": muong_tests::id()}),
        json!({"sub": format!("{}==", letters(user))}),
    ] {
        refused(app, &claims.to_string(), &forge.signed(&json!({}), &claims));
    }
    let parts: Vec<&str> = forge.genuine.split('.').collect();
    let nested = json!({"claims": forge.claims});
    for token in [
        format!("{}.", forge.genuine),
        format!(".{}", forge.genuine),
        format!("{}.{}", parts[0], parts[1]),
        format!("{}..{}", parts[0], parts[2]),
        format!("{}.{}.{}", parts[1], parts[0], parts[2]),
        format!("{}.{}.{}", parts[0], part(&nested), parts[2]),
        format!("{}=", forge.genuine),
        forge.genuine.repeat(2),
        "A".repeat(8_000),
        "....".to_owned(),
    ] {
        refused(app, &token, &token);
    }
}

fn no_letter_of_a_token_can_be_changed(app: &TestApp) {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (forge, secretary) = Forge::open(app);
    let genuine = forge.genuine.as_bytes();
    let tampered = |at: usize, letter: u8| {
        let mut bytes = genuine.to_vec();
        bytes[at] = letter;
        String::from_utf8(bytes).expect("letters")
    };
    // The last letter carries fewer bits than a letter can: none of those that decode to the same bytes is taken.
    for letter in LETTERS.iter().filter(|letter| **letter != genuine[genuine.len() - 1]) {
        refused(app, "the last letter", &tampered(genuine.len() - 1, *letter));
    }
    for at in (0..genuine.len()).step_by(7) {
        let letter = if genuine[at] == b'A' { b'B' } else { b'A' };
        refused(app, "a letter", &tampered(at, letter));
    }
    secretary.get("/v1/me").expect(200);
}

fn a_token_is_taken_from_its_own_header_and_from_nowhere_else(app: &TestApp) {
    let (forge, _) = Forge::open(app);
    let token = &forge.genuine;
    let anonymous = app.anonymous();
    for (name, value) in [
        ("cookie", format!("access_token={token}; authorization=Bearer {token}")),
        ("x-access-token", token.clone()),
        ("proxy-authorization", format!("Bearer {token}")),
        ("x-forwarded-user", SECRETARY.to_owned()),
        ("authorization", token.clone()),
        ("authorization", format!("Basic {token}")),
        ("authorization", format!("Bearer,{token}")),
        ("authorization", format!("Bearer\t{token}")),
    ] {
        anonymous.with_header(name, &value).get("/v1/me").problem(401, "auth.required");
    }
    for list in [format!("Bearer {token}, Bearer {token}"), format!("Bearer {token} {token}")] {
        anonymous.with_header("authorization", &list).get("/v1/me").problem(401, "auth.invalid_token");
    }
    let answer = anonymous.get(&format!("/v1/me?access_token={token}"));
    assert_eq!(answer.status, 401, "{answer:?}");
    let mut twice = Socket::connect(app);
    let header = format!("authorization: Bearer {token}\r\n");
    twice.send(format!("GET /v1/me HTTP/1.1\r\nhost: muong\r\n{header}{header}connection: close\r\n\r\n"));
    assert_eq!(twice.answer().status, 401);
}

fn a_token_that_was_revoked_is_out_although_it_was_believed_a_moment_ago(app: &TestApp) {
    let (forge, secretary) = Forge::open(app);
    let same_session = forge.signed(&json!({}), &json!({"exp": app.now().timestamp() + 60}));
    app.anonymous().with_token(&same_session).get("/v1/me").expect(200);
    secretary.post("/v1/auth/sign-out", &json!({})).expect(204);
    for token in [&forge.genuine, &same_session] {
        app.anonymous().with_token(token).get("/v1/me").problem(401, "auth.session_ended");
    }
}
