// The entry for workerd, and for what is made of it.
import { guarded } from "./guard.mjs";

let answer;

export default {
  fetch(request, env, context) {
    answer ??= guarded({ jwks: env.JWKS, issuer: env.ISSUER, audience: env.AUDIENCE });
    return answer(request, (promise) => context.waitUntil(promise));
  },
};
