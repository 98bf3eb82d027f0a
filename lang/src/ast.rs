//! The syntax tree: the script as it is written, without types. [`crate::parse`] makes it, [`crate::check`] reads it.

use crate::source::Imported;
use crate::span::Span;
use crate::types::StructKind;

/// A parsed script.
#[derive(Clone, Debug, Default)]
pub struct Script {
    /// Name for diagnostics: the file, or `-e`.
    pub source_name: String,
    /// The text, of imported files too.
    pub source: String,
    /// The files that it imports.
    pub imported: Imported,
    /// `struct`, `union`, `enum` and `typedef` declarations.
    pub types: Vec<TypeDecl>,
    /// `config = { … }` blocks; more than one is an error of the checker.
    pub configs: Vec<ConfigBlock>,
    /// `macro name(…) { … }`; their calls in the probes are expanded already.
    pub macros: Vec<MacroDecl>,
    /// `fn name(…) : T { … }`
    pub fns: Vec<FnDecl>,
    /// `let @m = hash(N);`
    pub maps: Vec<MapDecl>,
    /// The probes.
    pub probes: Vec<Probe>,
}

/// A top-level item.
#[derive(Clone, Debug)]
pub enum Item {
    /// Declarations of types: one, several names by `typedef`, or none (`struct T;`).
    Types(Vec<TypeDecl>),
    /// The config block.
    Config(ConfigBlock),
    /// A macro.
    Macro(MacroDecl),
    /// A function.
    Fn(FnDecl),
    /// `import "file";`, at its place; [`crate::source::imports`] tells the file.
    Import(Span),
    /// The declaration of a map.
    Map(MapDecl),
    /// A probe.
    Probe(Probe),
}

/// `macro name($x, @m, e) { … }`
#[derive(Clone, Debug)]
pub struct MacroDecl {
    /// Its name.
    pub name: Name,
    /// What it is given.
    pub params: Vec<MacroParam>,
    /// What stands for a call of it.
    pub body: Block,
    /// The whole declaration.
    pub span: Span,
}

/// A parameter of a macro.
#[derive(Clone, Debug)]
pub enum MacroParam {
    /// `$x`: a variable of the caller.
    Var(Name),
    /// `@m`: a map.
    Map(Name),
    /// `e`: any expression.
    Expr(Name),
}

impl std::fmt::Display for MacroParam {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            MacroParam::Var(name) => write!(f, "${}", name.text),
            MacroParam::Map(name) | MacroParam::Expr(name) => f.write_str(&name.text),
        }
    }
}

/// `fn name($a : T, …) : T { … }`
#[derive(Clone, Debug)]
pub struct FnDecl {
    /// Its name.
    pub name: Name,
    /// Its parameters, each with its type.
    pub params: Vec<(Name, TypeExpr)>,
    /// The type of its value, if it has one.
    pub result: Option<TypeExpr>,
    /// What it does.
    pub body: Block,
    /// The whole declaration.
    pub span: Span,
}

/// A name and its place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Name {
    /// The name, without `$`; maps keep their `@`.
    pub text: String,
    /// Its place.
    pub span: Span,
}

/// `let @m = hash(N);`
#[derive(Clone, Debug)]
pub struct MapDecl {
    /// The map.
    pub name: Name,
    /// The kind of map, as written.
    pub kind: Name,
    /// Number of entries that it has room for.
    pub entries: u64,
    /// Place of the number.
    pub entries_span: Span,
}

/// `config = { name = value; … }`
#[derive(Clone, Debug)]
pub struct ConfigBlock {
    /// The settings.
    pub entries: Vec<ConfigEntry>,
    /// The whole block.
    pub span: Span,
}

/// `name = value`
#[derive(Clone, Debug)]
pub struct ConfigEntry {
    /// Which setting.
    pub name: Name,
    /// The value as text: numbers in decimal, strings without quotes, words as they are.
    pub value: String,
    /// Place of the value.
    pub value_span: Span,
}

