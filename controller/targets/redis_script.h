/* redis_script.h - the two scripts that a Redis target is read and changed by.
 *
 * {KEY}:doc        hash: a flag's key → its JSON
 * {KEY}:meta       hash: generation digest commit environment metadata; and, while the digest is
 *                  "merged", base and over
 * {KEY}:overrides  hash: an intent → its override as override.h writes it
 *
 * What stands in doc is the document that was pushed last, and over it the fragments of overrides
 * that the push did not have: so a controller that has not seen a breach cannot undo what was done
 * about it. The digest is true of what stands there. No script can compute one, so where the
 * fragments of others change something it is "merged" until somebody pushes a document that has
 * them: then `base` is the digest of the document beneath and `over` names the flags, separated by
 * spaces, whose fields are not that document's. Of several overrides of one flag the one that
 * override_wins() stands over its field, which one with an empty fragment takes away; the others
 * stay beside it, each until it is recorded. While fields change the digest is empty: a script that
 * the server breaks off leaves something that no difference fits, and the whole is sent.
 *
 * Both scripts refuse ("crowded") to go through more than REDIS_OVERRIDES_MOST overrides, or more
 * bytes than REDIS_OVERRIDES_BYTES of them; what is too large or makes no sense is passed over, and
 * stays. */
#ifndef WEIR_REDIS_SCRIPT_H
#define WEIR_REDIS_SCRIPT_H

#define REDIS_OVERRIDES_MOST "10000"
#define REDIS_OVERRIDE_BYTES "9437184" /* of one */
#define REDIS_OVERRIDES_BYTES "67108864"
#define REDIS_FIELD_BYTES "64" /* of an intent */

/* KEYS: {KEY}:overrides. Answers a list: "overrides", then for each its field and its value, which
 * is empty where it is too large, and the field cut where it is; or "crowded". */
static const char redis_look_script[] =
    "local overrides = KEYS[1]\n"
    "if redis.call('HLEN', overrides) > " REDIS_OVERRIDES_MOST " then return {'crowded'} end\n"
    "local out, bytes = {'overrides'}, 0\n"
    "for _, field in ipairs(redis.call('HKEYS', overrides)) do\n"
    "  local size, value = redis.call('HSTRLEN', overrides, field), ''\n"
    "  if #field <= " REDIS_FIELD_BYTES " and size <= " REDIS_OVERRIDE_BYTES " then\n"
    "    bytes = bytes + size\n"
    "    if bytes > " REDIS_OVERRIDES_BYTES " then return {'crowded'} end\n"
    "    value = redis.call('HGET', overrides, field)\n"
    "  end\n"
    "  out[#out + 1] = string.sub(field, 1, " REDIS_FIELD_BYTES " + 1)\n"
    "  out[#out + 1] = value\n"
    "end\n"
    "return out\n";

/* KEYS: {KEY}:doc, {KEY}:meta, {KEY}:overrides.
 * ARGV: generation, digest, commit, environment, metadata, channel, how many fields the document
 * has, base digest ("": what follows is the whole document, else what differs from that one);
 * then four times a count and that many: intents standing there which the commit's state records,
 * SHA-1 of overrides standing there that cannot be served, overrides of the push, fields to remove;
 * then field and value of each that is set. A difference has the fields of all overrides of the
 * push and of all that were seen standing, whether or not they differ.
 *
 * Answers a list: ok, digest that stands | same, digest that stands | base, digest held |
 * stale, generation held, overrides put, digest that stands | conflict, digest held |
 * foreign, generation held | crowded.
 *
 * What is older than what is held, or contradicts it, still puts its overrides there and over the
 * fields: they are the safe states, and wait for nobody. One that stands there already stays as it
 * is: its fragment is that of a newer tip, or becomes it with the next push of whoever is ahead. */
