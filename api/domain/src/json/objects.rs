//! From a JSON value to a type of ours, an object for each structure and nothing else. Serde's derived code also takes a
//! structure as a list of its fields in order; such a list has no names, so what is read by name (what belongs to the
//! content, what is personal) would pass it by.

use serde::Deserializer;
use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{Error as _, IntoDeserializer, Unexpected, Visitor};
use serde_json::Value;
use std::borrow::Cow;
use std::fmt;

/// Why a value is not of the type that is asked for.
#[derive(Debug, thiserror::Error)]
pub enum Misshapen {
    /// A member that must be there is not.
    #[error("missing field `{0}`")]
    Missing(Cow<'static, str>),
    /// A member that nobody knows.
    #[error("unknown field `{0}`")]
    Unknown(String),
    /// A value of another type, or none of those that may stand there.
    #[error("{0}")]
    Other(String),
}

impl serde::de::Error for Misshapen {
    fn custom<T: fmt::Display>(told: T) -> Self {
        Self::Other(told.to_string())
    }
    fn missing_field(field: &'static str) -> Self {
        Self::Missing(Cow::Borrowed(field))
    }
    fn unknown_field(field: &str, _known: &'static [&'static str]) -> Self {
        Self::Unknown(field.to_owned())
    }
}

/// What serde's own error says in words only is read from them: `missing_field` and `unknown_field` of its trait begin so.
impl From<serde_json::Error> for Misshapen {
    fn from(error: serde_json::Error) -> Self {
        let told = error.to_string();
        let named = |beginning| told.strip_prefix(beginning).and_then(|rest: &str| Some(rest.split_once('`')?.0));
        if let Some(name) = named("missing field `") {
            Self::Missing(Cow::Owned(name.to_owned()))
        } else if let Some(name) = named("unknown field `") {
            Self::Unknown(name.to_owned())
        } else {
            Self::Other(told)
        }
    }
}

type Read<T> = Result<T, Misshapen>;

/// A value that reads as a structure only where it is an object, at every level.
#[derive(Clone, Copy, Debug)]
pub struct Objects<'a>(pub &'a Value);

impl<'de> IntoDeserializer<'de, Misshapen> for Objects<'de> {
    type Deserializer = Self;
    fn into_deserializer(self) -> Self {
        self
    }
}

/// Answers what the value itself would.
macro_rules! as_it_is {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
            Ok(self.0.$method(visitor)?)
        })*
    };
}

impl<'de> Deserializer<'de> for Objects<'de> {
    type Error = Misshapen;

    as_it_is! {
        deserialize_any deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_i128 deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
        deserialize_f32 deserialize_f64 deserialize_char deserialize_str deserialize_string deserialize_bytes
        deserialize_byte_buf deserialize_unit deserialize_identifier deserialize_ignored_any
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Read<V::Value> {
        self.deserialize_map(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        match self.0 {
            Value::Object(members) => {
                let members = members.iter().map(|(name, value)| (name.as_str(), Objects(value)));
                visitor.visit_map(MapDeserializer::new(members))
            }
            Value::Array(_) => Err(Misshapen::invalid_type(Unexpected::Seq, &"an object")),
            other => Ok(other.deserialize_map(visitor)?),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        match self.0 {
            Value::Array(items) => visitor.visit_seq(SeqDeserializer::new(items.iter().map(Objects))),
            other => Ok(other.deserialize_seq(visitor)?),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _name: &'static str, visitor: V) -> Read<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Read<V::Value> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(self, _name: &'static str, _len: usize, visitor: V) -> Read<V::Value> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Read<V::Value> {
        Ok(self.0.deserialize_unit_struct(name, visitor)?)
    }

    /// What a variant holds is read as it is: ours hold no structures.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Read<V::Value> {
        Ok(self.0.deserialize_enum(name, variants, visitor)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use serde_json::json;

    #[derive(Deserialize, PartialEq, Debug)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        inner: Option<Inner>,
        list: Vec<Inner>,
        #[serde(default)]
        any: Value,
    }

    #[derive(Deserialize, PartialEq, Debug)]
    struct Inner {
        n: i64,
    }

    fn read(value: &Value) -> Read<Outer> {
        Outer::deserialize(Objects(value))
    }

    #[test]
    fn objects_are_read_at_every_level() {
        let read = read(&json!({"inner": {"n": 1}, "list": [{"n": 2}], "any": [1, {"x": null}]})).expect("objects");
        let expected = Outer { inner: Some(Inner { n: 1 }), list: vec![Inner { n: 2 }], any: json!([1, {"x": null}]) };
        assert_eq!(read, expected);
    }

    #[test]
    fn a_list_is_no_object_at_any_level() {
        for value in [
            json!([null, [], 1]),
            json!({"inner": [1], "list": []}),
            json!({"inner": null, "list": [[1]]}),
            json!({"inner": null, "list": {}}),
            json!("x"),
        ] {
            assert!(read(&value).is_err(), "{value}");
        }
        assert!(serde_json::from_value::<Outer>(json!([[1], []])).is_ok(), "serde alone would take it");
    }

    #[test]
    fn what_is_missing_and_what_nobody_knows_is_named() {
        let told = |value: Value| read(&value).expect_err("it is refused");
        assert!(matches!(told(json!({"list": [{}]})), Misshapen::Missing(name) if name == "n"));
        assert!(matches!(told(json!({"list": [], "colour": "red"})), Misshapen::Unknown(name) if name == "colour"));
        assert!(matches!(told(json!({"list": [{"n": "x"}]})), Misshapen::Other(_)));
        let told = |text| Misshapen::from(serde_json::from_str::<Outer>(text).expect_err("it is refused"));
        assert!(matches!(told("{\"list\":[{}]}"), Misshapen::Missing(name) if name == "n"));
        assert!(matches!(told("{\"colour\":\"red\"}"), Misshapen::Unknown(name) if name == "colour"));
        assert!(matches!(told("{\"list\":[{\"n\":\"x\"}]}"), Misshapen::Other(_)));
    }
}
