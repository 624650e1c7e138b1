//! The keys between the parentheses: `#[gmp::main(procs = 4, thread_name = "svc")]`.
//!
//! A literal of the wrong kind is refused here, where the sentence can say what to write instead. Any
//! other expression goes through untouched, and the compiler checks its type where it was written.
//!
//! Reading never stops at a bad key or value: all mistakes are reported at once, and the good keys
//! still take part in the expansion.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::spanned::Spanned;
use syn::{Expr, ExprLit, Lit, Path, Token, UnOp};

/// Which of the two attributes is being expanded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attribute {
    Main,
    Test,
}

impl Attribute {
    /// The attribute as users write it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Main => "#[gmp::main]",
            Self::Test => "#[gmp::test]",
        }
    }
}

/// All mistakes found so far. Reported together, so that nobody cures them one build at a time.
#[derive(Debug, Default)]
pub(crate) struct Errors(Option<syn::Error>);

impl Errors {
    pub(crate) fn push(&mut self, error: syn::Error) {
        match &mut self.0 {
            None => self.0 = Some(error),
            Some(first) => first.combine(error),
        }
    }

    /// One `compile_error!` for each mistake, nothing when there was none.
    pub(crate) fn into_tokens(self) -> TokenStream {
        self.0
            .map(syn::Error::into_compile_error)
            .unwrap_or_default()
    }
}

/// What the keys ask for.
pub(crate) struct Options {
    /// Where `gmp` is found.
    pub(crate) krate: Path,
    /// The `Builder` with its knobs set, an expression.
    pub(crate) builder: TokenStream,
    /// The values of `leak_check` and `virtual_time`, `false` when not given.
    pub(crate) leak_check: TokenStream,
    pub(crate) virtual_time: TokenStream,
    /// The value of `sigquit`, if it is given.
    pub(crate) sigquit: Option<TokenStream>,
}

/// What a key takes.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// An integer of at least 1.
    Count,
    /// An integer.
    Number,
    Text,
    Flag,
    /// Whether leaks are looked for, or with which options.
    Check,
    /// One of a few words.
    Word(&'static Words),
    /// A path in a string.
    Crate,
}

/// An enumeration whose variants are chosen by words in strings.
#[derive(Debug)]
struct Words {
    /// The module and the name of the enumeration, below `gmp`.
    path: [&'static str; 2],
    /// Each word and its variant.
    words: &'static [(&'static str, &'static str)],
    /// A value to show in a message, as it is written.
    example: &'static str,
}

/// Sets of scheduling rules.
const RULES: Words = Words {
    path: ["runtime", "Rules"],
    words: &[("default", "Default"), ("go117", "Go117")],
    example: "\"go117\"",
};

/// What a task's panic does.
const PANIC_POLICY: Words = Words {
    path: ["runtime", "PanicPolicy"],
    words: &[("log", "Log"), ("abort", "Abort"), ("shutdown", "Shutdown")],
    example: "\"abort\"",
};

/// What the signal `SIGQUIT` does.
const SIGQUIT: Words = Words {
    path: ["profiler", "SigQuit"],
    words: &[("off", "Off"), ("dump", "Dump"), ("exit", "Exit")],
    example: "\"dump\"",
};

/// Every key, in the order in which messages list them.
const KEYS: [(&str, Kind); 12] = [
    ("procs", Kind::Count),
    ("max_threads", Kind::Number),
    ("thread_name", Kind::Text),
    ("thread_stack_size", Kind::Number),
    ("handoff", Kind::Flag),
    ("rules", Kind::Word(&RULES)),
    ("seed", Kind::Number),
    ("panic_policy", Kind::Word(&PANIC_POLICY)),
    ("leak_check", Kind::Check),
    ("virtual_time", Kind::Flag),
    ("sigquit", Kind::Word(&SIGQUIT)),
    ("crate", Kind::Crate),
];

/// The keys that only `#[gmp::test]` takes.
const TEST_ONLY: [&str; 2] = ["leak_check", "virtual_time"];

/// The keys that only `#[gmp::main]` takes.
const MAIN_ONLY: [&str; 1] = ["sigquit"];

impl Options {
    /// Reads the keys; mistakes go to `errors` and the keys concerned keep their defaults.
    pub(crate) fn parse(attribute: Attribute, args: TokenStream, errors: &mut Errors) -> Self {
        let mut reader = Reader {
            attribute,
            seen: Vec::new(),
            values: Vec::new(),
            errors,
        };
        let read = |input: ParseStream<'_>| {
            if let Err(error) = reader.keys(input) {
                reader.errors.push(error);
                // Past a syntax error there is no telling where the next key begins.
                input.parse::<TokenStream>()?;
            }
            Ok(())
        };
        if let Err(error) = read.parse2(args) {
            reader.errors.push(error);
        }
        Self::from_values(attribute, reader.values)
    }

