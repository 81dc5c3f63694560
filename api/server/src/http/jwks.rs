//! `/.well-known/jwks.json`: the public keys of access tokens, for whoever verifies them elsewhere.

use crate::state::App;
use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{HttpResponse, get};

/// How long others may keep them, in seconds. A new key signs at once; whoever meets a `kid` that they do not know
/// asks again.
const MAX_AGE: &str = "public, max-age=300";

/// The keys of access tokens
///
/// A JWK set (RFC 7517): the Ed25519 keys (RFC 8037) that verify access tokens now, the one that signs first.
#[utoipa::path(
    tag = "sign-in",
    security(()),
    responses(
        (status = 200, description = "The keys.", body = serde_json::Value, content_type = "application/jwk-set+json", example = json!({
            "keys": [{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
                "kid": "kPrK_qmxVWa", "use": "sig", "alg": "EdDSA"}]
        })),
    )
)]
#[get("/.well-known/jwks.json")]
pub async fn get_jwks(app: Data<App>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/jwk-set+json")
        .insert_header((header::CACHE_CONTROL, MAX_AGE))
        .body(app.keys.public(app.clock.now()).to_string())
}