/// A declaration of a type.
#[derive(Clone, Debug)]
pub struct TypeDecl {
    /// The tag, or the name of a `typedef`; `None` for one without a tag.
    pub name: Option<Name>,
    /// What it is.
    pub kind: TypeDeclKind,
    /// The whole declaration.
    pub span: Span,
}

/// Kinds of type declaration.
#[derive(Clone, Debug)]
pub enum TypeDeclKind {
    /// `struct` or `union`.
    Record(Record),
    /// `enum`: names with their explicit values.
    Enum(Vec<(Name, Option<Expr>)>),
    /// `typedef`: another name of this type.
    Typedef(TypeExpr),
}

/// The body of a `struct` or `union`.
#[derive(Clone, Debug)]
pub struct Record {
    /// `struct`, or `union`: all members at offset 0.
    pub kind: StructKind,
    /// Members.
    pub fields: Vec<FieldDecl>,
    /// What is said of its layout.
    pub attributes: Attributes,
}

/// `__attribute__((…))`, as far as it concerns the layout.
#[derive(Clone, Debug, Default)]
pub struct Attributes {
    /// `packed`: no padding.
    pub packed: bool,
    /// `aligned(n)`: the least alignment in bytes.
    pub align: Option<Box<Expr>>,
}

/// A member.
#[derive(Clone, Debug)]
pub struct FieldDecl {
    /// `None` for an anonymous struct or union, whose members belong to the one around it, and for bits that only fill.
    pub name: Option<Name>,
    /// Its type.
    pub ty: TypeExpr,
    /// Number of bits of a bit-field, as written.
    pub bits: Option<Box<Expr>>,
    /// What is said of its place.
    pub attributes: Attributes,
    /// The whole member.
    pub span: Span,
}

/// A type as written.
#[derive(Clone, Debug)]
pub struct TypeExpr {
    /// Which.
    pub kind: TypeKind,
    /// Its place.
    pub span: Span,
}

/// Kinds of written type.
#[derive(Clone, Debug)]
pub enum TypeKind {
    /// `uint8`, `unsigned long`, `string`, the name of a `typedef`: the words with single spaces.
    Named(String),
    /// `struct T`, `union T`.
    Record(StructKind, Name),
    /// `enum T`.
    Enum(Name),
    /// `typeof(e)`
    Typeof(Box<Expr>),
    /// `T *`
    Pointer(Box<TypeExpr>),
    /// `T[n]`; `None` for `T[]`
    Array(Box<TypeExpr>, Option<Box<Expr>>),
    /// A struct, union or enum that is declared where it is used, in another declaration.
    Declared(Box<TypeDecl>),
}

impl TypeExpr {
    /// The number of pointers and arrays in it.
    #[must_use]
    pub fn height(&self) -> usize {
        match &self.kind {
            TypeKind::Pointer(of) | TypeKind::Array(of, _) => 1 + of.height(),
            TypeKind::Named(_)
            | TypeKind::Record(..)
            | TypeKind::Enum(_)
            | TypeKind::Typeof(_)
            | TypeKind::Declared(_) => 0,
        }
    }

    /// The declaration in it.
    #[must_use]
    pub fn declared(&self) -> Option<&TypeDecl> {
        match &self.kind {
            TypeKind::Declared(decl) => Some(decl),
            TypeKind::Pointer(of) | TypeKind::Array(of, _) => of.declared(),
            TypeKind::Named(_) | TypeKind::Record(..) | TypeKind::Enum(_) | TypeKind::Typeof(_) => None,
        }
    }

    /// The expression in a `typeof`.
    #[must_use]
    pub fn typeof_operand(&self) -> Option<&Expr> {
        match &self.kind {
            TypeKind::Typeof(e) => Some(e),
            TypeKind::Pointer(of) | TypeKind::Array(of, _) => of.typeof_operand(),
            TypeKind::Named(_) | TypeKind::Record(..) | TypeKind::Enum(_) | TypeKind::Declared(_) => None,
        }
    }

