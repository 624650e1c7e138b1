//! The expansion: a plain function around the `async fn`, see the crate's documentation for its shape.
//!
//! What is wrong with the function is found here, what is wrong with the keys in `options`.

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::parse::{Parse, ParseStream};
use syn::{Generics, ReturnType, Signature, Token, Visibility};

use crate::options::{Attribute, Errors, Options, generated_at};

/// The tokens that replace the item under the attribute.
pub(crate) fn expand(attribute: Attribute, args: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let options = Options::parse(attribute, args, &mut errors);

    let entry = match parse(attribute, item.clone()) {
        Ok(entry) => entry,
        Err(error) => {
            errors.push(error);
            let errors = errors.into_tokens();
            return quote!(#errors #item);
        }
    };
    let faults = entry.faults(attribute);
    let expansion = if faults.is_empty() {
        entry.expansion(attribute, &options, &mut errors)
    } else {
        entry.stand_in(attribute)
    };
    faults.into_iter().for_each(|fault| errors.push(fault));
    let errors = errors.into_tokens();
    quote!(#errors #expansion)
}

/// An `async fn` whose body is left as it was found.
struct Entry {
    attrs: Vec<syn::Attribute>,
    vis: Visibility,
    sig: Signature,
    body: Body,
}

enum Body {
    Block(Group),
    /// A semicolon instead of a body.
    Missing(Token![;]),
}

fn parse(attribute: Attribute, item: TokenStream) -> syn::Result<Entry> {
    let whole = item.clone();
    let parser = |input: ParseStream<'_>| {
        let attrs = input.call(syn::Attribute::parse_outer)?;
        let vis = input.parse()?;
        if !is_function(input) {
            let sentence = format!(
                "`{}` runs a function: put it on an `async fn`",
                attribute.name()
            );
            return Err(syn::Error::new_spanned(&whole, sentence));
        }
        let sig = input.parse()?;
        let body = input.parse()?;
        Ok(Entry {
            attrs,
            vis,
            sig,
            body,
        })
    };
    syn::parse::Parser::parse2(parser, item)
}

impl Parse for Body {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.peek(Token![;]) {
            return input.parse().map(Self::Missing);
        }
        match input.parse()? {
            TokenTree::Group(block) if block.delimiter() == Delimiter::Brace => {
                Ok(Self::Block(block))
            }
            // A `macro_rules!` variable puts an invisible group around the block.
            TokenTree::Group(variable) if variable.delimiter() == Delimiter::None => {
                syn::parse2(variable.stream())
            }
            other => {
                let sentence = "expected the body of the function in braces";
                Err(syn::Error::new(other.span(), sentence))
            }
        }
    }
}

/// Whether a function follows, whatever its qualifiers.
fn is_function(input: ParseStream<'_>) -> bool {
    let ahead = input.fork();
    // A qualifier that is not there parses as `None`, so only malformed input ends this early.
    let qualifiers = (|| {
        ahead.parse::<Option<Token![const]>>()?;
        ahead.parse::<Option<Token![async]>>()?;
        ahead.parse::<Option<Token![unsafe]>>()?;
        ahead.parse::<Option<syn::Abi>>()
    })();
    qualifiers.is_ok() && ahead.peek(Token![fn])
}

