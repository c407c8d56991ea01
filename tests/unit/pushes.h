/* pushes.h - documents, snapshots and target definitions for tests of targets. */
#ifndef WEIR_PUSHES_H
#define WEIR_PUSHES_H

#include "folders.h"

#include "../../controller/targets/target.h"

#define COMMIT_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define COMMIT_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

#define FLAG(variant)                                                                              \
    "{\"defaultVariant\":\"" variant                                                               \
    "\",\"state\":\"ENABLED\",\"variants\":{\"off\":false,\"on\":true}}"

SHARED struct document *make_document(const char *json)
{
    struct document *document;
    struct error error = {0};
    enum status status = document_read(text_of(json), NULL, &document, &error);
    ck_assert_msg(status == STATUS_OK, "%s", error.message);
    return document;
}

/* A snapshot of one environment; takes over the document. */
SHARED struct snapshot *make_snapshot(const char *environment, struct document *document,
                                      uint32_t level, const char *commit)
{
    struct snapshot *snapshot = snapshot_new(1);
    ck_assert_ptr_nonnull(snapshot);
    ck_assert_int_eq(snapshot_fill(snapshot, 0, text_of(environment), document), STATUS_OK);
    snapshot->generation = (struct generation){.level = level};
    ck_assert_int_lt(snprintf(snapshot->commit, sizeof snapshot->commit, "%s", commit),
                     (int)sizeof snapshot->commit);
    return snapshot;
}

SHARED struct push push_of(struct snapshot *snapshot)
{
    return (struct push){.snapshot = snapshot,
                         .document = snapshot->environments[0].document,
                         .environment = snapshot->environments[0].name.data,
                         .overrides = snapshot->environments[0].overrides};
}

SHARED void digest_of(const struct snapshot *snapshot, char out[DIGEST_TEXT_SIZE])
{
    document_digest_text(snapshot->environments[0].document, out);
}

#endif
