// jsonwebtoken, https://github.com/auth0/node-jsonwebtoken, as a peer; its keys are those of Node.
import { createPrivateKey, createSecretKey, generateKeyPairSync, randomBytes } from "node:crypto";
import jwt from "jsonwebtoken";
import { answer, kept } from "./lines.mjs";
import { published, verify } from "./verify-jsonwebtoken.mjs";

const keySets = kept((address) => published(address));

const kinds = {
  EdDSA: ["ed25519", {}],
  ES256: ["ec", { namedCurve: "P-256" }],
  ES384: ["ec", { namedCurve: "P-384" }],
  RS256: ["rsa", { modulusLength: 2048 }],
  PS256: ["rsa", { modulusLength: 2048 }],
};

function imported(jwk) {
  return jwk.kty === "oct"
    ? createSecretKey(Buffer.from(jwk.k, "base64url"))
    : createPrivateKey({ key: jwk, format: "jwk" });
}

await answer(
  {
    async verify({ token, jwks, secret, ...expected }) {
      return { claims: await verify(token, secret ? imported(secret) : keySets(jwks), expected) };
    },
    sign({ claims, header, jwk, pem }) {
      const key = pem ?? imported(jwk);
      // As text the claims are signed as they are; as an object they are checked first.
      return { token: jwt.sign(JSON.stringify(claims), key, { algorithm: header.alg, header }) };
    },
    key({ algorithm }) {
      if (algorithm.startsWith("HS")) {
        return { jwk: { kty: "oct", k: randomBytes(64).toString("base64url") } };
      }
      const [type, options] = kinds[algorithm];
      const { privateKey, publicKey } = generateKeyPairSync(type, options);
      const traditional = { ec: "sec1", rsa: "pkcs1" }[type];
      const types = ["pkcs8", ...(traditional ? [traditional] : [])];
      return {
        jwk: privateKey.export({ format: "jwk" }),
        public: publicKey.export({ format: "jwk" }),
        pems: types.map((type) => privateKey.export({ type, format: "pem" })),
        publicPem: publicKey.export({ type: "spki", format: "pem" }),
      };
    },
  },
  // Of what it finds amiss, these two come as errors of another kind.
  (error) =>
    error instanceof jwt.JsonWebTokenError || /signatures must be|Unknown key type/.test(error.message),
);