    /// The same, to be changed in place.
    pub(crate) fn typeof_operand_mut(&mut self) -> Option<&mut Expr> {
        match &mut self.kind {
            TypeKind::Typeof(e) => Some(e),
            TypeKind::Pointer(of) | TypeKind::Array(of, _) => of.typeof_operand_mut(),
            TypeKind::Named(_) | TypeKind::Record(..) | TypeKind::Enum(_) | TypeKind::Declared(_) => None,
        }
    }
}

/// A probe: attach points, predicate, block.
#[derive(Clone, Debug)]
pub struct Probe {
    /// The attach points as written.
    pub points: Vec<RawPoint>,
    /// `/…/`
    pub predicate: Option<Expr>,
    /// The block.
    pub body: Block,
    /// The whole probe.
    pub span: Span,
}

impl Probe {
    /// Whether this identifier stands in the predicate or the block.
    #[must_use]
    pub fn mentions(&self, name: &str) -> bool {
        self.identifiers().contains(&name)
    }

    /// The identifiers in the predicate and the block.
    #[must_use]
    pub fn identifiers(&self) -> Vec<&str> {
        let mut found = Vec::new();
        let mut exprs: Vec<&Expr> = self.predicate.iter().chain(self.body.exprs()).collect();
        while let Some(e) = exprs.pop() {
            if let ExprKind::Ident(name) = &e.kind {
                found.push(name.as_str());
            }
            exprs.extend(e.kind.children());
        }
        found
    }
}

/// An attach point as written; [`crate::probe::parse`] takes it apart when the positional parameters are known.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RawPoint {
    /// The text, quotes included.
    pub text: String,
    /// Its place.
    pub span: Span,
}

/// `{ … }`
#[derive(Clone, Debug)]
pub struct Block {
    /// The statements.
    pub stmts: Vec<Stmt>,
    /// The last statement has no semicolon: where a value is wanted, it is that of the block.
    pub open: bool,
    /// From brace to brace.
    pub span: Span,
}

impl Block {
    /// The expressions of all statements, those of inner blocks included; not those inside other expressions.
    #[must_use]
    pub fn exprs(&self) -> Vec<&Expr> {
        let mut exprs = Vec::new();
        let mut blocks = vec![self];
        while let Some(block) = blocks.pop() {
            for stmt in &block.stmts {
                match &stmt.kind {
                    StmtKind::Expr(e) => exprs.push(e),
                    StmtKind::Assign { target, value, .. } => exprs.extend([target, value]),
                    StmtKind::Let { value, .. } | StmtKind::Return(value) => exprs.extend(value),
                    StmtKind::If { arms, els } => {
                        exprs.extend(arms.iter().map(|(condition, _)| condition));
                        blocks.extend(arms.iter().map(|(_, block)| block).chain(els));
                    }
                    StmtKind::Unroll { count: e, body } | StmtKind::While { cond: e, body } => {
                        exprs.push(e);
                        blocks.push(body);
                    }
                    StmtKind::For { over, body, .. } => {
                        match over {
                            Over::Range(from, to) => exprs.extend([from, to]),
                            Over::Map(map) => exprs.push(map),
                        }
                        blocks.push(body);
                    }
                    StmtKind::Block(block) => blocks.push(block),
                    StmtKind::Break | StmtKind::Continue | StmtKind::Error => {}
                }
            }
        }
        exprs
    }
}

/// A statement.
#[derive(Clone, Debug)]
pub struct Stmt {
    /// What it does.
    pub kind: StmtKind,
    /// Its place, without the semicolon.
    pub span: Span,
}

