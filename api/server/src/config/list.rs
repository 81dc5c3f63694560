//! Lists among the settings. The file writes them as lists; the environment holds texts, and people write lists there
//! as they do for other programs.

use serde::de::value::{SeqAccessDeserializer, StrDeserializer};
use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};
use std::fmt;
use std::marker::PhantomData;

/// Reads a list that is written as one (`["a", "b"]`), with commas alone (`a, b`) or as its only value (`a`). A list of
/// nothing is `[]`: an empty text is a variable that somebody forgot, and must not switch off what the file asks for.
pub(super) fn read<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    deserializer.deserialize_any(List(PhantomData))
}

struct List<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for List<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list, or values with commas between them")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Vec<T>, E> {
        text.split(',').map(|value| T::deserialize(StrDeserializer::<E>::new(value.trim()))).collect()
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Vec<T>, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(seq))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use serde_json::{Value, json};
    use std::collections::BTreeSet;
    use std::net::IpAddr;

    /// Every setting that is a list, with two values for it.
    const LISTS: [(&str, [&str; 2]); 3] = [
        ("cors_origins", ["https://muong.example", "https://[2001:db8::1]:8443"]),
        ("totp_required_roles", ["admin", "provincial_reviewer"]),
        ("trusted_proxies", ["192.0.2.0/24", "2001:db8::/32"]),
    ];

    #[test]
    fn every_list_is_among_those_that_are_tried() {
        let config = serde_json::to_value(Config::default()).unwrap();
        let lists = config.as_object().unwrap().iter().filter(|(_, value)| value.is_array());
        let lists: BTreeSet<&str> = lists.map(|(key, _)| key.as_str()).collect();
        assert_eq!(lists, BTreeSet::from(LISTS.map(|(key, _)| key)));
    }

    #[test]
    #[expect(clippy::result_large_err, reason = "figment's own type of error, which its test jail asks for")]
    fn the_environment_may_write_a_list_in_each_of_the_ways() {
        figment::Jail::expect_with(|jail| {
            for (key, [one, other]) in LISTS {
                let variable = format!("MUONG_{}", key.to_uppercase());
                let ways: [(String, Value); 6] = [
                    (format!(r#"["{one}", "{other}"]"#), json!([one, other])),
                    (format!(r#"["{other}"]"#), json!([other])),
                    (format!("{one}, {other}"), json!([one, other])),
                    (format!(" {other},{one} "), json!([other, one])),
                    (one.to_owned(), json!([one])),
                    ("[]".to_owned(), json!([])),
                ];
                for (text, expected) in ways {
                    jail.set_env(&variable, &text);
                    let config = Config::load(None).map_err(|error| error.to_string())?;
                    let read = serde_json::to_value(&config).map_err(|error| error.to_string())?;
                    assert_eq!(read[key], expected, "{variable}={text}");
                }
            }
            Ok(())
        });
    }

    #[test]
    #[expect(clippy::result_large_err, reason = "figment's own type of error, which its test jail asks for")]
    fn an_address_alone_is_a_proxy_and_what_is_none_is_refused_with_its_key() {
        figment::Jail::expect_with(|jail| {
            jail.set_env("MUONG_TRUSTED_PROXIES", "10.0.0.1");
            let config = Config::load(None).map_err(|error| error.to_string())?;
            let [proxy] = config.trusted_proxies[..] else { panic!("one proxy: {config:?}") };
            let is_believed = |last| proxy.contains(IpAddr::from([10, 0, 0, last]));
            assert!(is_believed(1) && !is_believed(2));
            for wrong in ["10.0.0.1, the proxy", "10.0.0.1,", "10", "true", "", " "] {
                jail.set_env("MUONG_TRUSTED_PROXIES", wrong);
                let error = Config::load(None).expect_err("it is refused").to_string();
                assert!(error.contains("TRUSTED_PROXIES"), "{wrong}: {error}");
            }
            Ok(())
        });
    }
}
