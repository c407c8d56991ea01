#include "hook_ref.h"

#define HEADS "refs/heads/"
#define TAGS "refs/tags/"

void hook_ref_begin(struct hook_ref *ref)
{
    *ref = (struct hook_ref){0};
}

static void end_string(struct hook_ref *ref)
{
    ref->in_string = false;
    if (ref->depth != 1)
        return;
    struct text text = {ref->text, ref->length};
    if (ref->wants_key) {
        ref->at_ref = ref->plain && text_equal(text, TEXT("ref"));
    } else if (ref->at_ref) {
        ref->known = ref->plain;
        ref->over = true;
    }
}

static void take_in_string(struct hook_ref *ref, char c)
{
    if (ref->escaped) {
        ref->escaped = false;
    } else if (c == '\\') {
        ref->escaped = true;
        ref->plain = false;
    } else if (c == '"') {
        end_string(ref);
    } else if (ref->depth == 1 && ref->length < sizeof ref->text) {
        ref->text[ref->length++] = c;
    } else {
        ref->plain = false;
    }
}

static void open_bracket(struct hook_ref *ref, char c)
{
    if (ref->depth++ > 0)
        return;
    ref->wants_key = c == '{';
    ref->over = c != '{';
}

static void take_between(struct hook_ref *ref, char c)
{
    switch (c) {
    case '"':
        ref->in_string = ref->plain = true;
        ref->length = 0;
        break;
    case '{':
    case '[':
        open_bracket(ref, c);
        break;
    case '}':
    case ']':
        ref->over = ref->depth <= 1;
        ref->depth -= ref->depth > 0;
        break;
    case ':':
        ref->wants_key = ref->wants_key && ref->depth != 1;
        break;
    case ',':
        if (ref->depth == 1) {
            ref->wants_key = true;
            ref->at_ref = false;
        }
        break;
    default:
        break;
    }
}

void hook_ref_take(struct hook_ref *ref, struct text piece)
{
    for (size_t i = 0; i < piece.length && !ref->over; i++) {
        if (ref->in_string)
            take_in_string(ref, piece.data[i]);
        else
            take_between(ref, piece.data[i]);
    }
}

bool hook_ref_is_elsewhere(const struct hook_ref *ref, const char *branch)
{
    struct text name = {ref->text, ref->length}, ours = text_of(branch);
    if (!ref->known)
        return false;
    if (text_starts_with(name, TEXT(TAGS)))
        return true;
    if (!branch || !text_starts_with(name, TEXT(HEADS)))
        return false;
    name.data += sizeof HEADS - 1;
    name.length -= sizeof HEADS - 1;
    if (text_starts_with(ours, TEXT(HEADS))) {
        ours.data += sizeof HEADS - 1;
        ours.length -= sizeof HEADS - 1;
    }
    return !text_equal(name, ours);
}