/// Kinds of statement.
#[derive(Clone, Debug)]
pub enum StmtKind {
    /// An expression for its effect.
    Expr(Expr),
    /// `target = value`, `target += value`.
    Assign {
        /// Left side; the checker sees to it that it is a variable or a map.
        target: Expr,
        /// The operator of a compound assignment.
        op: Option<BinOp>,
        /// Right side.
        value: Expr,
    },
    /// `let $x : T = e`
    Let {
        /// The variable.
        name: Name,
        /// Declared type.
        ty: Option<TypeExpr>,
        /// First value.
        value: Option<Expr>,
    },
    /// `if (…) { … } else if (…) { … } else { … }`
    If {
        /// Conditions with their blocks, in order.
        arms: Vec<(Expr, Block)>,
        /// The last block.
        els: Option<Block>,
    },
    /// `unroll (n) { … }`
    Unroll {
        /// How often.
        count: Expr,
        /// What.
        body: Block,
    },
    /// `for ($i : a..b) { … }`, `for ($kv : @m) { … }`
    For {
        /// The variable that each round sets.
        var: Name,
        /// What it runs over.
        over: Over,
        /// What is done each time.
        body: Block,
    },
    /// `while (c) { … }`
    While {
        /// Goes on while this is true.
        cond: Expr,
        /// What is done each time.
        body: Block,
    },
    /// `break`
    Break,
    /// `continue`
    Continue,
    /// `{ … }`
    Block(Block),
    /// `return`, `return e`
    Return(Option<Expr>),
    /// A statement with a syntax error, which is reported.
    Error,
}

/// What a `for` runs over.
#[derive(Clone, Debug)]
pub enum Over {
    /// `a..b`: from `a` to the number before `b`.
    Range(Expr, Expr),
    /// The entries of a map; the checker sees to it that it is one.
    Map(Expr),
}

/// An expression.
#[derive(Clone, Debug)]
pub struct Expr {
    /// What it computes.
    pub kind: ExprKind,
    /// Its place.
    pub span: Span,
    /// Height of this tree. The parser limits it, because whatever walks a tree does so by recursion.
    pub height: u32,
}

/// Kinds of expression.
#[derive(Clone, Debug)]
pub enum ExprKind {
    /// A number; durations are nanoseconds.
    Int(u64),
    /// A string, escapes decoded.
    Str(Vec<u8>),
    /// `true`, `false`
    Bool(bool),
    /// A builtin or an enum value.
    Ident(String),
    /// `$x`, without the `$`.
    Var(String),
    /// `@m`, `@m[k]`; name with the `@`.
    Map {
        /// The name.
        name: Name,
        /// What stands in the brackets; empty without brackets.
        keys: Vec<Expr>,
    },
    /// `$1`
    Param(u32),
    /// `$#`
    ParamCount,
    /// `f(a, b)`
    Call {
        /// The function.
        name: Name,
        /// The arguments.
        args: Vec<Expr>,
    },
    /// `-e`, `!e`, `~e`, `*e`, `&e`
    Unary(UnOp, Box<Expr>),
    /// `++e`, `e++`, `--e`, `e--`
    Increment {
        /// What is changed.
        target: Box<Expr>,
        /// `--`
        down: bool,
        /// The operator stands before.
        prefix: bool,
    },
    /// `a + b`
    Binary(BinOp, Box<Expr>, Box<Expr>),
    /// `c ? a : b`; without `a` for `c ?: b`.
    Ternary(Box<Expr>, Option<Box<Expr>>, Box<Expr>),
    /// `(T)e`
    Cast(TypeExpr, Box<Expr>),
    /// `(a, b)`
    Tuple(Vec<Expr>),
    /// `(x=a, y=b)`
    Record(Vec<(Name, Expr)>),
    /// `e.name`, `e->name`
    Member(Box<Expr>, Name),
    /// `e.0`
    TupleMember(Box<Expr>, u32),
    /// `e[i]`
    Index(Box<Expr>, Vec<Expr>),
    /// `sizeof(T)`
    SizeofType(TypeExpr),
    /// `sizeof(e)`
    SizeofExpr(Box<Expr>),
    /// `{ …; e }` where a value is wanted.
    Block(Block),
    /// `if (c) { a } else { b }` where a value is wanted.
    If {
        /// Conditions with their blocks, in order.
        arms: Vec<(Expr, Block)>,
        /// The last block.
        els: Block,
    },
    /// `comptime e`
    Comptime(Box<Expr>),
    /// `offsetof(T, f.g)`
    Offsetof(TypeExpr, Vec<Name>),
    /// `container_of(p, T, f.g)`
    ContainerOf(Box<Expr>, TypeExpr, Vec<Name>),
    /// A call of a macro.
    Macro {
        /// The macro, as called.
        name: Name,
        /// The copy of its block that stands for the call.
        block: Block,
    },
    /// A type where an argument stands: `typeinfo(struct T)`.
    Type(TypeExpr),
    /// An expression with an error that is reported.
    Error,
}

