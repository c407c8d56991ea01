/* schema.h - JSON Schema draft-07, the part of it that our schemas use, over nodes.
 *
 * The same schema files validate in the editor (ajv, yaml-language-server), in CI and here.
 * Supported keywords: type enum const; minimum maximum exclusiveMinimum exclusiveMaximum
 * multipleOf; minLength maxLength pattern; items additionalItems minItems maxItems uniqueItems
 * contains; properties patternProperties additionalProperties propertyNames required minProperties
 * maxProperties dependencies; allOf anyOf oneOf not if/then/else; $ref to "#" and "#/…" of the same
 * file or to another schema of the set by its $id; boolean schemas. Annotations (title,
 * description, default, examples, $comment, definitions, format …) do nothing; a keyword outside of
 * both lists is an error at load. Two of ours: "errorMessage" (a string; also known to VS Code and
 * ajv-errors) replaces the message of a failing anyOf, oneOf, not, pattern, or enum at that schema;
 * "x-weir-later" (a string) refuses a property that does not work yet with CODE_FIELD_LATER and
 * that text.
 *
 * Messages speak of YAML as the person wrote it ("expected a string, got a list"), name the field
 * by its dotted path, list the allowed fields when one is unknown, and add "did you mean" for a
 * near miss. For anyOf and oneOf the branch that matches best (most of its keys known;
 * `const`/`type` match) speaks, not all of them. */
#ifndef WEIR_SCHEMA_H
#define WEIR_SCHEMA_H

#include "diagnostics.h"
#include "node.h"

struct schema_set; /* compiled schemas that may refer to one another; immutable once sealed */
struct schema;     /* one of them, borrowed from the set */

/* NULL without memory. */
struct schema_set *schema_set_new(void);
/* For schemas of other people: from now on a keyword that is not known does nothing, as the
 * specification has it, instead of being an error. */
void schema_set_ignore_unknown(struct schema_set *set);
void schema_set_free(struct schema_set *set);

/* Compiles one schema file; a $ref finds it by its $id, or by `name` where it has none. The bytes
 * of `source` are not kept. STATUS_INVALID with the place when it is not a schema that we
 * support. */
enum status schema_set_add(struct schema_set *set, const char *name, struct text source,
                           struct error *error);
/* Resolves every $ref; after this nothing may be added, and any number of threads may validate.
 * References that lead back to themselves without going deeper into the value are refused: checking
 * would not end. */
enum status schema_set_seal(struct schema_set *set, struct error *error);
/* By `name` as it was added, or by $id. NULL where there is none. */
const struct schema *schema_set_find(const struct schema_set *set, const char *name);

/* Checks `node`, adds every fault to `diagnostics` with `path` as the file. STATUS_OK when there is
 * none, STATUS_INVALID when there are some, STATUS_NO_MEMORY. `diagnostics` may be NULL: then only
 * the status. Allocates nothing but for faults, and for uniqueItems of more than 32 entries. */
enum status schema_validate(const struct schema *schema, const struct node *node, struct text path,
                            struct diagnostics *diagnostics);

#endif
