//! Members of embedded structures, which count as members of the one around them in Go: `args.item.Created` for
//! `args.item.Meta.Created`. [`Checker::member`] asks here for a name that the structure itself does not have. Methods are not looked for.

use crate::ast::Name;
use crate::check::{Checked, Checker};
use crate::diag::Problem;
use crate::types::{Field, Struct, Type};
use std::collections::HashSet;
use std::sync::Arc;

/// An embedded structure on the way to a member: the fields that lead to it, and what it is.
struct Embedded {
    path: Vec<String>,
    of: Arc<Struct>,
}

impl Checker<'_> {
    /// The embedded fields that lead to the member `name`, the outermost first. `None` if no embedded structure has it.
    ///
    /// Go's rule: the nearest one counts; two that are equally near hide each other, which is an error here.
    pub(super) fn promoted(&mut self, s: &Arc<Struct>, name: &Name) -> Checked<Option<Vec<Name>>> {
        let mut level = vec![Embedded { path: Vec::new(), of: Arc::clone(s) }];
        // Structures can embed pointers to each other.
        let mut seen = HashSet::from([s.name.clone()]);
        while !level.is_empty() {
            let next: Vec<Embedded> = level.iter().flat_map(|outer| self.embedded_in(outer)).collect();
            let having: Vec<&Embedded> = next.iter().filter(|e| e.of.field(&name.text).is_some()).collect();
            match having.as_slice() {
                [] => {}
                [only] => {
                    let step = |text: &String| Name { text: text.clone(), ..name.clone() };
                    return Ok(Some(only.path.iter().map(step).collect()));
                }
                several => {
                    let ways: Vec<String> =
                        several.iter().map(|e| format!("`{}.{}`", e.path.join("."), name.text)).collect();
                    let message =
                        format!("`{}` is in several embedded structures of `{}`", name.text, s.name);
                    let problem = Problem::error(name.span, message);
                    return self.fail(problem.help(format!("write which: {}", ways.join(" or "))));
                }
            }
            level = next.into_iter().filter(|e| seen.insert(e.of.name.clone())).collect();
        }
        Ok(None)
    }

    /// The structures that one embeds, by value or by pointer, with their members.
    fn embedded_in(&self, outer: &Embedded) -> Vec<Embedded> {
        let structure = |field: &Field| match &field.ty {
            Type::Struct(_) => Some(field.ty.clone()),
            Type::Ptr { to, .. } if matches!(**to, Type::Struct(_)) => Some((**to).clone()),
            _ => None,
        };
        let embedded = outer.of.fields.iter().filter(|field| field.embedded);
        embedded
            .filter_map(|field| {
                let Type::Struct(of) = self.complete_type(&structure(field)?) else { return None };
                let path = outer.path.iter().chain([&field.name]).cloned().collect();
                Some(Embedded { path, of })
            })
            .collect()
    }
}
