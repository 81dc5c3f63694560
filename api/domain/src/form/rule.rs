//! The expressions of forms: a small, typed, bounded subset of CEL that a phone evaluates alike.
//!
//! Checked here, tried at publication by the CEL crate; run by `program.rs`.
//! Refuses at publication what would cost without bound (comprehensions), differ between engines (division, regular
//! expressions, mixed number types) or fail only on some record (wrong types). Knows values, not forms.
//!
//! Dates, times and months are ISO 8601 texts: they compare as texts do, in Rust and in JavaScript.

use super::definition::FieldType;
use super::program::Node;
use super::value::{any_date, any_time};
use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue, operators as op};
use cel::common::value::CowVal;
use cel::context::VariableResolver;
use cel::{Context, ExecutionError, Program};
use chrono::{Datelike, Months};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

/// The longest expression that may be published, in characters.
pub const MAX_LENGTH: usize = 1_000;
/// The deepest expression that may be published, in nodes.
pub const MAX_DEPTH: usize = 32;
/// The most combinations of sample values tried at publication.
const MAX_PROBES: usize = 4_096;

/// The type of an expression. Dates, times, months, codes and references are texts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Type {
    Bool,
    Int,
    Float,
    Text,
    Texts,
    Null,
}

impl From<FieldType> for Type {
    fn from(kind: FieldType) -> Self {
        match kind {
            FieldType::Integer => Self::Int,
            FieldType::Decimal => Self::Float,
            FieldType::Boolean => Self::Bool,
            FieldType::Codes => Self::Texts,
            _ => Self::Text,
        }
    }
}

/// A variable that an expression may read: its type, and values to try it with at publication.
#[derive(Clone, Debug)]
pub(crate) struct Variable {
    pub(crate) kind: Type,
    pub(crate) samples: Vec<Value>,
}

impl Variable {
    pub(crate) fn of(kind: FieldType, codes: &[String]) -> Self {
        let code = |n: usize| codes.get(n).cloned().map_or(Value::Null, Value::String);
        let samples = match kind {
            FieldType::Integer => vec![Value::from(3)],
            FieldType::Decimal => vec![Value::from(3.5)],
            FieldType::Boolean => vec![Value::Bool(true), Value::Bool(false)],
            FieldType::Date => vec!["2026-02-28".into()],
            FieldType::Time => vec!["19:30".into()],
            FieldType::Period => vec!["2026-02".into()],
            FieldType::Code => vec![code(0)],
            FieldType::Codes => vec![Value::Array(vec![code(0)])],
            FieldType::Text | FieldType::Multiline | FieldType::Reference => vec!["x".into()],
        };
        Self { kind: kind.into(), samples }
    }
}

/// The values that an expression reads while it runs.
pub(crate) type Values = BTreeMap<String, Value>;

/// Where the variables of a running expression come from.
pub(crate) trait Scope: Send + Sync {
    /// The value of a variable, null when it has none.
    fn value(&self, name: &str) -> &Value;
}

impl Scope for Values {
    fn value(&self, name: &str) -> &Value {
        self.get(name).unwrap_or(&Value::Null)
    }
}

/// A compiled expression.
#[derive(Debug)]
pub(crate) struct Expression {
    program: Node,
    variables: BTreeMap<String, Type>,
}

/// What the CEL crate reads while an expression is tried.
struct Typed<'a> {
    scope: &'a dyn Scope,
    variables: &'a BTreeMap<String, Type>,
}

impl VariableResolver for Typed<'_> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        let kind = self.variables.get(variable)?;
        to_cel(self.scope.value(variable), *kind).try_into().ok().map(CowVal::Owned)
    }
}

fn to_cel(value: &Value, kind: Type) -> cel::Value {
    match (value, kind) {
        (Value::Bool(flag), _) => cel::Value::Bool(*flag),
        (Value::Number(number), Type::Int) => number.as_i64().map_or(cel::Value::Null, cel::Value::Int),
        (Value::Number(number), _) => number.as_f64().map_or(cel::Value::Null, cel::Value::Float),
        (Value::String(text), _) => cel::Value::String(Arc::new(text.clone())),
        (Value::Array(entries), _) => {
            cel::Value::List(Arc::new(entries.iter().map(|entry| to_cel(entry, Type::Text)).collect()))
        }
        (Value::Null | Value::Object(_), _) => cel::Value::Null,
    }
}

/// The functions of all expressions, registered once.
static LIBRARY: LazyLock<Context<'static, 'static>> = LazyLock::new(|| {
    let mut library = Context::default();
    library
        .add_function("years", |a: Arc<String>, b: Arc<String>| spanned("years", &a, &b, full_years))
        .expect("free name");
    library
        .add_function("months", |a: Arc<String>, b: Arc<String>| spanned("months", &a, &b, full_months))
        .expect("free name");
    library
        .add_function("minutes", |a: Arc<String>, b: Arc<String>| spanned("minutes", &a, &b, full_minutes))
        .expect("free name");
    library
});

