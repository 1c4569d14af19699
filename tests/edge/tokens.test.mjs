// The token crate as WebAssembly: the vectors that its Rust tests are held to, and what only JavaScript can do wrong.
import assert from "node:assert/strict";
import { test } from "node:test";

import { Verifier, verify } from "portcullis-wasm";

import { audience, expect, issuer, now, own, published, valid, vectors } from "./vectors.mjs";

const ofOwn = new Verifier(own, { ...expect, published: false });
const ofPublished = new Verifier(published, expect);

/** The refusal, or nothing. */
function refusal(act) {
  try {
    act();
  } catch (error) {
    assert.ok(error instanceof Error, String(error));
    assert.equal(error.message, error.code, "the message tells no more than the code");
    return error;
  }
  return undefined;
}

function refused(act, code, reason) {
  const error = refusal(act);
  assert.equal(error?.code, code);
  if (reason) assert.equal(error.reason, reason);
}

for (const { alg, token, claims } of vectors.valid) {
  test(`a token of ${alg} says the same here as in Rust`, () => {
    assert.deepEqual(ofOwn.verify(token), claims);
    assert.deepEqual(verify(token, JSON.stringify(own), { ...expect, published: false }), claims);
  });
}

for (const { trap, cases } of vectors.traps) {
  test(trap, () => {
    assert.ok(cases.length > 3);
    for (const { case: name, token, jwks, published, now, reason } of cases) {
      const act =
        jwks === undefined
          ? () => (published ? ofPublished : ofOwn).verify(token, now)
          : () => new Verifier(jwks, { ...expect, published });
      const error = refusal(act);
      const answer = jwks === undefined ? error?.reason : error?.code;
      assert.equal(answer ?? null, reason, name);
      if (jwks === undefined && error) assert.equal(error.code, "invalid_token", name);
    }
  });
}

test("an old key verifies while it is published, also after a restart", () => {
  const [ed, es] = ["EdDSA", "ES256"].map(valid);
  const key = (alg) => published.keys.find((key) => key.alg === alg);
  const [before, after] = [key("EdDSA"), key("ES256")];
  for (const verifier of [0, 1].map(() => new Verifier({ keys: [after, before] }, expect))) {
    assert.deepEqual(verifier.verify(ed.token), ed.claims);
    assert.deepEqual(verifier.verify(es.token), es.claims);
  }
  const retired = new Verifier({ keys: [after] }, expect);
  refused(() => retired.verify(ed.token), "invalid_token", "unknown_key");
});

test("two verifiers of one program know nothing of each other", () => {
  const { token, claims } = valid("EdDSA");
  const verifiers = {
    right: new Verifier(published, { issuer, audience, now }),
    issuer: new Verifier(published, { issuer: "https://other.example", audience, now }),
    audience: new Verifier(published, { issuer, audience: "mail", now }),
    expired: new Verifier(published, { issuer, audience, now: claims.exp }),
    unknown_key: new Verifier({ keys: published.keys.slice(1) }, { issuer, audience, now }),
  };
  for (const round of ["first", "again"]) {
    for (const [name, verifier] of Object.entries(verifiers)) {
      if (name === "right") assert.deepEqual(verifier.verify(token), claims, round);
      else refused(() => verifier.verify(token), "invalid_token", name);
    }
  }
});

test("a token that verified before is looked at for its time each time", () => {
  const { token, claims } = valid("EdDSA");
  const verifier = new Verifier(published, { issuer, audience });
  for (const _ of [1, 2]) {
    assert.deepEqual(verifier.verify(token, claims.exp - 0.001), claims);
    refused(() => verifier.verify(token, claims.exp), "invalid_token", "expired");
    refused(() => verifier.verify(token, claims.iat - 61), "invalid_token", "not_yet_valid");
  }
  const mine = verifier.verify(token, now);
  mine.sub = "admin";
  mine.amr.push("hwk");
  assert.deepEqual(verifier.verify(token, now), claims, "what one caller writes, another does not read");
});

test("the clock is the machine's unless a time is given", () => {
  const { token } = valid("EdDSA");
  refused(() => new Verifier(published, { issuer, audience }).verify(token), "invalid_token", "expired");
});

// The signature covers the first two parts, so a change there is a change of the message; in the third every bit counts.
const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ \n\0";
for (const alg of ["EdDSA", "ES256", "ES384", "RS256", "PS256", "HS256"]) {
  test(`no byte of a token of ${alg} can be changed`, () => {
    const { token } = valid(alg);
    let tried = 0;
    for (let at = 0; at < token.length; at += 1) {
      for (const other of changes(token, at)) {
        if (other === token[at]) continue;
        const changed = token.slice(0, at) + other + token.slice(at + 1);
        refused(() => ofOwn.verify(changed), "invalid_token");
        tried += 1;
      }
      refused(() => ofOwn.verify(token.slice(0, at)), "invalid_token");
    }
    assert.ok(tried >= 8 * token.length, `${tried} changes of ${token.length} bytes`);
    assert.ok(ofOwn.verify(token), "control");
  });
}

