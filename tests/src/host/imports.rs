//! The functions of the proxy-wasm ABI 0.2 that the module may call.

use wasmtime::{Caller, Linker};

use super::ROOT;
use super::effects::{dispatch, reply_headers};
use super::map::Headers;
use super::memory::{Guest, Outcome, Status};
use super::world::{After, Direction, LocalReply, World};

const ENV: &str = "env";

/// Runs an import and turns its outcome into proxy-wasm's number.
fn run(caller: Caller<'_, World>, import: impl FnOnce(&mut Guest<'_>) -> Outcome) -> u32 {
    let outcome = Guest::new(caller).and_then(|mut guest| import(&mut guest));
    outcome.err().unwrap_or(Status::Ok) as u32
}

type C<'a> = Caller<'a, World>;

/// Adds the functions.
pub fn link(linker: &mut Linker<World>) -> wasmtime::Result<()> {
    link_system(linker)?;
    link_maps(linker)?;
    link_buffers(linker)?;
    link_shared(linker)?;
    link_metrics(linker)?;
    link_grpc(linker)?;
    link_streams(linker)
}

fn link_system(linker: &mut Linker<World>) -> wasmtime::Result<()> {
    linker.func_wrap(ENV, "proxy_log", |c: C<'_>, level: u32, at: u32, length: u32| {
        run(c, |guest| {
            let line = guest.text((at, length))?;
            let level = ["trace", "debug", "info", "warn", "error", "critical"].get(level as usize);
            guest.world().log.push(format!("{}: {line}", level.copied().unwrap_or("?")));
            Ok(())
        })
    })?;
    linker
        .func_wrap(ENV, "proxy_get_log_level", |c: C<'_>, level: u32| run(c, |guest| guest.word(level, 1)))?;
    linker.func_wrap(ENV, "proxy_get_current_time_nanoseconds", |c: C<'_>, at: u32| {
        run(c, |guest| {
            let now = guest.world().now_ns;
            guest.write(at, &now.to_le_bytes())
        })
    })?;
    linker.func_wrap(ENV, "proxy_set_tick_period_milliseconds", |c: C<'_>, period: u32| {
        run(c, |guest| {
            guest.world().tick_period = period;
            Ok(())
        })
    })?;
    linker.func_wrap(ENV, "proxy_set_effective_context", |c: C<'_>, context: u32| {
        run(c, |guest| {
            let world = guest.world();
            if context != ROOT && !world.streams.contains_key(&context) {
                return Err(Status::BadArgument);
            }
            world.current = context;
            Ok(())
        })
    })?;
    linker.func_wrap(ENV, "proxy_get_property", |c: C<'_>, p: u32, pl: u32, v: u32, vl: u32| {
        run(c, |guest| {
            let path = guest.read((p, pl))?;
            let value = guest.world().properties.get(&path).cloned().ok_or(Status::NotFound)?;
            guest.give(&value, v, vl)
        })
    })?;
    linker.func_wrap(ENV, "proxy_set_property", |c: C<'_>, p: u32, pl: u32, v: u32, vl: u32| {
        run(c, |guest| {
            let (path, value) = (guest.read((p, pl))?, guest.read((v, vl))?);
            guest.world().properties.insert(path, value);
            Ok(())
        })
    })?;
    linker.func_wrap(ENV, "proxy_done", |c: C<'_>| {
        run(c, |guest| {
            guest.world().ended = true;
            Ok(())
        })
    })?;
    linker.func_wrap(
        ENV,
        "proxy_call_foreign_function",
        |_: C<'_>, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32| Status::NotFound as u32,
    )?;
    Ok(())
}

