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
    mod behaviour;
    mod names;
    mod service;

    fn run(test: impl Future<Output = ()> + Send + 'static) {
        crate::watchdog::within(120, || {
            let runtime = gmp::runtime::Builder::new().procs(2).build();
            runtime.expect("threads").block_on(test);
        });
    }

    #[test]
    fn a_service_runs() {
        run(service::story());
    }

    #[test]
    fn what_services_rely_on_holds() {
        run(behaviour::all());
    }
}

#[path = "both"]
mod on_tokio {
    mod rt {
        pub(super) use tokio::*;
    }
    mod behaviour;
    mod names;
    mod service;

    fn run(test: impl Future<Output = ()> + Send + 'static) {
        crate::watchdog::within(120, || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build();
            runtime.expect("threads").block_on(test);
        });
    }

    #[test]
    fn a_service_runs() {
        run(service::story());
    }

    #[test]
    fn what_services_rely_on_holds() {
        run(behaviour::all());
    }
}
