//! Task-local values.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::Mutex;

use gmp::runtime::Builder;
use gmp::task::yield_now;

gmp::task_local! {
    static ID: u32;
    static NAME: RefCell<String>;
}

#[test]
fn each_task_sees_its_own_value_on_every_m() {
    let rt = Builder::new().procs(4).build().expect("a runtime");
    let tasks: Vec<_> = (0..200)
        .map(|n| {
            rt.spawn(ID.scope(n, async move {
                for _ in 0..20 {
                    assert_eq!(ID.get(), n);
                    yield_now().await;
                    let inner = ID.scope(n + 1000, async { ID.get() }).await;
                    assert_eq!((inner, ID.get()), (n + 1000, n));
                }
            }))
        })
        .collect();
    rt.block_on(async {
        for task in tasks {
            task.await.expect("no panic");
        }
        assert!(ID.try_get().is_err(), "the root has none");
    });
}

#[test]
fn a_value_may_change_and_be_taken_out() {
    gmp::block_on(async {
        let scope = NAME.scope(RefCell::new("a".to_owned()), async {
            NAME.with(|name| name.borrow_mut().push('b'));
            yield_now().await;
            NAME.with(|name| name.borrow_mut().push('c'));
        });
        let mut scope = std::pin::pin!(scope);
        scope.as_mut().await;
        let name = scope.as_mut().take_value().expect("still there");
        assert_eq!(name.into_inner(), "abc");
        assert!(scope.take_value().is_none());
    });
}

#[test]
fn children_inherit_only_if_they_are_told_to() {
    gmp::block_on(ID.scope(5, async {
        let without = gmp::spawn(async { ID.try_get() });
        let with = gmp::spawn(ID.inherit(async { ID.get() }));
        assert!(without.await.expect("no panic").is_err());
        assert_eq!(with.await.expect("no panic"), 5);
    }));
    gmp::block_on(ID.inherit(async { assert!(ID.try_get().is_err()) }));
}

#[test]
fn a_future_is_dropped_in_its_scope_and_a_nested_block_on_sees_it() {
    struct Tells(Arc<Mutex<Option<u32>>>);
    impl Drop for Tells {
        fn drop(&mut self) {
            *self.0.lock().expect("no panic") = ID.try_get().ok();
        }
    }
    let told = Arc::new(Mutex::new(None));
    gmp::block_on(async {
        let tells = Tells(told.clone());
        let (started, start) = futures::channel::oneshot::channel();
        let task = gmp::spawn(ID.scope(3, async move {
            let _tells = tells;
            assert_eq!(gmp::block_on(async { ID.get() }), 3);
            started.send(()).expect("the root waits");
            std::future::pending::<()>().await;
        }));
        start.await.expect("it starts");
        task.abort();
        assert!(task.await.expect_err("aborted").is_cancelled());
    });
    assert_eq!(*told.lock().expect("no panic"), Some(3));
}

#[test]
fn a_panic_in_a_scope_leaves_no_value_behind() {
    let caught = std::panic::catch_unwind(|| ID.sync_scope(1, || panic!("on purpose")));
    assert!(caught.is_err());
    assert!(ID.try_get().is_err());
    let caught = std::panic::catch_unwind(|| ID.get()).expect_err("no value");
    let text = caught.downcast_ref::<&str>().expect("a text");
    assert!(text.contains("LocalKey::scope"), "{text}");
}
