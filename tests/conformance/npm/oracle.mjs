// What npm's flagd-core answers: `node oracle.mjs DOCUMENT [NOW]`, then a JSON line {"flag","context"} in and a line
// {"value","variant","reason","errorCode"} out for each, null where absent; "resolved" is what the rules gave where no
// variant is called that. NOW stands still, in seconds since 1970.
import { FlagdCore } from '@openfeature/flagd-core';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

if (process.argv[3]) Date.now = () => Number(process.argv[3]) * 1000;
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
  const { value = null, variant = null, reason, errorCode = null, errorMessage = '' } = decide(flag, context);
  const answer = { value, variant, reason, errorCode };
  const end = `' not found in flag with key '${flag}'`;
  if (errorMessage.startsWith("Variant '") && errorMessage.endsWith(end)) answer.resolved = errorMessage.slice(9, -end.length);
  lines.push(JSON.stringify(answer));
}
process.stdout.write(lines.map((line) => `${line}\n`).join(''));
