//! Room that is kept before a value is made.

// snippet
use gmp::chan::Sender;

/// Makes a number only if there is room for it, and stops when nobody receives.
async fn produce(mut tx: Sender<u32>) -> u32 {
    let mut made = 0;
    while let Ok(permit) = tx.reserve_owned().await {
        let Ok(same) = permit.send(made) else { break };
        tx = same;
        made += 1;
    }
    made
}
// end

#[test]
fn runs() {
    gmp::block_on(async {
        let (tx, rx) = gmp::chan::bounded(1);
        let made = gmp::spawn(produce(tx));
        assert_eq!((rx.recv().await, rx.recv().await), (Ok(0), Ok(1)));
        drop(rx);
        assert!(made.await.expect("no panic") >= 2);
    });
}
