/* read.h - shared by the files that turn schema-valid nodes into definitions. Private to read_*.c.
 *
 * Every function returns false only without memory, or when a node is not what the schema
 * promised. */
#ifndef WEIR_READ_H
#define WEIR_READ_H

#include "buffer.h"
#include "rollout.h"

struct rollout_state;
struct flag_pin;

struct reading {
    struct arena *arena;
    struct text path;
    struct diagnostics *diagnostics;
    struct buffer scratch;
};

struct place reading_place(const struct reading *reading, const struct node *node);
/* A string node as a name, with the place of the value. */
bool read_name(struct reading *reading, const struct node *node, struct name *out);
/* A map entry's key as a name, with the place of the key. */
bool read_key(struct reading *reading, const struct node *entry, struct name *out);
/* Leaves *out empty where the field is absent. */
bool read_optional_text(struct reading *reading, const struct node *map, const char *field,
                        struct text *out);

/* The attribute that buckets are drawn by, empty where the field is absent; of one that is not read
 * alike everywhere it is told. */
bool read_bucket_by(struct reading *reading, const struct node *map, struct text *out);
bool read_optional_name(struct reading *reading, const struct node *map, const char *field,
                        struct name *out);
/* `list` NULL: none. */
bool read_texts(struct reading *reading, const struct node *list, struct text **out, size_t *count);
bool read_names(struct reading *reading, const struct node *list, struct name **out, size_t *count);
/* Leave *out as it is where the field is absent. The schema has checked how it is written; a date
 * or time that does not exist is told. */
bool read_period(const struct node *map, const char *field, int64_t *out);
bool read_number(const struct node *map, const char *field, double *out);
bool read_instant(struct reading *reading, const struct node *map, const char *field, int64_t *out);
/* Percent to thousandths. The schema has checked 0…100 and three decimals. */
uint32_t read_weight(double percent);

bool read_flag(struct reading *reading, const struct node *root, struct flag *flag);
bool read_phases(struct reading *reading, const struct node *list, struct phases *out);
bool read_phase_plan(struct reading *reading, const struct node *root, struct phase_plan *plan);
bool read_metric(struct reading *reading, const struct node *root, struct metric *metric);
bool read_rollout(struct reading *reading, const struct node *root, struct rollout *rollout);
bool read_rollout_state(struct reading *reading, const struct node *root,
                        struct rollout_state *state);
bool read_flag_pin(struct reading *reading, const struct node *root, struct flag_pin *pin);

#endif
