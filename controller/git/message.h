/* message.h - the message of a commit that weir makes: subject, body, trailers.
 *
 * What a person or a metric says goes into it, and must not become something else on the way: each
 * value is folded into one line, and no line of the body can be taken for a trailer, or for the end
 * of the message, by git interpret-trailers or by us. A struct message owns its text; the first
 * failure is remembered in text.failed, as buffers do. */
#ifndef WEIR_GIT_MESSAGE_H
#define WEIR_GIT_MESSAGE_H

#include "../../rules/buffer.h"

#define MESSAGE_SUBJECT_MAX 200 /* bytes; what is longer ends with an ellipsis */
#define MESSAGE_LINE_MAX 2000   /* of a line of the body, and of a trailer's value */
#define MESSAGE_MAX ((size_t)64 << 10)

struct message {
    struct buffer text;
    bool has_body, has_trailers;
};

void message_begin(struct message *message, struct text subject);
void message_dispose(struct message *message);
/* A line of the body; all of them before the first trailer. Nothing when it folds to nothing. */
void message_line(struct message *message, struct text line);
/* A trailer, "Weir-Action: rollback". `key` is ours: letters, digits and "-"; anything else is
 * STATUS_INVALID. Nothing when the value folds to nothing. */
void message_trailer(struct message *message, const char *key, struct text value);
/* The whole, ended by a newline; NULL when it failed (text.failed says why). Borrowed. */
const char *message_text(struct message *message);

/* Writes `text` as one line that can be shown anywhere: control characters, line separators, and
 * what turns the direction of writing become spaces, runs of spaces become one, invalid UTF-8
 * becomes "?". Cut at a code point, with an ellipsis, to fit into `size` (at least 4) with its NUL;
 * returns its length. */
size_t message_fold(struct text text, char *out, size_t size);

#endif
