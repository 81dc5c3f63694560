//! Expressions as they run: the tree of CEL that `rule.rs` has checked, with each operator and variable found once, at
//! publication, instead of by its name at every step. Reads values where they stand.
//!
//! Means what the CEL crate means by the same tree, errors included (`None` here; the words are the crate's, at
//! publication). `program_tests.rs` holds the two against each other.

use super::rule::{Scope, Type, full_minutes, full_months, full_years};
use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue, operators as op};
use serde_json::Value;
use std::borrow::Cow;
use std::cmp::Ordering;

/// A value while an expression runs.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Operand<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Cow<'a, str>),
    List(Vec<Operand<'a>>),
}

/// One step.
#[derive(Debug)]
pub(super) enum Node {
    Constant(Operand<'static>),
    Variable(String, Type),
    List(Vec<Node>),
    /// Either operand may fail while the other decides: true decides `or`, false `and`.
    Junction {
        decides: bool,
        sides: Box<[Node; 2]>,
    },
    Not(Box<Node>),
    Equality {
        equal: bool,
        sides: Box<[Node; 2]>,
    },
    Order {
        fits: fn(Ordering) -> bool,
        sides: Box<[Node; 2]>,
    },
    Arithmetic {
        whole: fn(i64, i64) -> Option<i64>,
        real: fn(f64, f64) -> f64,
        sides: Box<[Node; 2]>,
    },
    Sum(Box<[Node; 2]>),
    Negate(Box<Node>),
    Choice(Box<[Node; 3]>),
    In(Box<[Node; 2]>),
    Size(Box<Node>),
    Span {
        count: fn(&str, &str) -> Option<i64>,
        sides: Box<[Node; 2]>,
    },
}

impl Node {
    /// Of a checked tree; `kind` tells the type of a variable. None of what the check does not let pass.
    pub(super) fn of(tree: &IdedExpr, kind: &impl Fn(&str) -> Option<Type>) -> Option<Self> {
        Some(match &tree.expr {
            Expr::Literal(literal) => Self::Constant(constant(literal)?),
            Expr::Ident(name) => Self::Variable(name.clone(), kind(name)?),
            Expr::Select(select) => {
                let Expr::Ident(root) = &select.operand.expr else { return None };
                let name = format!("{root}.{}", select.field);
                let kind = kind(&name)?;
                Self::Variable(name, kind)
            }
            Expr::List(list) => Self::List(list.elements.iter().map(|e| Self::of(e, kind)).collect::<Option<_>>()?),
            Expr::Call(call) => Self::of_call(call, kind)?,
            _ => return None,
        })
    }

    fn of_call(call: &CallExpr, kind: &impl Fn(&str) -> Option<Type>) -> Option<Self> {
        let arguments = call.args.iter().map(|argument| Self::of(argument, kind)).collect::<Option<Vec<_>>>()?;
        match <[Self; 1]>::try_from(arguments) {
            Ok([one]) => Self::of_one(&call.func_name, Box::new(one)),
            Err(arguments) => match <[Self; 2]>::try_from(arguments) {
                Ok(sides) => Self::of_two(&call.func_name, Box::new(sides)),
                Err(arguments) => {
                    let choice = <[Self; 3]>::try_from(arguments).ok().filter(|_| call.func_name == op::CONDITIONAL)?;
                    Some(Self::Choice(Box::new(choice)))
                }
            },
        }
    }

    fn of_one(name: &str, argument: Box<Self>) -> Option<Self> {
        Some(match name {
            op::LOGICAL_NOT => Self::Not(argument),
            op::NEGATE => Self::Negate(argument),
            "size" => Self::Size(argument),
            _ => return None,
        })
    }

    fn of_two(name: &str, sides: Box<[Self; 2]>) -> Option<Self> {
        Some(match name {
            op::LOGICAL_OR => Self::Junction { decides: true, sides },
            op::LOGICAL_AND => Self::Junction { decides: false, sides },
            op::EQUALS => Self::Equality { equal: true, sides },
            op::NOT_EQUALS => Self::Equality { equal: false, sides },
            op::LESS => Self::Order { fits: Ordering::is_lt, sides },
            op::LESS_EQUALS => Self::Order { fits: Ordering::is_le, sides },
            op::GREATER => Self::Order { fits: Ordering::is_gt, sides },
            op::GREATER_EQUALS => Self::Order { fits: Ordering::is_ge, sides },
            op::ADD => Self::Sum(sides),
            op::SUBSTRACT => Self::Arithmetic { whole: i64::checked_sub, real: |a, b| a - b, sides },
            op::MULTIPLY => Self::Arithmetic { whole: i64::checked_mul, real: |a, b| a * b, sides },
            op::IN => Self::In(sides),
            "years" => Self::Span { count: full_years, sides },
            "months" => Self::Span { count: full_months, sides },
            "minutes" => Self::Span { count: full_minutes, sides },
            _ => return None,
        })
    }

