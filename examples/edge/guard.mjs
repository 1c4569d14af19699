import { IssuerKeys, NoKeys } from "./keys.mjs";

/** Answers requests: `GET /` is open, everything else is for those with a token. The same in Node and in workerd. */
export function guarded(settings) {
  const keys = new IssuerKeys(settings);
  return async function answer(request, later) {
    const { pathname } = new URL(request.url);
    if (pathname === "/") return Response.json({ success: true, data: { service: "edge" } });
    const bearer = /^Bearer +([^ ]+)$/i.exec(request.headers.get("authorization") ?? "");
    if (!bearer) return problem(401, "unauthenticated", "sign in first", "Bearer");
    let claims;
    try {
      claims = await keys.verify(bearer[1], later);
    } catch (refusal) {
      if (refusal instanceof NoKeys) return problem(503, "unavailable", "try again later");
      if (refusal.code !== "invalid_token") throw refusal;
      console.warn(`token refused: ${refusal.reason}`);
      return problem(401, "invalid_token", "the token is not valid", 'Bearer error="invalid_token"');
    }
    if (pathname !== "/me") return problem(404, "not_found", "there is nothing here");
    return Response.json({ success: true, data: { id: claims.sub, roles: claims.roles ?? [] } }, { headers: PRIVATE });
  };
}

function problem(status, code, text, challenge) {
  const body = { type: "about:blank", status, detail: text, success: false, error: text, code };
  const headers = { ...PRIVATE, "content-type": "application/problem+json" };
  if (challenge) headers["www-authenticate"] = challenge;
  return new Response(JSON.stringify(body), { status, headers });
}

const PRIVATE = { "cache-control": "no-store", "x-content-type-options": "nosniff" };
