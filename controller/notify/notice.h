/* notice.h - what people are told: one event of a rollout or a commit, as fields of text.
 *
 * A notice is written to JSON once, when it happens; that is what an outbox keeps and what every
 * channel is given, so it stays the same over retries and restarts. Whatever a field holds is made
 * valid UTF-8 on one line and cut there: nothing behind it has to think of line feeds. Pure. */
#ifndef WEIR_NOTICE_H
#define WEIR_NOTICE_H

#include "../../rules/arena.h"
#include "../../rules/buffer.h"

/* In the order of their names, which is how they are written. */
enum notice_field {
    NOTICE_BY,          /* who did it: a person, or weir */
    NOTICE_COMMIT,      /* full id */
    NOTICE_ENVIRONMENT, /* name */
    NOTICE_EVENT,       /* one of notice_events[] */
    NOTICE_EVIDENCE,    /* as the trailer Weir-Evidence has it */
    NOTICE_FLAG,        /* name */
    NOTICE_ID,          /* notice_identify() */
    NOTICE_PHASE,       /* name */
    NOTICE_REASON,      /* words */
    NOTICE_ROLLOUT,     /* name */
    NOTICE_TIME,        /* RFC 3339, UTC */
    NOTICE_URL,         /* where more of it is told */
    NOTICE_FIELDS
};

/* Those that a configuration may name. */
extern const char *const notice_events[];
#define NOTICE_EVENTS 13 /* fewer than 32: sets of them are bits */

#define NOTICE_FIELD_MOST 1000 /* bytes */
#define NOTICE_BYTES_MOST ((size_t)64 << 10)
#define NOTICE_ID_SIZE 65 /* 64 hexadecimal digits and a NUL */

struct notice {
    struct text fields[NOTICE_FIELDS]; /* borrowed; empty: there is none */
};

/* NOTICE_FIELDS where there is none of that name. */
enum notice_field notice_field_of(struct text name);
const char *notice_field_name(enum notice_field field);
/* Its place in notice_events[]; NOTICE_EVENTS where there is none. */
size_t notice_event_of(struct text name);

/* SHA-256 over the four, each with its length before it: every controller that sees one decision
 * comes to one id, by which receivers know what they have had already. `decision` is what tells one
 * of a kind from the next: the intent of ROLLOUTS.md section 4, else a commit. */
void notice_identify(struct text event, struct text environment, struct text rollout,
                     struct text decision, char out[NOTICE_ID_SIZE]);

/* Appends a JSON object of the fields that are not empty. */
void notice_write(const struct notice *notice, struct buffer *out);
/* Reads what notice_write() wrote, into `arena`. STATUS_INVALID when it is something else. */
enum status notice_read(struct arena *arena, struct text json, struct notice *out,
                        struct error *error);

#endif
