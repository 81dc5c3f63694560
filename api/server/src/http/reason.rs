//! The header `x-reason`: why somebody reads what concerns persons. Percent-encoded UTF-8, since a header holds ASCII.

use super::error::Problem;
use crate::usecases::review::Reason;
use actix_web::HttpRequest;

/// The name of the header.
pub const X_REASON: &str = "x-reason";

/// The stated reason, if there is one. One that says nothing, or cannot be read, is refused: it would count for none.
pub fn stated(request: &HttpRequest) -> Result<Option<Reason>, Problem> {
    let mut values = request.headers().get_all(X_REASON);
    let Some(value) = values.next() else { return Ok(None) };
    let text = value.to_str().ok().and_then(percent_decoded).filter(|_| values.next().is_none());
    let reason = text.as_deref().and_then(Reason::parse);
    reason.map(Some).ok_or_else(|| Problem::new("request.reason_invalid"))
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = match first {
            b'%' => {
                let (digits, after) = after.split_at_checked(2)?;
                let digits = std::str::from_utf8(digits).ok().filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))?;
                bytes.push(u8::from_str_radix(digits, 16).ok()?);
                after
            }
            other => {
                bytes.push(*other);
                after
            }
        };
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    #[test]
    fn a_reason_is_read_as_it_was_meant_or_refused() {
        let stated = |value: &'static str| {
            let request = TestRequest::get().insert_header((X_REASON, value)).to_http_request();
            stated(&request).map(|reason| reason.map(|reason| reason.as_str().to_owned())).map_err(|p| p.code())
        };
        assert_eq!(stated("Th%E1%BA%A9m tra"), Ok(Some("Thẩm tra".to_owned())));
        assert_eq!(stated("plain"), Ok(Some("plain".to_owned())));
        for wrong in ["", "%20", "%E1", "%zz", "%+1", "%", "a%00b"] {
            assert_eq!(stated(wrong), Err("request.reason_invalid"), "{wrong}");
        }
        assert!(super::stated(&TestRequest::get().to_http_request()).is_ok_and(|reason| reason.is_none()));
    }
}
