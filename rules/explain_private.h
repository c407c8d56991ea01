/* explain_private.h - private to explain*.c: the story before it is written. */
#ifndef WEIR_EXPLAIN_PRIVATE_H
#define WEIR_EXPLAIN_PRIVATE_H

#include "explain.h"
#include "node.h"
#include "value.h"

#define TOLD_ATTRIBUTES 8 /* of one condition */

enum told_kind { TOLD_ALL, TOLD_ANY, TOLD_NOT, TOLD_LEAF };

struct told_attribute {
    struct text path;
    struct value value;
};

/* A condition: what it is made of, or what it says and saw. Lives in the story's arena. */
struct told {
    enum told_kind kind;
    struct value result;
    struct text expression; /* LEAF */
    struct told_attribute attributes[TOLD_ATTRIBUTES];
    size_t attribute_count;
    struct told *first, *next;
};

struct told_rule {
    bool matched;
    struct told *condition; /* NULL: the part behind all conditions, or targeting without any */
    struct value served;    /* where it matched */
    struct text expression; /* how what is served is found, where that is not a constant */
    struct told_rule *next;
};

struct story {
    struct text flag;
    const struct decision *decision;
    struct told_rule *rules;
    bool out_of_memory;
};

/* explain_expression.c: JSONLogic as people would write it: `country in ["DE", "FR"]`. Cut where it
 * gets too long to read. */
void explain_expression(struct buffer *out, const struct node *node);
/* Text as it stands, but for control characters, which a terminal would obey. */
void explain_plain(struct buffer *out, struct text text);
/* explain_write.c */
void explain_write_text(struct buffer *out, const struct story *story);
void explain_write_json(struct buffer *out, const struct story *story);
/* A value as JSON, cut; "missing" where there is none. */
void explain_value(struct buffer *out, const struct value *value);

#endif
