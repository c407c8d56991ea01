/* gate.h - what is asked of a request before its handler sees it: by which name it came, who sends
 * it and how often, and from which page.
 *
 * On a loopback address anybody may evaluate and look, for only this machine gets there; but a
 * browser on it may be made to ask by a page of any name that resolves to a loopback address, so a
 * Host that is not one of ours is refused. Elsewhere everything but health needs a token. Verbs
 * need one everywhere, come by a Host of ours even so, and no page of another origin may send
 * them. */
#ifndef WEIR_HTTP_GATE_H
#define WEIR_HTTP_GATE_H

#include "../tokens.h"
#include "rate.h"
#include "route.h"
#include "tls.h"
#include "whole.h"

struct gate {
    const struct http_settings *settings;
    bool loopback;         /* that is where it listens */
    struct tokens *tokens; /* NULL: nobody has one */
    struct rate *rate;     /* NULL: no limit */
    struct tls *tls;       /* NULL: plain HTTP */
    struct wholes *wholes;
};

/* `listener` tells the address. The settings are borrowed. */
enum status gate_init(struct gate *gate, const struct http_settings *settings,
                      const struct clock *clock, int listener, struct error *error);
void gate_dispose(struct gate *gate); /* also of one that gate_init() failed to make */
/* The files of tokens and certificate are read again; what is wrong with them is logged, and what
 * they said before stays in force. */
void gate_reload(struct gate *gate);

/* False after answering: it may not pass. Where the path names no environment, that of the token
 * is put into `request`. */
bool gate_admit(struct worker *worker, const struct route *route, struct request *request,
                struct answer *answer);

/* True when a Host header (or "") names this server: localhost, an address, or one of `names`. */
bool gate_host_is_ours(struct text host, char *const *names, size_t name_count);
/* True when the page that sends `origin` was served under `host`. */
bool gate_origin_is_ours(struct text origin, struct text host, bool tls);

/* cors.c: */
/* For a route that pages of other origins may ask: tells in `answer` whether this one may. */
void cors_allow(const struct http_settings *settings, const struct request *request,
                struct answer *answer);
/* Answers a browser that asks before it sends. False: nothing is said of origins here. */
bool cors_preflight(struct worker *worker, const struct route *route, const struct request *request,
                    struct answer *answer);

#endif
