//! Script variables: block scopes without shadowing, and types that follow from all assignments.

use crate::check::infer::Inferred;
use crate::hir::{Var, VarId};
use crate::span::Span;
use crate::types::Type;
use std::collections::HashMap;

/// The variables of one program while it is checked.
#[derive(Debug, Default)]
pub(crate) struct Scopes {
    /// All variables in order of declaration; the index is the [`VarId`].
    pub vars: Vec<VarInfo>,
    /// Open blocks, the innermost last: the variables declared in each.
    open: Vec<Vec<VarId>>,
    /// The variables of the open blocks by name.
    visible: HashMap<String, VarId>,
}

/// A variable.
#[derive(Debug)]
pub(crate) struct VarInfo {
    /// With the number of the macro's copy that it belongs to ([`crate::expand::COPY`]).
    pub name: String,
    /// Declaration or first assignment.
    pub span: Span,
    /// Its value is read somewhere.
    pub used: bool,
    /// Its block has ended.
    pub ended: bool,
    /// Its address is taken.
    pub addressed: bool,
}

impl Scopes {
    pub fn enter(&mut self) {
        self.open.push(Vec::new());
    }

    pub fn leave(&mut self) {
        for id in self.open.pop().unwrap_or_default() {
            let var = &mut self.vars[id.0 as usize];
            var.ended = true;
            if self.visible.get(&var.name) == Some(&id) {
                self.visible.remove(&var.name);
            }
        }
    }

    /// A new variable of the innermost block.
    pub fn declare(&mut self, name: &str, span: Span) -> VarId {
        let id = VarId(self.vars.len() as u32);
        self.vars.push(VarInfo { name: name.to_owned(), span, used: false, ended: false, addressed: false });
        if let Some(block) = self.open.last_mut() {
            block.push(id);
            self.visible.entry(name.to_owned()).or_insert(id);
        }
        id
    }

    /// The visible variable of that name.
    pub fn find(&self, name: &str) -> Option<VarId> {
        self.visible.get(name).copied()
    }

    /// A variable of that name whose block has ended.
    pub fn find_ended(&self, name: &str) -> Option<&VarInfo> {
        self.vars.iter().find(|v| v.ended && v.name == name)
    }

    /// Names of all visible variables.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.open.iter().flatten().map(|id| self.vars[id.0 as usize].name.as_str())
    }
}

/// The types of the variables of one program; lives through all passes.
#[derive(Clone, Debug, Default)]
pub(crate) struct VarTypes {
    list: Vec<VarType>,
}

#[derive(Clone, Debug, Default)]
struct VarType {
    inferred: Option<(Inferred, Span)>,
    /// `let $x : T`: assignments do not widen it.
    fixed: bool,
}

impl VarTypes {
    fn slot(&mut self, id: VarId) -> &mut VarType {
        let at = id.0 as usize;
        if self.list.len() <= at {
            self.list.resize_with(at + 1, VarType::default);
        }
        &mut self.list[at]
    }

    /// What is known about a variable, and where it was first said.
    pub fn get(&self, id: VarId) -> Option<&(Inferred, Span)> {
        self.list.get(id.0 as usize)?.inferred.as_ref()
    }

    /// Whether the type was declared.
    pub fn is_fixed(&self, id: VarId) -> bool {
        self.list.get(id.0 as usize).is_some_and(|v| v.fixed)
    }

    /// `let $x : T`
    pub fn fix(&mut self, id: VarId, ty: Type, span: Span) {
        let slot = self.slot(id);
        slot.inferred = Some((Inferred { ty, weak: false }, span));
        slot.fixed = true;
    }

    /// Adds what an assignment says. Gives the type and whether it changed, or the type and place that it conflicts with.
    pub fn assign(&mut self, id: VarId, value: &Inferred, span: Span) -> Result<(Type, bool), (Type, Span)> {
        let slot = self.slot(id);
        let (joined, at) = match &slot.inferred {
            None => (value.clone(), span),
            Some((known, at)) => match known.join(value) {
                Some(joined) if !slot.fixed || joined.ty == known.ty => (joined, *at),
                _ => return Err((known.ty.clone(), *at)),
            },
        };
        let changed = slot.inferred.as_ref().map(|(i, _)| i) != Some(&joined) && !slot.fixed;
        let ty = joined.ty.clone();
        if changed {
            slot.inferred = Some((joined, at));
        }
        Ok((ty, changed))
    }

    /// The variables for the typed program.
    pub fn finish(&self, scopes: &Scopes) -> Vec<Var> {
        let var = |(i, v): (usize, &VarInfo)| Var {
            name: crate::expand::shown(&v.name),
            ty: self.get(VarId(i as u32)).map_or(Type::I64, |(inferred, _)| inferred.ty.clone()),
            addressed: v.addressed,
        };
        scopes.vars.iter().enumerate().map(var).collect()
    }
}
