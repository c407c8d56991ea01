/* TZif (RFC 9636 section 3): a header with six counts, a block of data with 32-bit times, and from
 * version 2 on both once more with 64-bit times, which are the ones that count, and a footer. */
#include "zone_private.h"

#define HEADER_SIZE 44
#define TYPE_SIZE 6

struct header {
    uint32_t utc_marks, standard_marks, leaps, changes, types, characters;
};

struct block {
    struct header header;
    size_t time_size; /* 4 or 8 */
    const uint8_t *times, *indices, *types;
};

static uint32_t read_u32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static int32_t read_i32(const uint8_t *at)
{
    uint32_t bits = read_u32(at);
    return bits <= INT32_MAX ? (int32_t)bits : (int32_t)((int64_t)bits - (INT64_C(1) << 32));
}

static int64_t read_i64(const uint8_t *at)
{
    return (int64_t)read_i32(at) * (INT64_C(1) << 32) + read_u32(at + 4);
}

static enum status damaged(struct error *error, const char *what)
{
    return error_set(error, STATUS_INVALID, "time zone file is damaged: %s", what);
}

/* Takes `size` bytes from the front; NULL when there are fewer. */
static const uint8_t *take(struct text *rest, size_t size)
{
    if (size > rest->length)
        return NULL;
    const char *at = rest->data;
    rest->data += size;
    rest->length -= size;
    return (const uint8_t *)at;
}

static bool read_header(struct text *rest, struct header *out, uint8_t *version)
{
    const uint8_t *at = take(rest, HEADER_SIZE);
    if (!at || memcmp(at, "TZif", 4) != 0 || (at[4] != 0 && at[4] < '2'))
        return false;
    *version = at[4];
    *out = (struct header){.utc_marks = read_u32(at + 20),
                           .standard_marks = read_u32(at + 24),
                           .leaps = read_u32(at + 28),
                           .changes = read_u32(at + 32),
                           .types = read_u32(at + 36),
                           .characters = read_u32(at + 40)};
    return true;
}

/* Counts have 32 bits: their products do not overflow 64. */
static bool take_block(struct text *rest, const struct header *header, size_t time_size,
                       struct block *out)
{
    uint64_t times = (uint64_t)header->changes * time_size;
    uint64_t types = (uint64_t)header->types * TYPE_SIZE;
    uint64_t marks = (uint64_t)header->leaps * (time_size + 4) + header->standard_marks +
                     header->utc_marks + header->characters;
    if (times + header->changes + types + marks > rest->length)
        return false;
    *out = (struct block){.header = *header, .time_size = time_size};
    out->times = take(rest, times);
    out->indices = take(rest, header->changes);
    out->types = take(rest, types);
    return out->times && out->indices && out->types && take(rest, marks);
}

/* --- what a block says ----------------------------------------------------------------------- */

static enum status check_block(const struct block *block, struct error *error)
{
    const struct header *header = &block->header;
    if (header->leaps > 0)
        return error_set(error, STATUS_INVALID,
                         "time zone file counts leap seconds: take the one outside of \"right/\"");
    if (header->types == 0 || header->types > 256 || header->characters == 0 ||
        (header->utc_marks && header->utc_marks != header->types) ||
        (header->standard_marks && header->standard_marks != header->types))
        return damaged(error, "its counts contradict each other");
    for (size_t i = 0; i < header->types; i++) {
        const uint8_t *type = block->types + i * TYPE_SIZE;
        int32_t offset = read_i32(type);
        if (offset < -ZONE_OFFSET_MAXIMUM || offset > ZONE_OFFSET_MAXIMUM || type[4] > 1 ||
            type[5] >= header->characters)
            return damaged(error, "a kind of local time is impossible");
    }
    return STATUS_OK;
}

static int32_t offset_of(const struct block *block, size_t type)
{
    return read_i32(block->types + type * TYPE_SIZE);
}

static enum status read_changes(const struct block *block, struct zone *zone, struct error *error)
{
    zone->first_offset = offset_of(block, 0);
    for (size_t i = 0; i < block->header.changes; i++) {
        const uint8_t *time = block->times + i * block->time_size;
        struct zone_change *change = &zone->changes[i];
        if (block->indices[i] >= block->header.types)
            return damaged(error, "a change leads to a kind of local time that is not there");
        change->at = block->time_size == 8 ? read_i64(time) : read_i32(time);
        change->offset = offset_of(block, block->indices[i]);
        if (i > 0 && change->at <= zone->changes[i - 1].at)
            return damaged(error, "its changes are out of order");
    }
    zone->count = block->header.changes;
    return STATUS_OK;
}

static enum status read_footer(struct text rest, struct zone_rule *out, struct error *error)
{
    const char *end = rest.length > 1 ? memchr(rest.data + 1, '\n', rest.length - 1) : NULL;
    if (!end || rest.data[0] != '\n')
        return damaged(error, "its footer is missing");
    struct text rule = {rest.data + 1, (size_t)(end - rest.data) - 1};
    if (!zone_rule_read(rule, out))
        return damaged(error, "its footer is no rule");
    return STATUS_OK;
}

static void widen(struct zone *zone, int32_t offset)
{
    if (offset < zone->lowest)
        zone->lowest = offset;
    if (offset > zone->highest)
        zone->highest = offset;
}

static void note_offsets(struct zone *zone)
{
    zone->lowest = zone->highest = zone->first_offset;
    for (size_t i = 0; i < zone->count; i++)
        widen(zone, zone->changes[i].offset);
    if (zone->rule.present)
        widen(zone, zone->rule.standard);
    if (zone->rule.has_daylight)
        widen(zone, zone->rule.daylight);
}

/* --- the whole ------------------------------------------------------------------------------- */

#define TOO_SHORT "time zone file is damaged: it ends too early"

/* Leaves in `rest` what stands behind the block that counts. NULL, or what is wrong. */
static const char *find_block(struct text *rest, struct block *out, bool *has_footer)
{
    struct header header;
    uint8_t version, again;
    if (!read_header(rest, &header, &version))
        return "this is no time zone file (TZif)";
    if (!take_block(rest, &header, 4, out))
        return TOO_SHORT;
    *has_footer = version >= '2';
    if (!*has_footer)
        return NULL;
    if (!read_header(rest, &header, &again) || again != version)
        return "time zone file is damaged: its second header is missing";
    return take_block(rest, &header, 8, out) ? NULL : TOO_SHORT;
}

enum status zone_read(struct text bytes, struct zone **out, struct error *error)
{
    struct block block;
    bool has_footer;
    *out = NULL;
    if (bytes.length > ZONE_FILE_MAXIMUM)
        return error_set(error, STATUS_LIMIT, "time zone file has %zu bytes, more than %zu",
                         bytes.length, ZONE_FILE_MAXIMUM);
    const char *fault = find_block(&bytes, &block, &has_footer);
    if (fault)
        return error_set(error, STATUS_INVALID, "%s", fault);
    enum status status = check_block(&block, error);
    if (status != STATUS_OK)
        return status;
    size_t size = sizeof(struct zone) + block.header.changes * sizeof(struct zone_change);
    struct zone *zone = calloc(1, size);
    if (!zone)
        return error_set(error, STATUS_NO_MEMORY, "out of memory");
    status = read_changes(&block, zone, error);
    if (status == STATUS_OK && has_footer)
        status = read_footer(bytes, &zone->rule, error);
    if (status != STATUS_OK) {
        zone_free(zone);
        return status;
    }
    note_offsets(zone);
    *out = zone;
    return STATUS_OK;
}
