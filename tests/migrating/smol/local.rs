//! Tasks that are not Send.

// snippet
use std::rc::Rc;

fn shared() -> usize {
    let local = smol::LocalExecutor::new();
    let text = Rc::new(String::from("here"));
    let task = local.spawn(async move { text.len() });
    smol::block_on(local.run(task))
}
// end

#[test]
fn runs() {
    assert_eq!(shared(), 4);
}
