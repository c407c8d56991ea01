/* template.h - texts with {{field}} in them, as the operator writes them for a channel.
 *
 * The fields are those of a notice. Blanks inside the braces are allowed; there is nothing else: no
 * conditions, no loops, no escapes. Pure. */
#ifndef WEIR_TEMPLATE_H
#define WEIR_TEMPLATE_H

#include "notice.h"

#define TEMPLATE_BYTES_MOST 4000

/* STATUS_INVALID for a field that no notice has, by its name and with those that there are, and for
 * braces without an end; STATUS_LIMIT. */
enum status template_check(struct text template, struct error *error);

/* How a channel needs the fields' values spelled; the template's own text stays as it is. */
typedef void template_spell(struct text value, struct buffer *out);

/* Appends the text of a template that was checked. `spell` NULL: the values as they are. */
void template_fill(struct text template, const struct notice *notice, template_spell *spell,
                   struct buffer *out);

#endif
