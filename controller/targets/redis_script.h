/* redis_script.h - the one script that changes what a Redis target holds, all of it or nothing.
 *
 * KEYS: {KEY}:doc        hash: a flag's key → its JSON
 *       {KEY}:meta       hash: generation digest commit environment metadata
 *       {KEY}:overrides  hash: a flag's key → {"intent": ID, "fragment": "the flag's JSON, as
 * text", …} ARGV: generation, digest, commit, environment, metadata, channel, how many fields the
 * document has, base digest ("": what follows is the whole document, else what differs from that
 * one), a count and that many intents which the commit's state already holds, a count and that many
 * fields to remove, then field and value of each that is set.
 *
 * Answers a list: ok | same | base, digest held | stale, generation held | conflict, digest held |
 * foreign, generation held.
 *
 * An override stands until a commit holds its intent: its fragment is put over what is pushed, so
 * that a controller that has not seen a breach cannot undo what was done about it. While fields
 * change, the digest is empty: a script that the server breaks off leaves something that no
 * difference fits, and the whole is sent. */
#ifndef WEIR_REDIS_SCRIPT_H
#define WEIR_REDIS_SCRIPT_H

static const char redis_script[] =
    "local doc, meta, overrides = KEYS[1], KEYS[2], KEYS[3]\n"
    "local generation, digest, commit, environment, metadata, channel =\n"
    "  ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]\n"
    "local fields, base = tonumber(ARGV[7]), ARGV[8]\n"
    "local at = 9\n"
    "local intents = {}\n"
    "local count = tonumber(ARGV[at])\n"
    "for i = at + 1, at + count do intents[ARGV[i]] = true end\n"
    "at = at + 1 + count\n"
    "count = tonumber(ARGV[at])\n"
    "local first_removed, last_removed = at + 1, at + count\n"
    "local first_set, last_set = last_removed + 1, #ARGV\n"
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
    "local held = redis.call('HMGET', meta, 'generation', 'digest')\n"
    "local held_generation, held_digest = held[1], held[2] or ''\n"
    "local intact = fields == 0 or redis.call('EXISTS', doc) == 1\n"
    "if held_generation then\n"
    "  if #held_generation ~= 32 or string.find(held_generation, '[^0-9a-f]') then\n"
    "    return {'foreign', held_generation}\n"
    "  end\n"
    "  local relation = order(held_generation, generation)\n"
    "  if relation > 0 then return {'stale', held_generation} end\n"
    "  if relation == 0 and held_digest ~= '' then\n"
    "    if held_digest ~= digest then return {'conflict', held_digest} end\n"
    "    if intact then return {'same'} end\n"
    "  end\n"
    "end\n"
    "if base ~= '' and (held_digest ~= base or not intact) then return {'base', held_digest} end\n"
    "\n"
    "local ended, standing = {}, {}\n"
    "local list = redis.call('HGETALL', overrides)\n"
    "for i = 1, #list, 2 do\n"
    "  local readable, override = pcall(cjson.decode, list[i + 1])\n"
    "  if readable and type(override) == 'table' then\n"
    "    if intents[override.intent or ''] then\n"
    "      ended[#ended + 1] = list[i]\n"
    "    elseif type(override.fragment) == 'string' then\n"
    "      standing[#standing + 1] = {list[i], override.fragment}\n"
    "    end\n"
    "  end\n"
    "end\n"
    /* Where an override ends the document's value comes back: a difference may not hold it. */
    "if base ~= '' and #ended > 0 then\n"
    "  local touched = {}\n"
    "  for i = first_removed, last_removed do touched[ARGV[i]] = true end\n"
    "  for i = first_set, last_set, 2 do touched[ARGV[i]] = true end\n"
    "  for _, field in ipairs(ended) do\n"
    "    if not touched[field] then return {'base', held_digest} end\n"
    "  end\n"
    "end\n"
    "\n"
    "redis.call('HSET', meta, 'digest', '')\n"
    "if base == '' then redis.call('DEL', doc) end\n"
    "for i = first_removed, last_removed, CHUNK do\n"
    "  redis.call('HDEL', doc, unpack(ARGV, i, math.min(i + CHUNK - 1, last_removed)))\n"
    "end\n"
    "for i = first_set, last_set, CHUNK do\n"
    "  redis.call('HSET', doc, unpack(ARGV, i, math.min(i + CHUNK - 1, last_set)))\n"
    "end\n"
    "for _, field in ipairs(ended) do redis.call('HDEL', overrides, field) end\n"
    "for _, pair in ipairs(standing) do redis.call('HSET', doc, pair[1], pair[2]) end\n"
    "redis.call('HSET', meta, 'generation', generation, 'digest', digest, 'commit', commit,\n"
    "  'environment', environment, 'metadata', metadata)\n"
    "redis.call('PUBLISH', channel,\n"
    "  '{\"digest\":\"' .. digest .. '\",\"generation\":\"' .. generation .. '\"}')\n"
    "return {'ok'}\n";

#endif
