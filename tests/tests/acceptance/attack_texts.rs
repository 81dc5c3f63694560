//! Texts that are more than texts to somebody: SQL to a database, a formula to a spreadsheet, markup to a browser. Each is
//! put into every place of every operation that takes a text; none is ever anything but a text here, and it comes back
//! as it was given, labelled as JSON.

use muong_tests::builders::{MEETING, PERSON, Submission, meeting};
use muong_tests::client::{text, uuid};
use muong_tests::province::{ADMIN, AUDITOR, COMMUNE, HUOI_SANG, PASSWORD, SECRETARY};
use muong_tests::{Answer, Client, Reporter, TestApp, id, on_both};
use serde_json::{Value, json};

on_both!(
    no_text_in_any_place_of_any_operation_is_more_than_a_text,
    no_text_in_any_field_of_any_form_is_more_than_a_text,
    a_text_comes_back_as_it_was_given,
    a_search_for_a_pattern_finds_the_pattern_itself,
);

const SQL: [&str; 6] = [
    "'; DROP TABLE records; --",
    "' OR '1'='1",
    "\" OR \"\"=\"",
    "x') UNION SELECT password_hash, NULL FROM users --",
    "$1; SELECT pg_sleep(60) --",
    "1); ATTACH DATABASE '/tmp/x' AS x; --",
];
const FORMULAS: [&str; 5] =
    ["=HYPERLINK(\"https://elsewhere.example\";\"x\")", "+1+cmd|' /C calc'!A0", "-2+3", "@SUM(1)", "=1+1"];
const MARKUP: [&str; 5] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "{{7*7}}${7*7}<%= 7*7 %>",
    "</title><svg/onload=alert(1)>",
    "javascript:alert(1)",
];
const ODDITIES: [&str; 6] = ["%00%27", "\\", "%s%n%x", "../../etc/passwd", "\u{202e}txt.exe", "\u{1f600}\u{0301}"];

fn texts() -> impl Iterator<Item = &'static str> {
    SQL.into_iter().chain(FORMULAS).chain(MARKUP).chain(ODDITIES)
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// Not executed, whatever else was made of it: no error of the server, and nothing that a browser would take for a page.
#[track_caller]
fn is_only_data(answer: &Answer, text: &str) {
    assert!(answer.status < 500, "{text}: {answer:?}");
    let kinds = ["application/json", "application/problem+json", "application/jwk-set+json"];
    let is_nothing = [204, 304].contains(&answer.status) && answer.body.is_empty();
    // JSON, which nothing takes for anything else, is safe by that alone.
    assert!(is_nothing || kinds.contains(&answer.header("content-type")), "{text}: {answer:?}");
    assert_eq!(answer.header("x-content-type-options"), "nosniff", "{text}: {answer:?}");
}

/// A schema of the document, followed to where it stands.
fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(place) => resolved(document, document.pointer(place.trim_start_matches('#')).expect("a schema")),
        None => schema,
    }
}

/// A body of this schema, as good as can be told from it.
fn filled(document: &Value, schema: &Value, depth: usize) -> Value {
    let schema = resolved(document, schema);
    if let Some(example) = schema.get("example") {
        return example.clone();
    }
    let first = ["oneOf", "anyOf", "allOf"].iter().find_map(|of| schema[*of].as_array()?.last());
    if let Some(first) = first {
        return filled(document, first, depth);
    }
    match (schema["properties"].as_object(), schema["type"].to_string()) {
        _ if depth > 6 => Value::Null,
        (Some(properties), _) => {
            properties.iter().map(|(name, schema)| (name.clone(), filled(document, schema, depth + 1))).collect()
        }
        (None, kind) if kind.contains("string") && schema["format"] == "uuid" => json!(id()),
        (None, kind) if kind.contains("string") => json!("x"),
        (None, kind) if kind.contains("integer") => json!(1),
        (None, kind) if kind.contains("array") => json!([filled(document, &schema["items"], depth + 1)]),
        _ => Value::Null,
    }
}

/// Where texts stand in a value, and the names of members.
fn places(value: &Value, here: &str, found: &mut Vec<String>) {
    match value {
        Value::String(_) => found.push(here.to_owned()),
        Value::Array(entries) => {
            for (at, entry) in entries.iter().enumerate() {
                places(entry, &format!("{here}/{at}"), found);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                places(member, &format!("{here}/{}", name.replace('~', "~0").replace('/', "~1")), found);
            }
        }
        _ => {}
    }
}

