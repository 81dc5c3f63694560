//! I-JSON (RFC 7493): what two parsers can be trusted to read alike, and its canonical text (RFC 8785).

mod objects;

pub use objects::{Misshapen, Objects};

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::fmt;

/// How deep a value may be nested.
pub const MAX_DEPTH: usize = 32;
/// The largest integer that every JSON parser keeps exactly: 2^53 − 1 (RFC 7493, §2.2).
pub const MAX_INTEGER: i64 = 9_007_199_254_740_991;

/// Why a text is not I-JSON that we take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IJsonError {
    /// Not JSON, or with lone surrogates, duplicate keys or numbers out of range.
    #[error("{0}")]
    NotIJson(String),
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("nested deeper than {MAX_DEPTH}")]
    TooDeep,
    /// Contains U+0000, which no database of ours may be given.
    #[error("contains U+0000")]
    Nul,
}

/// Parses strictly: no duplicate keys, no lone surrogates, no number that a double cannot hold exactly, no U+0000.
pub fn parse(text: &[u8]) -> Result<Value, IJsonError> {
    let text = std::str::from_utf8(text).map_err(|e| IJsonError::NotIJson(e.to_string()))?;
    let mut parser = serde_json::Deserializer::from_str(text);
    let value = Strict { depth: 0 }.deserialize(&mut parser).and_then(|value| parser.end().map(|()| value));
    value.map_err(|error| {
        let message = error.to_string();
        if message.starts_with(TOO_DEEP) || message.starts_with("recursion limit") {
            IJsonError::TooDeep
        } else if message.starts_with(NUL) {
            IJsonError::Nul
        } else {
            IJsonError::NotIJson(message)
        }
    })
}

/// How serde_json's own tokens begin: an object with such a name would be read as something else than it is
/// (`RawValue` inside it is parsed anew, past every check here).
const PRIVATE: &str = "$serde_json::private::";

const TOO_DEEP: &str = "too deep";
const NUL: &str = "U+0000";

/// The canonical text: the same bytes for the same value, whatever order its members came in.
pub fn canonical(value: &Value) -> Vec<u8> {
    serde_json_canonicalizer::to_vec(value).expect("a parsed value has a canonical text")
}

#[derive(Clone, Copy)]
struct Strict {
    depth: usize,
}

impl Strict {
    fn deeper<E: Error>(self) -> Result<Self, E> {
        if self.depth >= MAX_DEPTH { Err(E::custom(TOO_DEEP)) } else { Ok(Self { depth: self.depth + 1 }) }
    }
}

fn clean<E: Error>(text: &str) -> Result<(), E> {
    if text.contains('\0') { Err(E::custom(NUL)) } else { Ok(()) }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_bool<E>(self, b: bool) -> Result<Value, E> {
        Ok(Value::Bool(b))
    }
    fn visit_i64<E: Error>(self, n: i64) -> Result<Value, E> {
        if n.unsigned_abs() > MAX_INTEGER as u64 { Err(E::custom("an integer beyond 2^53")) } else { Ok(n.into()) }
    }
    fn visit_u64<E: Error>(self, n: u64) -> Result<Value, E> {
        if n > MAX_INTEGER as u64 { Err(E::custom("an integer beyond 2^53")) } else { Ok(n.into()) }
    }
    fn visit_f64<E: Error>(self, n: f64) -> Result<Value, E> {
        if n.abs() > MAX_INTEGER as f64 {
            return Err(E::custom("a number beyond 2^53"));
        }
        Number::from_f64(n).map(Value::Number).ok_or_else(|| E::custom("a number out of range"))
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        clean(text)?;
        Ok(Value::String(text.to_owned()))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(inner)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut members = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            clean(&name)?;
            if name.starts_with(PRIVATE) {
                return Err(A::Error::custom("a name that is reserved"));
            }
            let value = map.next_value_seed(inner)?;
            if members.insert(name, value).is_some() {
                return Err(A::Error::custom("a name stands twice in one object"));
            }
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_stands_twice_is_refused() {
        assert!(matches!(parse(br#"{"a":1,"a":2}"#), Err(IJsonError::NotIJson(_))));
    }

    #[test]
    fn lone_surrogates_are_refused() {
        assert!(matches!(parse(br#"{"a":"\ud800"}"#), Err(IJsonError::NotIJson(_))));
    }

    #[test]
    fn numbers_that_a_double_cannot_hold_are_refused() {
        for text in ["9007199254740992", "-9007199254740992", "1e400", "1e300", "18446744073709551616"] {
            assert!(matches!(parse(text.as_bytes()), Err(IJsonError::NotIJson(_))), "{text}");
        }
        assert!(parse(b"9007199254740991").is_ok());
    }

    #[test]
    fn nul_is_refused_in_values_and_names() {
        assert_eq!(parse(br#"{"a":"x\u0000"}"#), Err(IJsonError::Nul));
        assert_eq!(parse(br#"{"\u0000":1}"#), Err(IJsonError::Nul));
    }

    #[test]
    fn deep_nesting_is_refused_without_a_stack_overflow() {
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        assert_eq!(parse(deep.as_bytes()), Err(IJsonError::TooDeep));
        let fine = "[".repeat(MAX_DEPTH) + &"]".repeat(MAX_DEPTH);
        assert!(parse(fine.as_bytes()).is_ok());
    }

    #[test]
    fn the_parsers_own_tokens_are_refused() {
        for text in [r#"{"$serde_json::private::RawValue":"[]"}"#, r#"[{"a":{"$serde_json::private::Number":"1"}}]"#] {
            assert!(matches!(parse(text.as_bytes()), Err(IJsonError::NotIJson(_))), "{text}");
        }
    }

    #[test]
    fn what_follows_the_value_is_refused() {
        assert!(parse(b"{} x").is_err());
        assert!(parse(b"").is_err());
    }

    #[test]
    fn the_canonical_text_does_not_depend_on_the_order_of_names() {
        let one = parse(br#"{"b":1,"a":[1.0,"\u00e9"]}"#).expect("I-JSON");
        let two = parse("{ \"a\" : [1,\"é\"], \"b\" : 1.0 }".as_bytes()).expect("I-JSON");
        assert_eq!(canonical(&one), canonical(&two));
    }
}
