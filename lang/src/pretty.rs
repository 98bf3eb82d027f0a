//! The syntax tree as indented text (`-d ast`): one node a line, children below.

use crate::ast::{
    Block, ConfigBlock, Expr, ExprKind, FieldDecl, Name, Over, Probe, Script, Stmt, StmtKind, TypeDecl,
    TypeDeclKind, TypeExpr, TypeKind,
};
use std::fmt;

use crate::expand::shown;

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut tree = Tree { lines: String::new(), depth: 0 };
        for decl in &self.types {
            tree.type_decl(decl);
        }
        for config in &self.configs {
            tree.config(config);
        }
        for decl in &self.macros {
            let params: Vec<String> = decl.params.iter().map(ToString::to_string).collect();
            tree.block(&format!("macro {}({})", decl.name.text, params.join(", ")), &decl.body);
        }
        for decl in &self.fns {
            let params: Vec<String> =
                decl.params.iter().map(|(name, ty)| format!("${}: {ty}", name.text)).collect();
            let result = decl.result.as_ref().map(|ty| format!(": {ty}")).unwrap_or_default();
            tree.block(&format!("fn {}({}){result}", decl.name.text, params.join(", ")), &decl.body);
        }
        for map in &self.maps {
            tree.line(&format!("let {} = {}({})", map.name.text, map.kind.text, map.entries));
        }
        for probe in &self.probes {
            tree.probe(probe);
        }
        f.write_str(&tree.lines)
    }
}

/// The type as it is written.
impl fmt::Display for TypeExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            TypeKind::Named(words) => f.write_str(words),
            TypeKind::Record(kind, name) => write!(f, "{} {}", kind.keyword(), name.text),
            TypeKind::Enum(name) => write!(f, "enum {}", name.text),
            TypeKind::Typeof(_) => f.write_str("typeof(…)"),
            TypeKind::Pointer(to) => write!(f, "{to} *"),
            TypeKind::Array(of, None) => write!(f, "{of}[]"),
            TypeKind::Array(of, Some(n)) => match n.kind {
                ExprKind::Int(n) => write!(f, "{of}[{n}]"),
                _ => write!(f, "{of}[…]"),
            },
            TypeKind::Declared(decl) => f.write_str(&declared(decl)),
        }
    }
}

struct Tree {
    lines: String,
    depth: usize,
}

impl Tree {
    fn line(&mut self, text: &str) {
        self.lines.push_str(&"  ".repeat(self.depth));
        self.lines.push_str(text);
        self.lines.push('\n');
    }

    /// A line, and what belongs below it.
    fn node(&mut self, text: &str, below: impl FnOnce(&mut Tree)) {
        self.line(text);
        self.depth += 1;
        below(self);
        self.depth -= 1;
    }

    fn type_decl(&mut self, decl: &TypeDecl) {
        self.node(&declared(decl), |t| match &decl.kind {
            TypeDeclKind::Record(record) => record.fields.iter().for_each(|field| t.field(field)),
            TypeDeclKind::Enum(values) => {
                for (name, value) in values {
                    t.node(&name.text, |t| value.iter().for_each(|value| t.expr(value)));
                }
            }
            TypeDeclKind::Typedef(ty) => t.declared_in(ty),
        });
    }

    /// The declaration that a type holds.
    fn declared_in(&mut self, ty: &TypeExpr) {
        match &ty.kind {
            TypeKind::Declared(decl) => self.type_decl(decl),
            TypeKind::Pointer(of) | TypeKind::Array(of, _) => self.declared_in(of),
            _ => {}
        }
    }

    fn field(&mut self, field: &FieldDecl) {
        let name = field.name.as_ref().map_or("(anonymous)", |n| n.text.as_str());
        self.node(&format!("{name}: {}", field.ty), |t| {
            if let Some(bits) = &field.bits {
                t.node("bits", |t| t.expr(bits));
            }
            t.declared_in(&field.ty);
        });
    }

    fn config(&mut self, config: &ConfigBlock) {
        self.node("config", |t| {
            for entry in &config.entries {
                t.line(&format!("{} = {}", entry.name.text, entry.value));
            }
        });
    }

    fn probe(&mut self, probe: &Probe) {
        self.node("probe", |t| {
            for point in &probe.points {
                t.line(&format!("attach {}", point.text));
            }
            if let Some(predicate) = &probe.predicate {
                t.node("predicate", |t| t.expr(predicate));
            }
            t.block("block", &probe.body);
        });
    }

    fn block(&mut self, title: &str, block: &Block) {
        self.node(title, |t| {
            for stmt in &block.stmts {
                t.stmt(stmt);
            }
        });
    }

