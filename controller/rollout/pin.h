/* pin.h - commits that hold a flag fast, or let it go: kill, unkill and unpin of a flag.
 *
 * For flags without a rollout of that name, and for pins that a revert made (revert.h). What
 * becomes of the pin is a pure function of the pin on the tip; all of it is recorded in the flag's
 * own file (rules/flag_pin.h), which stays when the flag is let go. */
#ifndef WEIR_PIN_H
#define WEIR_PIN_H

#include "../effective.h"
#include "../git/decide.h"

enum pin_verb {
    PIN_KILL,   /* everybody gets control */
    PIN_UNKILL, /* ends that; the flag is served as its definition says, or its pin */
    PIN_UNPIN,  /* ends `asOf`; one that is killed stays so */
    PIN_HOLD,   /* `asOf` */
    PIN_NOTE, /* holds nothing: only records the id of a decision that was carried out otherwise */
};
/* "kill", "unkill", "unpin", "pin"; of PIN_NOTE "revert": also the trailer Weir-Action, and what an
 * intent is made of. */
const char *pin_verb_name(enum pin_verb verb);

struct pin_task {
    enum pin_verb verb;
    struct text environment, flag;
    struct text control; /* of PIN_KILL: a variant of the flag; empty: its default */
    struct text as_of;   /* of PIN_HOLD: a commit, 40 digits */
    struct text by;      /* "weir", a token's subject, "NAME <MAIL>"; cut at PIN_BY_MAX bytes */
    struct text reason;  /* folded into one line of PIN_REASON_MAX; or empty */
    struct text intent;  /* of an open override that is recorded; empty: derived from the pin */
    int64_t now;         /* instant */
};

/* What becomes of `before` (NULL: there is no pin). *changes is false when it is so already, or has
 * the intent already. Texts of `after` are the arena's, or borrowed from `before` and the task.
 * STATUS_NO_MEMORY only. */
enum status pin_move(const struct flag_pin *before, const struct pin_task *task,
                     struct arena *arena, struct flag_pin *after, bool *changes) MUST_CHECK;

/* The edit that writes it: `path` and `bytes` are filled and must live as long as it. */
enum status pin_edit(const struct flag_pin *pin, struct buffer *path, struct buffer *bytes,
                     struct record_edit *edit, struct error *error);

/* One verb of a person on the tip of a branch. */
struct pin_request {
    struct pin_task task; /* `by` empty: the author of the commits; `now`: 0: their time */
    /* what came of it, on the tip that was tried last */
    bool is_made;                  /* else it was so already */
    char intent[INTENT_TEXT_SIZE]; /* of what was made */
    struct buffer message;         /* of the commit; the caller's to initialise and dispose */
};

/* Decides on decision->tip, which `at` has in force, and commits. STATUS_NOT_FOUND: there is no
 * such environment, or neither the flag nor a pin of it. The names that are wrong are told. */
enum status pin_decide_at(struct pin_request *request, const struct effective *at,
                          struct tip_decision *decision, struct error *error);

/* The same as a decide_callback: its context is a struct pin_decide. */
struct pin_decide {
    struct pin_request request;
    const struct schema_set *schemas;
    _Atomic bool *stop; /* or NULL */
};
enum status pin_decide(void *pin_decide, struct tip_decision *decision, struct error *error);

#endif
