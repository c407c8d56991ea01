// The protocol of all clients: a JSON line {"flag","type","default","context"} in, a JSON line of details out.
// A line {"do": NAME} calls what a client can do besides.
import { createInterface } from 'node:readline';

const METHODS = {
  boolean: 'getBooleanDetails',
  string: 'getStringDetails',
  integer: 'getNumberDetails',
  float: 'getNumberDetails',
  object: 'getObjectDetails',
};

/** What every client prints of an answer: null where the SDK gives nothing. */
export function details({ value, variant = null, reason = null, errorCode = null, flagMetadata = {} }) {
  return { value, variant, reason, errorCode, flagMetadata };
}

export function method(type) {
  return METHODS[type];
}

/** Answers lines until the input ends; `evaluate` takes a request, `actions` those with "do". */
export async function serve(evaluate, actions = {}) {
  process.stdout.write('{"ready":true}\n');
  for await (const line of createInterface({ input: process.stdin })) {
    const request = JSON.parse(line);
    const answer = await (request.do ? actions[request.do](request) : evaluate(request));
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  }
}
