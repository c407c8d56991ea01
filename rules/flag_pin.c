/* What a pin means, and the bytes of its file. One pin has one spelling, so that its checksum tells
 * whether somebody else wrote it. */
#include "flag_pin.h"

#include <nettle/sha2.h>
#include <stdio.h>

#include "json.h"

bool flag_pin_is_lifted(const struct flag_pin *pin)
{
    return !pin->is_killed && pin->as_of.length == 0;
}

bool flag_pin_is_safer(const struct flag_pin *before, const struct flag_pin *after)
{
    if (after->is_killed)
        return before->is_killed ? text_equal(after->control, before->control)
                                 : after->control.length == 0;
    return !before->is_killed && text_equal(after->as_of, before->as_of);
}

bool flag_pin_has_intent(const struct flag_pin *pin, struct text intent)
{
    for (size_t i = 0; i < pin->intent_count; i++) {
        if (text_equal(pin->intents[i], intent))
            return true;
    }
    return false;
}

/* --- the file -------------------------------------------------------------------------------- */

static void write_field(struct buffer *out, const char *field, struct text value)
{
    if (value.length == 0)
        return;
    buffer_printf(out, "  %s: ", field);
    json_write_string(out, value);
    buffer_append_char(out, '\n');
}

/* All but the checksum. */
static void write_body(const struct flag_pin *pin, struct buffer *out)
{
    char since[INSTANT_TEXT_SIZE];
    buffer_append_string(out, "# Written by weir: change it with `weir kill`, `weir unkill` and "
                              "`weir unpin`, not by hand.\n"
                              "apiVersion: weir/v1\nkind: FlagPin\nmetadata: {name: ");
    buffer_append_text(out, pin->flag);
    buffer_append_string(out, "}\nspec:\n  environment: ");
    buffer_append_text(out, pin->environment);
    buffer_append_char(out, '\n');
    write_field(out, "asOf", pin->as_of);
    if (pin->is_killed) {
        buffer_append_string(out, "  state: killed\n");
        write_field(out, "control", pin->control);
    }
    instant_format(pin->since, since);
    buffer_printf(out, "  seq: %u\n  since: %s\n", pin->seq, since);
    write_field(out, "by", pin->by);
    write_field(out, "reason", pin->reason);
    if (pin->intent_count)
        buffer_append_string(out, "  intents:\n");
    for (size_t i = 0; i < pin->intent_count; i++) {
        buffer_append_string(out, "    - \"");
        buffer_append_text(out, pin->intents[i]);
        buffer_append_string(out, "\"\n");
    }
}

static void checksum_of(struct text body, char out[PIN_CHECKSUM_SIZE])
{
    struct sha256_ctx context;
    uint8_t digest[SHA256_DIGEST_SIZE];
    sha256_init(&context);
    sha256_update(&context, body.length, (const uint8_t *)body.data);
    sha256_digest(&context, sizeof digest, digest);
    memcpy(out, "sha256:", 7);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(out + 7 + 2 * i, 3, "%02x", digest[i]);
}

void flag_pin_write(const struct flag_pin *pin, struct buffer *out)
{
    struct buffer body;
    char checksum[PIN_CHECKSUM_SIZE];
    buffer_init(&body, 0);
    write_body(pin, &body);
    if (body.failed) {
        out->failed = body.failed;
    } else {
        checksum_of(buffer_text(&body), checksum);
        buffer_append_text(out, buffer_text(&body));
        buffer_printf(out, "  checksum: \"%s\"\n", checksum);
    }
    buffer_dispose(&body);
}

enum status flag_pin_checksum(const struct flag_pin *pin, char out[PIN_CHECKSUM_SIZE])
{
    struct buffer body;
    buffer_init(&body, 0);
    write_body(pin, &body);
    enum status status = body.failed;
    if (status == STATUS_OK)
        checksum_of(buffer_text(&body), out);
    buffer_dispose(&body);
    return status;
}

enum status flag_pin_intent(struct text environment, struct text flag, uint32_t seq,
                            struct text action, char out[INTENT_TEXT_SIZE])
{
    struct rollout_state state = {.environment = environment, .seq = seq};
    struct buffer name;
    buffer_init(&name, 0);
    buffer_append_string(&name, "flags/");
    buffer_append_text(&name, flag);
    enum status status = name.failed;
    if (status == STATUS_OK) {
        state.rollout = buffer_text(&name);
        rollout_intent(&state, action, out);
    }
    buffer_dispose(&name);
    return status;
}

void flag_pin_path(struct text environment, struct text flag, struct buffer *out)
{
    buffer_append_string(out, "state/");
    buffer_append_text(out, environment);
    buffer_append_string(out, "/flags/");
    buffer_append_text(out, flag);
    buffer_append_string(out, ".yaml");
}
