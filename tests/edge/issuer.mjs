import { createServer } from "node:http";

/** A key server on a free port, whose way to answer can be changed: `issuer.answer = (request, response) => ...`. */
export async function keyServer(jwks) {
  const server = createServer((request, response) => {
    issuer.asked += 1;
    issuer.answer(request, response);
  });
  const issuer = {
    asked: 0,
    publish(set) {
      issuer.answer = (_, response) => {
        response.setHeader("content-type", "application/jwk-set+json");
        response.end(typeof set === "string" ? set : JSON.stringify(set));
      };
    },
    async stop() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
  issuer.publish(jwks);
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  issuer.address = `http://127.0.0.1:${server.address().port}/jwks.json`;
  return issuer;
}
