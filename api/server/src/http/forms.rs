//! `/v1/forms`: what reports are made of, verbatim as published, with a strong ETag.

use super::error::{Problem, ProblemBody};
use crate::state::App;
use crate::usecases::authenticate::Authenticated;
use crate::usecases::list_forms::{Forms, list_forms, read_form};
use actix_web::http::header::{ETAG, EntityTag, IfNoneMatch, TryIntoHeaderValue};
use actix_web::web::{Data, Header, Path};
use actix_web::{HttpResponse, get};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::NaiveDate;
use muong_domain::form::Form;
use serde_json::{Value, json};

fn form_body(form: &Form, today: NaiveDate) -> Result<Value, Problem> {
    let definition: Value = serde_json::from_str(form.definition_json()).map_err(|e| Problem::internal(&e))?;
    Ok(json!({
        "code": form.code(), "version": form.version(), "in_force": form.in_force(today),
        "valid_from": form.definition().valid_from, "valid_to": form.definition().valid_to, "definition": definition,
    }))
}

/// The answer with its tag, or 304 when the client has it already.
fn tagged(
    forms: &Forms,
    known: &IfNoneMatch,
    body: impl FnOnce() -> Result<Value, Problem>,
) -> Result<HttpResponse, Problem> {
    let tag = EntityTag::new_strong(URL_SAFE_NO_PAD.encode(forms.fingerprint()));
    let has = match known {
        IfNoneMatch::Any => true,
        // RFC 9110 §13.1.2 compares weakly: a proxy that compresses may have weakened the tag.
        IfNoneMatch::Items(items) => items.iter().any(|item| item.weak_eq(&tag)),
    };
    let mut answer = if has { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    if let Ok(value) = tag.try_into_value() {
        answer.insert_header((ETAG, value));
    }
    Ok(if has { answer.finish() } else { answer.json(body()?) })
}

fn one(forms: &Forms, known: &IfNoneMatch) -> Result<HttpResponse, Problem> {
    tagged(forms, known, || {
        let form = forms.forms.first().ok_or_else(|| Problem::new("access.not_found"))?;
        form_body(form, forms.today)
    })
}

/// List forms
///
/// Every version of every form. Send the `ETag` back in `If-None-Match`, and nothing new costs nothing.
#[utoipa::path(
    tag = "forms",
    params(("If-None-Match" = Option<String>, Header, description = "The `ETag` of what the client has.")),
    responses(
        (status = 200, description = "`items`: the versions.", body = Value),
        (status = 304, description = "Nothing new."),
        (status = 401, description = "Not signed in.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
#[get("/v1/forms")]
pub async fn get_forms(
    app: Data<App>,
    who: Authenticated,
    known: Option<Header<IfNoneMatch>>,
) -> Result<HttpResponse, Problem> {
    let forms = list_forms(&app, &who).await?;
    let known = known.map_or(IfNoneMatch::Items(Vec::new()), |header| header.into_inner());
    tagged(&forms, &known, || {
        let items: Result<Vec<Value>, Problem> = forms.forms.iter().map(|f| form_body(f, forms.today)).collect();
        Ok(json!({"items": items?, "next": null}))
    })
}

/// Read a form
///
/// The version in force, or else the newest.
#[utoipa::path(
    tag = "forms",
    params(("code" = String, Path, description = "The form."), ("If-None-Match" = Option<String>, Header, description = "The `ETag` of what the client has.")),
    responses(
        (status = 200, description = "The version.", body = Value),
        (status = 304, description = "Nothing new."),
        (status = 401, description = "Not signed in.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "No such form.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
#[get("/v1/forms/{code}")]
pub async fn get_form(
    app: Data<App>,
    who: Authenticated,
    code: Path<String>,
    known: Option<Header<IfNoneMatch>>,
) -> Result<HttpResponse, Problem> {
    let known = known.map_or(IfNoneMatch::Items(Vec::new()), |header| header.into_inner());
    one(&read_form(&app, &who, code.into_inner(), None).await?, &known)
}

/// Read one version of a form
///
/// Published versions never change.
#[utoipa::path(
    tag = "forms",
    params(("code" = String, Path, description = "The form."), ("version" = i32, Path, description = "The version."), ("If-None-Match" = Option<String>, Header, description = "The `ETag` of what the client has.")),
    responses(
        (status = 200, description = "The version.", body = Value),
        (status = 304, description = "Nothing new."),
        (status = 400, description = "Not a number.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "Not signed in.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "No such version.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
#[get("/v1/forms/{code}/versions/{version}")]
pub async fn get_form_version(
    app: Data<App>,
    who: Authenticated,
    path: Path<(String, i32)>,
    known: Option<Header<IfNoneMatch>>,
) -> Result<HttpResponse, Problem> {
    let (code, version) = path.into_inner();
    let known = known.map_or(IfNoneMatch::Items(Vec::new()), |header| header.into_inner());
    one(&read_form(&app, &who, code, Some(version)).await?, &known)
}
