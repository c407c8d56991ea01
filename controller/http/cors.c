/* Which pages may evaluate from a browser: Cross-Origin Resource Sharing, as the Fetch standard has
 * it. Credentials in the browser's sense (cookies) are never used; a token is a header like any
 * other. */
#include "gate.h"

/* The one of the operator's that allows `origin`, or NULL. Origins are compared as they are
 * written: browsers write them in one way. */
static const char *allowed(const struct http_settings *settings, struct text origin)
{
    for (size_t i = 0; i < settings->cors_origin_count; i++) {
        const char *one = settings->cors_origins[i];
        if (strcmp(one, "*") == 0 || text_is(origin, one))
            return one;
    }
    return NULL;
}

void cors_allow(const struct http_settings *settings, const struct request *request,
                struct answer *answer)
{
    if (settings->cors_origin_count == 0)
        return;
    if (request->origin.data)
        answer->allow_origin = allowed(settings, request->origin);
    /* A cache must not give one page the answer that names another. */
    answer->vary_origin = !answer->allow_origin || strcmp(answer->allow_origin, "*") != 0;
}

bool cors_preflight(struct worker *worker, const struct route *route, const struct request *request,
                    struct answer *answer)
{
    const struct gate *gate = worker->parts->gate;
    if (!gate || gate->settings->cors_origin_count == 0 || !request->origin.data)
        return false;
    if (answer->allow_origin) {
        answer->status = 204;
        answer->preflight = route->methods & METHOD_POST ? "POST" : "GET, HEAD";
        buffer_clear(answer->body);
    } else {
        route->fail(worker, request, answer, 403,
                    TEXT("pages of this origin may not ask; start weir with --cors-origin"));
    }
    return true;
}
