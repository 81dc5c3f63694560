//! The body of a request: read whole, within limits, and inflated by us (gzip and zstd), so that a bomb stops early.
//! Refuses what is not JSON by name; what the JSON says is for others.

use super::client_address::client_address;
use super::error::Problem;
use crate::capacity::{Budget, Full, Share};
use crate::config::{Http, Limits};
use crate::security::throttle::Network;
use crate::shape::{Fault, Misfit};
use crate::state::App;
use crate::usecases::failure::work;
use actix_web::HttpRequest;
use actix_web::http::header::{self, HeaderMap};
use actix_web::web::{self, Bytes, BytesMut, Data};
use futures_core::Stream;
use muong_domain::json::{Objects, parse as parse_strictly};
use muong_domain::refusal::Finding;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::error::Category;
use std::future::poll_fn;
use std::io::{self, Read};
use std::ops::Deref;
use std::pin::pin;
use tokio::time::{Instant, timeout, timeout_at};

/// How much is inflated before it is looked at again whether there is room.
const PIECE: usize = 16 << 10;
/// Frames may ask for a window of 8 MiB and no more (RFC 8878 §3.1.1.1.2 recommends that every decoder take this much).
const ZSTD_WINDOW_LOG: u32 = 23;

/// How a body is compressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Coding {
    Identity,
    Gzip,
    Zstd,
}

/// A body in memory, with its share of what all of them may take there; given back when dropped.
#[derive(Debug)]
pub struct Body {
    bytes: Bytes,
    _share: Share,
}

impl Deref for Body {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Reads a JSON body whole, inflated, within `limits`. Keep what is answered for as long as anything that was made of it
/// is kept: it counts for that as well.
pub async fn read(request: &HttpRequest, payload: web::Payload, limits: &Limits) -> Result<Body, Problem> {
    read_as(Media::Json, request, payload, limits).await
}

/// What a body is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Media {
    /// JSON, also a kind of its own (`application/…+json`).
    Json,
    /// A table (RFC 4180).
    Csv,
}

/// Reads a body of another kind, in the same way.
pub async fn read_as(
    media: Media,
    request: &HttpRequest,
    payload: web::Payload,
    limits: &Limits,
) -> Result<Body, Problem> {
    require(media, request.headers())?;
    let coding = coding(request.headers())?;
    let limit = limits.wire_bytes;
    if declared_length(request.headers()).is_some_and(|length| length > limit as u64) {
        return Err(too_large(limit));
    }
    let app = request.app_data::<Data<App>>();
    let (http, budget) = match app {
        Some(app) => (app.config.http, app.capacity.bodies.clone()),
        None => (Http::default(), Budget::new(usize::MAX)),
    };
    let mut share = budget.take(0).map_err(no_room)?;
    let arrived = arrive(payload, limit, &http, &mut share).await;
    let inflated = match (arrived, coding) {
        (Ok(wire), Coding::Identity) => Ok(Body { bytes: wire, _share: share }),
        (Ok(wire), coding) => {
            let limit = limits.inflated_bytes;
            let inflate = move || inflate(coding, &wire, limit, share);
            match app {
                Some(app) => work(app, inflate).await?,
                None => inflate(),
            }
        }
        (Err(problem), _) => Err(problem),
    };
    if let (Some(app), Err(problem)) = (app, &inflated)
        && problem.code() == NO_ROOM
    {
        app.metrics.refused.bodies.increment(1);
    }
    inflated
}

const NO_ROOM: &str = "server.busy";

fn no_room(_: Full) -> Problem {
    Problem::new(NO_ROOM)
}

/// Collects what comes, as long as it comes: not too much of it, not too slowly, and only while there is room. Only
/// what has come takes room; so who says that much will come, and sends nothing, takes none from others.
async fn arrive(payload: web::Payload, limit: usize, http: &Http, share: &mut Share) -> Result<Bytes, Problem> {
    let mut payload = pin!(payload);
    let end = Instant::now() + http.body();
    let mut wire = BytesMut::new();
    loop {
        let due = end.min(Instant::now() + http.stall());
        let chunk = match timeout_at(due, poll_fn(|context| payload.as_mut().poll_next(context))).await {
            Err(_elapsed) => return Err(Problem::new("request.timeout")),
            Ok(None) => return Ok(wire.freeze()),
            Ok(Some(Err(_broken))) => return Err(Problem::new("request.truncated")),
            Ok(Some(Ok(chunk))) => chunk,
        };
        if wire.len() + chunk.len() > limit {
            return Err(too_large(limit));
        }
        share.grow(chunk.len()).map_err(no_room)?;
        wire.extend_from_slice(&chunk);
    }
}