/// The headers behind a map's number, if this phase reaches them.
fn map(world: &mut World, number: u32) -> Result<&mut Headers, Status> {
    match number {
        0 => open(world, Direction::Request),
        1 => world.side(Direction::Request)?.trailers.as_mut().ok_or(Status::BadArgument),
        2 => open(world, Direction::Response),
        3 => world.side(Direction::Response)?.trailers.as_mut().ok_or(Status::BadArgument),
        6 if world.answers_current() => world.answer_headers.as_mut().ok_or(Status::BadArgument),
        _ => Err(Status::BadArgument),
    }
}

fn open(world: &mut World, direction: Direction) -> Result<&mut Headers, Status> {
    let side = world.side(direction)?;
    side.headers.as_mut().filter(|_| side.headers_open).ok_or(Status::BadArgument)
}

fn link_maps(linker: &mut Linker<World>) -> wasmtime::Result<()> {
    // Envoy hands over an empty map where it has none; the functions on single values refuse.
    linker.func_wrap(ENV, "proxy_get_header_map_pairs", |c: C<'_>, number: u32, v: u32, vl: u32| {
        run(c, |guest| {
            let pairs = map(guest.world(), number).map(|headers| headers.encode()).unwrap_or_default();
            guest.give(&pairs, v, vl)
        })
    })?;
    linker.func_wrap(ENV, "proxy_set_header_map_pairs", |c: C<'_>, number: u32, v: u32, vl: u32| {
        run(c, |guest| {
            let pairs = Headers::decode(&guest.read((v, vl))?).ok_or(Status::ParseFailure)?;
            *map(guest.world(), number)? = pairs;
            Ok(())
        })
    })?;
    linker.func_wrap(
        ENV,
        "proxy_get_header_map_value",
        |c: C<'_>, number: u32, k: u32, kl: u32, v: u32, vl: u32| {
            run(c, |guest| {
                let name = guest.text((k, kl))?;
                let value = map(guest.world(), number)?.get_bytes(&name).ok_or(Status::NotFound)?;
                guest.give(&value, v, vl)
            })
        },
    )?;
    linker.func_wrap(ENV, "proxy_remove_header_map_value", |c: C<'_>, number: u32, k: u32, kl: u32| {
        run(c, |guest| {
            let name = guest.text((k, kl))?;
            map(guest.world(), number)?.remove(&name);
            Ok(())
        })
    })?;
    type Edit = fn(&mut Headers, &str, &[u8]);
    let edits: [(&str, Edit); 2] =
        [("proxy_replace_header_map_value", Headers::replace), ("proxy_add_header_map_value", Headers::add)];
    for (name, edit) in edits {
        linker.func_wrap(ENV, name, move |c: C<'_>, number: u32, k: u32, kl: u32, v: u32, vl: u32| {
            run(c, |guest| {
                let (name, value) = (guest.text((k, kl))?, guest.read((v, vl))?);
                edit(map(guest.world(), number)?, &name, &value);
                Ok(())
            })
        })?;
    }
    Ok(())
}

/// The bytes behind a buffer's number, if this phase reaches them, and whether they can be written.
fn buffer(world: &mut World, number: u32) -> Result<(&mut Vec<u8>, bool), Status> {
    let direction = match number {
        0 => Direction::Request,
        1 => Direction::Response,
        4 if !world.answers_current() => return Err(Status::NotFound),
        4 => return world.answer_body.as_mut().map(|body| (body, false)).ok_or(Status::NotFound),
        7 => return Ok((&mut world.configuration, false)),
        _ => return Err(Status::NotFound),
    };
    let side = world.side(direction)?;
    if side.body_open { Ok((&mut side.body, true)) } else { Err(Status::NotFound) }
}

