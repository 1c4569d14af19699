import { readFileSync } from "node:fs";

import { initSync } from "./portcullis_wasm.js";

initSync({ module: readFileSync(new URL("portcullis_wasm_bg.wasm", import.meta.url)) });

export { Verifier, verify } from "./portcullis_wasm.js";
