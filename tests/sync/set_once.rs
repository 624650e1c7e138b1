//! A value that is set once.

use std::sync::Arc;

use gmp::sync::{SetOnce, SetOnceError};

use super::on_1_and_4;
use crate::drops::{Drops, Token};
use crate::hand::{Woken, poll, poll_with};

#[test]
fn a_value_wakes_all_who_wait_for_it_and_stays() {
    let value = SetOnce::new();
    let woken = [Woken::new(), Woken::new(), Woken::new()];
    let (mut first, mut second, mut gone) = (
        Box::pin(value.wait()),
        Box::pin(value.wait()),
        Box::pin(value.wait()),
    );
    assert!(poll_with(&mut first, &woken[0]).is_pending());
    assert!(poll_with(&mut second, &woken[1]).is_pending());
    assert!(poll_with(&mut gone, &woken[2]).is_pending());
    assert!(!value.initialized() && value.get().is_none());
    drop(gone);
    assert_eq!(value.set(1), Ok(()));
    assert_eq!(woken.each_ref().map(|woken| woken.count()), [1, 1, 0]);
    assert_eq!(value.set(2), Err(SetOnceError(2)));
    assert_eq!(woken[0].count(), 1, "what came too late wakes nobody");
    assert!(poll(&mut first).is_ready() && poll(&mut second).is_ready());
    assert!(poll(&mut Box::pin(value.wait())).is_ready());
    assert_eq!((value.get(), value.initialized()), (Some(&1), true));
    drop((first, second));
    assert_eq!(value.clone(), SetOnce::from(1));
    assert_ne!(value, SetOnce::new_with(None));
    assert_eq!(format!("{value:?}"), "SetOnce { value: Some(1) }");
    assert_eq!(value.into_inner(), Some(1));
}

#[test]
fn of_several_who_set_it_one_does_and_all_see_its_value() {
    on_1_and_4(|rt| {
        for _ in 0..200 {
            let drops = Drops::new();
            let value = Arc::new(SetOnce::<(usize, Token)>::new());
            let reader = |_| {
                let value = value.clone();
                rt.spawn(async move { value.wait().await.0 })
            };
            let early: Vec<_> = (0..3).map(reader).collect();
            let setters: Vec<_> = (0..3)
                .map(|n| {
                    let (value, token) = (value.clone(), drops.token());
                    rt.spawn(async move { value.set((n, token)).is_ok() })
                })
                .collect();
            let late: Vec<_> = (0..3).map(reader).collect();
            let set = setters.into_iter().map(|task| rt.block_on(task));
            let set: Vec<_> = set.map(|set| set.expect("no panic")).collect();
            assert_eq!(set.iter().filter(|set| **set).count(), 1);
            assert_eq!(drops.count(), 2);
            for task in early.into_iter().chain(late) {
                assert!(set[rt.block_on(task).expect("no panic")]);
            }
            drop(value);
            assert_eq!(drops.count(), 3);
        }
    });
}
