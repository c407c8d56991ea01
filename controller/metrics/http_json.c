/* Any endpoint that answers a GET by JSON; the number is where a JSON pointer (RFC 6901) leads. */
#include "../../rules/json.h"
#include "source.h"

#define NODES_MAXIMUM 20000 /* of an answer */
#define DEPTH_MAXIMUM 64
#define KEY_MAXIMUM 512

static enum status http_request(const struct question *question, struct buffer *url,
                                struct buffer *body, struct error *error)
{
    (void)body;
    if (question->address.length == 0)
        return error_set(error, STATUS_INVALID, "the metric has no url");
    buffer_append_text(url, question->address);
    return STATUS_OK;
}

/* --- pointers -------------------------------------------------------------------------------- */

/* Takes the next part off `rest`, its ~0 and ~1 undone. */
static bool next_key(struct text *rest, char key[KEY_MAXIMUM], size_t *length)
{
    size_t at = 1;
    *length = 0;
    for (; at < rest->length && rest->data[at] != '/'; at++) {
        char c = rest->data[at];
        if (*length >= KEY_MAXIMUM - 1)
            return false;
        if (c == '~') {
            at++;
            if (at >= rest->length || (rest->data[at] != '0' && rest->data[at] != '1'))
                return false;
            c = rest->data[at] == '0' ? '~' : '/';
        }
        key[(*length)++] = c;
    }
    rest->data += at;
    rest->length -= at;
    return true;
}

static const struct node *entry_of(const struct node *list, struct text key)
{
    size_t index = 0;
    if (key.length == 0 || key.length > 6 || (key.length > 1 && key.data[0] == '0'))
        return NULL;
    for (size_t i = 0; i < key.length; i++) {
        if (key.data[i] < '0' || key.data[i] > '9')
            return NULL;
        index = index * 10 + (size_t)(key.data[i] - '0');
    }
    const struct node *item = list->first;
    while (item && index-- > 0)
        item = item->next;
    return item;
}

static const struct node *find(const struct node *node, struct text pointer)
{
    char key[KEY_MAXIMUM];
    size_t length;
    while (node && pointer.length) {
        if (pointer.data[0] != '/' || !next_key(&pointer, key, &length))
            return NULL;
        if (node->type == NODE_LIST)
            node = entry_of(node, (struct text){key, length});
        else
            node = node_get_text(node, (struct text){key, length});
    }
    return node;
}

/* --- answers --------------------------------------------------------------------------------- */

/* One number a bucket, in their order. */
static void take_list(const struct node *list, struct reading *out)
{
    size_t at = 0;
    *out = (struct reading){.state = READING_BUCKETED};
    if (list->count < EVIDENCE_LEAST_BUCKETS || list->count > EVIDENCE_MOST_BUCKETS) {
        reading_fail(out, "%u buckets, expected %d to %d", list->count, EVIDENCE_LEAST_BUCKETS,
                     EVIDENCE_MOST_BUCKETS);
        return;
    }
    for (const struct node *item = list->first; item; item = item->next, at++) {
        if (item->type != NODE_NUMBER) {
            reading_fail(out, "bucket %zu is a %s, not a number", at, node_type_name(item->type));
            return;
        }
        out->buckets[at] = item->number;
        out->number += item->number;
    }
}

static void take_node(const struct question *question, const struct node *node, struct reading *out)
{
    int length = question->expression.length < 100 ? (int)question->expression.length : 100;
    if (!node)
        reading_fail(out, "the answer has nothing at '%.*s'", length,
                     length ? question->expression.data : "");
    else if (node->type == NODE_NUMBER)
        *out = (struct reading){.state = READING_NUMBER, .number = node->number};
    else if (node->type == NODE_NULL)
        *out = (struct reading){.state = READING_NOTHING};
    else if (node->type == NODE_LIST && question->by_bucket)
        take_list(node, out);
    else
        reading_fail(out, "the answer has a %s at '%.*s', not a number", node_type_name(node->type),
                     length, length ? question->expression.data : "");
}

static void http_read(const struct question *question, unsigned status, struct text body,
                      int64_t now, struct reading *out)
{
    const struct json_limits limits = {.bytes = SOURCE_ANSWER_MAXIMUM,
                                       .depth = DEPTH_MAXIMUM,
                                       .nodes = NODES_MAXIMUM,
                                       .unique_keys = true};
    const struct node *root;
    struct error error;
    struct arena arena;
    (void)now;
    if (status != 200) {
        reading_fail_status(out, status, body);
        return;
    }
    arena_init(&arena, (size_t)16 << 20);
    if (json_read(&arena, body, limits, &root, &error) == STATUS_OK)
        take_node(question, find(root, question->expression), out);
    else
        reading_fail(out, "the answer is not JSON: %.120s", error.message);
    arena_dispose(&arena);
}

const struct metric_driver metric_source_http = {
    .name = "http", .request = http_request, .read = http_read};
