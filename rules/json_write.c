#include "json.h"

/* RFC 8785, section 3.2.2.2: short escapes where JSON has them, \u00xx for the other control
 * characters. */
static void write_escape(struct buffer *out, unsigned char c)
{
    static const char from[] = "\b\t\n\f\r\"\\", into[] = "btnfr\"\\";
    const char *known = c ? strchr(from, c) : NULL;
    if (known) {
        buffer_append_char(out, '\\');
        buffer_append_char(out, into[known - from]);
    } else {
        buffer_append(out, "\\u00", 4);
        buffer_append_hex(out, &c, 1);
    }
}

void json_write_string(struct buffer *out, struct text string)
{
    size_t from = 0;
    buffer_append_char(out, '"');
    for (size_t i = 0; i < string.length; i++) {
        unsigned char c = (unsigned char)string.data[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        buffer_append(out, string.data + from, i - from);
        write_escape(out, c);
        from = i + 1;
    }
    buffer_append(out, string.data + from, string.length - from);
    buffer_append_char(out, '"');
}

void json_write_number(struct buffer *out, double number)
{
    char *room = buffer_reserve(out, NUMBER_TEXT_SIZE);
    if (room)
        out->length += number_format(number, room);
}

/* The entry of `map` with the smallest key above `after` (NULL: the smallest of all); the last of
 * equal keys. */
static const struct node *next_entry(const struct node *map, const struct node *after)
{
    const struct node *best = NULL;
    for (const struct node *entry = map->first; entry; entry = entry->next) {
        if (after && text_compare(entry->key, after->key) <= 0)
            continue;
        if (!best || text_compare(entry->key, best->key) <= 0)
            best = entry;
    }
    return best;
}

static bool is_sorted(const struct node *map)
{
    for (const struct node *entry = map->first; entry && entry->next; entry = entry->next) {
        if (text_compare(entry->key, entry->next->key) >= 0)
            return false;
    }
    return true;
}

static void write_entry(struct buffer *out, const struct node *entry, bool comma)
{
    if (comma)
        buffer_append_char(out, ',');
    json_write_string(out, entry->key);
    buffer_append_char(out, ':');
    json_write_node(out, entry);
}

static int by_key(const void *a, const void *b)
{
    const struct node *x = *(const struct node *const *)a, *y = *(const struct node *const *)b;
    int order = text_compare(x->key, y->key);
    return order ? order : (x->start > y->start) - (x->start < y->start);
}

/* A large unsorted map: sort pointers. False without memory. */
static bool write_sorted(struct buffer *out, const struct node *map)
{
    const struct node **entries = calloc(map->count, sizeof *entries);
    size_t count = 0;
    if (!entries)
        return false;
    bool comma = false;
    for (const struct node *entry = map->first; entry; entry = entry->next)
        entries[count++] = entry;
    qsort(entries, count, sizeof *entries, by_key);
    for (size_t i = 0; i < count; i++) {
        if (i + 1 < count && text_equal(entries[i]->key, entries[i + 1]->key))
            continue; /* of equal keys the last one counts */
        write_entry(out, entries[i], comma);
        comma = true;
    }
    free(entries);
    return true;
}

static void write_map(struct buffer *out, const struct node *map)
{
    buffer_append_char(out, '{');
    if (is_sorted(map)) {
        for (const struct node *entry = map->first; entry; entry = entry->next)
            write_entry(out, entry, entry != map->first);
    } else if (map->count <= 64) {
        const struct node *first = next_entry(map, NULL);
        for (const struct node *entry = first; entry; entry = next_entry(map, entry))
            write_entry(out, entry, entry != first);
    } else if (!write_sorted(out, map) && !out->failed) {
        out->failed = STATUS_NO_MEMORY;
    }
    buffer_append_char(out, '}');
}

void json_write_node(struct buffer *out, const struct node *node)
{
    switch (node->type) {
    case NODE_NULL:
        buffer_append(out, "null", 4);
        break;
    case NODE_BOOL:
        buffer_append_string(out, node->boolean ? "true" : "false");
        break;
    case NODE_NUMBER:
        json_write_number(out, node->number);
        break;
    case NODE_STRING:
        json_write_string(out, node->string);
        break;
    case NODE_LIST:
        buffer_append_char(out, '[');
        for (const struct node *item = node->first; item; item = item->next) {
            if (item != node->first)
                buffer_append_char(out, ',');
            json_write_node(out, item);
        }
        buffer_append_char(out, ']');
        break;
    case NODE_MAP:
        write_map(out, node);
        break;
    }
}
