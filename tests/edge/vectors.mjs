import { readFileSync } from "node:fs";

/** What the Rust tests are held to as well; written by crates/portcullis-token/tests/it/vectors.rs. */
export const vectors = JSON.parse(
  readFileSync(new URL("../../crates/portcullis-token/tests/vectors/tokens.json", import.meta.url), "utf8"),
);

export const { issuer, audience, now } = vectors;

/** Accepts the tokens of the vectors; without a cache, since each token is to be verified. */
export const expect = { issuer, audience, now, cacheBytes: 0 };

export const own = vectors.sets.own;
export const published = vectors.sets.published;

export function valid(alg) {
  return vectors.valid.find((one) => one.alg === alg);
}
