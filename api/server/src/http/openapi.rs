//! The OpenAPI 3.1 document, generated from the handlers of the URL table and the types that they speak.

use super::error::{FindingBody, ProblemBody, TextBody};
use super::{common_answers, routes};
use actix_web::App;
use actix_web::dev::HttpServiceFactory;
use actix_web::http::Method;
use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;
use utoipa::openapi::path::{Operation, PathItem, Paths};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_actix_web::{AppExt, OpenApiFactory};

/// The name of the security scheme, as the handlers refer to it.
pub const BEARER: &str = "bearer";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "muong",
        description = "Field reporting for the party organisation of a mountainous province: reports of branch meetings \
            and of member development, written offline, merged into one store.\n\n\
            Every error of a whole request is a problem document (RFC 9457) with a stable `code`; its texts are \
            Vietnamese unless `Accept-Language` asks for English. Instants are UTC, local dates are those of \
            Asia/Ho_Chi_Minh.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    tags(
        (name = "sign-in", description = "Signing in and out, and the devices that one does it on."),
        (name = "me", description = "Who one is here, and what one may do."),
        (name = "units", description = "The organisation, with its history."),
        (name = "administration", description = "Users and their grants, for administrators; never the content of records."),
        (name = "forms", description = "What reports are made of, as data."),
        (name = "sync", description = "What phones say, and how it is answered."),
        (name = "records", description = "What the store holds, and who said it."),
        (name = "review", description = "Conflicts and quarantine, and what is decided about them."),
        (name = "audit", description = "Who did, read or was refused what, when and why; for inspection."),
        (name = "operation", description = "For whoever runs it."),
    ),
    components(schemas(ProblemBody, FindingBody, TextBody)),
    modifiers(&Bearer),
    security(("bearer" = [])),
)]
struct Head;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .description(Some("An access token (EdDSA), good for 15 minutes; renewed by the refresh token."))
            .build();
        if let Some(components) = &mut document.components {
            components.add_security_scheme(BEARER, SecurityScheme::Http(scheme));
        }
    }
}

/// The document.
pub fn document() -> utoipa::openapi::OpenApi {
    let app = App::new().into_utoipa_app().openapi(Head::openapi()).configure(|table| routes::described(table));
    let mut document = app.split_for_parts().1;
    common_answers::add(&mut document);
    document
}

/// The document as it is served and checked in: indented, with a newline at the end.
///
/// # Panics
/// Never: the document is plain data.
pub fn json() -> String {
    let mut json = document().to_pretty_json().expect("plain data becomes JSON");
    json.push('\n');
    json
}

/// The described operations, without the types that they speak, which take most of the room.
fn paths() -> BTreeMap<String, PathItem> {
    #[derive(Default)]
    struct Collected(Paths);
    impl routes::Table for Collected {
        fn service(&mut self, handler: impl HttpServiceFactory + OpenApiFactory + 'static) -> &mut Self {
            self.0.merge(handler.paths());
            self
        }
    }
    let mut collected = Collected::default();
    routes::described(&mut collected);
    collected.0.paths.into_iter().collect()
}

/// Every described path with each of its methods.
pub fn routes() -> Vec<(String, Method)> {
    paths().iter().flat_map(|(path, item)| methods(item).into_iter().map(|method| (path.clone(), method))).collect()
}

/// What the document calls an operation; empty when it does not describe it.
pub fn operation(path: &str, method: &Method) -> &'static str {
    static NAMES: LazyLock<HashMap<String, Vec<(Method, String)>>> = LazyLock::new(names);
    let named = NAMES.get(path).and_then(|of_path| of_path.iter().find(|(known, _)| known == method));
    named.map_or("", |(_, name)| name.as_str())
}

fn names() -> HashMap<String, Vec<(Method, String)>> {
    let of = |item: &PathItem| {
        let named = operations(item).into_iter();
        named.filter_map(|(method, operation)| Some((method, operation.operation_id.clone()?))).collect()
    };
    paths().iter().map(|(path, item)| (path.clone(), of(item))).collect()
}

/// A described route, and the function that handles it: its name is also what actix calls the route.
pub struct Handler {
    /// The function.
    pub name: String,
    /// The path, as a pattern.
    pub path: String,
    /// The method.
    pub method: Method,
}

/// Every described route.
pub fn handlers() -> Vec<Handler> {
    let mut handlers = Vec::new();
    for (path, item) in paths() {
        let operations = [
            (item.get, Method::GET),
            (item.put, Method::PUT),
            (item.post, Method::POST),
            (item.delete, Method::DELETE),
            (item.patch, Method::PATCH),
        ];
        let named = operations.into_iter().filter_map(|(operation, method)| Some((operation?.operation_id?, method)));
        handlers.extend(named.map(|(name, method)| Handler { name, path: path.clone(), method }));
    }
    handlers
}

fn methods(item: &PathItem) -> Vec<Method> {
    operations(item).into_iter().map(|(method, _)| method).collect()
}

fn operations(item: &PathItem) -> Vec<(Method, &Operation)> {
    [
        (&item.get, Method::GET),
        (&item.put, Method::PUT),
        (&item.post, Method::POST),
        (&item.delete, Method::DELETE),
        (&item.patch, Method::PATCH),
    ]
    .into_iter()
    .filter_map(|(operation, method)| Some((method, operation.as_ref()?)))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_document_is_of_version_3_1_and_every_reference_in_it_leads_somewhere() {
        let document: serde_json::Value = serde_json::from_str(&json()).unwrap();
        assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
        assert_eq!(document["components"]["securitySchemes"]["bearer"]["scheme"], "bearer");
        for schema in ["Problem", "Finding", "Text"] {
            assert!(document["components"]["schemas"][schema].is_object(), "{schema}");
        }
        let mut references = BTreeSet::new();
        collect_references(&document, &mut references);
        for reference in references {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
        }
    }

    /// The generator keeps the last of those that share a name, and what the others describe is then untrue.
    #[test]
    fn no_two_bodies_have_the_same_name() {
        let mut names = BTreeSet::new();
        for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/http")).unwrap() {
            let source = std::fs::read_to_string(file.unwrap().path()).unwrap();
            for (at, marker) in source.match_indices("#[schema(as = ") {
                let name = source[at + marker.len()..].split([')', ',']).next().unwrap().to_owned();
                assert!(names.insert(name.clone()), "two bodies are called {name}");
            }
        }
        assert!(names.len() > 50, "{names:?}");
    }

    fn collect_references(value: &serde_json::Value, found: &mut BTreeSet<String>) {
        match value {
            serde_json::Value::Object(fields) => {
                found.extend(fields.get("$ref").and_then(|to| to.as_str()).map(str::to_owned));
                fields.values().for_each(|field| collect_references(field, found));
            }
            serde_json::Value::Array(items) => items.iter().for_each(|item| collect_references(item, found)),
            _ => {}
        }
    }
}
