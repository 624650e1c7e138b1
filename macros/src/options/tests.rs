//! The sentence for each mistake in the keys, and what is let through.

use super::*;

/// All that is said about the keys.
fn sentences(attribute: Attribute, args: TokenStream) -> Vec<String> {
    let mut errors = Errors::default();
    Options::parse(attribute, args, &mut errors);
    let all = errors.0.into_iter().flatten();
    all.map(|error| error.to_string()).collect()
}

#[test]
fn literals_of_the_right_kind_and_all_expressions_pass() {
    let values = [
        quote!(
            procs = 1,
            max_threads = 1usize,
            thread_stack_size = 0x10_0000,
            seed = 0
        ),
        quote!(
            procs = N,
            thread_name = concat!("a", "b"),
            handoff = !cfg!(unix)
        ),
        quote!(
            procs = (4),
            thread_name = NAMES[0],
            seed = { 1 + 2 },
            max_threads = -N
        ),
        quote!(rules = "default", crate = "gmp"),
        quote!(rules = "go117", crate = "::a::b",),
        quote!(panic_policy = "log"),
        quote!(panic_policy = "abort"),
        quote!(panic_policy = "shutdown"),
        quote!(),
    ];
    for args in values {
        for attribute in [Attribute::Main, Attribute::Test] {
            let said = sentences(attribute, args.clone());
            assert!(said.is_empty(), "{args}: {said:?}");
        }
    }
    for args in [
        quote!(leak_check = true, virtual_time = false),
        quote!(leak_check = Options::new().ignore_name("server")),
    ] {
        let said = sentences(Attribute::Test, args);
        assert!(said.is_empty(), "{said:?}");
    }
    assert_eq!(
        sentences(Attribute::Test, quote!(leak_check = "proven")),
        [
            "`leak_check` takes `true`, `false` or a `profiler::leak::Options`: \
             write `leak_check = true`"
        ]
    );
}

#[test]
fn a_value_from_a_macro_variable_is_seen_through() {
    // What `$procs:literal` gives: the literal in an invisible group.
    let group = proc_macro2::Group::new(proc_macro2::Delimiter::None, quote!(0));
    let said = sentences(Attribute::Main, quote!(procs = #group));
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].starts_with("`procs = 0` leaves nothing to run tasks on"),
        "{said:?}"
    );
}

#[test]
fn a_value_of_the_wrong_kind_is_told_the_right_one() {
    let wrong = [
        (
            quote!(procs = "4"),
            "`procs` takes a whole number: write `procs = 4`",
        ),
        (
            quote!(procs = 4.0),
            "`procs` takes a whole number: write `procs = 4`",
        ),
        (
            quote!(procs = -4),
            "`procs` takes a whole number that is not negative: write `procs = 4`",
        ),
        (
            quote!(procs = 0b0),
            "`procs = 0` leaves nothing to run tasks on: use 1 or more, or leave `procs` out to \
             get one per available core",
        ),
        (
            quote!(max_threads = true),
            "`max_threads` takes a whole number: write `max_threads = 10_000`",
        ),
        (
            quote!(thread_name = 1),
            "`thread_name` takes a string: write `thread_name = \"svc\"`",
        ),
        (
            quote!(thread_name = b"a"),
            "`thread_name` takes a string: write `thread_name = \"svc\"`",
        ),
        (
            quote!(handoff = 1),
            "`handoff` takes `true` or `false`: write `handoff = true`",
        ),
        (
            quote!(rules = Go117),
            "`rules` takes \"default\" or \"go117\": write `rules = \"go117\"`",
        ),
        (
            quote!(rules = "go118"),
            "`rules` takes \"default\" or \"go117\": write `rules = \"go117\"`",
        ),
        (
            quote!(panic_policy = "ignore"),
            "`panic_policy` takes \"log\", \"abort\" or \"shutdown\": write `panic_policy = \"abort\"`",
        ),
        (
            quote!(panic_policy = PanicPolicy::Abort),
            "`panic_policy` takes \"log\", \"abort\" or \"shutdown\": write `panic_policy = \"abort\"`",
        ),
        (
            quote!(sigquit = "core"),
            "`sigquit` takes \"off\", \"dump\" or \"exit\": write `sigquit = \"dump\"`",
        ),
        (
            quote!(crate = "a b"),
            "`crate` takes a path in a string: write `crate = \"my_crate::gmp\"`",
        ),
        (
            quote!(crate = a::b),
            "`crate` takes a path in a string: write `crate = \"my_crate::gmp\"`",
        ),
    ];
    for (args, sentence) in wrong {
        assert_eq!(sentences(Attribute::Main, args), [sentence]);
    }
}

#[test]
fn a_key_that_may_not_stand_there_is_told_why() {
    let list = "`procs`, `max_threads`, `thread_name`, `thread_stack_size`, `handoff`, `rules`, \
                `seed`, `panic_policy`";
    assert_eq!(
        sentences(Attribute::Main, quote!(proc = 1)),
        [format!(
            "unknown key `proc`; the keys of `#[gmp::main]` are {list}, `sigquit`, `crate`"
        )]
    );
    assert_eq!(
        sentences(Attribute::Test, quote!(proc = 1)),
        [format!(
            "unknown key `proc`; the keys of `#[gmp::test]` are {list}, `leak_check`, \
             `virtual_time`, `crate`"
        )]
    );
    assert_eq!(
        sentences(Attribute::Main, quote!(virtual_time = true)),
        ["`virtual_time` is for tests: remove it here, `#[gmp::test]` takes it"]
    );
    assert_eq!(
        sentences(Attribute::Test, quote!(sigquit = "off")),
        ["`sigquit` is for programs: remove it here, `#[gmp::main]` takes it"]
    );
    // The second is refused even when the first has a bad value.
    assert_eq!(
        sentences(Attribute::Main, quote!(handoff = 1, handoff = true)),
        [
            "`handoff` takes `true` or `false`: write `handoff = true`",
            "`handoff` is given twice: keep one of them",
        ]
    );
}

#[test]
fn broken_syntax_is_told_where_it_breaks() {
    let broken = [
        (quote!(procs), "`procs` needs a value: write `procs = 4`"),
        (
            quote!(handoff, procs = 1),
            "`handoff` needs a value: write `handoff = true`",
        ),
        (
            quote!(procs == 4),
            "`procs` needs a value: write `procs = 4`",
        ),
        (quote!(procs = ), "`procs` needs a value: write `procs = 4`"),
        (
            quote!(procs = , seed = 1),
            "`procs` needs a value: write `procs = 4`",
        ),
        (
            quote!(procs = = 1),
            "`procs` needs a value: write `procs = 4`",
        ),
        (
            quote!(procs = 1 seed = 2),
            "expected a comma between one `key = value` and the next",
        ),
        (
            quote!(procs = 1; seed = 2),
            "expected a comma between one `key = value` and the next",
        ),
    ];
    for (args, sentence) in broken {
        assert_eq!(sentences(Attribute::Main, args), [sentence]);
    }
    for args in [
        quote!("x"),
        quote!(4),
        quote!(,),
        quote!(procs = 1,, seed = 2),
    ] {
        let said = sentences(Attribute::Main, args);
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(
            said[0].starts_with("expected `key = value`; the keys of"),
            "{said:?}"
        );
    }
}
