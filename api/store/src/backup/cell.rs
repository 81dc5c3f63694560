//! How a value of a row is written in a line, and read again.

use crate::columns::{Id, Instant, Json};
use chrono::{DateTime, NaiveDate};
use serde_json::Value;

/// A value of a row as it stands in a line.
pub(super) trait Cell: Sized {
    fn to_cell(self) -> Value;
    fn of(cell: Value) -> Option<Self>;
}

impl Cell for String {
    fn to_cell(self) -> Value {
        Value::String(self)
    }
    fn of(cell: Value) -> Option<Self> {
        if let Value::String(text) = cell { Some(text) } else { None }
    }
}

impl Cell for i64 {
    fn to_cell(self) -> Value {
        self.into()
    }
    fn of(cell: Value) -> Option<Self> {
        cell.as_i64()
    }
}

impl Cell for i32 {
    fn to_cell(self) -> Value {
        self.into()
    }
    fn of(cell: Value) -> Option<Self> {
        cell.as_i64()?.try_into().ok()
    }
}

impl Cell for bool {
    fn to_cell(self) -> Value {
        self.into()
    }
    fn of(cell: Value) -> Option<Self> {
        cell.as_bool()
    }
}

impl Cell for Id {
    fn to_cell(self) -> Value {
        self.0.to_string().into()
    }
    fn of(cell: Value) -> Option<Self> {
        cell.as_str()?.parse().ok().map(Self)
    }
}

impl Cell for Instant {
    fn to_cell(self) -> Value {
        self.0.timestamp_micros().into()
    }
    fn of(cell: Value) -> Option<Self> {
        DateTime::from_timestamp_micros(cell.as_i64()?).map(Self)
    }
}

impl Cell for NaiveDate {
    fn to_cell(self) -> Value {
        self.to_string().into()
    }
    fn of(cell: Value) -> Option<Self> {
        cell.as_str()?.parse().ok()
    }
}

impl Cell for Json {
    fn to_cell(self) -> Value {
        self.0.into()
    }
    fn of(cell: Value) -> Option<Self> {
        String::of(cell).map(Self)
    }
}

impl Cell for Vec<u8> {
    fn to_cell(self) -> Value {
        hex(&self).into()
    }
    fn of(cell: Value) -> Option<Self> {
        let digits = cell.as_str()?.as_bytes();
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let (pairs, rest) = digits.as_chunks::<2>();
        rest.is_empty().then_some(())?;
        pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
    }
}

impl<T: Cell> Cell for Option<T> {
    fn to_cell(self) -> Value {
        self.map_or(Value::Null, T::to_cell)
    }
    fn of(cell: Value) -> Option<Self> {
        if cell.is_null() { Some(None) } else { T::of(cell).map(Some) }
    }
}

/// In hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}
