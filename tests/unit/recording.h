/* recording.h - commits that are made in the clone of repositories.h, as weir makes them. */
#ifndef WEIR_RECORDING_H
#define WEIR_RECORDING_H

#include "../../controller/git/record.h"
#include "repositories.h"

/* A commit of one file on `parent`; its id is good until three more were made. */
SHARED const char *record(const char *parent, const char *path, const char *bytes)
{
    static char made[4][COMMIT_TEXT_SIZE];
    static unsigned next;
    char *out = made[next++ % 4];
    struct record_edit edit = {.path = path, .bytes = text_of(bytes)};
    const struct record_person robot = {"weir", "weir@example.com", 1767225600, 0};
    const struct record request = {.parent = parent,
                                   .edits = &edit,
                                   .edit_count = 1,
                                   .message = "record\n",
                                   .author = robot,
                                   .committer = robot};
    ck_assert_ok(mirror_record(mirror, &request, out, &failure));
    return out;
}

#endif
