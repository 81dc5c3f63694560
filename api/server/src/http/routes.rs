//! The whole URL table on one screen. What a route does stands in the file of its resource.

use super::{
    audit, conflicts, credentials, decisions, docs, erasure, forms, grants, health, importing, jwks, me, moving,
    publishing, pull, push, quarantine, records, sessions, signed_in, unit_changes, units, users,
};
use actix_web::dev::HttpServiceFactory;
use actix_web::http::Method;
use actix_web::web;
use utoipa_actix_web::{OpenApiFactory, service_config};

/// Where described routes go: into a server, or into the document.
pub trait Table {
    /// Takes one.
    fn service(&mut self, handler: impl HttpServiceFactory + OpenApiFactory + 'static) -> &mut Self;
}

/// A server only serves: to collect the descriptions takes as much memory as all that it holds when nobody asks anything.
impl Table for web::ServiceConfig {
    fn service(&mut self, handler: impl HttpServiceFactory + OpenApiFactory + 'static) -> &mut Self {
        self.service(handler)
    }
}

impl Table for service_config::ServiceConfig<'_> {
    fn service(&mut self, handler: impl HttpServiceFactory + OpenApiFactory + 'static) -> &mut Self {
        self.service(handler)
    }
}

/// Every route that the OpenAPI document describes.
pub fn described(table: &mut impl Table) {
    table
        // sync, which phones ask for all day: actix compares a path with each of these in turn
        .service(push::post_push)
        .service(pull::post_pull)
        .service(push::get_limits)
        .service(push::post_submission)
        // operation
        .service(health::healthz)
        .service(health::readyz)
        // sign-in
        .service(sessions::post_sign_in)
        .service(sessions::post_refresh)
        .service(sessions::post_sign_out)
        .service(sessions::post_device)
        .service(signed_in::get_devices)
        .service(signed_in::delete_device)
        .service(signed_in::get_sessions)
        .service(signed_in::delete_session)
        .service(jwks::get_jwks)
        // me
        .service(me::get_me)
        .service(me::get_can)
        .service(credentials::post_password)
        .service(credentials::get_totp)
        .service(credentials::post_totp)
        .service(credentials::post_totp_confirm)
        .service(credentials::post_totp_remove)
        // units
        .service(units::get_units)
        .service(units::get_unit)
        .service(unit_changes::post_unit)
        .service(unit_changes::post_unit_rename)
        .service(unit_changes::post_unit_move)
        .service(unit_changes::post_unit_dissolve)
        .service(unit_changes::post_unit_code)
        .service(unit_changes::get_coverage)
        .service(unit_changes::post_coverage)
        // users and grants
        .service(users::get_users)
        .service(users::post_user)
        .service(importing::post_import)
        .service(users::get_user)
        .service(users::post_disable)
        .service(users::post_enable)
        .service(users::post_user_password)
        .service(users::post_user_totp_remove)
        .service(grants::get_grants)
        .service(grants::post_grant)
        .service(grants::post_grant_end)
        // forms
        .service(forms::get_forms)
        .service(forms::get_form)
        .service(forms::get_form_version)
        .service(publishing::post_form)
        // records
        .service(records::get_records)
        .service(records::get_record)
        .service(records::get_submissions)
        .service(moving::post_move)
        .service(erasure::post_erasure)
        // review
        .service(conflicts::get_conflicts)
        .service(conflicts::get_conflict)
        .service(quarantine::get_quarantine)
        .service(quarantine::get_quarantined)
        .service(decisions::post_resolution)
        .service(decisions::post_release)
        .service(decisions::post_discard)
        // audit
        .service(audit::get_audit)
        // documentation
        .service(docs::openapi_json);
}

/// Every route of the server.
pub fn table(config: &mut web::ServiceConfig) {
    described(config);
    config
        // signs of life without words
        .route("/healthz", web::head().to(health::head_of_healthz))
        .route("/readyz", web::head().to(health::head_of_readyz))
        .route("/docs", web::get().to(docs::entrance))
        .route("/docs/{file:.*}", web::get().to(docs::file))
        // anything else
        .default_service(web::to(docs::unknown_route));
}

/// The routes above that the OpenAPI document does not describe, for the `Allow` of a 405.
pub const UNDESCRIBED: [(&str, Method); 4] =
    [("/healthz", Method::HEAD), ("/readyz", Method::HEAD), ("/docs", Method::GET), ("/docs/{file:.*}", Method::GET)];

/// What may be asked without having signed in, whatever the method. Everything else above needs a token.
pub const PUBLIC: &[&str] = &[
    "/healthz",
    "/readyz",
    "/openapi.json",
    "/docs",
    "/docs/{file:.*}",
    "/v1/auth/sign-in",
    "/v1/auth/refresh",
    "/.well-known/jwks.json",
];

/// What somebody may ask for who must enrol a second factor first: to learn who they are, to enrol, and to leave.
pub const ENROLMENT: &[&str] = &["/v1/me", "/v1/me/totp", "/v1/me/totp/confirm", "/v1/auth/sign-out"];
