/* States of rollouts that somebody took away. */
#include <stdlib.h>

#include "../rules/reading.h"
#include "effective.h"
#include "git/states_gone.h"

struct looking {
    struct effective *effective;
    bool found;
    enum status status;
};

static enum status bytes_of(void *context, unsigned part, size_t index, struct text *out)
{
    (void)part;
    (void)index;
    *out = buffer_text(context);
    return STATUS_OK;
}

/* Whether the file says that its rollout has ended. What cannot be read says nothing. */
static enum status read_finished(struct effective *effective, const struct state_gone *gone,
                                 bool *finished)
{
    struct file_reader reader = mirror_reader(effective->parts.mirror);
    struct read_file file = {.path = gone->path};
    struct arena arena;
    struct buffer bytes;
    const struct file_bytes source = {bytes_of, &bytes};
    *finished = false;
    arena_init(&arena, 0);
    buffer_init(&bytes, 0);
    enum status status = reader.read(reader.context, gone->path, &gone->blob, &bytes);
    if (status == STATUS_OK)
        status = bytes.failed;
    if (status == STATUS_OK)
        status = read_files(effective->parts.schemas, &file, 1, &source, NULL, &arena);
    const struct read_document *document = status == STATUS_OK ? file.documents : NULL;
    if (document && document->definition && document->kind == KIND_ROLLOUT_STATE)
        *finished = !rollout_state_is_unfinished(document->definition);
    read_files_dispose(&file, 1);
    buffer_dispose(&bytes);
    arena_dispose(&arena);
    return status;
}

/* One that has ended may go together with its rollout. */
static bool look(void *context, const struct state_gone *gone)
{
    struct looking *looking = context;
    struct effective *effective = looking->effective;
    struct text name = {0};
    bool finished = false;
    looking->status = read_finished(effective, gone, &finished);
    if (looking->status != STATUS_OK)
        return false;
    if (finished && bundle_state_name(gone->path, &name)) {
        const char *slash = memchr(name.data, '/', name.length);
        size_t before = slash ? (size_t)(slash - name.data) + 1 : 0;
        const struct text rollout = {name.data + before, name.length - before};
        const struct entry *entry = inventory_find(&effective->inventory, KIND_ROLLOUT, rollout);
        if (!entry || !entry->wanted)
            return true;
    }
    looking->found = true;
    snprintf(effective->gone_at, sizeof effective->gone_at, "%s", gone->commit);
    return false;
}

enum status effective_is_intact(struct effective *effective, const char *commit, bool *yes,
                                struct error *error)
{
    struct looking looking = {.effective = effective};
    *yes = false;
    if (strcmp(effective->gone_at, commit) == 0) { /* it did; what is before it is another matter */
        effective->gone_at[0] = '\0';
        return STATUS_OK;
    }
    if (effective->gone_at[0]) /* on the way back to that one */
        return STATUS_OK;
    enum status status = mirror_states_gone(effective->parts.mirror, commit,
                                            effective->intact[0] ? effective->intact : NULL, look,
                                            &looking, effective->parts.stop, error);
    if (status == STATUS_OK && looking.status != STATUS_OK)
        status = error_set(error, looking.status, "a state that was taken away cannot be read");
    *yes = status == STATUS_OK && !looking.found;
    if (*yes)
        snprintf(effective->intact, sizeof effective->intact, "%s", commit);
    return status;
}