/// Every operation of the document, one at a time.
struct Operation<'a> {
    document: &'a Value,
    method: &'a str,
    path: &'a str,
    described: &'a Value,
}

impl Operation<'_> {
    fn ask(&self, client: &Client, path: &str, body: Option<&Value>) -> Answer {
        match (self.method, body) {
            ("get", _) => client.get(path),
            ("delete", _) => client.delete(path),
            (_, body) => client.post(path, body.unwrap_or(&Value::Null)),
        }
    }

    /// The path with ids filled in, or with this text.
    fn concrete(&self, with: Option<&str>) -> String {
        let fill = |part: &str| match part.starts_with('{') {
            true => with.map_or_else(|| id().to_string(), encoded),
            false => part.to_owned(),
        };
        self.path.split('/').map(fill).collect::<Vec<_>>().join("/")
    }

    fn body(&self) -> Option<Value> {
        let content = self.described["requestBody"]["content"].as_object()?;
        Some(filled(self.document, &content.values().next()?["schema"], 0))
    }

    /// Tries a text everywhere; how many places there were.
    fn tried_with(&self, client: &Client, text: &str) -> usize {
        let mut tried = 0;
        let mut note = |answer: &Answer| {
            is_only_data(answer, text);
            tried += 1;
        };
        let body = self.body();
        if self.path.contains('{') {
            note(&self.ask(client, &self.concrete(Some(text)), body.as_ref()));
        }
        for parameter in self.described["parameters"].as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().unwrap_or_default();
            match parameter["in"].as_str() {
                Some("query") => {
                    let path = format!("{}?{name}={}", self.concrete(None), encoded(text));
                    note(&self.ask(client, &path, body.as_ref()));
                }
                Some("header") => {
                    let client = client.with_header(name, &encoded(text));
                    note(&self.ask(&client, &self.concrete(None), body.as_ref()));
                }
                _ => {}
            }
        }
        if self.method == "get" {
            note(&self.ask(client, &format!("{}?{}=x", self.concrete(None), encoded(text)), None));
        }
        let Some(body) = body else { return tried };
        let mut found = Vec::new();
        places(&body, "", &mut found);
        for place in found {
            let mut body = body.clone();
            *body.pointer_mut(&place).expect("a place of the body") = json!(text);
            note(&self.ask(client, &self.concrete(None), Some(&body)));
            rename(&mut body, &place, text);
            note(&self.ask(client, &self.concrete(None), Some(&body)));
        }
        tried
    }
}

/// Gives the member at a place another name.
fn rename(body: &mut Value, place: &str, name: &str) {
    let Some((parent, member)) = place.rsplit_once('/') else { return };
    if let Some(members) = body.pointer_mut(parent).and_then(Value::as_object_mut)
        && let Some(value) = members.remove(member)
    {
        members.insert(name.to_owned(), value);
    }
}

fn no_text_in_any_place_of_any_operation_is_more_than_a_text(app: &TestApp) {
    let (secretary, admin) = (app.sign_in(SECRETARY), app.sign_in(ADMIN));
    let report = secretary.reports_as("accepted", meeting(HUOI_SANG));
    let document = app.anonymous().read("/openapi.json");
    let mut tried = 0;
    for (path, item) in document["paths"].as_object().expect("paths") {
        // What ends the session of the one who asks, or takes a hash each time, has sentences of its own.
        if ["/v1/auth/sign-out", "/v1/auth/sign-in", "/v1/me/password", "/openapi.json"].contains(&path.as_str()) {
            continue;
        }
        for (method, described) in item.as_object().expect("operations") {
            let operation = Operation { document: &document, method, path, described };
            for (n, text) in texts().enumerate() {
                // By turns: who may do less is refused earlier, who may do more gets further in.
                let client = if n % 2 == 0 { admin.client() } else { secretary.client() };
                tried += operation.tried_with(&client, text);
            }
        }
    }
    assert!(tried > 2_000, "only {tried} places were tried");
    // Everything is still there, and still works.
    secretary.read(&format!("/v1/records/{}", text(&report["record"])));
    let report = meeting(HUOI_SANG).to("period", "2026-02").to("held_on", "2026-02-05");
    app.sign_in(SECRETARY).reports_as("accepted", report);
}

