//! Signatures in Go's notation, for people: `func (s *main.Shop) Add(order main.Order, price int64) (total int, err error)`.

use super::signature::{Parameter, Signature};
use super::{GoBinary, GoFunc};

/// Name that Go 1.27 gives the hidden parameter of generic functions.
const DICTIONARY: &str = ".dict";

impl GoBinary {
    /// A function's signature as its source has it, with full names of types; parameters without a known name have their type only.
    pub fn spell(&self, function: &GoFunc<'_>, signature: &Signature) -> String {
        let params: Vec<&Parameter> = signature.params.iter().filter(|p| p.name != DICTIONARY).collect();
        let receiver = params.first().filter(|p| is_receiver(function.name(), &self.type_name(p)));
        let method = receiver.map(|first| {
            let name = function.name().rsplit('.').next().unwrap_or_default();
            format!(" ({}) {name}", self.parameter(first))
        });
        let rest = params.get(usize::from(method.is_some())..).unwrap_or_default();
        let list = |of: &mut dyn Iterator<Item = &Parameter>| {
            of.map(|p| self.parameter(p)).collect::<Vec<_>>().join(", ")
        };
        let params = list(&mut rest.iter().copied());
        let has_names = signature.results.iter().any(|result| named(result).is_some());
        let results = list(&mut signature.results.iter());
        let results = match signature.results.len() {
            0 if !signature.lists_results() => " (?)".to_owned(),
            0 => String::new(),
            1 if !has_names => format!(" {results}"),
            _ => format!(" ({results})"),
        };
        format!("func{}({params}){results}", method.unwrap_or_default())
    }

    fn parameter(&self, parameter: &Parameter) -> String {
        let ty = self.type_name(parameter);
        named(parameter).map_or_else(|| ty.clone(), |name| format!("{name} {ty}"))
    }

    fn type_name(&self, parameter: &Parameter) -> String {
        let info = parameter.ty.and_then(|ty| self.type_info(ty).ok()?);
        info.map_or_else(|| "?".to_owned(), |info| info.name)
    }
}

/// The name from the source; the compiler makes up others.
fn named(parameter: &Parameter) -> Option<&str> {
    Some(parameter.name.as_str()).filter(|name| !name.is_empty() && !name.starts_with('~'))
}

/// Whether a function of this name is a method of the type: `main.(*T).M` of `*main.T`, `main.T.M` of `main.T`.
fn is_receiver(function: &str, ty: &str) -> bool {
    let (pointer, ty) = ty.strip_prefix('*').map_or((false, ty), |ty| (true, ty));
    // The package ends at the first dot behind its path; type arguments have paths of their own.
    let path = ty.split('[').next().and_then(|head| head.rfind('/')).map_or(0, |at| at + 1);
    let Some((package, base)) = ty.get(path..).and_then(|last| last.split_once('.')) else { return false };
    let package = format!("{}{package}", ty.get(..path).unwrap_or_default());
    let before = if pointer { format!("{package}.(*{base}).") } else { format!("{package}.{base}.") };
    function.strip_prefix(&before).is_some_and(|method| !method.contains('.'))
}

#[cfg(test)]
mod tests {
    use super::is_receiver;

    #[test]
    fn receivers() {
        assert!(is_receiver("net/http.(*Request).Cookie", "*net/http.Request"));
        assert!(is_receiver("main.Point.Sum", "main.Point"));
        assert!(is_receiver("example.com/a%2eb.T.M", "example.com/a%2eb.T"));
        assert!(!is_receiver("main.Point.Sum", "*main.Point"));
        assert!(!is_receiver("main.(*Point).Move.func1", "*main.Point"));
        assert!(!is_receiver("main.move", "main.Point"));
        assert!(!is_receiver("main.f", "int"));
    }
}
