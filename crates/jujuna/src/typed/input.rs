//! What serde reads from: the JSON of an option or parameter, or the text of a databag's value.

use serde::de::value::{MapDeserializer, SeqDeserializer, StrDeserializer};
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error as _, Expected, IntoDeserializer, MapAccess,
    Unexpected, VariantAccess, Visitor,
};
use serde_json::Value;

use super::Misfit;

/// One value.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Input<'a> {
    /// An option's or parameter's, which has a type.
    Json(&'a Value),
    /// A databag's: numbers and booleans are in words, all that is not a word in JSON.
    Text(&'a str),
}

/// Named values, in an order.
#[derive(Debug)]
pub(crate) struct Fields<'a> {
    entries: Vec<(&'a str, Input<'a>)>,
    /// Refuse to go on after the last one.
    stop: bool,
}

impl<'a> Fields<'a> {
    pub(crate) fn new(entries: impl IntoIterator<Item = (&'a str, Input<'a>)>) -> Self {
        Self {
            entries: entries.into_iter().collect(),
            stop: false,
        }
    }

    pub(super) fn one(name: &'a str, input: Input<'a>) -> Self {
        Self {
            entries: vec![(name, input)],
            stop: true,
        }
    }

    pub(super) fn entries(&self) -> &[(&'a str, Input<'a>)] {
        &self.entries
    }
}

macro_rules! to_map {
    ($($method:ident($($argument:ident: $type:ty),*))*) => {$(
        fn $method<V: Visitor<'de>>(self, $($argument: $type,)* visitor: V) -> Result<V::Value, Misfit> {
            $(let _ = $argument;)*
            self.deserialize_any(visitor)
        }
    )*};
}

impl<'de> Deserializer<'de> for &Fields<'_> {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_map(Access {
            fields: self,
            next: 0,
        })
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_unit()
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        self.deserialize_any(visitor)
    }

    to_map! {
        deserialize_bool() deserialize_i8() deserialize_i16() deserialize_i32() deserialize_i64() deserialize_i128()
        deserialize_u8() deserialize_u16() deserialize_u32() deserialize_u64() deserialize_u128()
        deserialize_f32() deserialize_f64() deserialize_char() deserialize_str() deserialize_string()
        deserialize_bytes() deserialize_byte_buf() deserialize_seq() deserialize_map() deserialize_identifier()
        deserialize_ignored_any()
        deserialize_unit_struct(name: &'static str)
        deserialize_tuple(length: usize)
        deserialize_tuple_struct(name: &'static str, length: usize)
        deserialize_struct(name: &'static str, fields: &'static [&'static str])
    }
}

struct Access<'f, 'a> {
    fields: &'f Fields<'a>,
    next: usize,
}

impl<'de> MapAccess<'de> for Access<'_, '_> {
    type Error = Misfit;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Misfit> {
        match self.fields.entries.get(self.next) {
            Some((name, _)) => seed.deserialize(StrDeserializer::new(name)).map(Some),
            None if self.fields.stop => Err(Misfit::Stopped),
            None => Ok(None),
        }
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Misfit> {
        let Some((_, input)) = self.fields.entries.get(self.next) else {
            return Err(Misfit::custom("a value was asked for before its key"));
        };
        self.next += 1;
        seed.deserialize(*input)
    }
}

impl IntoDeserializer<'_, Misfit> for Input<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl Input<'_> {
    fn refuse<T>(self, expected: &dyn Expected) -> Result<T, Misfit> {
        let unexpected = match self {
            Self::Text(_) | Self::Json(Value::String(_)) => Unexpected::Str(""),
            Self::Json(Value::Null) => Unexpected::Unit,
            Self::Json(Value::Bool(value)) => Unexpected::Bool(*value),
            Self::Json(Value::Number(number)) if number.is_f64() => Unexpected::Float(0.0),
            Self::Json(Value::Number(_)) => Unexpected::Signed(0),
            Self::Json(Value::Array(_)) => Unexpected::Seq,
            Self::Json(Value::Object(_)) => Unexpected::Map,
        };
        Err(Misfit::invalid_type(unexpected, expected))
    }

    /// Reads a number; one that is whole may stand as a float, or in a databag as text.
    fn number<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        let parsed;
        let number = match self {
            Self::Json(Value::Number(number)) => number,
            Self::Text(text) => {
                let Ok(number) = text.parse() else {
                    return self.refuse(&visitor);
                };
                parsed = number;
                &parsed
            }
            Self::Json(_) => return self.refuse(&visitor),
        };
        match (number.as_u64(), number.as_i64(), number.as_f64()) {
            (Some(number), ..) => visitor.visit_u64(number),
            (_, Some(number), _) => visitor.visit_i64(number),
            (.., Some(number)) => match whole(number) {
                Some(number) => visitor.visit_i64(number),
                None => visitor.visit_f64(number),
            },
            _ => Err(Misfit::invalid_value(Unexpected::Float(0.0), &visitor)),
        }
    }

    /// Reads what only JSON can say. `read` gets it parsed.
    fn nested<T>(
        self,
        expected: &dyn Expected,
        read: impl FnOnce(&Value) -> Result<T, Misfit>,
    ) -> Result<T, Misfit> {
        match self {
            Self::Json(value) => read(value),
            Self::Text(text) => match serde_json::from_str(text) {
                Ok(value) => read(&value),
                Err(_) => self.refuse(expected),
            },
        }
    }
}

/// Returns a whole number that stands as a float, if it is one that a float tells exactly.
#[expect(
    clippy::cast_possible_truncation,
    reason = "it is whole and within 53 bits"
)]
fn whole(number: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    (number.fract() == 0.0 && number.abs() <= EXACT).then_some(number as i64)
}

macro_rules! by {
    ($reader:ident: $($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
            self.$reader(visitor)
        }
    )*};
}

