// The entry for Node: `JWKS=... ISSUER=... AUDIENCE=... node server.mjs`. `PORT` is 3000 unless said otherwise.
import { createServer } from "node:http";

import { guarded } from "./guard.mjs";

const { JWKS, ISSUER, AUDIENCE, PORT = "3000" } = process.env;
if (!JWKS || !ISSUER || !AUDIENCE) {
  console.error("JWKS, ISSUER and AUDIENCE say whose tokens are accepted, and for whom");
  process.exit(1);
}
const answer = guarded({ jwks: JWKS, issuer: ISSUER, audience: AUDIENCE });

const server = createServer(async (incoming, outgoing) => {
  try {
    const { method, headers, url } = incoming;
    const given = new Headers(Object.entries(headers).filter(([, value]) => typeof value === "string"));
    const response = await answer({ method, headers: given, url: new URL(url, "http://edge").href });
    outgoing.writeHead(response.status, Object.fromEntries(response.headers));
    outgoing.end(await response.text());
  } catch (fault) {
    console.error(fault);
    outgoing.writeHead(500).end();
  }
});
server.listen(Number(PORT), "127.0.0.1", () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}`);
});