static const char redis_script[] =
    "local doc, meta, overrides = KEYS[1], KEYS[2], KEYS[3]\n"
    "local generation, digest, commit, environment, metadata, channel =\n"
    "  ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]\n"
    "local fields, base = tonumber(ARGV[7]), ARGV[8]\n"
    "local at = 9\n"
    "local function take()\n"
    "  local first, last = at + 1, at + tonumber(ARGV[at])\n"
    "  at = last + 1\n"
    "  return first, last\n"
    "end\n"
    "local function set_of(first, last)\n"
    "  local set = {}\n"
    "  for i = first, last do set[ARGV[i]] = true end\n"
    "  return set\n"
    "end\n"
    "local recorded = set_of(take())\n"
    "local unservable = set_of(take())\n"
    "local first_own, last_own = take()\n"
    "local first_removed, last_removed = take()\n"
    "local first_set, last_set = at, #ARGV\n"
    "local CHUNK = 1000\n" /* unpack() of much more overflows Lua's stack */
    "\n"
    /* By number: the order of strings is the locale's. */
    "local function order(a, b)\n"
    "  for i = 1, 25, 8 do\n"
    "    local x = tonumber(string.sub(a, i, i + 7), 16)\n"
    "    local y = tonumber(string.sub(b, i, i + 7), 16)\n"
    "    if x < y then return -1 elseif x > y then return 1 end\n"
    "  end\n"
    "  return 0\n"
    "end\n"
    "\n"
    "local ranks = {['step-back'] = 1, rollback = 2, kill = 3}\n"
    "local function decode(json)\n"
    "  local readable, o = pcall(cjson.decode, json)\n"
    "  if not readable or type(o) ~= 'table' or type(o.flag) ~= 'string' or #o.flag > 63 or\n"
    "    type(o.intent) ~= 'string' or type(o.fragment) ~= 'string' or\n"
    "    type(o.run) ~= 'number' or type(o.seq) ~= 'number' or not ranks[o.action] or\n"
    "    #o.intent ~= 64 or string.find(o.intent, '[^0-9a-f]') or\n"
    "    string.find(o.flag, '[^a-z0-9-]') or o.flag == '' or\n"
    "    o.fragment == '' and (o.rollout ~= '' or o.action ~= 'rollback') then\n"
    "    return nil\n"
    "  end\n"
    "  return {json = json, flag = o.flag, intent = o.intent, fragment = o.fragment,\n"
    "    run = o.run, seq = o.seq,\n"
    "    rank = ranks[o.action] + (o.action == 'kill' and o.rollout == '' and 1 or 0)}\n"
    "end\n"
    /* override_wins() */
    "local function wins(a, b)\n"
    "  if a.rank ~= b.rank then return a.rank > b.rank end\n"
    "  if a.run ~= b.run then return a.run > b.run end\n"
    "  if a.seq ~= b.seq then return a.seq > b.seq end\n"
    "  for i = 1, 64 do\n"
    "    local x, y = string.byte(a.intent, i), string.byte(b.intent, i)\n"
    "    if x ~= y then return x < y end\n"
    "  end\n"
    "  return false\n"
    "end\n"
    "\n"
    "if redis.call('HLEN', overrides) > " REDIS_OVERRIDES_MOST " then return {'crowded'} end\n"
    "local standing, bytes = {}, 0\n"
    "for _, field in ipairs(redis.call('HKEYS', overrides)) do\n"
    "  local size = redis.call('HSTRLEN', overrides, field)\n"
    "  if #field <= " REDIS_FIELD_BYTES " and size <= " REDIS_OVERRIDE_BYTES " then\n"
    "    bytes = bytes + size\n"
    "    if bytes > " REDIS_OVERRIDES_BYTES " then return {'crowded'} end\n"
    "    local json = redis.call('HGET', overrides, field)\n"
    "    local o = not (next(unservable) and unservable[redis.sha1hex(json)]) and decode(json)\n"
    "    if o and o.intent == field then standing[field] = o end\n"
    "  end\n"
    "end\n"
    "\n"
    "local held = redis.call('HMGET', meta, 'generation', 'digest', 'base', 'over')\n"
    "local held_generation, held_digest = held[1], held[2] or ''\n"
    "local beneath, over = held_digest, {}\n"
    "if held_digest == 'merged' then\n"
    "  beneath = held[3] or ''\n"
    "  for flag in string.gmatch(held[4] or '', '%S+') do over[flag] = true end\n"
    "end\n"
    "local there = redis.call('EXISTS', doc) == 1\n"
    "local intact = fields == 0 or there\n"
    "local mode, answer = 'write', nil\n"
    "if held_generation then\n"
    "  if #held_generation ~= 32 or string.find(held_generation, '[^0-9a-f]') then\n"
    "    return {'foreign', held_generation}\n"
    "  end\n"
    "  local relation = order(held_generation, generation)\n"
    "  local alike = held_digest ~= '' and beneath == digest and intact\n"
    /* Another controller opened more overrides at this commit, and they come to this document. */
    "  if relation > 0 and alike and\n"
    "    string.sub(held_generation, 1, 16) == string.sub(generation, 1, 16) then\n"
    "    relation, generation = 0, held_generation\n"
    "  end\n"
    "  if relation > 0 then\n"
    "    mode, answer = 'merge', {'stale', held_generation}\n"
    "  elseif relation == 0 and held_digest ~= '' and beneath ~= digest then\n"
    "    mode, answer = 'merge', {'conflict', beneath}\n"
    "  elseif relation == 0 and alike then\n"
    "    mode = 'check'\n"
    "  end\n"
    "end\n"
    /* Which of its intents are recorded is for the commit that stands there to say. */
    "if mode == 'merge' then recorded = {} end\n"
    "\n"
    "local own, winners = {}, {}\n"
    "local function compete(o)\n"
    "  if not winners[o.flag] or wins(o, winners[o.flag]) then winners[o.flag] = o end\n"
    "end\n"
    /* Of one decision each controller says what its own tip comes to. What whoever is ahead says of
     * it stands: two of different tips would write it in turns for ever. */
    "local function is_said(o)\n"
    "  local s = standing[o.intent]\n"
    "  return s and s.flag == o.flag and s.rank == o.rank and s.run == o.run and s.seq == o.seq "
    "and\n"
    "    (mode == 'merge' or s.fragment == o.fragment)\n"
    "end\n"
    "for i = first_own, last_own do\n"
    "  local o = decode(ARGV[i])\n"
    "  if o and is_said(o) then o = standing[o.intent] end\n"
    "  if o then own[o.intent] = o compete(o) end\n"
    "end\n"
    "for intent, o in pairs(standing) do\n"
    "  if not own[intent] and not recorded[intent] then compete(o) end\n"
    "end\n"
    "local function is_others(flag)\n"
    "  return winners[flag] and not own[winners[flag].intent]\n"
    "end\n"
    "\n"
    /* A field that nobody's override stands over any more gets the document's value back. */
    "if mode == 'check' then\n"
    "  for flag in pairs(over) do\n"
    "    if not is_others(flag) then mode = 'write' end\n"
    "  end\n"
    "end\n"
    "local touched = {}\n"
    "if mode == 'write' and base ~= '' then\n"
    "  if held_digest == '' or beneath ~= base or not intact then\n"
    "    return {'base', held_digest}\n"
    "  end\n"
    "  for i = first_removed, last_removed do touched[ARGV[i]] = true end\n"
    "  for i = first_set, last_set, 2 do touched[ARGV[i]] = true end\n"
    "  for flag in pairs(over) do\n"
    "    if not touched[flag] and not is_others(flag) then return {'base', held_digest} end\n"
    "  end\n"
    "end\n"
    "\n"
    "local changed = false\n"
    "local function begin()\n"
    "  if not changed then redis.call('HSET', meta, 'digest', '') end\n"
    "  changed = true\n"
    "end\n"
    "if mode == 'write' then\n"
    "  begin()\n"
    "  if base == '' then redis.call('DEL', doc) over = {} end\n"
    "  for flag in pairs(touched) do over[flag] = nil end\n"
    "  for i = first_removed, last_removed, CHUNK do\n"
    "    redis.call('HDEL', doc, unpack(ARGV, i, math.min(i + CHUNK - 1, last_removed)))\n"
    "  end\n"
    "  for i = first_set, last_set, CHUNK do\n"
    "    redis.call('HSET', doc, unpack(ARGV, i, math.min(i + CHUNK - 1, last_set)))\n"
    "  end\n"
    "end\n"
    /* Of a document that is not there nothing is made by an override alone: it would be taken for
     * whole. */
    "local function put_over(o)\n"
    "  if (there or mode ~= 'merge') and\n"
    "    (redis.call('HGET', doc, o.flag) or '') ~= o.fragment then\n"
    "    begin()\n"
    "    if o.fragment == '' then\n"
    "      redis.call('HDEL', doc, o.flag)\n"
    "    else\n"
    "      redis.call('HSET', doc, o.flag, o.fragment)\n"
    "    end\n"
    "    over[o.flag] = true\n"
    "  end\n"
    "end\n"
    "local listed, put = false, 0\n"
    "for intent in pairs(standing) do\n"
    "  if recorded[intent] and not own[intent] then\n"
    "    redis.call('HDEL', overrides, intent)\n"
    "    listed = true\n"
    "  end\n"
    "end\n"
    "for intent, o in pairs(own) do\n"
    "  if not standing[intent] or standing[intent].json ~= o.json then\n"
    "    redis.call('HSET', overrides, intent, o.json)\n"
    "    listed, put = true, put + 1\n"
    "  end\n"
    "end\n"
    "for flag, o in pairs(winners) do\n"
    "  if mode == 'merge' or is_others(flag) then put_over(o) end\n"
    "end\n"
    "\n"
    "local stands = held_digest\n"
    "if changed then\n"
    "  stands = mode == 'merge' and beneath or digest\n"
    "  local list = {}\n"
    "  for flag in pairs(over) do list[#list + 1] = flag end\n"
    "  if stands ~= '' and #list > 0 then\n"
    "    redis.call('HSET', meta, 'base', stands, 'over', table.concat(list, ' '))\n"
    "    stands = 'merged'\n"
    "  else\n"
    "    redis.call('HDEL', meta, 'base', 'over')\n"
    "  end\n"
    "end\n"
    "if mode == 'write' then\n"
    "  redis.call('HSET', meta, 'generation', generation, 'digest', stands, 'commit', commit,\n"
    "    'environment', environment, 'metadata', metadata)\n"
    "elseif changed then\n"
    "  redis.call('HSET', meta, 'digest', stands)\n"
    "end\n"
    "if changed or listed then\n"
    "  redis.call('PUBLISH', channel, '{\"digest\":\"' .. stands .. '\",\"generation\":\"' ..\n"
    "    (mode == 'write' and generation or held_generation) .. '\"}')\n"
    "end\n"
    "if answer then return {answer[1], answer[2], tostring(put), stands} end\n"
    "return {(changed or listed) and 'ok' or 'same', stands}\n";

#endif
