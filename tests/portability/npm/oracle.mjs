// What npm's flagd-core answers: `node oracle.mjs [--interpreted] DOCUMENT…`, then on standard input a JSON line
// {"document","context","flags"} for each context, `document` counting from 0; on standard output a JSON line for each,
// [[value, variant, reason, errorCode], …] in the order of `flags`, null where absent.
import { FlagdCore } from '@openfeature/flagd-core';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

const silent = { error() {}, warn() {}, info() {}, debug() {} };
const paths = process.argv.slice(2).filter((argument) => argument !== '--interpreted');
const options = { disableDynamicCodeGeneration: paths.length !== process.argv.length - 2 };

const cores = paths.map((path) => {
  const core = new FlagdCore(undefined, silent, options);
  core.setConfigurations(readFileSync(path, 'utf8'));
  return core;
});

function decide(core, key, context) {
  const flag = core.getFlag(key);
  if (!flag) return { errorCode: 'FLAG_NOT_FOUND', reason: 'ERROR' };
  if (flag.state === 'DISABLED') return { reason: 'DISABLED' };
  return flag.evaluate(context, silent);
}

for await (const line of createInterface({ input: process.stdin })) {
  const { document, context, flags } = JSON.parse(line);
  const answers = flags.map((key) => {
    const { value = null, variant = null, reason, errorCode = null } = decide(cores[document], key, context);
    return [value, variant, reason, errorCode];
  });
  if (!process.stdout.write(`${JSON.stringify(answers)}\n`)) {
    await new Promise((resume) => process.stdout.once('drain', resume));
  }
}
