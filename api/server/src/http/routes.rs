//! The whole URL table on one screen. What a route does stands in the file of its resource.

use super::{docs, health};
use actix_web::http::Method;
use actix_web::web;
use utoipa_actix_web::service_config::ServiceConfig;

/// Registers every route; those with an OpenAPI description are also collected into the document.
pub fn table(config: &mut ServiceConfig) {
    config
        // operation
        .service(health::healthz)
        // documentation
        .service(docs::openapi_json)
        .route("/docs", web::get().to(docs::entrance))
        .route("/docs/{file:.*}", web::get().to(docs::file))
        // anything else
        .default_service(web::to(docs::unknown_route));
}

/// The routes above that the OpenAPI document does not describe, for the `Allow` of a 405.
pub const UNDESCRIBED: [(&str, Method); 2] = [("/docs", Method::GET), ("/docs/{file:.*}", Method::GET)];