/// Unary operators.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UnOp {
    /// `-`
    Neg,
    /// `!`
    Not,
    /// `~`
    BitNot,
    /// `*`
    Deref,
    /// `&`
    AddrOf,
}

impl UnOp {
    /// The operator as written.
    #[must_use]
    pub fn symbol(self) -> &'static str {
        match self {
            UnOp::Neg => "-",
            UnOp::Not => "!",
            UnOp::BitNot => "~",
            UnOp::Deref => "*",
            UnOp::AddrOf => "&",
        }
    }
}

/// Binary operators.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "the symbols stand in `symbol`")]
pub enum BinOp {
    LogOr,
    LogAnd,
    Or,
    Xor,
    And,
    Eq,
    Ne,
    Lt,
    Gt,
    Le,
    Ge,
    Shl,
    Shr,
    Add,
    Sub,
    Mul,
    Div,
    Mod,
}

impl BinOp {
    /// The operator as written.
    #[must_use]
    pub fn symbol(self) -> &'static str {
        match self {
            BinOp::LogOr => "||",
            BinOp::LogAnd => "&&",
            BinOp::Or => "|",
            BinOp::Xor => "^",
            BinOp::And => "&",
            BinOp::Eq => "==",
            BinOp::Ne => "!=",
            BinOp::Lt => "<",
            BinOp::Gt => ">",
            BinOp::Le => "<=",
            BinOp::Ge => ">=",
            BinOp::Shl => "<<",
            BinOp::Shr => ">>",
            BinOp::Add => "+",
            BinOp::Sub => "-",
            BinOp::Mul => "*",
            BinOp::Div => "/",
            BinOp::Mod => "%",
        }
    }

    /// Whether it compares.
    #[must_use]
    pub fn is_comparison(self) -> bool {
        matches!(self, BinOp::Eq | BinOp::Ne | BinOp::Lt | BinOp::Gt | BinOp::Le | BinOp::Ge)
    }
}

impl ExprKind {
    /// The expressions directly below.
    #[must_use]
    pub fn children(&self) -> Vec<&Expr> {
        match self {
            ExprKind::Int(_)
            | ExprKind::Str(_)
            | ExprKind::Bool(_)
            | ExprKind::Ident(_)
            | ExprKind::Var(_)
            | ExprKind::Param(_)
            | ExprKind::ParamCount
            | ExprKind::Error => Vec::new(),
            ExprKind::SizeofType(ty) | ExprKind::Offsetof(ty, _) | ExprKind::Type(ty) => {
                ty.typeof_operand().into_iter().collect()
            }
            ExprKind::Record(list) => list.iter().map(|(_, e)| e).collect(),
            ExprKind::Cast(ty, e) | ExprKind::ContainerOf(e, ty, _) => {
                std::iter::once(e.as_ref()).chain(ty.typeof_operand()).collect()
            }
            ExprKind::Map { keys: list, .. } | ExprKind::Call { args: list, .. } | ExprKind::Tuple(list) => {
                list.iter().collect()
            }
            ExprKind::Unary(_, e)
            | ExprKind::Increment { target: e, .. }
            | ExprKind::Member(e, _)
            | ExprKind::TupleMember(e, _)
            | ExprKind::Comptime(e)
            | ExprKind::SizeofExpr(e) => vec![e],
            ExprKind::Block(block) | ExprKind::Macro { block, .. } => block.exprs(),
            ExprKind::If { arms, els } => {
                let conditions = arms.iter().map(|(condition, _)| condition);
                let blocks = arms.iter().map(|(_, block)| block).chain([els]);
                conditions.chain(blocks.flat_map(Block::exprs)).collect()
            }
            ExprKind::Binary(_, a, b) => vec![a, b],
            ExprKind::Ternary(c, a, b) => {
                [Some(c), a.as_ref(), Some(b)].into_iter().flatten().map(Box::as_ref).collect()
            }
            ExprKind::Index(e, list) => std::iter::once(e.as_ref()).chain(list).collect(),
        }
    }
}

