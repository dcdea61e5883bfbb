//! The part of WASI that Envoy offers, over no files, no arguments and no environment.
//!
//! The list is that of proxy-wasm-cpp-host (`src/wasm.cc`, `_REGISTER_WASI`); an import outside it fails to link.

use wasmtime::{Caller, Linker};

use super::memory::{Guest, Outcome, Status};
use super::world::World;

const WASI: &str = "wasi_snapshot_preview1";

/// WASI's numbers: success, bad file descriptor, a fault in memory, not supported.
const SUCCESS: u32 = 0;
const BADF: u32 = 8;
const FAULT: u32 = 21;
const NOTSUP: u32 = 58;

fn errno(outcome: Outcome) -> u32 {
    if outcome.is_ok() { SUCCESS } else { FAULT }
}

/// Adds the functions.
pub fn link(linker: &mut Linker<World>) -> wasmtime::Result<()> {
    for name in ["environ_sizes_get", "args_sizes_get"] {
        linker.func_wrap(WASI, name, |caller: Caller<'_, World>, count: u32, size: u32| {
            errno(Guest::new(caller).and_then(|mut guest| {
                guest.word(count, 0)?;
                guest.word(size, 0)
            }))
        })?;
    }
    for name in ["environ_get", "args_get"] {
        linker.func_wrap(WASI, name, |_: u32, _: u32| SUCCESS)?;
    }
    linker.func_wrap(WASI, "random_get", |caller: Caller<'_, World>, at: u32, length: u32| {
        errno(Guest::new(caller).and_then(|mut guest| {
            let bytes = guest.world().random(length as usize);
            guest.write(at, &bytes)
        }))
    })?;
    linker.func_wrap(WASI, "clock_time_get", |caller: Caller<'_, World>, _: u32, _: u64, at: u32| {
        errno(Guest::new(caller).and_then(|mut guest| {
            let now = guest.world().now_ns;
            guest.write(at, &now.to_le_bytes())
        }))
    })?;
    linker.func_wrap(WASI, "fd_write", fd_write)?;
    linker.func_wrap(WASI, "fd_read", |_: u32, _: u32, _: u32, _: u32| BADF)?;
    linker.func_wrap(WASI, "fd_seek", |_: u32, _: u64, _: u32, _: u32| BADF)?;
    linker.func_wrap(WASI, "fd_close", |_: u32| BADF)?;
    linker.func_wrap(WASI, "fd_fdstat_get", |_: u32, _: u32| BADF)?;
    linker.func_wrap(WASI, "fd_prestat_get", |_: u32, _: u32| BADF)?;
    linker.func_wrap(WASI, "fd_prestat_dir_name", |_: u32, _: u32, _: u32| BADF)?;
    linker.func_wrap(WASI, "sched_yield", || SUCCESS)?;
    linker.func_wrap(WASI, "poll_oneoff", |_: u32, _: u32, _: u32, _: u32| NOTSUP)?;
    linker.func_wrap(WASI, "proc_exit", |code: u32| -> wasmtime::Result<()> {
        Err(wasmtime::Error::msg(format!("the module called exit({code})")))
    })?;
    Ok(())
}

/// What a panic writes to standard error goes to the log.
fn fd_write(caller: Caller<'_, World>, fd: u32, vectors: u32, count: u32, written: u32) -> u32 {
    if !matches!(fd, 1 | 2) {
        return BADF;
    }
    errno(Guest::new(caller).and_then(|mut guest| {
        let mut text = Vec::new();
        for index in 0..count {
            let vector = guest.read((vectors + index * 8, 8))?;
            let mut words = vector.chunks_exact(4).map(|w| <[u8; 4]>::try_from(w).map(u32::from_le_bytes));
            let (Some(Ok(at)), Some(Ok(length))) = (words.next(), words.next()) else {
                return Err(Status::InvalidMemoryAccess);
            };
            text.extend(guest.read((at, length))?);
        }
        let length = u32::try_from(text.len()).map_err(|_| Status::InternalFailure)?;
        let line = String::from_utf8_lossy(&text).trim_end().to_owned();
        guest.world().log.push(format!("stderr: {line}"));
        guest.word(written, length)
    }))
}
