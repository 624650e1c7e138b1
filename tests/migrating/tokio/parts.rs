//! A guard of a part of what a lock guards.

// snippet
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};

type Names = Vec<String>;

/// The lock is held until the guard of the one name is dropped.
async fn first(names: &Mutex<Names>) -> Option<MappedMutexGuard<'_, String>> {
    MutexGuard::try_map(names.lock().await, |names| names.first_mut()).ok()
}
// end

#[test]
fn runs() {
    let names = Mutex::new(vec![String::from("one")]);
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("a runtime").block_on(async {
        first(&names).await.expect("one name").push('!');
    });
    assert_eq!(names.into_inner(), ["one!"]);
}
