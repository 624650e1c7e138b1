//! Several channels in one `select!`.

use gmp::chan;

use super::on_1_and_4;

/// Of two ready cases each wins about half: within ten standard deviations.
#[test]
fn a_select_is_fair_to_channels_that_are_all_ready() {
    const ROUNDS: u32 = 10_000;
    on_1_and_4(|rt| {
        let (tx1, rx1) = chan::bounded(1);
        let (tx2, rx2) = chan::bounded(1);
        rt.block_on(async {
            let mut wins = [0_u32; 2];
            for _ in 0..ROUNDS {
                // Both are ready at each select.
                let _ = (tx1.try_send(()), tx2.try_send(()));
                let winner = gmp::select! {
                    v = rx1.recv() => v.map(|()| 0),
                    v = rx2.recv() => v.map(|()| 1),
                };
                wins[winner.expect("open")] += 1;
            }
            let (low, high) = (ROUNDS / 2 - 500, ROUNDS / 2 + 500);
            assert!((low..=high).contains(&wins[0]), "{wins:?}");
        });
    });
}

#[test]
fn a_select_over_sends_chooses_at_random() {
    on_1_and_4(|rt| {
        let (tx, rx) = chan::bounded(1_000);
        let bits = rt.spawn(async move {
            let mut counts = [0_u32; 2];
            while let Ok(bit) = rx.recv().await {
                counts[bit] += 1;
            }
            counts
        });
        rt.block_on(async {
            for _ in 0..1_000 {
                gmp::select! {
                    sent = tx.send(0) => sent.expect("the receiver lives"),
                    sent = tx.send(1) => sent.expect("the receiver lives"),
                }
            }
        });
        drop(tx);
        let counts = rt.block_on(bits).expect("no panic");
        // Room for all: a send that lost was never sent.
        assert_eq!(counts[0] + counts[1], 1_000);
        assert!(counts.iter().all(|n| *n > 100), "{counts:?}");
    });
}

/// Four channels, served by plain operations on one side and by selects on the
/// other; each value arrives once.
#[test]
fn selects_and_plain_operations_meet_without_loss() {
    const EACH: u64 = 300;
    on_1_and_4(|rt| {
        let ends: Vec<_> = (0..4).map(|n| chan::bounded(n % 2)).collect();
        for (n, (tx, _)) in (0_u64..).zip(&ends) {
            let tx = tx.clone();
            drop(rt.spawn(async move {
                for k in 0..EACH {
                    tx.send(n * EACH + k).await.expect("receivers live");
                }
            }));
        }
        let mut receivers: Vec<_> = ends.into_iter().map(|(_, rx)| rx).collect();
        let selects: Vec<_> = (0..2)
            .map(|_| {
                let all = receivers.clone();
                rt.spawn(async move {
                    let (mut sum, mut open) = (0, [true; 4]);
                    while open.contains(&true) {
                        let never = futures::future::Fuse::terminated;
                        let mut cases = all.iter().zip(open).map(|(rx, open)| {
                            use futures::FutureExt;
                            if open { rx.recv().fuse() } else { never() }
                        });
                        let mut next = || cases.next().expect("four channels");
                        let (mut a, mut b, mut c, mut d) = (next(), next(), next(), next());
                        let (n, got) = gmp::select! {
                            v = a => (0, v),
                            v = b => (1, v),
                            v = c => (2, v),
                            v = d => (3, v),
                        };
                        match got {
                            Ok(value) => sum += value,
                            Err(_) => open[n] = false,
                        }
                    }
                    sum
                })
            })
            .collect();
        let plain = receivers.remove(2);
        drop(receivers);
        let plain = rt.spawn(async move {
            let mut sum = 0;
            while let Ok(value) = plain.recv().await {
                sum += value;
            }
            sum
        });
        let mut sum = rt.block_on(plain).expect("no panic");
        for select in selects {
            sum += rt.block_on(select).expect("no panic");
        }
        let all = 4 * EACH;
        assert_eq!(sum, all * (all - 1) / 2);
    });
}
