# workerd serve workerd.capnp, with JWKS, ISSUER and AUDIENCE in the environment.
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "edge", worker = .edge),
    # "local" is for an issuer on this machine; an edge elsewhere is better off without it.
    (name = "internet", network = (allow = ["public", "local"], tlsOptions = (trustBrowserCas = true))),
  ],
  sockets = [(name = "http", address = "127.0.0.1:3000", http = (), service = "edge")],
);

const edge :Workerd.Worker = (
  compatibilityDate = "2026-01-01",
  modules = [
    (name = "worker.mjs", esModule = embed "worker.mjs"),
    (name = "guard.mjs", esModule = embed "guard.mjs"),
    (name = "keys.mjs", esModule = embed "keys.mjs"),
    (name = "portcullis-wasm", esModule = embed "../../target/edge/npm/workerd.mjs"),
    (name = "portcullis_wasm.js", esModule = embed "../../target/edge/npm/portcullis_wasm.js"),
    (name = "portcullis_wasm_bg.wasm", wasm = embed "../../target/edge/npm/portcullis_wasm_bg.wasm"),
  ],
  bindings = [
    (name = "JWKS", fromEnvironment = "JWKS"),
    (name = "ISSUER", fromEnvironment = "ISSUER"),
    (name = "AUDIENCE", fromEnvironment = "AUDIENCE"),
  ],
);