/** Each bit of the byte changed, and where a part ends and unused bits may hide, each letter. */
function changes(token, at) {
  const bits = [0, 1, 2, 3, 4, 5, 6, 7].map((bit) => String.fromCharCode(token.charCodeAt(at) ^ (1 << bit)));
  const nearAnEnd = token.slice(at + 1, at + 5).includes(".") || at + 4 >= token.length;
  return nearAnEnd ? new Set([...bits, ...LETTERS]) : bits;
}

test("a letter is not taken for the one that shares its low byte", () => {
  const { token } = valid("EdDSA");
  for (let at = 0; at < token.length; at += 1) {
    for (const high of [0x100, 0x2000, 0xd800, 0xff00]) {
      const other = String.fromCharCode(token.charCodeAt(at) | high);
      refused(() => ofOwn.verify(token.slice(0, at) + other + token.slice(at + 1)), "invalid_token");
    }
  }
});

test("what is no string is no token", () => {
  const { token } = valid("EdDSA");
  const others = [undefined, null, 7, true, {}, [token], new String(token), { toString: () => token }, () => token];
  for (const other of [...others, Buffer.from(token), Symbol(token), 7n]) {
    refused(() => ofOwn.verify(other), "invalid_token", "malformed");
  }
});

test("what is no time is no time, and not taken for the clock's", () => {
  const { token } = valid("EdDSA");
  for (const other of [null, NaN, Infinity, -1, "0", true, {}, [], new Date(0), 7n]) {
    refused(() => ofOwn.verify(token, other), "invalid_options");
    refused(() => new Verifier(published, { ...expect, now: other }), "invalid_options");
  }
});

test("a misspelt, missing or mistyped option is loud", () => {
  const { audience: _, ...nameless } = expect;
  const wrong = [undefined, null, {}, "issuer", [], nameless, { ...nameless, audiance: audience }];
  const mistyped = [{ issuer: null }, { audience: [audience] }, { audience: undefined }, { published: 0 }];
  const times = [{ clockSkew: "60" }, { clockSkew: NaN }, { clockSkew: -1 }, { longest: Infinity }, { cacheBytes: -1 }];
  for (const options of [...wrong, ...[...mistyped, ...times].map((one) => ({ ...expect, ...one }))]) {
    refused(() => new Verifier(published, options), "invalid_options");
  }
});

test("a symmetric key counts in a set of one's own, and only if that is said", () => {
  const { token, claims } = valid("HS256");
  const keys = own.keys.filter((key) => key.alg === "HS256");
  assert.deepEqual(verify(token, { keys }, { ...expect, published: false }), claims);
  refused(() => verify(token, { keys }, expect), "invalid_jwks");
  refused(() => verify(token, own, expect), "invalid_jwks");
  refused(() => verify(token, { keys: [...keys, ...published.keys] }, expect), "invalid_token", "unknown_key");
});

test("what is no set of keys is refused and not quoted", () => {
  for (const other of [undefined, null, 7, "", "secret", [], {}, { keys: "secret" }, { keys: [] }, { keys: [null] }]) {
    const error = refusal(() => new Verifier(other, expect));
    assert.equal(error?.code, "invalid_jwks");
    assert.doesNotMatch(error.reason, /secret/);
  }
});

test("permissions that a token packs are named by the registry beside the keys, or the token is refused", () => {
  const { token, names, granted } = vectors.packed;
  const beside = (names) => ({ ...published, portcullis_permissions: { names } });
  for (const longer of [names, [...names, "notes:share"]]) {
    const claims = verify(token, beside(longer), expect);
    assert.deepEqual(claims.permissions, granted);
    assert.equal(claims.pms, undefined);
  }
  for (const set of [published, beside([]), beside(names.toReversed()), beside(names.slice(0, 2))]) {
    refused(() => verify(token, set, expect), "invalid_token", "unknown_registry");
    const cached = new Verifier(set, { ...expect, cacheBytes: 1 << 20 });
    for (const _ of [1, 2]) refused(() => cached.verify(token), "invalid_token", "unknown_registry");
  }
  refused(() => new Verifier(beside(["a", "a"]), expect), "invalid_jwks");
});

test("clock skew and the longest life are as the options say", () => {
  const { token, claims } = valid("EdDSA");
  const at = (options, time) => refusal(() => new Verifier(published, { ...expect, ...options }).verify(token, time));
  assert.equal(at({}, claims.iat - 60), undefined);
  assert.equal(at({ clockSkew: 0 }, claims.iat - 1)?.reason, "not_yet_valid");
  assert.equal(at({ clockSkew: 120 }, claims.iat - 120), undefined);
  assert.equal(at({ clockSkew: 1e9 }, claims.exp)?.reason, "expired");
  assert.equal(at({ longest: 900 }, now), undefined);
  assert.equal(at({ longest: 899 }, now)?.reason, "too_long_lived");
});

test("a verifier that was given back says so and harms no other", () => {
  const gone = new Verifier(published, expect);
  gone.free();
  assert.throws(() => gone.verify(valid("EdDSA").token));
  assert.ok(ofPublished.verify(valid("EdDSA").token));
});
