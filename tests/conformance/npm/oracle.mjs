// What npm's flagd-core answers: `node oracle.mjs DOCUMENT`, then a JSON line {"flag","context"} in and a line
// {"value","variant","reason","errorCode"} out for each, null where absent.
import { FlagdCore } from '@openfeature/flagd-core';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

const silent = { error() {}, warn() {}, info() {}, debug() {} };
const core = new FlagdCore(undefined, silent);
core.setConfigurations(readFileSync(process.argv[2], 'utf8'));

function decide(key, context) {
  const flag = core.getFlag(key);
  if (!flag) return { errorCode: 'FLAG_NOT_FOUND', reason: 'ERROR' };
  if (flag.state === 'DISABLED') return { reason: 'DISABLED' };
  return flag.evaluate(context, silent);
}

const lines = [];
for await (const line of createInterface({ input: process.stdin })) {
  const { flag, context } = JSON.parse(line);
  const { value = null, variant = null, reason, errorCode = null } = decide(flag, context);
  lines.push(JSON.stringify({ value, variant, reason, errorCode }));
}
process.stdout.write(lines.map((line) => `${line}\n`).join(''));
