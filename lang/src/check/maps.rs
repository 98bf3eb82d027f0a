//! The maps of a script and what is known about their keys and values.
//!
//! The types of a map follow from all its uses in all probes, so this table lives through all passes of the checker; each
//! use adds what it knows, and the checker repeats its pass until nothing is added any more.

use crate::ast::Name;
use crate::check::infer::{self, Inferred};
use crate::hir::{Agg, Expr, ExprKind, Map, MapId, MapValue};
use crate::span::Span;
use crate::types::{StackMode, Type};
use std::collections::HashMap;

/// All maps, in order of first use.
#[derive(Debug, Default)]
pub(crate) struct Maps {
    pub list: Vec<MapInfo>,
    by_name: HashMap<String, MapId>,
    /// Something became known in this pass.
    pub changed: bool,
}

/// What is known about a map.
#[derive(Debug)]
pub(crate) struct MapInfo {
    pub name: String,
    /// First use.
    pub span: Span,
    /// The key and where it was first seen.
    pub key: Option<(Key, Span)>,
    /// The value and where it was first assigned.
    pub value: Option<(Value, Span)>,
    /// Keyed by `callid`.
    pub lru: bool,
    /// An assignment whose value has no type yet, because it depends on the map itself (`@n = @n + 5`).
    pub pending: Option<Span>,
}

/// What a map is indexed by.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Key {
    /// Nothing: a single value.
    Scalar,
    /// Keys of this type.
    Keyed(Type),
}

/// What a map holds.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Value {
    Plain(Inferred),
    Agg {
        agg: Agg,
        /// Its signedness comes from literals only.
        weak: bool,
    },
}

/// A use of a map that does not go with the others.
#[derive(Debug)]
pub(crate) struct Conflict {
    /// What the others say: `is a count`, `has no key`.
    pub other: String,
    /// Where they say it.
    pub at: Span,
}

impl Maps {
    /// The map of that name; a new one at its first use.
    pub fn id(&mut self, name: &Name) -> MapId {
        if let Some(id) = self.by_name.get(&name.text) {
            return *id;
        }
        self.changed = true;
        let id = MapId(self.list.len() as u32);
        self.by_name.insert(name.text.clone(), id);
        self.list.push(MapInfo {
            name: name.text.clone(),
            span: name.span,
            key: None,
            value: None,
            lru: false,
            pending: None,
        });
        id
    }

    pub fn get(&self, id: MapId) -> &MapInfo {
        &self.list[id.0 as usize]
    }

    /// Whether the map is known to have keys.
    pub fn is_keyed(&self, id: MapId) -> bool {
        matches!(self.get(id).key, Some((Key::Keyed(_), _)))
    }

    /// The type of the keys, if the map is known to have some.
    pub fn keys(&self, id: MapId) -> Option<Type> {
        match &self.get(id).key {
            Some((Key::Keyed(ty), _)) => Some(ty.clone()),
            _ => None,
        }
    }

    /// Whether the map is known to have no keys.
    pub fn is_scalar(&self, id: MapId) -> bool {
        self.get(id).is_scalar()
    }

    /// Whether the map holds one stack.
    pub fn is_stack(&self, id: MapId) -> bool {
        let info = self.get(id);
        self.is_scalar(id)
            && matches!(&info.value, Some((Value::Plain(i), _)) if matches!(i.ty, Type::Stack { .. }))
    }

