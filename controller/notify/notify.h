/* notify.h - channels: how a notice gets to people. One table of functions a kind of channel.
 *
 * The operator's own configuration names each server, so its host is allowed to its channel alone;
 * a secret moreover goes only to its own hosts (reach.h). All that a server answers is bounded and
 * believed only as far as success, failure and a wait go. notifier.h decides when to send. */
#ifndef WEIR_NOTIFY_H
#define WEIR_NOTIFY_H

#include "../clock.h"
#include "../reach.h"
#include "template.h"

enum notify_type { NOTIFY_SLACK, NOTIFY_WEBHOOK, NOTIFY_SMTP, NOTIFY_TYPES };

#define NOTIFY_RECIPIENTS_MOST 50
#define NOTIFY_CHANNELS_MOST 50
#define NOTIFY_WAIT_MOST                                                                           \
    3600 /* seconds that a server is believed when it wants to be left alone                       \
          */

/* A channel as it is configured. Owns its texts. */
struct notify_channel {
    char *name; /* a DNS label */
    enum notify_type type;
    uint32_t events; /* bit i: notice_events[i] */
    char *template;  /* NULL: the standard one */
    char *url;       /* webhook: http(s)://; smtp: smtp(s)://HOST[:PORT]; slack: NULL */
    char *secret;    /* a name among reach.secrets: slack: the URL; webhook: the key, or NULL;
                      * smtp: the password, or NULL */
    char *user;      /* smtp: beside the password; or NULL */
    char *from;      /* smtp: an address */
    char **to;       /* smtp: addresses */
    size_t to_count;
    bool clear; /* smtp://: without STARTTLS, which is for a relay on this machine */
};

void notify_channel_dispose(struct notify_channel *channel); /* leaves it empty */

/* channel_read.c: takes a map that schemas/notify.json let through. STATUS_INVALID for what only
 * this can find; *at is what it is about. To be disposed of also on failure. */
struct node;
enum status notify_channel_read(const struct node *map, struct notify_channel *out,
                                const struct node **at, struct error *error);

enum notify_outcome {
    NOTIFY_SENT,
    NOTIFY_LATER,  /* it may be taken when it is sent again */
    NOTIFY_REFUSED /* it never will */
};

/* What a channel may use; borrowed, outlives it. */
struct notify_world {
    const struct reach *reach; /* secrets, ca_file */
    const struct clock *clock;
    const char *source; /* of CloudEvents: a URI reference, which weir this is */
};

struct notify_driver {
    const char *name;
    /* NULL without memory. A channel that makes no sense says so at each send. */
    void *(*open)(const struct notify_channel *channel, const struct notify_world *world);
    /* Sends one. `error` is filled unless it was sent. *wait: seconds, where the server names
     * some, else 0. *stop becoming true ends it, as NOTIFY_LATER. */
    enum notify_outcome (*send)(void *state, const struct notice *notice, const _Atomic bool *stop,
                                int64_t *wait, struct error *error);
    void (*close)(void *state); /* NULL is fine */
};

extern const struct notify_driver notify_slack, notify_webhook, notify_smtp;
const struct notify_driver *notify_driver_of(enum notify_type type);

/* The notice by the channel's template, or the standard one of one line. */
void notify_text(const struct notify_channel *channel, const struct notice *notice,
                 template_spell *spell, struct buffer *out);

/* --- bodies, each a pure function --------------------------------------------------------------
 */

/* Slack's incoming webhooks: {"blocks":[…],"text":…}. Values cannot name users or channels, nor
 * make links: & < > are escaped (docs.slack.dev, "Formatting message text"). */
void slack_write(const struct notify_channel *channel, const struct notice *notice,
                 struct buffer *out);
/* CloudEvents 1.0, structured mode, JSON: the notice's id is the event's, so that a receiver knows
 * what comes twice. */
void cloudevent_write(const struct notify_channel *channel, const struct notify_world *world,
                      const struct notice *notice, struct buffer *out);
/* "sha256=" and the HMAC-SHA-256 of the body in hexadecimal, as GitHub signs its webhooks. */
void webhook_sign(struct text key, struct text body, struct buffer *out);
/* A mail (RFC 5322) with CRLF: headers in ASCII (RFC 2047), the body in base64 (RFC 2045), so that
 * nothing that a notice holds is a header or ends the mail. */
void mail_write(const struct notify_channel *channel, const struct notice *notice,
                struct buffer *out);
/* Whether it is LOCAL@HOST of plain ASCII, without blanks, quotes and angle brackets. */
bool mail_address_is_valid(struct text address);

#endif