/// Reads and parses a JSON body. Unknown and repeated fields are the type's to refuse (`deny_unknown_fields`).
pub async fn json<T: DeserializeOwned>(
    request: &HttpRequest,
    payload: web::Payload,
    limits: &Limits,
) -> Result<T, Problem> {
    parse(&read(request, payload, limits).await?)
}

/// The same of somebody who has not said yet who they are: not many of them at a time, fewer from one place, and not for
/// long. So they cannot take the places of those who are signed in.
pub async fn json_of_stranger<T: DeserializeOwned>(
    request: &HttpRequest,
    payload: web::Payload,
    limits: &Limits,
) -> Result<T, Problem> {
    let app = request.app_data::<Data<App>>().ok_or_else(|| Problem::new("server.internal"))?;
    let body = {
        let _place = app.capacity.strangers.take(1).map_err(no_room)?;
        let network = client_address(request).map(Network::from);
        let _of = network.map(|network| app.capacity.strangers_of.take(network)).transpose().map_err(no_room)?;
        let arriving = timeout(app.config.http.head(), read(request, payload, limits));
        arriving.await.map_err(|_elapsed| Problem::new("request.timeout"))??
    };
    parse(&body)
}

/// Parses a JSON body; an error names the place and never quotes the value, which may be personal. No name twice, no
/// U+0000, no depth that others could not read back, also where the type takes any JSON; objects for structures only.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let value = parse_strictly(body).map_err(|_why| unreadable(body))?;
    serde_path_to_error::deserialize(Objects(&value)).map_err(|error| misshapen(Misfit::of(error)))
}

/// A JSON body as the text that it is, for whoever parses it by rules of their own.
pub fn json_text(body: &[u8]) -> Result<&str, Problem> {
    parse_strictly(body).map_err(|_why| unreadable(body))?;
    std::str::from_utf8(body).map_err(|_why| unreadable(body))
}

/// Parses a frame that borrows raw items from the body; it must be an object, and hold no structures but the items.
pub fn parse_borrowed<'a, T: serde::Deserialize<'a>>(body: &'a [u8]) -> Result<T, Problem> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| match error.inner().classify() {
        Category::Data => misshapen(Misfit::of(error)),
        Category::Syntax | Category::Eof | Category::Io => not_json(error.inner()),
    })?;
    reader.end().map_err(|error| not_json(&error))?;
    // Serde also takes a list of the fields in their order.
    if body.trim_ascii_start().starts_with(b"{") {
        Ok(value)
    } else {
        Err(misshapen(Misfit { pointer: String::new(), fault: Fault::Value }))
    }
}

/// A body that is meant to be one object: empty ones are refused; what is broken further in is the reader's to keep.
pub fn require_object(body: &[u8]) -> Result<(), Problem> {
    match body.trim_ascii() {
        // One that was cut off ends elsewhere.
        [b'{', .., b'}'] => Ok(()),
        _ => Err(malformed(Finding::new("request.not_object", ""))),
    }
}

/// A body that the server cannot take, because of one place.
pub fn malformed(finding: Finding) -> Problem {
    Problem::new("request.malformed").findings([finding])
}

fn misshapen(Misfit { pointer, fault }: Misfit) -> Problem {
    malformed(match fault {
        Fault::Missing(member) => Finding::new("request.member_missing", pointer).with("member", member),
        Fault::Unknown(member) => Finding::new("request.member_unknown", pointer).with("member", member),
        Fault::Value => Finding::new("request.wrong_value", pointer),
    })
}

fn not_json(error: &serde_json::Error) -> Problem {
    malformed(Finding::new("request.not_json", "").with("line", error.line()).with("column", error.column()))
}

/// Not JSON at all, or not such that every parser reads it alike.
fn unreadable(body: &[u8]) -> Problem {
    match serde_json::from_slice::<IgnoredAny>(body) {
        Err(error) => not_json(&error),
        Ok(_) => malformed(Finding::new("request.not_ijson", "")),
    }
}

fn require(media: Media, headers: &HeaderMap) -> Result<(), Problem> {
    let essence = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .map(|essence| essence.trim().to_ascii_lowercase())
        .unwrap_or_default();
    let structured = essence.starts_with("application/") && essence.ends_with("+json");
    let (taken, fits) = match media {
        Media::Json => ("application/json", essence == "application/json" || structured),
        Media::Csv => ("text/csv", essence == "text/csv"),
    };
    if fits {
        return Ok(());
    }
    // RFC 9110 §12.5.1: in a 415, `Accept` tells the client what would have been taken.
    Err(Problem::new("request.unsupported_media").with("media", taken).header(header::ACCEPT, taken))
}

