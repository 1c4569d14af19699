import { Verifier } from "portcullis-wasm";

/** The issuer gave no keys yet: not the client's fault, and never mistaken for a bad token. */
export class NoKeys extends Error {}

/**
 * Verifies tokens by the keys that an issuer publishes. The keys that were read last stay in use while the issuer is
 * silent, hangs or answers nonsense; a key that is not known is asked for at once, but only so often.
 *
 * No request waits for what another one fetches: in workerd it may not. So a rush may fetch a few times; the rate is
 * bounded for all of them together.
 */
export class IssuerKeys {
  #jwks;
  #expect;
  #fetch;
  #now;
  #verifier;
  #readAt = -Infinity;
  #asked = [];
  /** Numbers of the reads that were begun, and of the latest whose answer was taken. */
  #begun = 0;
  #taken = 0;
  #unknown = new Map();

  /** @param settings `jwks` is the address of the set; `fetch` and `now` (milliseconds) are for tests. */
  constructor({ jwks, issuer, audience, fetch = globalThis.fetch, now = Date.now }) {
    this.#jwks = jwks;
    this.#expect = { issuer, audience };
    this.#fetch = (...args) => fetch(...args);
    this.#now = now;
  }

  /**
   * The claims of a token. `later` takes a promise that may outlive the answer: `context.waitUntil` in a worker.
   * @throws the verifier's `invalid_token`, or `NoKeys`.
   */
  async verify(token, later = () => {}) {
    if (!this.#verifier) {
      await this.#read();
    } else if (this.#now() - this.#readAt > STALE) {
      // Too long ago: what the issuer withdrew meanwhile nobody here has heard.
      if (!(await this.#read())) throw new NoKeys(this.#jwks);
    } else if (this.#now() - this.#readAt > FRESH && this.#mayAsk()) {
      later(this.#read());
    }
    if (!this.#verifier) throw new NoKeys(this.#jwks);
    const seconds = this.#now() / 1000;
    try {
      return this.#verifier.verify(token, seconds);
    } catch (refusal) {
      const worthAsking = MISSING.has(refusal.reason) && this.#mayAsk() && this.#isNews(token);
      if (!worthAsking || !(await this.#read())) throw refusal;
      return this.#verifier.verify(token, seconds);
    }
  }

  /** Reads the set; answers whether that worked. What was read before stays if it did not. */
  async #read() {
    if (!this.#mayAsk()) return false;
    const askedAt = this.#now();
    this.#asked.push(askedAt);
    const number = ++this.#begun;
    try {
      const answer = await this.#fetch(this.#jwks, {
        headers: { accept: "application/jwk-set+json, application/json" },
        // A key server that sends us elsewhere is not the one that was configured.
        redirect: "manual",
        signal: AbortSignal.timeout(PATIENCE),
      });
      if (answer.status !== 200) throw new Error(`status ${answer.status}`);
      const verifier = new Verifier(await text(answer), this.#expect);
      // An answer that took long must not bring back what a later one has left out.
      if (number > this.#taken) {
        this.#taken = number;
        this.#verifier = verifier;
        this.#readAt = askedAt;
      }
      return true;
    } catch (why) {
      console.warn(`keys of ${this.#jwks} were not read: ${why.reason ?? why.message}`);
      return false;
    }
  }

  #mayAsk() {
    const since = this.#now() - WINDOW;
    this.#asked = this.#asked.filter((at) => at > since);
    return this.#asked.length < BURST;
  }

  /** Whether the header of the token was not met lately among those with something missing. */
  #isNews(token) {
    const header = token.slice(0, token.indexOf("."));
    const met = this.#unknown.get(header);
    if (met !== undefined && this.#now() - met < WINDOW) return false;
    if (this.#unknown.size >= REMEMBERED) this.#unknown.clear();
    this.#unknown.set(header, this.#now());
    return true;
  }
}

/** The body, up to a bound. */
async function text(answer) {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let read = "";
  let bytes = 0;
  for await (const chunk of answer.body) {
    bytes += chunk.byteLength;
    if (bytes > LONGEST) throw new Error(`more than ${LONGEST} bytes`);
    read += decoder.decode(chunk, { stream: true });
  }
  return read + decoder.decode();
}

/** Reasons that a newer set may do away with: a key, or a permission in the issuer's registry, that is not there yet. */
const MISSING = new Set(["unknown_key", "unknown_registry"]);
/** Milliseconds for which a set is used without a look at the next one. */
const FRESH = 5 * 60_000;
/** Milliseconds for which it is used if the issuer does not answer. */
const STALE = 24 * 60 * 60_000;
/** Milliseconds for an answer of the issuer, its body too. */
const PATIENCE = 3_000;
/** In so many milliseconds the issuer is asked so many times at most. */
const WINDOW = 30_000;
const BURST = 4;
/** Bytes of a set. */
const LONGEST = 64 * 1024;
/** Headers of tokens with something missing that are remembered. */
const REMEMBERED = 1_000;