fn link_buffers(linker: &mut Linker<World>) -> wasmtime::Result<()> {
    linker.func_wrap(
        ENV,
        "proxy_get_buffer_bytes",
        |c: C<'_>, number: u32, start: u32, length: u32, v: u32, vl: u32| {
            run(c, |guest| {
                let end = start.checked_add(length).ok_or(Status::BadArgument)? as usize;
                let (bytes, _) = buffer(guest.world(), number)?;
                let start = (start as usize).min(bytes.len());
                let part = bytes.get(start..end.min(bytes.len())).unwrap_or_default().to_vec();
                guest.give(&part, v, vl)
            })
        },
    )?;
    linker.func_wrap(
        ENV,
        "proxy_set_buffer_bytes",
        |c: C<'_>, number: u32, start: u32, length: u32, v: u32, vl: u32| {
            run(c, |guest| {
                let new = guest.read((v, vl))?;
                let (bytes, writable) = buffer(guest.world(), number)?;
                if !writable {
                    return Err(Status::BadArgument);
                }
                match (start as usize, length as usize) {
                    (0, 0) => drop(bytes.splice(..0, new)),
                    (0, length) if length >= bytes.len() => *bytes = new,
                    (start, _) if start > 0 && start >= bytes.len() => bytes.extend(new),
                    _ => return Err(Status::BadArgument),
                }
                Ok(())
            })
        },
    )?;
    Ok(())
}

fn link_shared(linker: &mut Linker<World>) -> wasmtime::Result<()> {
    linker.func_wrap(
        ENV,
        "proxy_get_shared_data",
        |c: C<'_>, k: u32, kl: u32, v: u32, vl: u32, cas: u32| {
            run(c, |guest| {
                let key = guest.read((k, kl))?;
                let found = guest.world().shared.borrow().get(&key).cloned();
                let (value, version) = found.ok_or(Status::NotFound)?;
                guest.word(cas, version)?;
                guest.give(&value, v, vl)
            })
        },
    )?;
    linker.func_wrap(
        ENV,
        "proxy_set_shared_data",
        |c: C<'_>, k: u32, kl: u32, v: u32, vl: u32, cas: u32| {
            run(c, |guest| {
                let (key, value) = (guest.read((k, kl))?, guest.read((v, vl))?);
                let mut shared = guest.world().shared.borrow_mut();
                // A version of 0 means that the writer does not mind; what is not there has none to compare.
                let version = shared.get(&key).map(|(_, version)| *version);
                if version.is_some_and(|version| cas != 0 && cas != version) {
                    return Err(Status::CasMismatch);
                }
                shared.insert(key, (value, version.unwrap_or(0) + 1));
                Ok(())
            })
        },
    )?;
    linker.func_wrap(ENV, "proxy_register_shared_queue", |_: C<'_>, _: u32, _: u32, _: u32| {
        Status::InternalFailure as u32
    })?;
    linker.func_wrap(
        ENV,
        "proxy_resolve_shared_queue",
        |_: C<'_>, _: u32, _: u32, _: u32, _: u32, _: u32| Status::NotFound as u32,
    )?;
    for name in ["proxy_dequeue_shared_queue", "proxy_enqueue_shared_queue"] {
        linker.func_wrap(ENV, name, |_: C<'_>, _: u32, _: u32, _: u32| Status::NotFound as u32)?;
    }
    Ok(())
}

fn link_metrics(linker: &mut Linker<World>) -> wasmtime::Result<()> {
    linker.func_wrap(ENV, "proxy_define_metric", |c: C<'_>, _kind: u32, at: u32, length: u32, id: u32| {
        run(c, |guest| {
            let name = guest.text((at, length))?;
            let metrics = &mut guest.world().metrics;
            let known = metrics.iter().position(|(n, _)| *n == name);
            let number = known.unwrap_or_else(|| {
                metrics.push((name, 0));
                metrics.len() - 1
            });
            guest.word(id, u32::try_from(number).map_err(|_| Status::InternalFailure)?)
        })
    })?;
    linker.func_wrap(ENV, "proxy_get_metric", |c: C<'_>, id: u32, at: u32| {
        run(c, |guest| {
            let (_, value) = guest.world().metrics.get(id as usize).ok_or(Status::NotFound)?;
            let value = value.to_le_bytes();
            guest.write(at, &value)
        })
    })?;
    linker.func_wrap(ENV, "proxy_record_metric", |c: C<'_>, id: u32, value: u64| {
        run(c, |guest| {
            guest.world().metrics.get_mut(id as usize).ok_or(Status::NotFound)?.1 = value;
            Ok(())
        })
    })?;
    linker.func_wrap(ENV, "proxy_increment_metric", |c: C<'_>, id: u32, by: i64| {
        run(c, |guest| {
            let metric = guest.world().metrics.get_mut(id as usize).ok_or(Status::NotFound)?;
            metric.1 = metric.1.saturating_add_signed(by);
            Ok(())
        })
    })?;
    Ok(())
}