    fn from_values(attribute: Attribute, values: Vec<(Ident, Value)>) -> Self {
        let (mut krate, mut sigquit) = (None, None);
        let mut knobs = Vec::new();
        let (mut leak_check, mut virtual_time) = (quote!(false), quote!(false));
        let mut has_procs = false;

        for (key, value) in values {
            match value {
                Value::Crate(path) => krate = Some(path),
                Value::Expr(value) if key == "leak_check" => leak_check = quote!(#value),
                Value::Expr(value) if key == "virtual_time" => virtual_time = quote!(#value),
                value @ Value::Word { .. } if key == "sigquit" => sigquit = Some(value),
                value => {
                    has_procs |= key == "procs";
                    knobs.push((key, value));
                }
            }
        }

        let krate = krate.unwrap_or_else(|| syn::parse_quote!(::gmp));
        let mut builder = quote!(#krate::runtime::Builder::new());
        if attribute == Attribute::Test && !has_procs {
            builder.extend(quote!(.procs(1usize)));
        }
        for (key, value) in knobs {
            let knob = Ident::new(&key.to_string(), generated_at(key.span()));
            let value = value.below(&krate);
            builder.extend(quote!(.#knob(#value)));
        }
        let sigquit = sigquit.map(|value| value.below(&krate));
        Self {
            krate,
            builder,
            leak_check,
            virtual_time,
            sigquit,
        }
    }
}

/// A value that fits its key.
enum Value {
    Expr(Expr),
    /// A variant of an enumeration, whose path stands below `gmp`.
    Word {
        path: [Ident; 2],
        variant: Ident,
    },
    Crate(Path),
}

impl Value {
    fn below(self, krate: &Path) -> TokenStream {
        match self {
            Self::Expr(expr) => quote!(#expr),
            Self::Word {
                path: [module, name],
                variant,
            } => quote!(#krate::#module::#name::#variant),
            Self::Crate(path) => quote!(#path),
        }
    }
}

impl Words {
    /// The variant that the word stands for.
    fn find(&self, word: &syn::LitStr) -> Option<Value> {
        let value = word.value();
        let (_, variant) = self.words.iter().find(|(word, _)| value == *word)?;
        let ident = |name| Ident::new(name, generated_at(word.span()));
        Some(Value::Word {
            path: self.path.map(ident),
            variant: ident(variant),
        })
    }

    /// All of them, for a sentence.
    fn list(&self) -> String {
        let quoted: Vec<_> = self
            .words
            .iter()
            .map(|(word, _)| format!("{word:?}"))
            .collect();
        match quoted.split_last() {
            Some((last, others)) => format!("{} or {last}", others.join(", ")),
            None => String::new(),
        }
    }
}

struct Reader<'a> {
    attribute: Attribute,
    /// Every key so far, those with a bad value too.
    seen: Vec<Ident>,
    /// The keys that are in order.
    values: Vec<(Ident, Value)>,
    errors: &'a mut Errors,
}

impl Reader<'_> {
    /// Reads `key = value, …` to the end; an `Err` is a syntax error.
    fn keys(&mut self, input: ParseStream<'_>) -> syn::Result<()> {
        while !input.is_empty() {
            if !input.peek(Ident::peek_any) {
                let list = known_keys(self.attribute);
                return Err(input.error(format!("expected `key = value`; {list}")));
            }
            let key = input.call(Ident::parse_any)?;
            let kind = self.look_up(&key);
            let expr = self.value(&key, kind, input)?;
            if let Some(kind) = kind {
                match kind.accept(&key, expr, self.attribute) {
                    Ok(value) => self.values.push((key, value)),
                    Err(error) => self.errors.push(error),
                }
            }
            if !input.is_empty() && !input.peek(Token![,]) {
                return Err(input.error("expected a comma between one `key = value` and the next"));
            }
            input.parse::<Option<Token![,]>>()?;
        }
        Ok(())
    }

    /// The equals sign and what comes after it.
    fn value(&self, key: &Ident, kind: Option<Kind>, input: ParseStream<'_>) -> syn::Result<Expr> {
        let missing = |at: Span| {
            let sentence = match kind {
                Some(kind) => {
                    format!(
                        "`{key}` needs a value: write `{key} = {}`",
                        kind.example(key)
                    )
                }
                None => format!("expected `{key} = value`"),
            };
            syn::Error::new(at, sentence)
        };
        if !input.peek(Token![=]) || input.peek(Token![==]) {
            return Err(missing(key.span()));
        }
        input.parse::<Token![=]>()?;
        if input.is_empty() || input.peek(Token![,]) {
            return Err(missing(key.span()));
        }
        let at = input.span();
        input.parse().map_err(|_| missing(at))
    }

    /// What the key takes; `None`, with the mistake noted, when it may not stand here.
    fn look_up(&mut self, key: &Ident) -> Option<Kind> {
        let found = KEYS.into_iter().find(|(name, _)| key == name);
        let mistake = match found {
            None => unknown(key, self.attribute),
            Some((name, _)) if self.attribute == Attribute::Main && TEST_ONLY.contains(&name) => {
                format!("`{name}` is for tests: remove it here, `#[gmp::test]` takes it")
            }
            Some((name, _)) if self.attribute == Attribute::Test && MAIN_ONLY.contains(&name) => {
                format!("`{name}` is for programs: remove it here, `#[gmp::main]` takes it")
            }
            Some((name, _)) if self.seen.contains(key) => {
                format!("`{name}` is given twice: keep one of them")
            }
            Some((_, kind)) => {
                self.seen.push(key.clone());
                return Some(kind);
            }
        };
        self.errors.push(syn::Error::new(key.span(), mistake));
        None
    }
}

impl Kind {
    /// A value to show in a message.
    fn example(self, key: &Ident) -> &'static str {
        match self {
            Self::Count => "4",
            Self::Number if key == "thread_stack_size" => "2 << 20",
            Self::Number if key == "max_threads" => "10_000",
            Self::Number => "42",
            Self::Text => "\"svc\"",
            Self::Flag | Self::Check => "true",
            Self::Word(words) => words.example,
            Self::Crate => "\"my_crate::gmp\"",
        }
    }

    /// The value as the expansion needs it, or why it does not fit.
    fn accept(self, key: &Ident, expr: Expr, attribute: Attribute) -> syn::Result<Value> {
        let example = self.example(key);
        let refuse = |what: &str| {
            let sentence = format!("`{key}` takes {what}: write `{key} = {example}`");
            Err(syn::Error::new(expr.span(), sentence))
        };
        let literal = match bare(&expr) {
            Expr::Lit(ExprLit { lit, .. }) => Some(lit),
            _ => None,
        };
        match self {
            Self::Count | Self::Number => match literal {
                Some(Lit::Int(int)) if matches!(self, Self::Count) && is_zero(int) => {
                    let default = match attribute {
                        Attribute::Main => "one per available core",
                        Attribute::Test => "the default of 1",
                    };
                    let sentence = format!(
                        "`{key} = 0` leaves nothing to run tasks on: use 1 or more, or leave `{key}` \
                         out to get {default}"
                    );
                    Err(syn::Error::new(expr.span(), sentence))
                }
                Some(Lit::Int(_)) => Ok(Value::Expr(expr)),
                Some(_) => refuse("a whole number"),
                None if is_negative(&expr) => refuse("a whole number that is not negative"),
                None => Ok(Value::Expr(expr)),
            },
            Self::Text => match literal {
                Some(Lit::Str(_)) | None => Ok(Value::Expr(expr)),
                Some(_) => refuse("a string"),
            },
            Self::Flag => match literal {
                Some(Lit::Bool(_)) | None => Ok(Value::Expr(expr)),
                Some(_) => refuse("`true` or `false`"),
            },
            Self::Check => match literal {
                Some(Lit::Bool(_)) | None => Ok(Value::Expr(expr)),
                Some(_) => refuse("`true`, `false` or a `profiler::leak::Options`"),
            },
            Self::Word(words) => {
                let found = match literal {
                    Some(Lit::Str(word)) => words.find(word),
                    _ => None,
                };
                found.map_or_else(|| refuse(&words.list()), Ok)
            }
            Self::Crate => match literal {
                Some(Lit::Str(path)) => match path.parse_with(Path::parse_mod_style) {
                    Ok(path) => Ok(Value::Crate(path)),
                    Err(_) => refuse("a path in a string"),
                },
                _ => refuse("a path in a string"),
            },
        }
    }
}

/// The user's place with the macro's own resolution: an error points at what the user wrote, while
/// lints still know the token for generated code.
pub(crate) fn generated_at(user: Span) -> Span {
    user.resolved_at(Span::call_site())
}

/// The expression without the invisible group that a `macro_rules!` variable puts around it.
fn bare(expr: &Expr) -> &Expr {
    match expr {
        Expr::Group(group) => bare(&group.expr),
        Expr::Paren(paren) => bare(&paren.expr),
        other => other,
    }
}

fn is_zero(int: &syn::LitInt) -> bool {
    int.base10_digits() == "0"
}

/// Whether it is a minus sign before a literal.
fn is_negative(expr: &Expr) -> bool {
    match bare(expr) {
        Expr::Unary(unary) => {
            matches!(unary.op, UnOp::Neg(_)) && matches!(bare(&unary.expr), Expr::Lit(_))
        }
        _ => false,
    }
}

/// The message for a key that nobody knows, with the cure for those that other runtimes taught.
fn unknown(key: &Ident, attribute: Attribute) -> String {
    match (key.to_string().as_str(), attribute) {
        ("worker_threads" | "core_threads", _) => {
            format!("`{key}` is called `procs` here: write `procs = 4`")
        }
        ("flavor", _) => String::from(
            "there is one scheduler and no `flavor` to choose: remove it, and write `procs = 1` to \
             run one task at a time",
        ),
        ("start_paused", Attribute::Test) => {
            format!("`{key}` is called `virtual_time` here: write `virtual_time = true`")
        }
        ("start_paused", Attribute::Main) => format!(
            "virtual time is for tests: remove `{key}`, `#[gmp::test]` takes `virtual_time`"
        ),
        _ => format!("unknown key `{key}`; {}", known_keys(attribute)),
    }
}

/// The end of a sentence that lists the keys of the attribute.
fn known_keys(attribute: Attribute) -> String {
    let keys: Vec<_> = KEYS
        .into_iter()
        .map(|(name, _)| name)
        .filter(|name| match attribute {
            Attribute::Test => !MAIN_ONLY.contains(name),
            Attribute::Main => !TEST_ONLY.contains(name),
        })
        .map(|name| format!("`{name}`"))
        .collect();
    format!("the keys of `{}` are {}", attribute.name(), keys.join(", "))
}

#[cfg(test)]
mod tests;