    /// Its value; none when it has none.
    pub(super) fn run<'a>(&'a self, scope: &'a dyn Scope) -> Option<Operand<'a>> {
        Some(match self {
            Self::Constant(constant) => constant.borrowed(),
            Self::Variable(name, kind) => Operand::of(scope.value(name), *kind),
            Self::List(elements) => Operand::List(elements.iter().map(|e| e.run(scope)).collect::<Option<_>>()?),
            Self::Junction { decides, sides } => Operand::Bool(junction(*decides, sides, scope)?),
            Self::Not(argument) => Operand::Bool(!argument.holds(scope)?),
            Self::Equality { equal, sides } => Operand::Bool((sides[0].run(scope)? == sides[1].run(scope)?) == *equal),
            Self::Order { fits, sides } => Operand::Bool(fits(sides[0].run(scope)?.compare(&sides[1].run(scope)?)?)),
            Self::Sum(sides) => sides[0].run(scope)?.plus(sides[1].run(scope)?)?,
            Self::Arithmetic { whole, real, sides } => match (sides[0].run(scope)?, sides[1].run(scope)?) {
                (Operand::Int(a), Operand::Int(b)) => Operand::Int(whole(a, b)?),
                (Operand::Float(a), Operand::Float(b)) => Operand::Float(real(a, b)),
                _ => return None,
            },
            Self::Negate(argument) => match argument.run(scope)? {
                Operand::Int(number) => Operand::Int(number.checked_neg()?),
                Operand::Float(number) => Operand::Float(-number),
                _ => return None,
            },
            Self::Choice(parts) => return parts[if parts[0].holds(scope)? { 1 } else { 2 }].run(scope),
            Self::In(sides) => match (sides[0].run(scope)?, sides[1].run(scope)?) {
                (wanted, Operand::List(list)) => Operand::Bool(list.contains(&wanted)),
                _ => return None,
            },
            Self::Size(argument) => Operand::Int(argument.run(scope)?.size()?),
            Self::Span { count, sides } => match (sides[0].run(scope)?, sides[1].run(scope)?) {
                (Operand::Text(a), Operand::Text(b)) => Operand::Int(count(&a, &b)?),
                _ => return None,
            },
        })
    }

    /// Whether it holds; none when it is neither true nor false.
    pub(super) fn holds(&self, scope: &dyn Scope) -> Option<bool> {
        match self.run(scope) {
            Some(Operand::Bool(holds)) => Some(holds),
            _ => None,
        }
    }
}

/// The right side is asked only when the left one does not decide; it alone may then decide over a left one that failed.
fn junction(decides: bool, sides: &[Node; 2], scope: &dyn Scope) -> Option<bool> {
    let left = sides[0].holds(scope);
    if left == Some(decides) {
        return left;
    }
    let right = sides[1].holds(scope)?;
    (right == decides || left.is_some()).then_some(right)
}

fn constant(literal: &LiteralValue) -> Option<Operand<'static>> {
    Some(match literal {
        LiteralValue::Null => Operand::Null,
        LiteralValue::Boolean(flag) => Operand::Bool(*flag.inner()),
        LiteralValue::Int(number) => Operand::Int(*number.inner()),
        LiteralValue::Double(number) => Operand::Float(*number.inner()),
        LiteralValue::String(text) => Operand::Text(Cow::Owned(text.inner().to_owned())),
        LiteralValue::Bytes(_) | LiteralValue::UInt(_) => return None,
    })
}

impl<'a> Operand<'a> {
    /// A value of the form, by its type there: the same JSON `3` is an integer here and a decimal there.
    fn of(value: &'a Value, kind: Type) -> Self {
        match (value, kind) {
            (Value::Bool(flag), _) => Self::Bool(*flag),
            (Value::Number(number), Type::Int) => number.as_i64().map_or(Self::Null, Self::Int),
            (Value::Number(number), _) => number.as_f64().map_or(Self::Null, Self::Float),
            (Value::String(text), _) => Self::Text(Cow::Borrowed(text)),
            (Value::Array(entries), _) => Self::List(entries.iter().map(|entry| Self::of(entry, Type::Text)).collect()),
            (Value::Null | Value::Object(_), _) => Self::Null,
        }
    }

    /// As a value of the form; none of a list, which nothing yields.
    pub(super) fn into_value(self) -> Option<Value> {
        Some(match self {
            Self::Null => Value::Null,
            Self::Bool(flag) => Value::Bool(flag),
            Self::Int(number) => Value::from(number),
            Self::Float(number) => super::value::canonical_number(number)?,
            Self::Text(text) => Value::String(text.into_owned()),
            Self::List(_) => return None,
        })
    }

    /// The same, of a constant, without a copy.
    fn borrowed(&'a self) -> Self {
        match self {
            Self::Text(text) => Self::Text(Cow::Borrowed(text)),
            other => other.clone(),
        }
    }

    fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => Some(a.cmp(b)),
            (Self::Int(a), Self::Int(b)) => Some(a.cmp(b)),
            (Self::Float(a), Self::Float(b)) => a.partial_cmp(b),
            (Self::Text(a), Self::Text(b)) => Some(a.cmp(b)),
            _ => None,
        }
    }

    fn plus(self, other: Self) -> Option<Self> {
        Some(match (self, other) {
            (Self::Int(a), Self::Int(b)) => Self::Int(a.checked_add(b)?),
            (Self::Float(a), Self::Float(b)) => Self::Float(a + b),
            (Self::Text(a), Self::Text(b)) => Self::Text(Cow::Owned([&*a, &*b].concat())),
            (Self::List(a), Self::List(b)) => Self::List([a, b].concat()),
            _ => return None,
        })
    }

    fn size(&self) -> Option<i64> {
        match self {
            Self::Text(text) => i64::try_from(text.chars().count()).ok(),
            Self::List(entries) => i64::try_from(entries.len()).ok(),
            _ => None,
        }
    }
}
