// What load.c measures, by npm's flagd-core: `node load.mjs core|parse DOCUMENT`; `parse` is JSON.parse() alone.
import { FlagdCore } from '@openfeature/flagd-core';
import { readFileSync } from 'node:fs';

const [what, path] = process.argv.slice(2);
const silent = { error() {}, warn() {}, info() {}, debug() {} };
const text = readFileSync(path, 'utf8');
const core = new FlagdCore(undefined, silent);
let flags;
const cpu = process.cpuUsage();
const start = process.hrtime.bigint();
if (what === 'parse') flags = Object.keys(JSON.parse(text).flags).length;
else core.setConfigurations(text);
const wall = Number(process.hrtime.bigint() - start) / 1e6;
const used = process.cpuUsage(cpu);
const ms = Math.min(wall, (used.user + used.system) / 1e3); // whichever flatters more
flags ??= core.getFlags().size;
const peak = Number(/VmHWM:\s*(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]) * 1024;
for (const [name, value] of Object.entries({ ms, peak, flags })) console.log(JSON.stringify({ name, value }));
