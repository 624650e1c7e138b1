//! An entry point.

// snippet
fn main() {
    smol::block_on(async {
        let answer = smol::spawn(async { 6 * 7 });
        assert_eq!(answer.await, 42);
    });
}
// end

#[test]
fn runs() {
    main();
}
