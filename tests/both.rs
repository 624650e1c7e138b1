//! The same source on Tokio and on gmp: each file below `both/` is compiled twice and
//! knows its runtime as `rt`. What a service does by these names moves by its imports.
//! `tokio::io`'s traits, `select!` and `join!` stay as they are.
#![expect(clippy::duplicate_mod, reason = "that is the point")]

#[path = "support/watchdog.rs"]
mod watchdog;

#[path = "both"]
mod on_gmp {
    mod rt {
        pub(super) use gmp::*;
    }
    #[path = "names.rs"]
    mod names;
    #[path = "service.rs"]
    mod service;

    #[test]
    fn the_service_runs() {
        crate::watchdog::within(120, || {
            let runtime = gmp::runtime::Builder::new().procs(2).build();
            runtime.expect("threads").block_on(service::story());
        });
    }
}

#[path = "both"]
mod on_tokio {
    mod rt {
        pub(super) use tokio::*;
    }
    #[path = "names.rs"]
    mod names;
    #[path = "service.rs"]
    mod service;

    #[test]
    fn the_service_runs() {
        crate::watchdog::within(120, || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build();
            runtime.expect("threads").block_on(service::story());
        });
    }
}
