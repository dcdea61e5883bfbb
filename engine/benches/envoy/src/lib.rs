//! Runs the benches of masking when Envoy loads it, in the V8 that the filter runs in: `make bench-mask`.
//!
//! It writes to standard output, which Envoy turns into lines of its log.

#[cfg(target_arch = "wasm32")]
#[path = "../../measure/mod.rs"]
mod measure;

#[cfg(target_arch = "wasm32")]
#[allow(unsafe_code, missing_docs, reason = "the SDK's macro exports the entry that the ABI demands")]
mod entry {
    proxy_wasm::main! {{
        proxy_wasm::set_root_context(|_| Box::new(super::bench::Bench));
    }}
}

#[cfg(target_arch = "wasm32")]
mod bench {
    use proxy_wasm::hostcalls::{get_shared_data, set_shared_data};
    use proxy_wasm::traits::{Context, RootContext};

    use super::measure::{self, Table};

    /// Bytes of a page of wasm's memory.
    const PAGE: usize = 64 * 1024;

    /// Set by the first VM: Envoy loads a module in several, and one is enough.
    const DONE: &str = "sluice-mask-bench";

    /// The benches as a root context.
    pub(crate) struct Bench;

    impl Context for Bench {}

    impl RootContext for Bench {
        fn on_configure(&mut self, _: usize) -> bool {
            if get_shared_data(DONE).is_ok_and(|(data, _)| data.is_none())
                && set_shared_data(DONE, Some(b"1"), None).is_ok()
            {
                let mut say = |line: &str| println!("| {line}");
                let mut table = Table::new(&mut say, None);
                measure::all(&mut table, || Some(core::arch::wasm32::memory_size::<0>() * PAGE));
                let missed = table.missed();
                println!("| \n| {missed} of the bars missed");
            }
            true
        }
    }
}
