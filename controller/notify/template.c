#include "template.h"

/* Takes what stands before the next field off `rest`, and the field's name. False at the end;
 * *closed is false where the braces do not end. */
static bool take_field(struct text *rest, struct text *before, struct text *name, bool *closed)
{
    const char *open = rest->length ? memmem(rest->data, rest->length, "{{", 2) : NULL;
    *closed = true;
    *before = *rest;
    if (!open)
        return false;
    before->length = (size_t)(open - rest->data);
    struct text inside = {open + 2, rest->length - before->length - 2};
    const char *close = inside.length ? memmem(inside.data, inside.length, "}}", 2) : NULL;
    *closed = close;
    if (!close)
        return false;
    *rest = (struct text){close + 2, inside.length - (size_t)(close + 2 - inside.data)};
    inside.length = (size_t)(close - inside.data);
    while (inside.length && inside.data[0] == ' ')
        inside = (struct text){inside.data + 1, inside.length - 1};
    while (inside.length && inside.data[inside.length - 1] == ' ')
        inside.length--;
    *name = inside;
    return true;
}

static enum status refuse_field(struct text name, struct error *error)
{
    struct buffer known;
    buffer_init(&known, 200);
    for (int i = 0; i < NOTICE_FIELDS; i++)
        buffer_printf(&known, "%s%s", i ? ", " : "", notice_field_name((enum notice_field)i));
    const char *list = buffer_string(&known);
    enum status status =
        error_set(error, STATUS_INVALID, "there is no field \"{{%.*s}}\"; those that there are: %s",
                  (int)(name.length < 40 ? name.length : 40), name.data, list ? list : "");
    buffer_dispose(&known);
    return status;
}

enum status template_check(struct text template, struct error *error)
{
    struct text before, name;
    bool closed;
    if (template.length > TEMPLATE_BYTES_MOST)
        return error_set(error, STATUS_LIMIT, "a template is at most %d bytes long",
                         TEMPLATE_BYTES_MOST);
    while (take_field(&template, &before, &name, &closed))
        if (notice_field_of(name) == NOTICE_FIELDS)
            return refuse_field(name, error);
    return closed ? STATUS_OK
                  : error_set(error, STATUS_INVALID, "a field begins by \"{{\" and does not end");
}

void template_fill(struct text template, const struct notice *notice, template_spell *spell,
                   struct buffer *out)
{
    struct text before, name;
    bool closed;
    while (take_field(&template, &before, &name, &closed)) {
        enum notice_field field = notice_field_of(name);
        buffer_append_text(out, before);
        if (field == NOTICE_FIELDS)
            continue;
        if (spell)
            spell(notice->fields[field], out);
        else
            buffer_append_text(out, notice->fields[field]);
    }
    buffer_append_text(out, before);
}
