#include "pin_view.h"

#include "../rules/json.h"
#include "commands.h"

static void write_json(const struct pin_report *report, struct buffer *out)
{
    const struct decide *decide = report->decide;
    buffer_append_string(out, "{\"apiVersion\":\"weir/v1\",\"branch\":");
    json_write_string(out, text_of(decide->branch_name));
    buffer_printf(out, ",\"commit\":\"%s\",\"flag\":", decide->commit);
    json_write_string(out, text_of(report->name));
    buffer_printf(out, ",\"parent\":\"%s\",\"pushed\":%s,\"repository\":", decide->tip,
                  decide->is_recorded ? "true" : "false");
    json_write_string(out, text_of(report->shown));
    buffer_append_string(out, "}\n");
}

/* The message is indented, as git shows it. */
static void write_text(const struct pin_report *report, struct buffer *out)
{
    static const char *const so_already[] = {[PIN_KILL] = "killed already",
                                             [PIN_UNKILL] = "not killed",
                                             [PIN_UNPIN] = "not pinned",
                                             [PIN_HOLD] = "pinned already",
                                             [PIN_NOTE] = "as it was"};
    const struct decide *decide = report->decide;
    const struct identity *identity = report->identity;
    const char *line = report->request->message.data;
    if (!report->request->is_made) {
        buffer_printf(out, "nothing to do: flag \"%s\" is %s at %.12s, \"%s\" of %s\n",
                      report->name, so_already[report->request->task.verb], decide->tip,
                      decide->branch_name, report->shown);
        return;
    }
    buffer_printf(out, "%s %.12s to \"%s\" of %s\n\n    Author: %s <%s>%s\n\n",
                  decide->is_recorded ? "pushed" : "would push", decide->commit,
                  decide->branch_name, report->shown, identity->name, identity->mail,
                  identity->key[0] ? ", signed" : "");
    while (line && *line) {
        size_t length = strcspn(line, "\n");
        buffer_printf(out, "%s%.*s\n", length ? "    " : "", (int)length, line);
        line += length + (line[length] == '\n');
    }
}

int pin_show(const struct pin_report *report, const struct arguments *arguments)
{
    struct buffer out;
    buffer_init(&out, 0);
    if (format_is_json(arguments))
        write_json(report, &out);
    else
        write_text(report, &out);
    int code = command_print(&out);
    buffer_dispose(&out);
    return code;
}