    /// Takes note of a key and brings it to the type of the map's keys.
    pub fn key(&mut self, id: MapId, key: Option<Expr>, span: Span) -> Result<Option<Expr>, Conflict> {
        let info = &mut self.list[id.0 as usize];
        let seen = match &key {
            Some(key) => Key::Keyed(key.ty.clone()),
            None => Key::Scalar,
        };
        let joined = match (&info.key, &seen) {
            (None, _) => Some(seen),
            (Some((Key::Scalar, _)), Key::Scalar) => Some(Key::Scalar),
            (Some((Key::Keyed(a), _)), Key::Keyed(b)) => infer::join(a, b).map(Key::Keyed),
            _ => None,
        };
        let Some(joined) = joined else {
            let (known, at) = info.key.clone().unwrap_or((Key::Scalar, span));
            let other = match known {
                Key::Scalar => "has no key".to_owned(),
                Key::Keyed(ty) => keyed_by(&ty),
            };
            return Err(Conflict { other, at });
        };
        let lru = key.as_ref().is_some_and(holds_callid);
        if info.key.as_ref().map(|(k, _)| k) != Some(&joined) || (lru && !info.lru) {
            self.changed = true;
        }
        info.lru |= lru;
        let at = info.key.as_ref().map_or(span, |(_, at)| *at);
        let conflict = |other: &Type| Conflict { other: keyed_by(other), at };
        let key = match (key, &joined) {
            (Some(key), Key::Keyed(ty)) => Some(infer::coerce(key, ty).ok_or_else(|| conflict(ty))?),
            _ => None,
        };
        info.key = Some((joined, at));
        Ok(key)
    }

    /// Takes note of an assigned value; gives the type of the map's values.
    pub fn plain(&mut self, id: MapId, value: &Inferred, span: Span) -> Result<Type, Conflict> {
        let info = &mut self.list[id.0 as usize];
        let (joined, at) = match &info.value {
            None => (Some(value.clone()), span),
            Some((Value::Plain(known), at)) => (known.join(value), *at),
            Some((Value::Agg { .. }, at)) => (None, *at),
        };
        let Some(joined) = joined else {
            return Err(Conflict { other: info.holds(), at });
        };
        let ty = joined.ty.clone();
        let value = Value::Plain(joined);
        if info.value.as_ref().map(|(v, _)| v) != Some(&value) {
            self.changed = true;
            info.value = Some((value, at));
        }
        Ok(ty)
    }

    /// Decides for maps that only their own values say something about: they hold numbers. Gives whether there were any.
    pub fn settle(&mut self) -> bool {
        let mut settled = false;
        for info in self.list.iter_mut().filter(|info| info.value.is_none()) {
            if let Some(at) = info.pending {
                info.value = Some((Value::Plain(Inferred { ty: Type::I64, weak: true }), at));
                settled = true;
            }
        }
        settled
    }

    /// Takes note of an aggregation; gives the map's, whose sign all updates together determine.
    pub fn aggregate(&mut self, id: MapId, agg: Agg, weak: bool, span: Span) -> Result<Agg, Conflict> {
        let info = &mut self.list[id.0 as usize];
        let (joined, at) = match &info.value {
            None => (Some((agg, weak)), span),
            Some((Value::Agg { agg: known, weak: known_weak }, at)) => {
                (join_aggs((*known, *known_weak), (agg, weak)), *at)
            }
            Some((Value::Plain(_), at)) => (None, *at),
        };
        let Some((agg, weak)) = joined else {
            return Err(Conflict { other: info.holds(), at });
        };
        let value = Value::Agg { agg, weak };
        if info.value.as_ref().map(|(v, _)| v) != Some(&value) {
            self.changed = true;
            info.value = Some((value, at));
        }
        Ok(agg)
    }

    /// The maps for the typed program.
    pub fn finish(self) -> Vec<Map> {
        let maps = self.list.into_iter().map(|info| Map {
            name: info.name,
            key: match info.key {
                Some((Key::Keyed(ty), _)) => Some(ty),
                _ => None,
            },
            value: match info.value {
                Some((Value::Agg { agg, .. }, _)) => MapValue::Agg(agg),
                Some((Value::Plain(inferred), _)) => MapValue::Plain(inferred.ty),
                // A map that is never assigned is an error unless it is only cleared or printed; it stays empty.
                None => MapValue::Plain(Type::I64),
            },
            lru: info.lru,
            entries: None,
            span: info.span,
        });
        maps.collect()
    }
}

impl MapInfo {
    /// Whether the map is known to have no keys.
    pub fn is_scalar(&self) -> bool {
        matches!(self.key, Some((Key::Scalar, _)))
    }