fn spanned(name: &str, a: &str, b: &str, span: fn(&str, &str) -> Option<i64>) -> Result<i64, ExecutionError> {
    span(a, b).ok_or_else(|| ExecutionError::function_error(name, "not a date or time that it can count from"))
}

/// The greatest n for which a + n months ≤ b; a day that the month lacks is its last (29 February, 31st).
pub(super) fn full_months(a: &str, b: &str) -> Option<i64> {
    let (a, b) = (any_date(a)?, any_date(b)?);
    let apart = i64::from(b.year() - a.year()) * 12 + i64::from(b.month()) - i64::from(a.month());
    let count = Months::new(u32::try_from(apart.unsigned_abs()).ok()?);
    let reached = if apart < 0 { a.checked_sub_months(count)? } else { a.checked_add_months(count)? };
    Some(if reached <= b { apart } else { apart - 1 })
}

pub(super) fn full_years(a: &str, b: &str) -> Option<i64> {
    full_months(a, b).map(|months| months.div_euclid(12))
}

/// Minutes from one time of day to another of the same day; negative when it is earlier.
pub(super) fn full_minutes(a: &str, b: &str) -> Option<i64> {
    Some((any_time(b)? - any_time(a)?).num_minutes())
}

impl Expression {
    /// Compiles `source`, which may read `variables` and must yield `wanted`.
    /// `nullable`: it is also run when variables have no value, and must not fail then.
    pub(crate) fn compile(
        source: &str,
        variables: &BTreeMap<String, Variable>,
        wanted: Type,
        nullable: bool,
    ) -> Result<Self, String> {
        if source.chars().count() > MAX_LENGTH {
            return Err(format!("is longer than {MAX_LENGTH} characters"));
        }
        let program =
            Program::compile(source).map_err(|error| format!("is not CEL: {}", first_line(&error.to_string())))?;
        let mut checker = Checker { variables, reads: BTreeSet::new() };
        let found = checker.check(program.expression(), 0)?;
        if found != wanted {
            return Err(format!("yields {found:?}, not {wanted:?}"));
        }
        let types: BTreeMap<String, Type> =
            checker.reads.iter().map(|name| (name.clone(), variables[name].kind)).collect();
        probe(program.expression(), variables, &types, nullable)?;
        let program = Node::of(program.expression(), &|name| types.get(name).copied());
        let program = program.ok_or("uses a part of CEL that forms may not use")?;
        Ok(Self { program, variables: types })
    }

    /// The variables that it reads.
    pub(crate) fn reads(&self) -> impl Iterator<Item = &str> {
        self.variables.keys().map(String::as_str)
    }

    /// Its value; `None` when it cannot be evaluated (an overflow), which is the definition's fault.
    pub(crate) fn value(&self, scope: &dyn Scope) -> Option<Value> {
        self.program.run(scope)?.into_value()
    }

    /// Whether it holds; `None` when it cannot be evaluated.
    pub(crate) fn holds(&self, scope: &dyn Scope) -> Option<bool> {
        self.program.holds(scope)
    }
}

/// What the CEL crate makes of an expression.
pub(super) fn run(
    tree: &IdedExpr,
    variables: &BTreeMap<String, Type>,
    scope: &dyn Scope,
) -> Result<cel::Value, ExecutionError> {
    let typed = Typed { scope, variables };
    let library: &Context<'_, '_> = &LIBRARY;
    let mut context = library.new_inner_scope();
    context.set_variable_resolver(&typed);
    context.resolve(tree)
}

/// Tries it on samples of all that it reads, so that an expression which fails is refused before a phone has it.
fn probe(
    tree: &IdedExpr,
    variables: &BTreeMap<String, Variable>,
    types: &BTreeMap<String, Type>,
    nullable: bool,
) -> Result<(), String> {
    let mut probes = vec![Values::new()];
    for name in types.keys() {
        let mut samples = variables[name].samples.clone();
        if nullable {
            samples.push(Value::Null);
        }
        if probes.len() * samples.len() > MAX_PROBES {
            return Err("reads too many fields to be tried".to_owned());
        }
        probes = probes
            .iter()
            .flat_map(|probe| {
                samples.iter().map(|sample| {
                    let mut next = probe.clone();
                    next.insert(name.clone(), sample.clone());
                    next
                })
            })
            .collect();
    }
    match probes.iter().find_map(|probe| run(tree, types, probe).err().map(|error| (probe, error))) {
        None => Ok(()),
        Some((probe, error)) => {
            let values = serde_json::to_string(probe).unwrap_or_default();
            Err(format!("cannot be evaluated for {values}: {}", first_line(&error.to_string())))
        }
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// Infers the type of an expression and refuses what is not in the subset.
struct Checker<'a> {
    variables: &'a BTreeMap<String, Variable>,
    reads: BTreeSet<String>,
}

impl Checker<'_> {
    fn check(&mut self, node: &IdedExpr, depth: usize) -> Result<Type, String> {
        if depth > MAX_DEPTH {
            return Err(format!("is nested deeper than {MAX_DEPTH}"));
        }
        match &node.expr {
            Expr::Literal(literal) => literal_type(literal),
            Expr::Ident(name) => self.variable(name),
            Expr::Select(select) => match &select.operand.expr {
                Expr::Ident(root) if !select.test => self.variable(&format!("{root}.{}", select.field)),
                _ => Err(format!("selects .{}, which nothing here has", select.field)),
            },
            Expr::List(list) => {
                for element in &list.elements {
                    same(self.check(element, depth + 1)?, Type::Text, "a list")?;
                }
                Ok(Type::Texts)
            }
            Expr::Call(call) => self.call(call, depth),
            _ => Err("uses a part of CEL that forms may not use (maps, messages, comprehensions)".to_owned()),
        }
    }

    fn variable(&mut self, name: &str) -> Result<Type, String> {
        let variable = self
            .variables
            .get(name)
            .ok_or_else(|| format!("reads {name}, which is no field or context variable here"))?;
        self.reads.insert(name.to_owned());
        Ok(variable.kind)
    }

    fn call(&mut self, call: &CallExpr, depth: usize) -> Result<Type, String> {
        let name = call.func_name.as_str();
        if call.target.is_some() {
            return Err(format!("calls .{name}(), which forms may not use"));
        }
        let mut types = Vec::with_capacity(call.args.len());
        for argument in &call.args {
            types.push(self.check(argument, depth + 1)?);
        }
        result_type(name, &types)
    }
}

