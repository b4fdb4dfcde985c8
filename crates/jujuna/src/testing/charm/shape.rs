//! What fields a type has, and of which kind, found out by letting serde read nothing into it.

use std::cell::RefCell;

use serde::de::value::StrDeserializer;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, Visitor};

use crate::typed::Misfit;

/// What a field can take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Bool,
    Integer,
    Number,
    Text,
    List,
    Map,
    /// It looks at the value itself.
    Any,
}

/// A field of a type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) optional: bool,
}

/// Returns the fields of a type that derives `Deserialize`; none for one that takes any field, such as a map.
pub(super) fn fields<T: DeserializeOwned>() -> Vec<Field> {
    let names = Notes::default();
    let _ = T::deserialize(Names(&names));
    let names = names.0.into_inner();
    names
        .into_iter()
        .filter_map(|name| {
            let found = RefCell::new(None);
            let _ = T::deserialize(Only {
                name,
                found: &found,
            });
            let (kind, optional) = found.into_inner()?;
            Some(Field {
                name: name.to_owned(),
                kind,
                optional,
            })
        })
        .collect()
}

#[derive(Default)]
struct Notes(RefCell<Vec<&'static str>>);

/// Notes the names of a struct's fields, then refuses.
struct Names<'n>(&'n Notes);

macro_rules! each_is {
    ($visitor:ident, $self:ident => $answer:expr; $($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>($self, $visitor: V) -> Result<V::Value, Misfit> {
            $answer
        }
    )*};
}

impl<'de> Deserializer<'de> for Names<'_> {
    type Error = Misfit;

    each_is! { _visitor, self => Err(Misfit::Stopped);
        deserialize_any deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_f32 deserialize_f64
        deserialize_char deserialize_str deserialize_string deserialize_bytes deserialize_byte_buf deserialize_unit
        deserialize_seq deserialize_map deserialize_identifier deserialize_ignored_any
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_some(self)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _visitor: V,
    ) -> Result<V::Value, Misfit> {
        Err(Misfit::Stopped)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _length: usize,
        _visitor: V,
    ) -> Result<V::Value, Misfit> {
        Err(Misfit::Stopped)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _length: usize,
        _visitor: V,
    ) -> Result<V::Value, Misfit> {
        Err(Misfit::Stopped)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, Misfit> {
        self.0.0.borrow_mut().extend(fields);
        Err(Misfit::Stopped)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, Misfit> {
        Err(Misfit::Stopped)
    }
}

/// Gives a struct one field, and notes what it is read as.
struct Only<'f> {
    name: &'static str,
    found: &'f RefCell<Option<(Kind, bool)>>,
}

impl<'de> Deserializer<'de> for Only<'_> {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_map(self)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct enum identifier ignored_any
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
}

impl<'de> MapAccess<'de> for Only<'_> {
    type Error = Misfit;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Misfit> {
        seed.deserialize(StrDeserializer::new(self.name)).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Misfit> {
        seed.deserialize(Probe {
            found: self.found,
            optional: false,
        })
    }
}

/// Notes as what it is asked to be read, then refuses.
struct Probe<'f> {
    found: &'f RefCell<Option<(Kind, bool)>>,
    optional: bool,
}

impl Probe<'_> {
    fn note<T>(self, kind: Kind) -> Result<T, Misfit> {
        *self.found.borrow_mut() = Some((kind, self.optional));
        Err(Misfit::Stopped)
    }
}

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = Misfit;

    each_is! { _visitor, self => self.note(Kind::Bool); deserialize_bool }
    each_is! { _visitor, self => self.note(Kind::Integer);
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
    }
    each_is! { _visitor, self => self.note(Kind::Number); deserialize_f32 deserialize_f64 }
    each_is! { _visitor, self => self.note(Kind::Text);
        deserialize_char deserialize_str deserialize_string deserialize_bytes deserialize_byte_buf
        deserialize_identifier
    }
    each_is! { _visitor, self => self.note(Kind::List); deserialize_seq }
    each_is! { _visitor, self => self.note(Kind::Map); deserialize_map }
    each_is! { _visitor, self => self.note(Kind::Any);
        deserialize_any deserialize_ignored_any deserialize_unit
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_some(Self {
            optional: true,
            ..self
        })
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _visitor: V,
    ) -> Result<V::Value, Misfit> {
        self.note(Kind::Any)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _length: usize,
        _visitor: V,
    ) -> Result<V::Value, Misfit> {
        self.note(Kind::List)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _length: usize,
        _visitor: V,
    ) -> Result<V::Value, Misfit> {
        self.note(Kind::List)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, Misfit> {
        self.note(Kind::Map)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, Misfit> {
        self.note(Kind::Text)
    }
}
