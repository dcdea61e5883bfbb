// Runs a test that was built for wasm32-wasip1, in V8: node engine/tests/wasi.mjs MODULE.wasm [ARGUMENT...]
import { readFile } from 'node:fs/promises';
import { WASI } from 'node:wasi';

const [path, ...args] = process.argv.slice(2);
const wasi = new WASI({ version: 'preview1', args: ['test', ...args], returnOnExit: true });
const module = await WebAssembly.compile(await readFile(path));
process.exit(wasi.start(await WebAssembly.instantiate(module, wasi.getImportObject())));
