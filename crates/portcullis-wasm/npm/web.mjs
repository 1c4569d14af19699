import init from "./portcullis_wasm.js";

await init({ module_or_path: new URL("portcullis_wasm_bg.wasm", import.meta.url) });

export { Verifier, verify } from "./portcullis_wasm.js";
