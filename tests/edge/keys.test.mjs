// The example's keys: a hanging or lying key server stops nobody.
import assert from "node:assert/strict";
import { test } from "node:test";

import { IssuerKeys, NoKeys } from "../../examples/edge/keys.mjs";
import { keyServer } from "./issuer.mjs";
import { audience, issuer, now, own, published, valid } from "./vectors.mjs";

const [ed, es] = ["EdDSA", "ES256"].map(valid);
const only = (...algs) => ({ keys: published.keys.filter((key) => algs.includes(key.alg)) });

/** Keys of a key server, with a clock that the test turns; `later` collects what was put off. */
async function set(test, jwks) {
  const server = await keyServer(jwks);
  test.after(() => server.stop());
  const put = [];
  const clock = { now: now * 1000 };
  const keys = new IssuerKeys({ jwks: server.address, issuer, audience, now: () => clock.now });
  const verify = (token) => keys.verify(token, (promise) => put.push(promise));
  const settled = () => Promise.all(put.splice(0));
  const sleep = (seconds) => (clock.now += seconds * 1000);
  return { server, verify, settled, sleep };
}

const isRefused = (reason) => (error) => error.code === "invalid_token" && error.reason === reason;

test("the keys are read once for many tokens", async (test) => {
  const { server, verify } = await set(test, published);
  for (let round = 0; round < 20; round += 1) assert.deepEqual(await verify(ed.token), ed.claims);
  assert.equal(server.asked, 1);
});

test("a new key counts at once, and an old one while it is published", async (test) => {
  const { server, verify, settled, sleep } = await set(test, only("EdDSA"));
  await verify(ed.token);
  server.publish(only("EdDSA", "ES256"));
  assert.deepEqual(await verify(es.token), es.claims);
  assert.deepEqual(await verify(ed.token), ed.claims);
  assert.equal(server.asked, 2);
  server.publish(only("ES256"));
  sleep(301);
  assert.deepEqual(await verify(ed.token), ed.claims, "stale while it is read anew");
  await settled();
  await assert.rejects(verify(ed.token), isRefused("unknown_key"));
});

const broken = {
  dies: (_, response) => response.destroy(),
  fails: (_, response) => response.writeHead(500).end(),
  "answers nonsense": (_, response) => response.end("<html>"),
  "publishes nothing": (_, response) => response.end('{"keys":[]}'),
  "publishes secrets alone": (_, response) => response.end(JSON.stringify(own)),
  "sends us elsewhere": (_, response) => response.writeHead(302, { location: "/elsewhere" }).end(),
  "answers without end": (_, response) => {
    const more = () => response.destroyed || response.write(" ".repeat(8192), more);
    more();
  },
};
for (const [way, answer] of Object.entries(broken)) {
  test(`an issuer that ${way} does not stop those who have its keys`, async (test) => {
    const { server, verify, settled, sleep } = await set(test, only("EdDSA"));
    await verify(ed.token);
    server.answer = answer;
    sleep(301);
    assert.deepEqual(await verify(ed.token), ed.claims);
    await settled();
    assert.equal(server.asked, 2, "it was asked, and not followed elsewhere");
    assert.deepEqual(await verify(ed.token), ed.claims);
    await assert.rejects(verify(es.token), isRefused("unknown_key"));
  });

  test(`an issuer that ${way} from the start is a fault and no bad token`, async (test) => {
    const { server, verify, sleep } = await set(test, published);
    const { answer: good } = server;
    server.answer = answer;
    await assert.rejects(verify(ed.token), NoKeys);
    server.answer = good;
    sleep(31);
    assert.deepEqual(await verify(ed.token), ed.claims);
  });
}

test("keys that nobody confirmed for a day are used no more, and again once somebody does", async (test) => {
  const DAY = 24 * 60 * 60;
  const { server, verify, settled, sleep } = await set(test, only("EdDSA"));
  const { answer: good } = server;
  // The tokens of the vectors live for a quarter of an hour: the keys are read a day before they do.
  sleep(-DAY);
  await assert.rejects(verify(ed.token), isRefused("not_yet_valid"));
  server.answer = broken.dies;
  sleep(DAY);
  assert.deepEqual(await verify(ed.token), ed.claims);
  await settled();
  sleep(31);
  await assert.rejects(verify(ed.token), NoKeys);
  server.answer = good;
  assert.deepEqual(await verify(ed.token), ed.claims);
});

test("an issuer that hangs stops nobody who has its keys", async (test) => {
  const { server, verify, settled, sleep } = await set(test, only("EdDSA"));
  await verify(ed.token);
  server.answer = () => {};
  sleep(301);
  const asked = Date.now();
  assert.deepEqual(await verify(ed.token), ed.claims);
  assert.ok(Date.now() - asked < 2_000, "nobody waits for it");
  await settled();
  assert.ok(Date.now() - asked < 10_000, "and it is given up");
  assert.deepEqual(await verify(ed.token), ed.claims);
});

test("unknown keys are asked for at a bounded rate, and one that was not found is remembered", async (test) => {
  const { server, verify, sleep } = await set(test, only("EdDSA"));
  const stranger = (kid) => {
    const header = Buffer.from(JSON.stringify({ alg: "EdDSA", kid, typ: "at+jwt" })).toString("base64url");
    return ed.token.replace(/^[^.]+/, header);
  };
  await verify(ed.token);
  for (let round = 0; round < 10; round += 1) {
    await assert.rejects(verify(stranger("one")), isRefused("unknown_key"));
  }
  assert.equal(server.asked, 2);
  for (let kid = 0; kid < 100; kid += 1) {
    await assert.rejects(verify(stranger(`${kid}`)), isRefused("unknown_key"));
  }
  assert.equal(server.asked, 4);
  sleep(31);
  await assert.rejects(verify(stranger("one")), isRefused("unknown_key"));
  assert.equal(server.asked, 5);
});

test("a token that is no good for another reason asks nobody", async (test) => {
  const { server, verify } = await set(test, only("EdDSA"));
  await verify(ed.token);
  await assert.rejects(verify("x"), isRefused("malformed"));
  await assert.rejects(verify(`${ed.token.slice(0, -2)}AA`), (error) => error.code === "invalid_token");
  assert.equal(server.asked, 1);
});