    fn stmt(&mut self, stmt: &Stmt) {
        match &stmt.kind {
            StmtKind::Expr(e) => self.expr(e),
            StmtKind::Assign { target, op, value } => {
                let op = op.map_or("", |op| op.symbol());
                self.node(&format!("assign {op}="), |t| {
                    t.expr(target);
                    t.expr(value);
                });
            }
            StmtKind::Let { name, ty, value } => {
                let ty = ty.as_ref().map(|t| format!(": {t}")).unwrap_or_default();
                self.node(&format!("let ${}{ty}", shown(&name.text)), |t| {
                    if let Some(value) = value {
                        t.expr(value);
                    }
                });
            }
            StmtKind::If { arms, els } => self.arms(arms, els.as_ref()),
            StmtKind::Unroll { count, body } => self.node("unroll", |t| {
                t.expr(count);
                t.block("block", body);
            }),
            StmtKind::Block(block) => self.block("block", block),
            StmtKind::Return(value) => self.node("return", |t| {
                if let Some(value) = value {
                    t.expr(value);
                }
            }),
            StmtKind::For { var, over, body } => self.node(&format!("for ${}", shown(&var.text)), |t| {
                match over {
                    Over::Range(from, to) => t.node("range", |t| {
                        t.expr(from);
                        t.expr(to);
                    }),
                    Over::Map(map) => t.expr(map),
                }
                t.block("block", body);
            }),
            StmtKind::While { cond, body } => self.node("while", |t| {
                t.expr(cond);
                t.block("block", body);
            }),
            StmtKind::Break => self.line("break"),
            StmtKind::Continue => self.line("continue"),
            StmtKind::Error => self.line("(syntax error)"),
        }
    }

    fn arms(&mut self, arms: &[(Expr, Block)], els: Option<&Block>) {
        for (i, (cond, block)) in arms.iter().enumerate() {
            self.node(if i == 0 { "if" } else { "else if" }, |t| {
                t.expr(cond);
                t.block("then", block);
            });
        }
        if let Some(block) = els {
            self.block("else", block);
        }
    }

    fn expr(&mut self, e: &Expr) {
        match &e.kind {
            ExprKind::Block(block) => return self.block("block with a value", block),
            ExprKind::Macro { name, block } => return self.block(&format!("macro {}", name.text), block),
            ExprKind::If { arms, els } => return self.arms(arms, Some(els)),
            _ => {}
        }
        let title = match &e.kind {
            ExprKind::Int(v) => format!("number {v}"),
            ExprKind::Str(text) => format!("string {:?}", String::from_utf8_lossy(text)),
            ExprKind::Bool(v) => format!("{v}"),
            ExprKind::Ident(name) => format!("name {name}"),
            ExprKind::Var(name) => format!("variable ${}", shown(name)),
            ExprKind::Map { name, .. } => format!("map {}", name.text),
            ExprKind::Param(n) => format!("parameter ${n}"),
            ExprKind::ParamCount => "parameter $#".into(),
            ExprKind::Call { name, .. } => format!("call {}", name.text),
            ExprKind::Unary(op, _) => format!("unary {}", op.symbol()),
            ExprKind::Increment { down, prefix, .. } => {
                let op = if *down { "--" } else { "++" };
                if *prefix { format!("{op} before") } else { format!("{op} after") }
            }
            ExprKind::Binary(op, ..) => format!("binary {}", op.symbol()),
            ExprKind::Ternary(_, Some(_), _) => "choice ? :".into(),
            ExprKind::Ternary(..) => "choice ?:".into(),
            ExprKind::Cast(ty, _) => format!("cast ({ty})"),
            ExprKind::Tuple(_) => "tuple".into(),
            ExprKind::Record(list) => {
                let names: Vec<&str> = list.iter().map(|(name, _)| name.text.as_str()).collect();
                format!("record {}", names.join(", "))
            }
            ExprKind::Member(_, name) => format!("member {}", name.text),
            ExprKind::TupleMember(_, n) => format!("member {n}"),
            ExprKind::Index(..) => "index".into(),
            ExprKind::SizeofType(ty) => format!("sizeof({ty})"),
            ExprKind::SizeofExpr(_) => "sizeof".into(),
            ExprKind::Offsetof(ty, path) => format!("offsetof({ty}, {})", member_path(path)),
            ExprKind::ContainerOf(_, ty, path) => format!("container_of({ty}, {})", member_path(path)),
            ExprKind::Comptime(_) => "comptime".into(),
            ExprKind::Type(ty) => format!("type {ty}"),
            ExprKind::Block(_) | ExprKind::Macro { .. } | ExprKind::If { .. } | ExprKind::Error => {
                "(error)".into()
            }
        };
        self.node(&title, |t| {
            for child in e.kind.children() {
                t.expr(child);
            }
        });
    }
}

/// `f.g`
fn member_path(path: &[Name]) -> String {
    path.iter().map(|name| name.text.as_str()).collect::<Vec<_>>().join(".")
}

/// The head of a declaration.
fn declared(decl: &TypeDecl) -> String {
    let name = decl.name.as_ref().map_or("(anonymous)", |n| n.text.as_str());
    match &decl.kind {
        TypeDeclKind::Record(record) => {
            let packed = if record.attributes.packed { " packed" } else { "" };
            format!("{} {name}{packed}", record.kind.keyword())
        }
        TypeDeclKind::Enum(_) => format!("enum {name}"),
        TypeDeclKind::Typedef(ty) => format!("typedef {name}: {ty}"),
    }
}
