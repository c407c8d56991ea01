// What evaluate.c measures, by npm's flagd-core: `node evaluate.mjs DOCUMENT CONTEXTS FLAG...`. Prints the same names,
// in nanoseconds. A round counts as the smaller of wall clock and CPU time: the machine is busy at times, and the
// engine's own threads are at others.
import { FlagdCore } from '@openfeature/flagd-core';
import { readFileSync } from 'node:fs';

const ROUNDS = 5;
const EVALUATIONS = 100_000;
const READINGS = 25_000;
const WARM = 30_000; // the compiler is done long before

const [document, contexts, ...flags] = process.argv.slice(2);
const silent = { error() {}, warn() {}, info() {}, debug() {} };
const core = new FlagdCore(undefined, silent);
core.setConfigurations(readFileSync(document, 'utf8'));
const texts = readFileSync(contexts, 'utf8').trimEnd().split('\n');
const parsed = texts.map((text) => JSON.parse(text));
let kept; // what the last evaluation gave: no call can be left out

function timed(count, work) {
  const cpu = process.cpuUsage();
  const start = process.hrtime.bigint();
  work(count);
  const wall = Number(process.hrtime.bigint() - start);
  const used = process.cpuUsage(cpu);
  return Math.min(wall, (used.user + used.system) * 1e3) / count;
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1];
}

function report(name, value) {
  console.log(JSON.stringify({ name, value }));
}

function answers(flag) {
  const given = parsed.map((context) => core.resolveBooleanEvaluation(flag, false, context, silent));
  const reasons = new Set(given.map((one) => one.reason));
  const reason = reasons.size === 1 ? given[0].reason : 'MIXED';
  const values = given.map((one) => String(one.value)[0]).join('');
  console.log(JSON.stringify({ name: `answers.${flag}`, reason, values }));
}

for (const flag of flags) {
  const evaluate = (count) => {
    for (let i = 0; i < count; i++)
      kept = core.resolveBooleanEvaluation(flag, false, parsed[i % parsed.length], silent);
  };
  const read = (count) => {
    for (let i = 0; i < count; i++)
      kept = core.resolveBooleanEvaluation(flag, false, JSON.parse(texts[i % texts.length]), silent);
  };
  evaluate(WARM);
  read(WARM);
  const evaluations = [];
  const readings = [];
  for (let round = 0; round < ROUNDS; round++) {
    evaluations.push(timed(EVALUATIONS, evaluate));
    readings.push(timed(READINGS, read));
  }
  report(flag, median(evaluations));
  report(`${flag}.reading`, median(readings));
  answers(flag);
}
if (!kept) process.exitCode = 1;