fn literal_type(literal: &LiteralValue) -> Result<Type, String> {
    Ok(match literal {
        LiteralValue::Boolean(_) => Type::Bool,
        LiteralValue::Int(_) => Type::Int,
        LiteralValue::Double(_) => Type::Float,
        LiteralValue::String(_) => Type::Text,
        LiteralValue::Null => Type::Null,
        LiteralValue::Bytes(_) | LiteralValue::UInt(_) => {
            return Err("uses a literal that forms may not use".to_owned());
        }
    })
}

fn same(found: Type, wanted: Type, place: &str) -> Result<Type, String> {
    if found == wanted { Ok(found) } else { Err(format!("has {found:?} where {place} needs {wanted:?}")) }
}

fn result_type(name: &str, types: &[Type]) -> Result<Type, String> {
    match (name, types) {
        (op::LOGICAL_AND | op::LOGICAL_OR, [a, b]) => same(*a, Type::Bool, name).and(same(*b, Type::Bool, name)),
        (op::LOGICAL_NOT, [a]) => same(*a, Type::Bool, name),
        (op::EQUALS | op::NOT_EQUALS, [a, b]) if a == b || *a == Type::Null || *b == Type::Null => Ok(Type::Bool),
        (op::LESS | op::LESS_EQUALS | op::GREATER | op::GREATER_EQUALS, [a, b])
            if a == b && matches!(a, Type::Int | Type::Float | Type::Text) =>
        {
            Ok(Type::Bool)
        }
        (op::ADD, [Type::Text, Type::Text]) => Ok(Type::Text),
        (op::ADD | op::SUBSTRACT | op::MULTIPLY, [a, b]) if a == b && matches!(a, Type::Int | Type::Float) => Ok(*a),
        (op::NEGATE, [a]) if matches!(a, Type::Int | Type::Float) => Ok(*a),
        (op::CONDITIONAL, [Type::Bool, a, b]) if a == b => Ok(*a),
        (op::IN, [Type::Text, Type::Texts]) => Ok(Type::Bool),
        ("size", [Type::Text | Type::Texts]) | ("years" | "months" | "minutes", [Type::Text, Type::Text]) => {
            Ok(Type::Int)
        }
        _ => Err(format!("uses {name} on {types:?}, which forms may not")),
    }
}

#[cfg(test)]
mod tests {
    use super::{full_minutes, full_months, full_years};

    #[test]
    fn months_and_years_clamp_to_the_end_of_the_month() {
        assert_eq!(full_years("2008-02-29", "2026-02-27"), Some(17));
        assert_eq!(full_years("2008-02-29", "2026-02-28"), Some(18), "29 February comes on the 28th");
        assert_eq!(full_months("2026-01-31", "2026-02-27"), Some(0));
        assert_eq!(full_months("2026-01-31", "2026-02-28"), Some(1));
        assert_eq!(full_months("2024-02-29", "2025-02-28"), Some(12));
        assert_eq!(full_months("1966-02-10", "2026-02-10"), Some(720));
    }

    #[test]
    fn counting_backwards_rounds_down() {
        assert_eq!(full_months("2026-03-01", "2026-02-28"), Some(-1));
        assert_eq!(full_months("2026-03-01", "2026-02-01"), Some(-1));
        assert_eq!(full_months("2026-03-01", "2026-01-31"), Some(-2));
        assert_eq!(full_years("2026-03-01", "2026-02-28"), Some(-1));
        assert_eq!(full_minutes("21:15", "19:30"), Some(-105));
    }

    #[test]
    fn what_is_no_date_has_no_answer() {
        assert_eq!(full_months("2026-02-30", "2026-03-01"), None);
        assert_eq!(full_minutes("25:00", "19:30"), None);
    }
}