/// Expressions and blocks to be changed in place.
pub(crate) type PartsMut<'a> = (Vec<&'a mut Expr>, Vec<&'a mut Block>);

impl StmtKind {
    /// The expressions and blocks directly below.
    pub(crate) fn parts_mut(&mut self) -> PartsMut<'_> {
        match self {
            StmtKind::Expr(e) => (vec![e], Vec::new()),
            StmtKind::Assign { target, value, .. } => (vec![target, value], Vec::new()),
            StmtKind::Let { value, .. } | StmtKind::Return(value) => (value.iter_mut().collect(), Vec::new()),
            StmtKind::If { arms, els } => {
                let (exprs, mut blocks) = arms_mut(arms);
                blocks.extend(els);
                (exprs, blocks)
            }
            StmtKind::Unroll { count: e, body } | StmtKind::While { cond: e, body } => (vec![e], vec![body]),
            StmtKind::For { over, body, .. } => match over {
                Over::Range(from, to) => (vec![from, to], vec![body]),
                Over::Map(map) => (vec![map], vec![body]),
            },
            StmtKind::Block(block) => (Vec::new(), vec![block]),
            StmtKind::Break | StmtKind::Continue | StmtKind::Error => (Vec::new(), Vec::new()),
        }
    }
}

fn arms_mut(arms: &mut [(Expr, Block)]) -> PartsMut<'_> {
    arms.iter_mut().map(|(condition, block)| (condition, block)).unzip()
}

impl ExprKind {
    /// The expressions and blocks directly below.
    pub(crate) fn parts_mut(&mut self) -> PartsMut<'_> {
        let exprs = match self {
            ExprKind::Int(_)
            | ExprKind::Str(_)
            | ExprKind::Bool(_)
            | ExprKind::Ident(_)
            | ExprKind::Var(_)
            | ExprKind::Param(_)
            | ExprKind::ParamCount
            | ExprKind::Error => Vec::new(),
            ExprKind::SizeofType(ty) | ExprKind::Offsetof(ty, _) | ExprKind::Type(ty) => {
                ty.typeof_operand_mut().into_iter().collect()
            }
            ExprKind::Record(list) => list.iter_mut().map(|(_, e)| e).collect(),
            ExprKind::Cast(ty, e) | ExprKind::ContainerOf(e, ty, _) => {
                std::iter::once(&mut **e).chain(ty.typeof_operand_mut()).collect()
            }
            ExprKind::Map { keys: list, .. } | ExprKind::Call { args: list, .. } | ExprKind::Tuple(list) => {
                list.iter_mut().collect()
            }
            ExprKind::Unary(_, e)
            | ExprKind::Increment { target: e, .. }
            | ExprKind::Member(e, _)
            | ExprKind::TupleMember(e, _)
            | ExprKind::Comptime(e)
            | ExprKind::SizeofExpr(e) => vec![&mut **e],
            ExprKind::Block(block) | ExprKind::Macro { block, .. } => return (Vec::new(), vec![block]),
            ExprKind::If { arms, els } => {
                let (exprs, mut blocks) = arms_mut(arms);
                blocks.push(els);
                return (exprs, blocks);
            }
            ExprKind::Binary(_, a, b) => vec![&mut **a, &mut **b],
            ExprKind::Ternary(c, a, b) => {
                [Some(c), a.as_mut(), Some(b)].into_iter().flatten().map(|e| &mut **e).collect()
            }
            ExprKind::Index(e, list) => std::iter::once(&mut **e).chain(list).collect(),
        };
        (exprs, Vec::new())
    }
}
