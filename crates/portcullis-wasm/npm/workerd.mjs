// workerd compiles no WebAssembly at run time: it is given the module compiled.
import module from "./portcullis_wasm_bg.wasm";

import { initSync } from "./portcullis_wasm.js";

initSync({ module });

export { Verifier, verify } from "./portcullis_wasm.js";
