//! The built filter on wasmtime, with a host that behaves as Envoy does.