/// gRPC is offered by Envoy and not used by the filter: every call fails.
fn link_grpc(linker: &mut Linker<World>) -> wasmtime::Result<()> {
    const FAILS: u32 = Status::InternalFailure as u32;
    linker.func_wrap(ENV, "proxy_get_status", |c: C<'_>, code: u32, v: u32, vl: u32| {
        run(c, |guest| {
            guest.word(code, 0)?;
            guest.give(&[], v, vl)
        })
    })?;
    linker.func_wrap(
        ENV,
        "proxy_grpc_call",
        |_: u32, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32| {
            FAILS
        },
    )?;
    linker.func_wrap(
        ENV,
        "proxy_grpc_stream",
        |_: u32, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32| FAILS,
    )?;
    linker.func_wrap(ENV, "proxy_grpc_send", |_: u32, _: u32, _: u32, _: u32| FAILS)?;
    linker.func_wrap(ENV, "proxy_grpc_cancel", |_: u32| FAILS)?;
    linker.func_wrap(ENV, "proxy_grpc_close", |_: u32| FAILS)?;
    Ok(())
}

fn link_streams(linker: &mut Linker<World>) -> wasmtime::Result<()> {
    linker.func_wrap(ENV, "proxy_continue_stream", |c: C<'_>, kind: u32| {
        run(c, |guest| {
            let direction = match kind {
                0 => Direction::Request,
                1 => Direction::Response,
                _ => return Err(Status::BadArgument),
            };
            let world = guest.world();
            world.after.push_back(After::Continue(world.current, direction));
            // Envoy forgets the request's parts with either direction.
            let request = world.side(Direction::Request)?;
            request.headers_open = false;
            Ok(())
        })
    })?;
    linker.func_wrap(ENV, "proxy_close_stream", |c: C<'_>, kind: u32| {
        run(c, |guest| {
            if kind > 1 {
                return Err(Status::BadArgument);
            }
            let world = guest.world();
            world.after.push_back(After::Close(world.current));
            Ok(())
        })
    })?;
    linker.func_wrap(
        ENV,
        "proxy_send_local_response",
        |c: C<'_>, status: u32, _: u32, _: u32, b: u32, bl: u32, h: u32, hl: u32, _grpc: i32| {
            run(c, |guest| {
                let body = guest.read((b, bl))?;
                let added = Headers::decode(&guest.read((h, hl))?).ok_or(Status::ParseFailure)?;
                let reply = LocalReply { headers: reply_headers(status, body.len(), &added), body };
                let world = guest.world();
                world.side(Direction::Response)?;
                world.after.push_back(After::Reply(world.current, reply));
                Ok(())
            })
        },
    )?;
    linker.func_wrap(ENV, "proxy_http_call", http_call)?;
    Ok(())
}

#[expect(clippy::too_many_arguments, reason = "the ABI has them")]
fn http_call(
    caller: C<'_>,
    u: u32,
    ul: u32,
    h: u32,
    hl: u32,
    b: u32,
    bl: u32,
    _trailers: u32,
    _trailers_length: u32,
    timeout_ms: u32,
    token: u32,
) -> u32 {
    run(caller, |guest| dispatch(guest, (u, ul), (h, hl), (b, bl), timeout_ms, token))
}
