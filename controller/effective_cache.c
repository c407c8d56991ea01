/* E of faulty commits on the disk: a file a commit, with what does not count there. */
#include <inttypes.h>
#include <unistd.h>

#include "../rules/json.h"
#include "cache_folder.h"
#include "effective.h"
#include "log.h"
#include "write_file.h"

#define FILE_MOST ((size_t)64 << 20)

static int open_folder(const struct effective *effective)
{
    return cache_folder_open(effective->parts.cache);
}

/* --- writing --------------------------------------------------------------------------------- */

static void write_exception(struct buffer *out, const struct exception *exception)
{
    buffer_append_string(out, "{\"kind\":");
    json_write_string(out, text_of(kind_name(exception->kind)));
    buffer_append_string(out, ",\"name\":");
    json_write_string(out, exception->name);
    if (exception->edit.seq) {
        buffer_append_string(out, ",\"word\":\"");
        buffer_append_hex(out, exception->edit.word.bytes, sizeof exception->edit.word.bytes);
        buffer_printf(out, "\",\"seq\":%" PRIu32, exception->edit.seq);
    } else if (exception->path.length) {
        buffer_append_string(out, ",\"blob\":\"");
        buffer_append_hex(out, exception->blob.bytes, sizeof exception->blob.bytes);
        buffer_printf(out, "\",\"index\":%u,\"path\":", exception->index);
        json_write_string(out, exception->path);
    }
    buffer_append_char(out, '}');
}

static void write_known(struct buffer *out, const struct effective_known *known)
{
    buffer_printf(out, "{\"rules\":\"" EFFECTIVE_RULES "\",\"whole\":\"%s\",\"exceptions\":[",
                  known->whole);
    for (size_t i = 0; i < known->count; i++) {
        if (i)
            buffer_append_char(out, ',');
        write_exception(out, &known->exceptions[i]);
    }
    buffer_append_string(out, "]}\n");
}

void effective_save(const struct effective *effective, const struct effective_known *known)
{
    struct buffer out;
    struct error error;
    int folder = open_folder(effective);
    if (folder < 0)
        return;
    buffer_init(&out, FILE_MOST);
    write_known(&out, known);
    if (!out.failed && write_file(folder, known->commit, buffer_text(&out), effective->parts.clock,
                                  &error) != STATUS_OK)
        log_event(LOG_LEVEL_WARN, "cache_not_written", "commit", known->commit, "error",
                  error.message, NULL);
    cache_folder_prune(folder);
    buffer_dispose(&out);
    close(folder);
}

void effective_forget(const struct effective *effective, const char *commit)
{
    int folder = open_folder(effective);
    if (folder < 0)
        return;
    unlinkat(folder, commit, 0);
    close(folder);
}

/* --- reading --------------------------------------------------------------------------------- */

static int digit_of(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_blob(struct text hex, struct blob_id *out)
{
    if (hex.length != 2 * sizeof out->bytes)
        return false;
    for (size_t i = 0; i < sizeof out->bytes; i++) {
        int high = digit_of(hex.data[2 * i]), low = digit_of(hex.data[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out->bytes[i] = (uint8_t)(high * 16 + low);
    }
    return true;
}

static bool read_number(const struct node *node, uint32_t *out)
{
    if (!node || node->type != NODE_NUMBER || node->number < 0 || node->number > UINT32_MAX)
        return false;
    *out = (uint32_t)node->number;
    return true;
}

static bool read_exception(const struct node *node, struct exception *out)
{
    struct text kind = node_get_string(node, "kind");
    const struct node *seq = node_get(node, "seq");
    out->kind = KIND_COUNT;
    for (size_t i = 0; i < KIND_COUNT; i++) {
        if (text_is(kind, kind_name((enum kind)i)))
            out->kind = (enum kind)i;
    }
    out->name = node_get_string(node, "name");
    out->path = node_get_string(node, "path");
    if (out->kind == KIND_COUNT || out->name.length == 0)
        return false;
    if (seq)
        return read_number(seq, &out->edit.seq) && out->edit.seq &&
               read_blob(node_get_string(node, "word"), &out->edit.word);
    if (out->path.length == 0)
        return true;
    return read_number(node_get(node, "index"), &out->index) &&
           read_blob(node_get_string(node, "blob"), &out->blob);
}

static bool read_known(struct text json, struct effective_known *known)
{
    const struct node *root;
    if (json_read(&known->arena, json, JSON_LIMITS_DEFAULT, &root, NULL) != STATUS_OK ||
        root->type != NODE_MAP || !text_is(node_get_string(root, "rules"), EFFECTIVE_RULES))
        return false;
    struct text whole = node_get_string(root, "whole");
    snprintf(known->whole, sizeof known->whole, "%.*s",
             (int)(whole.length < 40 ? whole.length : 40), whole.length ? whole.data : "");
    const struct node *list = node_get(root, "exceptions");
    if (!list || list->type != NODE_LIST)
        return false;
    known->exceptions = ARENA_ARRAY(&known->arena, struct exception, list->count + 1);
    if (!known->exceptions)
        return false;
    for (const struct node *item = list->first; item; item = item->next) {
        if (item->type != NODE_MAP || !read_exception(item, &known->exceptions[known->count]))
            return false;
        known->count++;
    }
    return true;
}

enum status effective_load(const struct effective *effective, const char *commit,
                           struct effective_known *known)
{
    struct buffer bytes;
    struct text json;
    bool good = false;
    int folder = open_folder(effective);
    if (folder < 0)
        return STATUS_NOT_FOUND;
    buffer_init(&bytes, FILE_MOST);
    if (cache_folder_read(folder, commit, &bytes) &&
        arena_copy(&known->arena, buffer_text(&bytes), &json))
        good = read_known(json, known);
    buffer_dispose(&bytes);
    close(folder);
    snprintf(known->commit, sizeof known->commit, "%s", commit);
    return good ? STATUS_OK : STATUS_NOT_FOUND;
}
