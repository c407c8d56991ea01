#include "accept.h"

#include <inttypes.h>
#include <stdio.h>

#include "git/message.h"

#define EPOCH_PATH "state/epoch"

bool accept_parse_epoch(const char *text, uint32_t *epoch)
{
    uint64_t number = 0;
    size_t length = strlen(text);
    if (length == 0 || length > 10)
        return false;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        number = number * 10 + (uint64_t)(text[i] - '0');
    }
    *epoch = (uint32_t)number;
    return number > 0 && number <= UINT32_MAX;
}

/* The highest number that is known of. */
static enum status find_before(struct accept *accept, struct tip_decision *decision,
                               struct error *error)
{
    uint32_t other = 0;
    struct error unknown;
    enum status status = mirror_epoch(decision->mirror, decision->tip, &accept->before, error);
    accept->served[0] = '\0';
    if (status != STATUS_OK || !accept->from)
        return status;
    status = mirror_resolve(decision->mirror, accept->from, accept->served, &unknown);
    if (status == STATUS_NOT_FOUND)
        return STATUS_OK;
    if (status != STATUS_OK)
        return error_set(error, status, "%s", unknown.message);
    status = mirror_epoch(decision->mirror, accept->served, &other, error);
    if (other > accept->before)
        accept->before = other;
    return status;
}

static enum status choose(struct accept *accept, struct error *error)
{
    if (accept->epoch && accept->epoch <= accept->before)
        return error_set(error, STATUS_INVALID,
                         "epoch %" PRIu32 " is not higher than %" PRIu32
                         ", which is in \"" EPOCH_PATH "\" already",
                         accept->epoch, accept->before);
    if (!accept->epoch && accept->before == UINT32_MAX)
        return error_set(error, STATUS_INVALID, "there is no epoch after %" PRIu32, accept->before);
    accept->after = accept->epoch ? accept->epoch : accept->before + 1;
    return STATUS_OK;
}

static enum status write_message(struct accept *accept, const char *branch, const char *number,
                                 struct error *error)
{
    struct message message;
    char subject[MESSAGE_SUBJECT_MAX];
    snprintf(subject, sizeof subject, "Accept the history of \"%.120s\" as epoch %s", branch,
             number);
    message_begin(&message, text_of(subject));
    message_line(&message, TEXT("Controllers that hold this branch because it was rewritten follow "
                                "it from here on."));
    message_trailer(&message, "Weir-Action", TEXT("accept"));
    message_trailer(&message, "Weir-Epoch", text_of(number));
    message_trailer(&message, "Weir-From", text_of(accept->served));
    message_trailer(&message, "Weir-Reason", text_of(accept->reason));
    const char *text = message_text(&message);
    buffer_clear(&accept->message);
    if (text)
        buffer_append_string(&accept->message, text);
    message_dispose(&message);
    if (text && buffer_string(&accept->message))
        return STATUS_OK;
    return error_set(error, STATUS_NO_MEMORY, "no memory for the message of a commit");
}

enum status accept_decide(void *context, struct tip_decision *decision, struct error *error)
{
    struct accept *accept = context;
    char number[12], content[13];
    enum status status = find_before(accept, decision, error);
    if (status == STATUS_OK)
        status = choose(accept, error);
    if (status != STATUS_OK)
        return status;
    snprintf(number, sizeof number, "%" PRIu32, accept->after);
    snprintf(content, sizeof content, "%s\n", number);
    struct record_edit edit = {.path = EPOCH_PATH, .bytes = text_of(content)};
    status = write_message(accept, decision->options->branch_name, number, error);
    return status == STATUS_OK ? decision_commit(decision, &edit, 1, accept->message.data, error)
                               : status;
}
