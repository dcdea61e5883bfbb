//! The module's memory, as imports see it.

use wasmtime::{Caller, Extern, Memory};

use super::world::World;

/// What an import returns to the module; the numbers are proxy-wasm's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Done.
    Ok = 0,
    /// There is no such thing.
    NotFound = 1,
    /// An argument that cannot be, or something that is not there in this phase.
    BadArgument = 2,
    /// A map that cannot be read.
    ParseFailure = 4,
    /// A pointer that leads nowhere.
    InvalidMemoryAccess = 6,
    /// Shared data changed in between.
    CasMismatch = 8,
    /// It failed on the host's side.
    InternalFailure = 10,
}

/// Outcome of an import.
pub type Outcome = Result<(), Status>;

/// A pointer and a length in the module's memory.
pub type Span = (u32, u32);

/// An import's view of the module that called it.
pub struct Guest<'a> {
    caller: Caller<'a, World>,
    memory: Memory,
}

impl<'a> Guest<'a> {
    /// Fails for a module that exports no memory.
    pub fn new(mut caller: Caller<'a, World>) -> Result<Self, Status> {
        match caller.get_export("memory") {
            Some(Extern::Memory(memory)) => Ok(Self { caller, memory }),
            _ => Err(Status::InternalFailure),
        }
    }

    /// The host's state.
    pub fn world(&mut self) -> &mut World {
        self.caller.data_mut()
    }

    /// Copies bytes out.
    pub fn read(&self, (pointer, length): Span) -> Result<Vec<u8>, Status> {
        let (start, length) = (pointer as usize, length as usize);
        let end = start.checked_add(length).ok_or(Status::InvalidMemoryAccess)?;
        let bytes = self.memory.data(&self.caller).get(start..end);
        bytes.map(<[u8]>::to_vec).ok_or(Status::InvalidMemoryAccess)
    }

    /// Copies text out.
    pub fn text(&self, span: Span) -> Result<String, Status> {
        String::from_utf8(self.read(span)?).map_err(|_| Status::BadArgument)
    }

    /// Copies bytes in.
    pub fn write(&mut self, pointer: u32, bytes: &[u8]) -> Outcome {
        let written = self.memory.write(&mut self.caller, pointer as usize, bytes);
        written.map_err(|_| Status::InvalidMemoryAccess)
    }

    /// Writes a word.
    pub fn word(&mut self, pointer: u32, value: u32) -> Outcome {
        self.write(pointer, &value.to_le_bytes())
    }

    /// Hands bytes over: memory from the module's own allocator, its address and length written where asked.
    pub fn give(&mut self, bytes: &[u8], pointer: u32, length: u32) -> Outcome {
        let size = u32::try_from(bytes.len()).map_err(|_| Status::InternalFailure)?;
        let at = if size == 0 { 0 } else { self.allocate(size)? };
        self.write(at, bytes)?;
        self.word(pointer, at)?;
        self.word(length, size)
    }

    fn allocate(&mut self, size: u32) -> Result<u32, Status> {
        let allocator = ["proxy_on_memory_allocate", "malloc"].iter().find_map(|name| {
            let function = self.caller.get_export(name)?.into_func()?;
            function.typed::<u32, u32>(&self.caller).ok()
        });
        let allocator = allocator.ok_or(Status::InternalFailure)?;
        allocator.call(&mut self.caller, size).map_err(|_| Status::InternalFailure)
    }
}
