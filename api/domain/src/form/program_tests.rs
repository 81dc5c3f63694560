//! Our own steps against the CEL crate's: every expression of the forms that come with muong, and whatever else the
//! subset allows, on values that fit and on values that do not.

use super::program::Node;
use super::rule::{Type, Values, run};
use cel::Program;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The variables of the generated expressions.
const VARIABLES: [(&str, Type); 9] = [
    ("b1", Type::Bool),
    ("b2", Type::Bool),
    ("i1", Type::Int),
    ("i2", Type::Int),
    ("f1", Type::Float),
    ("t1", Type::Text),
    ("item.t2", Type::Text),
    ("l1", Type::Texts),
    ("l2", Type::Texts),
];

const TYPES: [Type; 5] = [Type::Bool, Type::Int, Type::Float, Type::Text, Type::Texts];

fn text() -> impl Strategy<Value = String> {
    let fixed = ["2026-02-28", "2024-02-29", "2026-02-30", "2026-2-3", "19:30", "24:00", "x"];
    prop_oneof![4 => proptest::sample::select(fixed.to_vec()).prop_map(str::to_owned), 1 => "\\PC{0,4}"]
}

/// A value of the type, or none.
fn value_of(kind: Type) -> BoxedStrategy<Value> {
    let whole = prop_oneof![4 => -3..4_i64, 1 => Just(i64::MAX), 1 => Just(i64::MIN)];
    let fits = match kind {
        Type::Bool => any::<bool>().prop_map(Value::from).boxed(),
        Type::Int => whole.prop_map(Value::from).boxed(),
        Type::Float => prop_oneof![whole.prop_map(Value::from), (-4.0..4.0_f64).prop_map(Value::from)].boxed(),
        Type::Text => text().prop_map(Value::from).boxed(),
        Type::Texts => proptest::collection::vec(text(), 0..3).prop_map(|texts| json!(texts)).boxed(),
        Type::Null => Just(json!({"an": "object"})).boxed(),
    };
    prop_oneof![1 => Just(Value::Null), 4 => fits].boxed()
}

fn any_value() -> impl Strategy<Value = Value> {
    proptest::sample::select(vec![Type::Bool, Type::Int, Type::Float, Type::Text, Type::Texts, Type::Null])
        .prop_flat_map(value_of)
}

/// Writes an expression of a type, as the bytes of chance will have it.
fn write(kind: Type, depth: u32, chance: &mut dyn Iterator<Item = u8>) -> String {
    let mut next = |n: u8| chance.next().unwrap_or_default() % n;
    let leaves: &[&str] = match kind {
        Type::Bool => &["b1", "b2", "true", "false"],
        Type::Int => &["i1", "i2", "0", "7", "9223372036854775807"],
        Type::Float => &["f1", "0.5", "2.0"],
        Type::Text => &["t1", "item.t2", "'x'", "'2026-01-31'", "'21:15'"],
        Type::Texts => &["l1", "l2", "['x', t1]", "[]"],
        Type::Null => &["null"],
    };
    if depth == 0 || next(6) == 0 {
        return leaves[usize::from(next(u8::try_from(leaves.len()).unwrap()))].to_owned();
    }
    let (form, other) = (next(12), TYPES[usize::from(next(5))]);
    let ordered = [Type::Int, Type::Float, Type::Text][usize::from(next(3))];
    let mut sub = |kind| write(kind, depth - 1, chance);
    if form == 0 && kind != Type::Null {
        return format!("({} ? {} : {})", sub(Type::Bool), sub(kind), sub(kind));
    }
    match (kind, form) {
        (Type::Bool, 1 | 2) => format!("({} && {})", sub(Type::Bool), sub(Type::Bool)),
        (Type::Bool, 3 | 4) => format!("({} || {})", sub(Type::Bool), sub(Type::Bool)),
        (Type::Bool, 5) => format!("!({})", sub(Type::Bool)),
        (Type::Bool, 6) => format!("({} == {})", sub(other), sub(other)),
        (Type::Bool, 7) => format!("({} != null)", sub(other)),
        (Type::Bool, 8) => format!("({} < {})", sub(ordered), sub(ordered)),
        (Type::Bool, 9) => format!("({} >= {})", sub(ordered), sub(ordered)),
        (Type::Bool, 10) => format!("({} <= {}) != ({} > {})", sub(ordered), sub(ordered), sub(ordered), sub(ordered)),
        (Type::Bool, _) => format!("({} in {})", sub(Type::Text), sub(Type::Texts)),
        (Type::Int, 1) => format!("size({})", sub(Type::Text)),
        (Type::Int, 2) => format!("size({})", sub(Type::Texts)),
        (Type::Int, 3) => format!("months({}, {})", sub(Type::Text), sub(Type::Text)),
        (Type::Int, 4) => format!("years({}, {})", sub(Type::Text), sub(Type::Text)),
        (Type::Int, 5) => format!("minutes({}, {})", sub(Type::Text), sub(Type::Text)),
        (Type::Int | Type::Float, 6) => format!("-({})", sub(kind)),
        (Type::Int | Type::Float, 7 | 8) => format!("({} - {})", sub(kind), sub(kind)),
        (Type::Int | Type::Float, 9) => format!("({} * {})", sub(kind), sub(kind)),
        (Type::Int | Type::Float | Type::Text, _) => format!("({} + {})", sub(kind), sub(kind)),
        (Type::Texts | Type::Null, _) => leaves[0].to_owned(),
    }
}

