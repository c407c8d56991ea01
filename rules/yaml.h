/* yaml.h - YAML 1.2 core, and less: what a definitions file may hold.
 *
 * Only true and false are booleans, so `on`, `off`, `yes` and `no` are strings. Refused, each with
 * a code and its place: duplicate keys (both places), anchors, aliases, tags, merge keys (`<<`),
 * keys that are not plain strings, invalid UTF-8, more than one value of a document that cannot be
 * kept exactly (integers beyond 2^53 - 1, infinities, NaN). Depth, nodes, documents and bytes are
 * capped while the events arrive, so a hostile file costs milliseconds. */
#ifndef WEIR_YAML_H
#define WEIR_YAML_H

#include "arena.h"
#include "diagnostics.h"
#include "node.h"

#define YAML_MAX_BYTES ((size_t)4 << 20) /* of one file */
#define YAML_MAX_DEPTH 64
#define YAML_MAX_NODES 200000   /* of one document */
#define YAML_MAX_DOCUMENTS 1000 /* of one file */

/* Reads one file and calls `document` for each document of it that parsed, in order; the node lives
 * in `arena` until the callback returns (the arena is reset between documents). After a fault the
 * rest of the file is skipped, since YAML gives no place to go on from; what came before was
 * delivered. Empty documents are passed over, and so is a byte order mark that the file begins
 * with. Returns STATUS_OK when the whole file was read, STATUS_INVALID after a fault,
 * STATUS_NO_MEMORY. */
typedef enum status yaml_document(void *context, const struct node *root);
enum status yaml_read(struct arena *arena, struct text path, struct text source,
                      yaml_document *document, void *context, struct diagnostics *diagnostics);

#endif
