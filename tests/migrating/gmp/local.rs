//! Tasks that are not Send.

// snippet
use std::rc::Rc;

fn shared() -> usize {
    gmp::block_on(async {
        let text = Rc::new(String::from("here"));
        let task = gmp::task::spawn_local(async move { text.len() });
        task.await.expect("no panic")
    })
}
// end

#[test]
fn runs() {
    assert_eq!(shared(), 4);
}
