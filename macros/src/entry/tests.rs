//! The expansion, compared with quotations of the code it should give.

use super::*;

/// The expansion as text, to be compared with what a quotation of the expected code gives.
fn expanded(attribute: Attribute, args: &str, item: &str) -> String {
    let args = args.parse().expect("the keys are made of tokens");
    let item = item.parse().expect("the item is made of tokens");
    expand(attribute, args, item).to_string()
}

#[test]
fn main_blocks_on_the_function_as_it_was_written() {
    let found = expanded(
        Attribute::Main,
        "",
        "#[doc = \"Serves.\"] #[inline]
         pub(crate) async fn main() -> Result<(), Error> { serve().await }",
    );
    let expected = quote! {
        #[doc = "Serves."]
        #[inline]
        pub(crate) fn main() -> Result<(), Error> {
            async fn main() -> Result<(), Error> { serve().await }
            ::gmp::__private::run_main(::gmp::runtime::Builder::new(), main())
        }
    };
    assert_eq!(found, expected.to_string());
}

#[test]
fn keys_become_calls_in_the_order_in_which_they_were_written() {
    let found = expanded(
        Attribute::Main,
        "seed = 7, rules = \"go117\", procs = cores() * 2, handoff = false, thread_name = \"svc\",
         thread_stack_size = 2 << 20, max_threads = MAX,",
        "async fn main() {}",
    );
    let expected = quote! {
        fn main() {
            async fn main() {}
            ::gmp::__private::run_main(
                ::gmp::runtime::Builder::new()
                    .seed(7)
                    .rules(::gmp::runtime::Rules::Go117)
                    .procs(cores() * 2)
                    .handoff(false)
                    .thread_name("svc")
                    .thread_stack_size(2 << 20)
                    .max_threads(MAX),
                main()
            )
        }
    };
    assert_eq!(found, expected.to_string());
}

#[test]
fn what_a_signal_does_goes_beside_the_builder() {
    let found = expanded(
        Attribute::Main,
        "sigquit = \"dump\", procs = 1",
        "async fn main() {}",
    );
    let expected = quote! {
        fn main() {
            async fn main() {}
            ::gmp::__private::run_main_with(
                ::gmp::runtime::Builder::new().procs(1),
                ::gmp::profiler::SigQuit::Dump,
                main()
            )
        }
    };
    assert_eq!(found, expected.to_string());
}

#[test]
fn the_crate_key_replaces_every_path() {
    let found = expanded(
        Attribute::Test,
        "rules = \"default\", crate = \"crate::deps::gmp\"",
        "async fn works() {}",
    );
    let expected = quote! {
        #[::core::prelude::v1::test]
        fn works() {
            async fn works() {}
            crate::deps::gmp::__private::run_test(
                crate::deps::gmp::runtime::Builder::new()
                    .procs(1usize)
                    .rules(crate::deps::gmp::runtime::Rules::Default),
                crate::deps::gmp::__private::TestOptions {
                    leak_check: crate::deps::gmp::__private::LeakCheck::options(false),
                    virtual_time: false,
                },
                works(),
            )
        }
    };
    assert_eq!(found, expected.to_string());
}

