#include "answer_headers.h"

#include "../rollout/override.h"

struct header {
    const char *name, *value; /* NULL: not sent */
};

static bool add_all(struct MHD_Response *response, const struct header *headers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (headers[i].value &&
            MHD_add_response_header(response, headers[i].name, headers[i].value) != MHD_YES)
            return false;
    }
    return true;
}

/* What a browser is told of a page's right to ask and to read. */
static bool add_page_headers(struct MHD_Response *response, const struct answer *answer)
{
    const struct header headers[] = {
        {MHD_HTTP_HEADER_ACCESS_CONTROL_ALLOW_ORIGIN, answer->allow_origin},
        {MHD_HTTP_HEADER_VARY, answer->vary_origin ? MHD_HTTP_HEADER_ORIGIN : NULL},
        {MHD_HTTP_HEADER_ACCESS_CONTROL_ALLOW_METHODS, answer->preflight},
        {MHD_HTTP_HEADER_ACCESS_CONTROL_ALLOW_HEADERS,
         answer->preflight ? "Authorization, Content-Type, If-None-Match, X-API-Key" : NULL},
        {MHD_HTTP_HEADER_ACCESS_CONTROL_MAX_AGE, answer->preflight ? "7200" : NULL},
        {MHD_HTTP_HEADER_ACCESS_CONTROL_EXPOSE_HEADERS,
         answer->preflight
             ? NULL
             : "ETag, Retry-After, Weir-Age, Weir-Commit, Weir-Digest, Weir-Generation, "
               "Weir-Overrides"},
    };
    return add_all(response, headers, COUNT_OF(headers));
}

/* Safe states that Git does not say yet; nothing where there are none. */
static bool add_overrides(struct MHD_Response *response, const struct override_set *overrides)
{
    struct buffer names;
    buffer_init(&names, 0);
    override_set_name(overrides, 0, &names);
    const char *value = buffer_string(&names);
    const struct header header = {"Weir-Overrides", names.length ? value : NULL};
    bool added = value && add_all(response, &header, 1);
    buffer_dispose(&names);
    return added;
}

static bool add_provenance(struct MHD_Response *response, const struct answer *answer)
{
    char generation[GENERATION_TEXT_SIZE], digest[DIGEST_TEXT_SIZE + 2] = "", age[24];
    snprintf(age, sizeof age, "%lld", (long long)answer->age);
    generation_format(answer->provenance->generation, generation);
    snprintf(digest, sizeof digest, "%.*s", (int)strcspn(answer->etag + 1, "\""), answer->etag + 1);
    const struct header headers[] = {
        {"Weir-Commit", answer->provenance->commit},
        {"Weir-Generation", generation},
        {"Weir-Digest", digest},
        {"Weir-Age", answer->tells_age ? age : NULL},
    };
    return add_all(response, headers, COUNT_OF(headers)) &&
           (!answer->overrides || add_overrides(response, answer->overrides));
}

bool answer_add_headers(struct MHD_Response *response, const struct answer *answer, bool close)
{
    char seconds[16];
    bool from_page = answer->allow_origin || answer->vary_origin;
    if (answer->retry_after)
        snprintf(seconds, sizeof seconds, "%u", answer->retry_after);
    const struct header headers[] = {
        {MHD_HTTP_HEADER_CONTENT_TYPE,
         answer->status == 304 || answer->status == 204 ? NULL : answer->content_type},
        {MHD_HTTP_HEADER_ALLOW, answer->allow},
        {MHD_HTTP_HEADER_RETRY_AFTER, answer->retry_after ? seconds : NULL},
        {MHD_HTTP_HEADER_ETAG, answer->etag[0] ? answer->etag : NULL},
        {MHD_HTTP_HEADER_LOCATION, answer->location[0] ? answer->location : NULL},
        {MHD_HTTP_HEADER_ACCESS_CONTROL_EXPOSE_HEADERS,
         answer->etag[0] && !from_page ? MHD_HTTP_HEADER_ETAG : NULL},
        {MHD_HTTP_HEADER_WWW_AUTHENTICATE, answer->authenticate},
        {MHD_HTTP_HEADER_CONNECTION, close ? "close" : NULL},
    };
    return add_all(response, headers, COUNT_OF(headers)) &&
           (!from_page || add_page_headers(response, answer)) &&
           (!answer->provenance || add_provenance(response, answer));
}