impl Entry {
    /// Everything about the function that keeps it from being run.
    fn faults(&self, attribute: Attribute) -> Vec<syn::Error> {
        let Signature {
            constness,
            asyncness,
            unsafety,
            abi,
            fn_token,
            ident,
            generics,
            inputs,
            variadic,
            ..
        } = &self.sig;
        let on = attribute.name();
        let mut faults = Vec::new();
        let mut fault = |at: &dyn ToTokens, sentence: String| {
            faults.push(syn::Error::new_spanned(at.to_token_stream(), sentence));
        };

        if let Body::Missing(semicolon) = &self.body {
            fault(
                semicolon,
                format!("`{ident}` has no body to run: write one in braces"),
            );
        }
        if asyncness.is_none() {
            let sentence = match attribute {
                Attribute::Main => format!("`{on}` runs an `async fn`: write `async fn {ident}`"),
                Attribute::Test => format!(
                    "`{on}` runs an `async fn`: write `async fn {ident}`, or use `#[test]` when the \
                     test awaits nothing"
                ),
            };
            fault(fn_token, sentence);
        }
        if !inputs.is_empty() || variadic.is_some() {
            let cure = match attribute {
                Attribute::Main if ident == "main" => {
                    "remove them, `std::env::args()` has the command line"
                }
                Attribute::Main => "remove them, or call a function that takes them from the body",
                Attribute::Test => "remove them, or call a function that takes them from the test",
            };
            let at = quote!(#inputs #variadic);
            fault(
                &at,
                format!("nobody passes arguments to `{ident}` under `{on}`: {cure}"),
            );
        }
        if generics.lt_token.is_some() || generics.where_clause.is_some() {
            let Generics {
                lt_token,
                params,
                gt_token,
                where_clause,
            } = generics;
            let at = match lt_token {
                Some(_) => quote!(#lt_token #params #gt_token),
                None => quote!(#where_clause),
            };
            let sentence = format!(
                "nobody chooses the generics of `{ident}` under `{on}`: remove them and name the types \
                 in the body"
            );
            fault(&at, sentence);
        }
        if let Some(unsafety) = unsafety {
            let sentence = format!(
                "`{on}` calls `{ident}` from safe code: remove `unsafe` here and write `unsafe` blocks \
                 in the body"
            );
            fault(unsafety, sentence);
        }
        if let Some(constness) = constness {
            fault(
                constness,
                format!("`{ident}` runs on a runtime and cannot be `const`: remove `const`"),
            );
        }
        if let Some(abi) = abi {
            let sentence = format!(
                "an `async fn` has Rust's own calling convention: remove `{}`",
                quote!(#abi)
            );
            fault(abi, sentence);
        }
        faults
    }

    fn expansion(
        mut self,
        attribute: Attribute,
        options: &Options,
        errors: &mut Errors,
    ) -> TokenStream {
        let mut plain = self.sig.clone();
        plain.asyncness = None;
        let Options {
            krate,
            builder,
            leak_check,
            virtual_time,
            sigquit,
        } = options;
        let ident = &self.sig.ident;
        let (mark, run) = match attribute {
            Attribute::Main => {
                let run = match sigquit {
                    None => quote!(#krate::__private::run_main(#builder, #ident())),
                    Some(sigquit) => {
                        quote!(#krate::__private::run_main_with(#builder, #sigquit, #ident()))
                    }
                };
                (None, run)
            }
            Attribute::Test => {
                self.attrs.retain(|attr| !doubles_test(attr, errors));
                let run = quote! {
                    #krate::__private::run_test(
                        #builder,
                        #krate::__private::TestOptions {
                            leak_check: #krate::__private::LeakCheck::options(#leak_check),
                            virtual_time: #virtual_time,
                        },
                        #ident(),
                    )
                };
                (Some(quote!(#[::core::prelude::v1::test])), run)
            }
        };
        let Self {
            attrs,
            vis,
            mut sig,
            body,
        } = self;
        // The inner function is generated code to lints that ask for fewer `async` or more calls.
        let generated = generated_at(sig.fn_token.span);
        sig.asyncness = Some(Token![async](generated));
        sig.fn_token = Token![fn](generated);
        // With braces of our own, the compiler would take the whole function for generated code, and
        // not say when nobody calls it.
        let mut wrapper = Group::new(Delimiter::Brace, quote!(#sig #body #run));
        wrapper.set_span(body.span());
        quote!(#mark #(#attrs)* #vis #plain #wrapper)
    }

    /// An item that keeps the compiler from reporting the same mistake in its own words: that `main`
    /// is missing, or that a function which other code calls is.
    fn stand_in(mut self, attribute: Attribute) -> TokenStream {
        if attribute == Attribute::Test {
            return TokenStream::new();
        }
        self.sig.constness = None;
        self.sig.asyncness = None;
        self.sig.unsafety = None;
        self.sig.abi = None;
        if self.sig.ident == "main" {
            self.sig.inputs.clear();
            self.sig.variadic = None;
            self.sig.generics = Generics::default();
            self.sig.output = ReturnType::Default;
        }
        let Self {
            attrs, vis, sig, ..
        } = self;
        quote! {
            #(#attrs)*
            #[allow(unused_variables)]
            #vis #sig { ::core::unreachable!() }
        }
    }
}

impl Body {
    fn span(&self) -> Span {
        match self {
            Self::Block(block) => block.span(),
            Self::Missing(semicolon) => semicolon.span,
        }
    }
}

impl ToTokens for Body {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        match self {
            Self::Block(block) => block.to_tokens(tokens),
            Self::Missing(semicolon) => semicolon.to_tokens(tokens),
        }
    }
}

/// Whether the attribute makes the function a test once more, which would run it twice.
fn doubles_test(attr: &syn::Attribute, errors: &mut Errors) -> bool {
    let path = attr.path();
    let doubles = path
        .segments
        .last()
        .is_some_and(|last| last.ident == "test");
    if doubles {
        let path = quote!(#path).to_string().replace(' ', "");
        let sentence = format!("`#[gmp::test]` makes this a test already: remove `#[{path}]`");
        errors.push(syn::Error::new_spanned(attr, sentence));
    }
    doubles
}

#[cfg(test)]
mod tests;