#[test]
fn a_test_passes_its_options_and_keeps_its_attributes() {
    let found = expanded(
        Attribute::Test,
        "leak_check = true, procs = 2, virtual_time = cfg!(unix)",
        "#[should_panic(expected = \"x\")] #[cfg_attr(windows, ignore)]
         async fn fails() -> Result<(), Error> { panic!(\"x\") }",
    );
    let expected = quote! {
        #[::core::prelude::v1::test]
        #[should_panic(expected = "x")]
        #[cfg_attr(windows, ignore)]
        fn fails() -> Result<(), Error> {
            async fn fails() -> Result<(), Error> { panic!("x") }
            ::gmp::__private::run_test(
                ::gmp::runtime::Builder::new().procs(2),
                ::gmp::__private::TestOptions {
                    leak_check: ::gmp::__private::LeakCheck::options(true),
                    virtual_time: cfg!(unix),
                },
                fails(),
            )
        }
    };
    assert_eq!(found, expected.to_string());
}

#[test]
fn a_second_test_attribute_is_refused_and_dropped() {
    let once = expanded(Attribute::Test, "", "async fn t() {}");
    for path in [
        "test",
        "core::prelude::v1::test",
        "::std::prelude::v1::test",
    ] {
        let twice = expanded(Attribute::Test, "", &format!("#[{path}] async fn t() {{}}"));
        let error = twice
            .strip_suffix(&once)
            .expect("the rest is as without it");
        assert!(error.contains(&format!("remove `#[{path}]`")), "{error}");
    }
}

#[test]
fn a_body_that_is_not_rust_yet_still_expands() {
    let found = expanded(Attribute::Main, "", "async fn main() { let x = stream. }");
    let body = quote!(async fn main() { let x = stream. });
    assert!(found.contains(&body.to_string()), "{found}");
    assert!(!found.contains("compile_error"), "{found}");
}

#[test]
fn wrong_keys_leave_the_right_ones_and_the_function_in_place() {
    let item = "async fn main() {}";
    let right = expanded(Attribute::Main, "procs = 2", item);
    let found = expanded(
        Attribute::Main,
        "procs = 2, size = 1, procs = 3, seed = \"x\"",
        item,
    );
    let errors = found
        .strip_suffix(&right)
        .expect("the right key takes part");
    assert_eq!(errors.matches("compile_error").count(), 3, "{errors}");
}

#[test]
fn a_function_that_cannot_run_is_replaced_by_one_that_compiles() {
    let item = "async fn main<T>(args: Vec<T>) -> u8 where T: Send { 0 }";
    let found = expanded(Attribute::Main, "", item);
    let stand_in = quote! {
        #[allow(unused_variables)]
        fn main() { ::core::unreachable!() }
    };
    let errors = found
        .strip_suffix(&stand_in.to_string())
        .expect("a `main` is left");
    assert_eq!(errors.matches("compile_error").count(), 2, "{errors}");

    let found = expanded(Attribute::Main, "", "pub fn run(n: u8) -> u8 { n }");
    let stand_in = quote! {
        #[allow(unused_variables)]
        pub fn run(n: u8) -> u8 { ::core::unreachable!() }
    };
    assert!(found.ends_with(&stand_in.to_string()), "{found}");
}

#[test]
fn every_fault_of_the_function_has_its_sentence() {
    let faults = [
        ("fn f() {}", "write `async fn f`"),
        ("async fn f(self) {}", "nobody passes arguments to `f`"),
        (
            "async fn f(x: u8, y: u8) {}",
            "nobody passes arguments to `f`",
        ),
        ("async fn f<'a>() {}", "nobody chooses the generics of `f`"),
        ("async fn f<>() {}", "nobody chooses the generics of `f`"),
        (
            "async fn f() where u8: Copy {}",
            "nobody chooses the generics of `f`",
        ),
        ("async unsafe fn f() {}", "remove `unsafe`"),
        ("const async fn f() {}", "remove `const`"),
        ("async extern fn f() {}", "remove `extern`"),
        ("async fn f();", "`f` has no body to run"),
        ("async fn f() []", "the body of the function in braces"),
        ("struct F;", "put it on an `async fn`"),
        ("const F: u8 = 1;", "put it on an `async fn`"),
        ("unsafe impl Send for F {}", "put it on an `async fn`"),
        ("extern { fn f(); }", "put it on an `async fn`"),
    ];
    for attribute in [Attribute::Main, Attribute::Test] {
        for (item, sentence) in faults {
            let found = expanded(attribute, "", item);
            assert_eq!(found.matches("compile_error").count(), 1, "{item}: {found}");
            assert!(found.contains(sentence), "{item}: {found}");
        }
    }
}
