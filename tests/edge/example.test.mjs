// The example as it is run: in Node and in workerd, over loopback HTTP, with the same answers.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { SignJWT, importJWK } from "jose";

import { keyServer } from "./issuer.mjs";
import { audience, issuer, own, published, valid, vectors } from "./vectors.mjs";

const example = fileURLToPath(new URL("../../examples/edge/", import.meta.url));

/** Starts `command` in the example's folder; answers the port that `port` finds in a line of its output. */
async function start(command, parameters, environment, stdio, port) {
  const child = spawn(command, parameters, { cwd: example, env: { ...process.env, ...environment }, stdio });
  const failed = once(child, "exit").then(([code]) => Promise.reject(new Error(`${command} ended with ${code}`)));
  const said = (async () => {
    for await (const line of createInterface({ input: child.stdio[stdio.lastIndexOf("pipe")] })) {
      const found = port(line);
      if (found) return found;
    }
    return failed;
  })();
  return { child, port: await Promise.race([said, failed]) };
}

const node = (environment) =>
  start("node", ["server.mjs"], { ...environment, PORT: "0" }, ["ignore", "pipe", "inherit"], (line) =>
    /127\.0\.0\.1:(\d+)/.exec(line)?.[1],
  );

// The program itself and not the script around it, which would not pass signals on.
const program = createRequire(example)("workerd").default;

// When it listens, it says so on a descriptor of its own, as JSON.
const workerd = (environment) =>
  start(
    program,
    ["serve", "workerd.capnp", "--socket-addr=http=127.0.0.1:0", "--control-fd=3"],
    environment,
    ["ignore", "inherit", "inherit", "pipe"],
    (line) => JSON.parse(line).port,
  );

/** A token that is right now: those of the vectors are of another year. */
async function fresh(alg, change = {}) {
  const jwk = own.keys.find((key) => key.alg === alg);
  const time = Math.floor(Date.now() / 1000);
  const claims = { ...valid(alg).claims, iat: time, exp: time + 900, auth_time: time, ...change };
  return new SignJWT(claims)
    .setProtectedHeader({ alg, kid: jwk.kid, typ: "at+jwt" })
    .sign(await importJWK(jwk, alg));
}

for (const [name, runtime] of Object.entries({ node, workerd })) {
  describe(`the example in ${name}`, () => {
    let server;
    let running;
    const get = (path, token) =>
      fetch(`http://127.0.0.1:${running.port}${path}`, {
        headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      });

    before(async () => {
      server = await keyServer(published);
      running = await runtime({ JWKS: server.address, ISSUER: issuer, AUDIENCE: audience });
    });
    after(async () => {
      running?.child.kill();
      await server.stop();
    });

    test("a route without a guard is open", async () => {
      assert.equal((await get("/")).status, 200);
    });

    test("a token of each asymmetric algorithm opens the guarded route", async () => {
      for (const alg of ["EdDSA", "ES256", "ES384", "RS256", "PS256"]) {
        const answer = await get("/me", await fresh(alg));
        assert.equal(answer.status, 200, alg);
        assert.deepEqual(await answer.json(), { success: true, data: { id: "user-1", roles: [] } });
        assert.equal(answer.headers.get("cache-control"), "no-store");
      }
      assert.equal(server.asked, 1, "the keys were read once");
    });

    test("without a token the answer is 401 and says no more", async () => {
      const answer = await get("/me");
      assert.equal(answer.status, 401);
      assert.equal(answer.headers.get("www-authenticate"), "Bearer");
      assert.equal((await answer.json()).code, "unauthenticated");
    });

    test("a bad token is invalid_token, whatever is wrong with it", async () => {
      const time = Math.floor(Date.now() / 1000);
      const good = await fresh("EdDSA");
      const bad = [
        valid("EdDSA").token,
        await fresh("EdDSA", { exp: time }),
        await fresh("EdDSA", { aud: "mail" }),
        await fresh("EdDSA", { iss: "https://other.example" }),
        await fresh("HS256"),
        `${good}=`,
        `${good.slice(0, good.lastIndexOf("."))}.`,
        "x",
      ];
      const answers = new Set();
      for (const token of bad) {
        const answer = await get("/me", token);
        assert.equal(answer.status, 401);
        assert.equal(answer.headers.get("www-authenticate"), 'Bearer error="invalid_token"');
        answers.add(await answer.text());
      }
      assert.equal(answers.size, 1, [...answers].join());
      assert.match([...answers][0], /"code":"invalid_token"/);
    });

    test("no trap of the vectors opens the route", async () => {
      let tried = 0;
      for (const { cases } of vectors.traps) {
        for (const { token } of cases) {
          // What fits into a header field.
          if (!/^[\x21-\x7e]+$/.test(token ?? "") || token.length > 4096) continue;
          assert.equal((await get("/me", token)).status, 401);
          tried += 1;
        }
      }
      assert.ok(tried > 300, `${tried} tokens`);
    });

    test("the guard keeps serving when its issuer is gone", async () => {
      server.answer = (_, response) => response.destroy();
      assert.equal((await get("/me", await fresh("EdDSA"))).status, 200);
    });
  });

  test(`an issuer without keys is 503 in ${name}, and not 401`, async (test) => {
    const server = await keyServer("{}");
    test.after(() => server.stop());
    const running = await runtime({ JWKS: server.address, ISSUER: issuer, AUDIENCE: audience });
    test.after(() => running.child.kill());
    const headers = { authorization: `Bearer ${valid("EdDSA").token}` };
    const answer = await fetch(`http://127.0.0.1:${running.port}/me`, { headers });
    assert.equal(answer.status, 503);
    assert.equal((await answer.json()).code, "unavailable");
  });
}
