/** What a token says (RFC 9068 §2.2); times are seconds since the epoch. Claims that are not named here are left out. */
export interface AccessClaims {
  iss: string;
  sub: string;
  aud: string | string[];
  exp: number;
  iat: number;
  jti: string;
  client_id?: string;
  sid: string;
  auth_time: number;
  amr: string[];
  roles?: string[];
  /** By their names, also if the token packs them: the JWK Set bears the issuer's registry then. */
  permissions?: string[];
}

/** What a verifier expects. A name that is not here is an error. */
export interface Options {
  /** `iss`, compared exactly. */
  issuer: string;
  /** One of `aud`, compared exactly. */
  audience: string;
  /** Seconds that `iat` and `nbf` may lie in the future; 60 unless said otherwise. `exp` is never stretched. */
  clockSkew?: number;
  /** Seconds that may lie between `iat` and `exp`; any number unless said otherwise. */
  longest?: number;
  /** The time in seconds since the epoch, for tests; else the clock's. */
  now?: number;
  /**
   * Whether the set was published, which it is unless said otherwise: private and symmetric keys in it are secret no
   * more and left out. `false` is for a set of your own, whose symmetric keys count.
   */
  published?: boolean;
  /** Bytes for tokens that verified before, 1 MiB unless said otherwise; with 0 each is verified anew each time. */
  cacheBytes?: number;
}

/** A JWK Set (RFC 7517 §5). */
export interface JwkSet {
  keys: object[];
  /** What permissions that a token packs are numbers in. */
  portcullis_permissions?: { names: string[] };
}

/** What is thrown. `code` may be shown to clients and is the message too; `reason` is for the log. */
export interface Refusal extends Error {
  code: "invalid_token" | "invalid_jwks" | "invalid_options";
  /**
   * Of an `invalid_token`: `too_long`, `malformed`, `type`, `critical`, `unknown_key`, `algorithm`, `signature`,
   * `claims`, `issuer`, `audience`, `expired`, `too_long_lived`, `not_yet_valid`, `unknown_registry` (the permissions are
   * packed with a registry that the set does not bear), or one that comes later.
   */
  reason: string;
}

/** Verifies tokens by keys that are read once. Make one per JWK Set, and a new one when the set changes. */
export class Verifier {
  /** @throws {Refusal} `invalid_options`; `invalid_jwks`, also if the set holds no key that verifies. */
  constructor(jwks: string | JwkSet, options: Options);
  /**
   * The claims of a token that is right at `now`, in seconds.
   * @throws {Refusal} `invalid_token`, whatever is wrong.
   */
  verify(token: string, now?: number): AccessClaims;
  /** Gives its memory back at once; the garbage collector does it later. */
  free(): void;
}

/** Verifies one token. Reads the keys each time: a service that verifies many keeps a {@link Verifier}. */
export function verify(token: string, jwks: string | JwkSet, options: Options): AccessClaims;