fn coding(headers: &HeaderMap) -> Result<Coding, Problem> {
    let mut codings = headers.get_all(header::CONTENT_ENCODING);
    let (first, more) = (codings.next(), codings.next().is_some());
    let name = match first {
        None => return Ok(Coding::Identity),
        Some(value) => value.to_str().unwrap_or_default().trim().to_ascii_lowercase(),
    };
    match name.as_str() {
        "identity" if !more => Ok(Coding::Identity),
        "gzip" | "x-gzip" if !more => Ok(Coding::Gzip),
        "zstd" if !more => Ok(Coding::Zstd),
        _ => Err(Problem::new("request.unsupported_encoding").header(header::ACCEPT_ENCODING, "gzip, zstd")),
    }
}

fn declared_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn inflate(coding: Coding, wire: &[u8], limit: usize, mut share: Share) -> Result<Body, Problem> {
    let inflated = match coding {
        Coding::Identity => wire.to_vec(),
        Coding::Gzip => read_capped(flate2::read::MultiGzDecoder::new(wire), limit, &mut share)?,
        Coding::Zstd => {
            let mut decoder =
                zstd::stream::read::Decoder::with_buffer(wire).map_err(|error| Problem::internal(&error))?;
            decoder.window_log_max(ZSTD_WINDOW_LOG).map_err(|error| Problem::internal(&error))?;
            read_capped(decoder, limit, &mut share)?
        }
    };
    Ok(Body { bytes: inflated.into(), _share: share })
}

/// Reads at most `limit` bytes. The buffer grows with what really comes, so a bomb costs the limit and no more, and not
/// even that where there is no room for it.
fn read_capped(mut source: impl Read, limit: usize, share: &mut Share) -> Result<Vec<u8>, Problem> {
    let (mut inflated, mut piece) = (Vec::new(), vec![0; PIECE]);
    loop {
        let read = match source.read(&mut piece) {
            Ok(0) => return Ok(inflated),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_broken) => return Err(Problem::new("request.truncated")),
        };
        if inflated.len() + read > limit {
            return Err(Problem::new("request.inflated_too_large").with("limit", size(limit)));
        }
        share.grow(read).map_err(no_room)?;
        inflated.extend_from_slice(&piece[..read]);
    }
}

fn too_large(limit: usize) -> Problem {
    Problem::new("request.too_large").with("limit", size(limit))
}

