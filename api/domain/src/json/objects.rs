//! From a JSON value to a type of ours, an object for each structure and nothing else. Serde's derived code also takes a
//! structure as a list of its fields in order; such a list has no names, so what is read by name (what belongs to the
//! content, what is personal) would pass it by.

use serde::Deserializer;
use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{Error as _, IntoDeserializer, Unexpected, Visitor};
use serde_json::{Error, Value};

/// A value that reads as a structure only where it is an object, at every level.
#[derive(Clone, Copy, Debug)]
pub struct Objects<'a>(pub &'a Value);

impl<'de> IntoDeserializer<'de, Error> for Objects<'de> {
    type Deserializer = Self;
    fn into_deserializer(self) -> Self {
        self
    }
}

/// Answers what the value itself would.
macro_rules! as_it_is {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            self.0.$method(visitor)
        })*
    };
}

impl<'de> Deserializer<'de> for Objects<'de> {
    type Error = Error;

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
    ) -> Result<V::Value, Error> {
        self.deserialize_map(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Object(members) => {
                let members = members.iter().map(|(name, value)| (name.as_str(), Objects(value)));
                visitor.visit_map(MapDeserializer::new(members))
            }
            Value::Array(_) => Err(Error::invalid_type(Unexpected::Seq, &"an object")),
            other => other.deserialize_map(visitor),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Array(items) => visitor.visit_seq(SeqDeserializer::new(items.iter().map(Objects))),
            other => other.deserialize_seq(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _name: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Error> {
        self.0.deserialize_unit_struct(name, visitor)
    }

    /// What a variant holds is read as it is: ours hold no structures.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.0.deserialize_enum(name, variants, visitor)
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

    fn read(value: &Value) -> Result<Outer, Error> {
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
}
