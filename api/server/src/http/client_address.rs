//! Where a request comes from. The one place that decides it: everything that counts by address asks here.

use actix_web::HttpRequest;
use std::net::IpAddr;

/// The address of the peer. What a header says of it is not believed: everybody can send one.
pub fn client_address(request: &HttpRequest) -> Option<IpAddr> {
    request.peer_addr().map(|peer| peer.ip())
}