fn from_cel(value: &cel::Value) -> Option<Value> {
    Some(match value {
        cel::Value::Null => Value::Null,
        cel::Value::Bool(flag) => Value::Bool(*flag),
        cel::Value::Int(number) => Value::from(*number),
        cel::Value::Float(number) => super::value::canonical_number(*number)?,
        cel::Value::String(text) => Value::String(text.as_ref().clone()),
        _ => return None,
    })
}

/// That both make the same of it.
fn agree(source: &str, types: &BTreeMap<String, Type>, values: &Values) -> Result<(), TestCaseError> {
    let program = Program::compile(source).expect("CEL");
    let own = Node::of(program.expression(), &|name| types.get(name).copied()).expect("within the subset");
    let theirs = run(program.expression(), types, values).ok();
    let holds = match &theirs {
        Some(cel::Value::Bool(holds)) => Some(*holds),
        _ => None,
    };
    prop_assert_eq!(own.run(values).is_some(), theirs.is_some(), "{} of {:?}", source, values);
    prop_assert_eq!(own.holds(values), holds, "{} of {:?}", source, values);
    let own = own.run(values).and_then(|value| value.into_value());
    prop_assert_eq!(own, theirs.as_ref().and_then(from_cel), "{} of {:?}", source, values);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_the_subset_allows_means_what_cel_means(
        chance in proptest::collection::vec(any::<u8>(), 4..120),
        kind in 0..4_usize,
        fitting in VARIABLES.map(|(_, kind)| value_of(kind)),
        others in VARIABLES.map(|_| any_value()),
        unfit in any::<u16>(),
    ) {
        let kind = [Type::Bool, Type::Int, Type::Float, Type::Text][kind];
        let source = write(kind, 3, &mut chance.into_iter());
        let types = VARIABLES.map(|(name, kind)| (name.to_owned(), kind)).into();
        // One run in eight has values of other types, as a form's earlier version may have left them.
        let is_unfit = |at: usize| unfit % 8 == 0 && unfit >> (at + 3) & 1 == 1;
        let mut values = Values::new();
        for (at, (fits, other)) in fitting.into_iter().zip(others).enumerate() {
            values.insert(VARIABLES[at].0.to_owned(), if is_unfit(at) { other } else { fits });
        }
        agree(&source, &types, &values)?;
    }
}

/// Every expression of a definition, with the fields of its items where it stands in a list or runs on one.
fn expressions(definition: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let mut left = vec![definition];
    while let Some(value) = left.pop() {
        match value {
            Value::Object(members) => {
                let named = ["expr", "when", "required_when", "derived"].iter().filter_map(|name| members.get(*name));
                found.extend(named.filter_map(Value::as_str).map(str::to_owned));
                left.extend(members.values());
            }
            Value::Array(entries) => left.extend(entries),
            _ => {}
        }
    }
    found
}

/// The type of every variable that a form's expressions may read.
fn types(definition: &Value) -> BTreeMap<String, Type> {
    let kind = |field: &Value| match field["type"].as_str().expect("a type") {
        "integer" => Type::Int,
        "decimal" => Type::Float,
        "boolean" => Type::Bool,
        "codes" => Type::Texts,
        _ => Type::Text,
    };
    let fields = |of: &Value| of["fields"].as_array().cloned().unwrap_or_default();
    let named =
        |field: Value, before: &str| (format!("{before}{}", field["name"].as_str().expect("a name")), kind(&field));
    let lists = definition["items"].as_array().cloned().unwrap_or_default();
    let context = ["today", "unit_founded_on"].map(|name| (name.to_owned(), Type::Text));
    let of_items = lists.iter().flat_map(fields).map(|field| named(field, "item."));
    fields(definition).into_iter().map(|field| named(field, "")).chain(of_items).chain(context).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_rules_of_our_forms_mean_what_cel_means(
        pools in TYPES.map(|kind| proptest::collection::vec(value_of(kind), 24)),
    ) {
        for text in [
            include_str!("../../../../forms/branch_meeting.json"),
            include_str!("../../../../forms/person.json"),
            include_str!("../../../../forms/development_step.json"),
            include_str!("../../../../forms/supervision_assignment.json"),
        ] {
            let definition: Value = serde_json::from_str(text).expect("JSON");
            let types = types(&definition);
            let pool = |kind| &pools[TYPES.iter().position(|known| *known == kind).expect("a type")];
            let value = |(at, (name, kind)): (usize, (&String, &Type))| (name.clone(), pool(*kind)[at % 24].clone());
            let scope: Values = types.iter().enumerate().map(value).collect();
            let sources = expressions(&definition);
            prop_assert!(!sources.is_empty());
            for source in sources {
                agree(&source, &types, &scope)?;
            }
        }
    }
}