/// The fields of a form that hold texts, with the length that each may have.
fn text_fields(reporter: &Reporter, form: &str) -> Vec<String> {
    let definition = reporter.read(&format!("/v1/forms/{form}"));
    let fields = definition["fields"].as_array().or_else(|| definition["definition"]["fields"].as_array());
    let fields = fields.unwrap_or_else(|| panic!("no fields: {definition}"));
    fields.iter().map(|field| text(&field["name"]).to_owned()).collect()
}

fn no_text_in_any_field_of_any_form_is_more_than_a_text(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    for form in [MEETING, PERSON, "development_step"] {
        for text in texts() {
            let said: Vec<Submission> = text_fields(&secretary, form)
                .into_iter()
                .map(|field| secretary.says(Submission::create(form, id(), HUOI_SANG).to(&field, text)))
                .collect();
            let pushed = secretary.push(&said.iter().collect::<Vec<_>>());
            assert_eq!(pushed.results().len(), said.len());
        }
    }
    let sign_in = |name: &str, password: &str, device: &str| {
        let body = json!({"username": name, "password": password, "device": {"name": device}});
        app.anonymous().post("/v1/auth/sign-in", &body)
    };
    for text in SQL {
        assert!([401, 429].contains(&sign_in(text, PASSWORD, "x").status));
        assert!([401, 429].contains(&sign_in(text, text, text).status));
        app.pass(chrono::TimeDelta::minutes(5));
    }
}

fn a_text_comes_back_as_it_was_given(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let months = (1..=12).flat_map(|month| [2024, 2025].map(|year| format!("{year}-{month:02}")));
    for (given, period) in texts().zip(months) {
        // But for one sign, which makes the others read backwards: nobody gets that to see.
        let kept = given.replace('\u{202e}', "");
        let day = format!("{period}-05");
        let report = meeting(HUOI_SANG).to("period", period).to("held_on", day).to("place", given);
        let result = secretary.reports(report);
        let path = format!("/v1/records/{}", uuid(&result["record"]));
        let answer = secretary.get(&path);
        is_only_data(&answer, given);
        assert!(answer.expect(200).to_string().contains(&json!(kept).to_string()), "{given}: {answer:?}");
        let said = secretary.get(&format!("{path}/submissions"));
        assert!(said.expect(200).to_string().contains(&json!(given).to_string()), "{given}: {said:?}");
    }
    for given in SQL.into_iter().chain(FORMULAS).chain(MARKUP) {
        let body = json!({"username": SECRETARY, "password": PASSWORD, "device": {"name": given}});
        let signed_in = app.anonymous().post("/v1/auth/sign-in", &body).expect(200);
        assert_eq!(signed_in["device"]["name"], given);
        let listed = app.anonymous().with_token(text(&signed_in["access_token"])).get("/v1/devices");
        is_only_data(&listed, given);
        assert!(listed.expect(200).to_string().contains(&json!(given).to_string()), "{given}: {listed:?}");
    }
}

/// `%` and `_` mean something to SQL's LIKE; here they are letters that no name has.
fn a_search_for_a_pattern_finds_the_pattern_itself(app: &TestApp) {
    let (secretary, commune) = (app.sign_in(SECRETARY), app.sign_in(COMMUNE));
    let person = Submission::create(PERSON, id(), HUOI_SANG).to("full_name", "Lò Thị Mai");
    let known = secretary.reports(person);
    assert_ne!(known["status"], "forbidden", "{known}");
    for pattern in ["%", "_", "%%", "L_", "Lò%", "*", "L*", "[A-Z]", "' OR 1=1 --", "\\", "%_%"] {
        let path = format!("/v1/records?form=person&unit={HUOI_SANG}&name={}", encoded(pattern));
        for who in [&secretary, &commune] {
            let answer = who.read_because("Kiểm tra", &path);
            let found = answer.json()["items"].as_array().map_or(0, Vec::len);
            assert!(answer.status < 500 && found == 0, "{pattern}: {answer:?}");
        }
    }
    app.sign_in(AUDITOR).get("/v1/me").expect(200);
}
