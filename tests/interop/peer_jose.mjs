// jose, https://github.com/panva/jose, as a peer.
import * as jose from "jose";
import { answer, kept } from "./lines.mjs";
import { published, verify } from "./verify-jose.mjs";

const keySets = kept((address, settings) => published(address, settings));

function algorithmOptions(algorithm) {
  return algorithm === "EdDSA" ? { crv: "Ed25519", extractable: true } : { extractable: true };
}

await answer(
  {
    async verify({ token, jwks, settings, secret, ...expected }) {
      const keys = secret ? await jose.importJWK(secret) : keySets(jwks, settings);
      return { claims: await verify(token, keys, expected) };
    },
    async sign({ claims, header, jwk, pem }) {
      const key = pem ? await jose.importPKCS8(pem, header.alg) : await jose.importJWK(jwk, header.alg);
      const bytes = new TextEncoder().encode(JSON.stringify(claims));
      return { token: await new jose.CompactSign(bytes).setProtectedHeader(header).sign(key) };
    },
    async key({ algorithm }) {
      if (algorithm.startsWith("HS")) {
        return { jwk: await jose.exportJWK(await jose.generateSecret(algorithm, { extractable: true })) };
      }
      const { privateKey, publicKey } = await jose.generateKeyPair(algorithm, algorithmOptions(algorithm));
      const shown = await jose.exportJWK(publicKey);
      return {
        jwk: await jose.exportJWK(privateKey),
        public: shown,
        thumbprint: await jose.calculateJwkThumbprint(shown),
        pems: [await jose.exportPKCS8(privateKey)],
        publicPem: await jose.exportSPKI(publicKey),
      };
    },
    async thumbprint({ jwk }) {
      return { thumbprint: await jose.calculateJwkThumbprint(jwk) };
    },
  },
  (error) => error instanceof jose.errors.JOSEError,
);