    /// What the map holds, for messages: `holds a count`.
    pub fn holds(&self) -> String {
        match &self.value {
            Some((Value::Agg { agg, .. }, _)) => format!("holds {}", describe(*agg)),
            Some((Value::Plain(inferred), _)) => format!("holds {}", with_article(&inferred.ty)),
            None => "holds nothing".into(),
        }
    }
}

/// Two updates of one map: the same aggregation with the same parameters, signed if one of them is.
fn join_aggs(a: (Agg, bool), b: (Agg, bool)) -> Option<(Agg, bool)> {
    let (sign_a, sign_b) = (agg_signed(a.0), agg_signed(b.0));
    let signed = match (a.1, b.1) {
        (true, false) => sign_b,
        (false, true) => sign_a,
        _ => sign_a || sign_b,
    };
    let joined = with_sign(a.0, signed);
    (joined == with_sign(b.0, signed)).then_some((joined, a.1 && b.1))
}

/// The function that makes an aggregation.
pub(crate) fn agg_name(agg: Agg) -> &'static str {
    match agg {
        Agg::Count => "count",
        Agg::Sum { .. } => "sum",
        Agg::Min { .. } => "min",
        Agg::Max { .. } => "max",
        Agg::Avg { .. } => "avg",
        Agg::Stats { .. } => "stats",
        Agg::Hist { .. } => "hist",
        Agg::Lhist { .. } => "lhist",
        Agg::Tseries { .. } => "tseries",
    }
}

/// Whether the aggregated values are signed.
pub(crate) fn agg_signed(agg: Agg) -> bool {
    match agg {
        Agg::Sum { signed }
        | Agg::Min { signed }
        | Agg::Max { signed }
        | Agg::Avg { signed }
        | Agg::Stats { signed }
        | Agg::Tseries { signed, .. } => signed,
        Agg::Count => false,
        Agg::Hist { .. } | Agg::Lhist { .. } => true,
    }
}

fn with_sign(agg: Agg, signed: bool) -> Agg {
    match agg {
        Agg::Sum { .. } => Agg::Sum { signed },
        Agg::Min { .. } => Agg::Min { signed },
        Agg::Max { .. } => Agg::Max { signed },
        Agg::Avg { .. } => Agg::Avg { signed },
        Agg::Stats { .. } => Agg::Stats { signed },
        Agg::Tseries { interval, count, of, .. } => Agg::Tseries { interval, count, of, signed },
        other => other,
    }
}

/// Whether the number of the current call is part of a key.
fn holds_callid(key: &Expr) -> bool {
    matches!(key.kind, ExprKind::Builtin(crate::hir::Builtin::CallId))
        || key.children().into_iter().any(holds_callid)
}

/// An aggregation with its parameters: `hist() with 2 bits`.
pub(crate) fn describe(agg: Agg) -> String {
    match agg {
        Agg::Hist { bits: 0 } => "hist()".into(),
        Agg::Hist { bits } => format!("hist() with {bits} bits"),
        Agg::Tseries { interval, count, of, .. } => {
            format!("tseries() of {count} times {interval} ns, {}", of.name())
        }
        Agg::Lhist { min, max, step } => format!("lhist() from {min} to {max} by {step}"),
        other => format!("{}()", agg_name(other)),
    }
}

fn keyed_by(ty: &Type) -> String {
    format!("has keys of type {ty}")
}

/// `a string`, `an int64`.
pub(crate) fn with_article(ty: &Type) -> String {
    let name = ty.to_string();
    let article = if name.starts_with(['a', 'e', 'i', 'o']) { "an" } else { "a" };
    match ty {
        Type::Tuple(_) => format!("a tuple {name}"),
        Type::Record(_) => format!("a record {name}"),
        Type::Stack { mode: StackMode::Perf, .. } => format!("{article} {name} in the form perf"),
        Type::Stack { mode: StackMode::Folded, .. } => format!("{article} {name} in the form folded"),
        Type::Stack { mode: StackMode::BuildId, .. } => format!("{article} {name} in the form build_id"),
        Type::Stack { mode: StackMode::Raw, .. } => format!("{article} {name} in the form raw"),
        _ => format!("{article} {name}"),
    }
}
