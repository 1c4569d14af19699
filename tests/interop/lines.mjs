// Questions come as lines of JSON, and so do the answers.
import { createInterface } from "node:readline";

/** Answers each question by the verb in its `do`. A token that the library refuses is an answer; anything else that
 * goes wrong is a fault, so that a broken script never looks like a refusal. */
export async function answer(verbs, isRefusal) {
  for await (const line of createInterface({ input: process.stdin })) {
    const question = JSON.parse(line);
    let reply;
    try {
      reply = await verbs[question.do](question);
    } catch (error) {
      reply = isRefusal(error) ? { refused: error.message } : { fault: String(error.stack) };
    }
    process.stdout.write(JSON.stringify(reply) + "\n");
  }
}

/** The same value for the same name each time: key sets are fetched once and kept, as a service would. */
export function kept(make) {
  const values = new Map();
  return (name, ...rest) => {
    if (!values.has(name)) values.set(name, make(name, ...rest));
    return values.get(name);
  };
}