/// A number of bytes for a person to read.
pub fn size(bytes: usize) -> String {
    match bytes {
        bytes if bytes >= 1 << 20 && bytes % (1 << 20) == 0 => format!("{} MiB", bytes >> 20),
        bytes if bytes >= 1 << 10 && bytes % (1 << 10) == 0 => format!("{} KiB", bytes >> 10),
        bytes => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::{HeaderName, HeaderValue};
    use std::io::Write;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn headers(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    /// With room for everything.
    fn inflate(coding: Coding, wire: &[u8], limit: usize) -> Result<Vec<u8>, Problem> {
        let share = Budget::new(usize::MAX).take(0).unwrap();
        super::inflate(coding, wire, limit, share).map(|body| body.to_vec())
    }

    #[test]
    fn a_body_is_inflated_only_as_far_as_there_is_room_for_it_and_gives_the_room_back() {
        let (budget, zeros) = (Budget::new(100_000), gzip(&vec![0; 90_000]));
        let body = super::inflate(Coding::Gzip, &zeros, 1 << 20, budget.take(0).unwrap()).unwrap();
        assert_eq!((body.len(), budget.taken()), (90_000, 90_000));
        let second = super::inflate(Coding::Gzip, &zeros, 1 << 20, budget.take(0).unwrap());
        assert_eq!(code(second), "server.busy");
        assert_eq!(budget.taken(), 90_000);
        drop(body);
        assert_eq!(budget.taken(), 0);
    }

    fn code<T>(result: Result<T, Problem>) -> &'static str {
        result.map_or_else(|problem| problem.code(), |_| "ok")
    }

    #[test]
    fn both_codings_give_back_what_was_sent() {
        let text = b"{\"a\":1}".repeat(100);
        assert_eq!(inflate(Coding::Gzip, &gzip(&text), 1 << 20).unwrap(), text);
        let zipped = zstd::encode_all(text.as_slice(), 3).unwrap();
        assert_eq!(inflate(Coding::Zstd, &zipped, 1 << 20).unwrap(), text);
    }

    #[test]
    fn a_bomb_stops_at_the_limit_and_exactly_the_limit_passes() {
        let zeros = vec![0; 32 << 20];
        assert_eq!(code(inflate(Coding::Gzip, &gzip(&zeros), 1 << 20)), "request.inflated_too_large");
        let zipped = zstd::encode_all(zeros.as_slice(), 3).unwrap();
        assert_eq!(code(inflate(Coding::Zstd, &zipped, 1 << 20)), "request.inflated_too_large");
        assert_eq!(inflate(Coding::Zstd, &zipped, 32 << 20).unwrap().len(), 32 << 20);
    }

    #[test]
    fn a_cut_or_spoilt_body_is_named_as_such() {
        let text: Vec<u8> = (0..5000_u32).flat_map(u32::to_le_bytes).collect();
        for (coding, zipped) in
            [(Coding::Gzip, gzip(&text)), (Coding::Zstd, zstd::encode_all(text.as_slice(), 3).unwrap())]
        {
            assert_eq!(code(inflate(coding, &zipped[..zipped.len() - 5], 1 << 20)), "request.truncated", "{coding:?}");
            assert_eq!(code(inflate(coding, b"not compressed at all", 1 << 20)), "request.truncated", "{coding:?}");
            assert_eq!(code(inflate(coding, &zipped[..1], 1 << 20)), "request.truncated", "{coding:?}");
        }
    }

    #[test]
    fn only_json_and_known_codings_are_taken() {
        let json = |value| require(Media::Json, &headers(&[(header::CONTENT_TYPE, value)]));
        for taken in ["application/json", "Application/JSON; charset=utf-8", "application/muong+json"] {
            assert_eq!(code(json(taken)), "ok", "{taken}");
        }
        for refused in ["text/plain", "multipart/form-data", "application/x-www-form-urlencoded", "text/x+json"] {
            assert_eq!(code(json(refused)), "request.unsupported_media", "{refused}");
        }
        assert_eq!(code(require(Media::Json, &HeaderMap::new())), "request.unsupported_media");
        let encoded = |value| coding(&headers(&[(header::CONTENT_ENCODING, value)]));
        assert_eq!(encoded("GZIP").unwrap(), Coding::Gzip);
        assert_eq!(encoded("zstd").unwrap(), Coding::Zstd);
        assert_eq!(coding(&HeaderMap::new()).unwrap(), Coding::Identity);
        for refused in ["br", "gzip, zstd", "deflate", ""] {
            assert_eq!(code(encoded(refused)), "request.unsupported_encoding", "{refused}");
        }
    }

    #[test]
    fn a_malformed_body_is_refused_with_its_place_and_without_its_value() {
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Input {
            #[expect(dead_code, reason = "only its parsing is tried")]
            list: Vec<u8>,
        }
        let places = [
            ("", "request.not_json"),
            ("{", "request.not_json"),
            ("{\"list\":[1]} x", "request.not_json"),
            ("{\"list\":[1,\"Secret\"]}", "request.wrong_value"),
            ("{\"other\":1}", "request.member_unknown"),
            ("{}", "request.member_missing"),
            ("[[1]]", "request.wrong_value"),
            ("{\"list\":[1],\"list\":[1]}", "request.not_ijson"),
            ("{\"list\":[1],\"\\u0000\":1}", "request.not_ijson"),
            ("\u{0}", "request.not_json"),
            ("[[[[", "request.not_json"),
        ];
        for (bad, place) in places {
            let problem = parse::<Input>(bad.as_bytes()).unwrap_err();
            assert_eq!(problem.code(), "request.malformed", "{bad:?}");
            assert!(format!("{problem:?}").contains(place), "{bad:?}: {problem:?}");
        }
        for (frame, place) in [("{}", "request.member_missing"), ("{\"other\":1}", "request.member_unknown")] {
            let problem = format!("{:?}", parse_borrowed::<Input>(frame.as_bytes()).unwrap_err());
            assert!(problem.contains(place), "{frame}: {problem}");
        }
        for list in ["[[1]]", " [[1]]"] {
            assert_eq!(code(parse_borrowed::<Input>(list.as_bytes())), "request.malformed", "{list}");
        }
        let deep = "[".repeat(100_000);
        assert_eq!(code(parse::<serde_json::Value>(deep.as_bytes())), "request.malformed");
        let problem = parse::<Input>(b"{\"list\":[1,\"Secret\"]}").unwrap_err();
        let shown = format!("{problem:?}");
        assert!(shown.contains("/list/1") && !shown.contains("Secret"), "{shown}");
    }
}
