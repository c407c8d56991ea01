/* A FlagPin, from YAML to its struct. */
#include "codes.h"
#include "flag_pin.h"
#include "read.h"

/* state/ENVIRONMENT/flags/FLAG.yaml, of just these. */
static bool read_place(struct reading *reading, struct flag_pin *pin)
{
    struct buffer *text = &reading->scratch;
    buffer_clear(text);
    buffer_append_text(text, pin->environment);
    buffer_append_char(text, '/');
    buffer_append_text(text, pin->flag);
    if (text->failed || !arena_copy(reading->arena, buffer_text(text), &pin->name.text))
        return false;
    buffer_clear(text);
    flag_pin_path(pin->environment, pin->flag, text);
    if (!text->failed && !text_equal(buffer_text(text), reading->path))
        diagnostics_add(reading->diagnostics, CODE_STATE_PATH, pin->name.place,
                        "weir alone writes pins; take this file away",
                        "the pin of \"%.130s\" belongs into state/%.64s/flags/%.64s.yaml",
                        pin->name.text.data, pin->environment.data, pin->flag.data);
    return !text->failed;
}

bool read_flag_pin(struct reading *reading, const struct node *root, struct flag_pin *pin)
{
    const struct node *spec = node_get(root, "spec");
    double seq = 0;
    char checksum[PIN_CHECKSUM_SIZE];
    pin->flag = pin->name.text;
    pin->is_killed = text_is(node_get_string(spec, "state"), "killed");
    if (!read_optional_text(reading, spec, "environment", &pin->environment) ||
        !read_place(reading, pin) || !read_optional_text(reading, spec, "asOf", &pin->as_of) ||
        !read_optional_text(reading, spec, "control", &pin->control) ||
        !read_number(spec, "seq", &seq) || !read_instant(reading, spec, "since", &pin->since) ||
        !read_optional_text(reading, spec, "by", &pin->by) ||
        !read_optional_text(reading, spec, "reason", &pin->reason) ||
        !read_texts(reading, node_get(spec, "intents"), &pin->intents, &pin->intent_count))
        return false;
    pin->seq = (uint32_t)seq;
    if (flag_pin_checksum(pin, checksum) != STATUS_OK)
        return false;
    pin->is_foreign = !text_is(node_get_string(spec, "checksum"), checksum);
    return true;
}
