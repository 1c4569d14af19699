// Prints the size of the WebAssembly, and what one verification costs here and with `jose`, in the same run.
import { readFileSync } from "node:fs";
import { brotliCompressSync, gzipSync } from "node:zlib";

import { createLocalJWKSet, importJWK, jwtVerify } from "jose";
import { Verifier } from "portcullis-wasm";

import { audience, expect, issuer, now, own, valid } from "./vectors.mjs";

const folder = new URL("../../target/edge/npm/", import.meta.url);
const kib = (bytes) => `${(bytes / 1024).toFixed(0)} KiB`;
console.log("| file | raw | gzip | brotli |\n|---|---|---|---|");
for (const name of ["portcullis_wasm_bg.wasm", "portcullis_wasm.js"]) {
  const file = readFileSync(new URL(name, folder));
  console.log(`| ${name} | ${[file.length, gzipSync(file, { level: 9 }).length, brotliCompressSync(file).length].map(kib).join(" | ")} |`);
}

const ROUNDS = 61;
const SLICE = 20; // milliseconds for each contestant in a round

const fresh = new Verifier(own, { ...expect, published: false });
const cached = new Verifier(own, { ...expect, published: false, cacheBytes: 1 << 20 });
const joseOptions = { issuer, audience, typ: "at+jwt", currentDate: new Date(now * 1000), requiredClaims: ["sub", "exp", "iat", "jti", "sid"] };

console.log("\n| verify | portcullis (µs) | portcullis | jose | portcullis, met before |\n|---|---|---|---|---|");
for (const alg of ["EdDSA", "ES256", "ES384", "RS256", "PS256", "HS256"]) {
  const { token } = valid(alg);
  const jwk = own.keys.find((key) => key.alg === alg);
  const { d, p, q, dp, dq, qi, ...open } = jwk;
  const set = createLocalJWKSet({ keys: [open] });
  const secret = alg === "HS256" ? await importJWK(jwk, alg) : undefined;
  const contestants = [
    async () => fresh.verify(token),
    async () => jwtVerify(token, secret ?? set, { ...joseOptions, algorithms: [alg] }),
    async () => cached.verify(token),
  ];
  const times = contestants.map(() => []);
  for (let round = 0; round <= ROUNDS; round += 1) {
    for (const [at, verify] of contestants.entries()) {
      let calls = 0;
      const start = process.hrtime.bigint();
      let spent = 0;
      while (spent < SLICE * 1e6) {
        await verify();
        calls += 1;
        spent = Number(process.hrtime.bigint() - start);
      }
      if (round > 0) times[at].push(spent / calls); // The first is for warming up.
    }
  }
  const median = (list) => list.toSorted((a, b) => a - b)[list.length >> 1];
  const ratio = (at) => median(times[at].map((time, round) => time / times[0][round])).toFixed(2);
  console.log(`| ${alg} | ${(median(times[0]) / 1000).toFixed(1)} | 1.00 | ${ratio(1)} | ${ratio(2)} |`);
}
