//! The names in an item that cannot be read: its own id and its unit's, as far as they stand in it before whatever breaks
//! it. Nothing else of it is kept in memory, however long it is.

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use std::borrow::Cow;
use std::fmt;
use uuid::Uuid;

/// What it names.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Names {
    /// Itself.
    pub id: Option<Uuid>,
    /// Its unit.
    pub unit: Option<Uuid>,
}

impl Names {
    /// Reads them; the first one counts, where one stands twice.
    pub fn read(item: &[u8]) -> Self {
        let mut names = Self::default();
        // Where it breaks is told elsewhere.
        let _whole_or_not = Reader(&mut names).deserialize(&mut serde_json::Deserializer::from_slice(item));
        names
    }
}

struct Reader<'n>(&'n mut Names);

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(member) = members.next_key::<Cow<'_, str>>()? {
            let name = match &*member {
                "id" => &mut self.0.id,
                "unit" => &mut self.0.unit,
                _ => {
                    members.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            let value: Cow<'_, str> = members.next_value()?;
            // The nil one is nobody's.
            let said = Uuid::parse_str(&value).ok().filter(|id| !id.is_nil());
            *name = name.or(said);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_up_to_where_the_item_breaks() {
        let (id, unit) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let both = Names { id: Some(id), unit: Some(unit) };
        for (item, names) in [
            (format!(r#"{{"n":1,"id":"{id}","set":{{"x":[1,"\ud800"]}},"unit":"{unit}"}}"#), both),
            (format!(r#"{{"id":"{id}","unit":"{unit}","unit":"{id}","cut of"#), both),
            (format!(r#"{{"id":"{id}","unit":7}}"#), Names { unit: None, ..both }),
            (format!(r#"{{"id":"{}","unit":"{unit}"}}"#, Uuid::nil()), Names { id: None, ..both }),
            (format!(r#"[{{"id":"{id}"}}]"#), Names::default()),
            ("null".to_owned(), Names::default()),
        ] {
            assert_eq!(Names::read(item.as_bytes()), names, "{item}");
        }
    }
}
