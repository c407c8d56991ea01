#include "source.h"

#include <stdio.h>

#include "../outward/http_url.h"

const struct source_driver *source_driver_of(const char *from)
{
    struct text text = text_of(from);
    if (text_starts_with(text, TEXT("http://")) || text_starts_with(text, TEXT("https://")))
        return &source_http;
    return text_starts_with(text, TEXT("redis://")) ? &source_redis : &source_file;
}

void source_show(const char *from, char out[SOURCE_SHOWN])
{
    const char *scheme = strstr(from, "://"), *at = scheme ? strrchr(scheme, '@') : NULL;
    char clean[SOURCE_SHOWN];
    http_clean(text_of(at ? at + 1 : from), clean, sizeof clean);
    int head = at ? (int)(scheme + 3 - from) : 0;
    snprintf(out, SOURCE_SHOWN, "%.*s%.140s", head < 16 ? head : 0, from, clean);
}

bool source_is_environment(struct text name)
{
    if (name.length == 0 || name.length > 63)
        return false;
    for (size_t i = 0; i < name.length; i++)
        if (!memchr("abcdefghijklmnopqrstuvwxyz0123456789-", name.data[i], 37))
            return false;
    return true;
}

static bool is_commit(struct text text)
{
    for (size_t i = 0; i < text.length; i++)
        if (!memchr("0123456789abcdef", text.data[i], 16))
            return false;
    return text.length == COMMIT_TEXT_SIZE - 1;
}

enum status source_begin(const struct source_meta *meta, size_t count, const struct clock *clock,
                         struct snapshot **out, struct error *error)
{
    struct generation generation;
    *out = NULL;
    if (!is_commit(meta->commit) || !generation_parse(meta->generation, &generation))
        return error_set(error, STATUS_INVALID,
                         "the source does not name a commit and a generation: is it weir's?");
    struct snapshot *snapshot = snapshot_new(count);
    if (!snapshot)
        return error_set(error, STATUS_NO_MEMORY, "no memory for a snapshot");
    memcpy(snapshot->commit, meta->commit.data, meta->commit.length);
    snapshot->commit[meta->commit.length] = '\0';
    snapshot->generation = generation;
    snapshot->since = clock_seconds(clock);
    *out = snapshot;
    return STATUS_OK;
}

struct document *source_held(const struct snapshot *held, struct text environment,
                             struct text digest)
{
    const struct snapshot_environment *found =
        held ? snapshot_environment(held, environment) : NULL;
    char text[DIGEST_TEXT_SIZE];
    if (!found)
        return NULL;
    document_digest_text(found->document, text);
    return text_is(digest, text) ? document_reference(found->document) : NULL;
}

enum status source_read_document(struct text json, struct text digest, struct document **out,
                                 struct error *error)
{
    struct error why = {0};
    char text[DIGEST_TEXT_SIZE];
    *out = NULL;
    enum status status = document_read(json, NULL, out, &why);
    if (status != STATUS_OK)
        return error_set(error, status, "the source's document cannot be read: %.180s",
                         why.message);
    document_digest_text(*out, text);
    if (digest.length == 0 || text_is(digest, text))
        return STATUS_OK;
    document_release(*out);
    *out = NULL;
    return error_set(error, STATUS_INVALID,
                     "the source's document does not have the digest that it names");
}

enum status source_environment(const struct source_parts *parts, struct text told, struct text *out,
                               struct error *error)
{
    const char *asked = parts->environment_count ? parts->environments[0] : NULL;
    char shown[64];
    http_clean(told, shown, sizeof shown);
    *out = told;
    if (!source_is_environment(told))
        return error_set(error, STATUS_INVALID,
                         "the source's environment \"%s\" is not the name of one", shown);
    if (asked && !text_is(told, asked))
        return error_set(error, STATUS_INVALID,
                         "the source is of environment \"%s\", not \"%.63s\"", shown, asked);
    return STATUS_OK;
}