impl<'de> Deserializer<'de> for Input<'_> {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self {
            Self::Text(text) => visitor.visit_str(text),
            Self::Json(Value::Null) => visitor.visit_unit(),
            Self::Json(Value::Bool(value)) => visitor.visit_bool(*value),
            Self::Json(Value::Number(_)) => self.number(visitor),
            Self::Json(Value::String(text)) => visitor.visit_str(text),
            Self::Json(Value::Array(values)) => {
                visitor.visit_seq(SeqDeserializer::new(values.iter().map(Input::Json)))
            }
            Self::Json(Value::Object(values)) => visitor.visit_map(MapDeserializer::new(
                values
                    .iter()
                    .map(|(key, value)| (key.as_str(), Input::Json(value))),
            )),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self {
            Self::Json(Value::Bool(value)) => visitor.visit_bool(*value),
            // Python's charms write True.
            Self::Text("true" | "True") => visitor.visit_bool(true),
            Self::Text("false" | "False") => visitor.visit_bool(false),
            _ => self.refuse(&visitor),
        }
    }

    by!(number: deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128 deserialize_u8
        deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128 deserialize_f32 deserialize_f64);
    by!(deserialize_any: deserialize_char deserialize_str deserialize_string deserialize_bytes deserialize_byte_buf
        deserialize_identifier);

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self {
            Self::Json(Value::Null) => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self {
            Self::Json(Value::Null) => visitor.visit_unit(),
            _ => self.refuse(&visitor),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        let wanted = (&visitor as &dyn Expected).to_string();
        self.nested(&wanted.as_str(), |value| {
            Input::Json(value).deserialize_any(visitor)
        })
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _length: usize,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _length: usize,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        match self {
            Self::Text(text) if !text.starts_with('{') => {
                visitor.visit_enum(StrDeserializer::new(text))
            }
            Self::Json(Value::String(text)) => {
                visitor.visit_enum(StrDeserializer::new(text.as_str()))
            }
            _ => {
                let wanted = (&visitor as &dyn Expected).to_string();
                self.nested(&wanted.as_str(), |value| match value.as_object() {
                    Some(map) if map.len() == 1 => visitor.visit_enum(Variant(map.iter().next())),
                    _ => Input::Json(value).refuse(&visitor),
                })
            }
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_unit()
    }
}

/// A variant that holds something, as serde writes it: a map of its name alone.
struct Variant<'a>(Option<(&'a String, &'a Value)>);

impl<'de, 'a> EnumAccess<'de> for Variant<'a> {
    type Error = Misfit;
    type Variant = VariantContent<'a>;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, VariantContent<'a>), Misfit> {
        let Some((name, value)) = self.0 else {
            return Err(Misfit::custom("it is empty"));
        };
        let name = seed.deserialize(StrDeserializer::new(name))?;
        Ok((name, VariantContent(value)))
    }
}

struct VariantContent<'a>(&'a Value);

impl<'de> VariantAccess<'de> for VariantContent<'_> {
    type Error = Misfit;

    fn unit_variant(self) -> Result<(), Misfit> {
        match self.0 {
            Value::Null => Ok(()),
            value => Input::Json(value).refuse(&"a variant without content"),
        }
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Misfit> {
        seed.deserialize(Input::Json(self.0))
    }

    fn tuple_variant<V: Visitor<'de>>(
        self,
        _length: usize,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        Input::Json(self.0).deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        Input::Json(self.0).deserialize_any(visitor)
    }
}
