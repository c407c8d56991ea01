#include "forge.h"

#include <stdio.h>
#include <strings.h>

#include "../../rules/json.h"
#include "../git/url.h"
#include "retry_after.h"

/* All that differs from one forge to the next. */
struct forge {
    const char *name;
    const char *host, *host_api; /* of the public one, which has its API elsewhere; or NULL */
    const char *path;            /* of the API, at a forge of somebody's own */
    const char *before_project;  /* path of a request */
    bool encodes_project;        /* its slashes, too */
    const char *states[FORGE_ERROR + 1]; /* as it spells them */
    const char *token;                   /* header, up to the token */
    const char *accept, *version;        /* more headers; or NULL */
};

static const struct forge forges[FORGE_KINDS] = {
    [FORGE_GITHUB] = {.name = "github",
                      .host = "github.com",
                      .host_api = "https://api.github.com",
                      .path = "/api/v3",
                      .before_project = "/repos/",
                      .states = {"pending", "success", "failure", "error"},
                      .token = "Authorization: Bearer ",
                      .accept = "Accept: application/vnd.github+json",
                      .version = "X-GitHub-Api-Version: 2022-11-28"},
    /* GitLab has one word for a failure and an error. */
    [FORGE_GITLAB] = {.name = "gitlab",
                      .path = "/api/v4",
                      .before_project = "/projects/",
                      .encodes_project = true,
                      .states = {"pending", "success", "failed", "failed"},
                      .token = "PRIVATE-TOKEN: ",
                      .accept = "Accept: application/json"},
    [FORGE_GITEA] = {.name = "gitea",
                     .path = "/api/v1",
                     .before_project = "/repos/",
                     .states = {"pending", "success", "failure", "error"},
                     .token = "Authorization: token ",
                     .accept = "Accept: application/json"},
};

/* --- names ----------------------------------------------------------------------------------- */

enum forge_kind forge_kind_of(struct text name)
{
    if (text_is(name, "forgejo"))
        return FORGE_GITEA;
    for (int i = 0; i < FORGE_KINDS; i++)
        if (text_is(name, forges[i].name))
            return (enum forge_kind)i;
    return FORGE_KINDS;
}

const char *forge_kind_name(enum forge_kind kind)
{
    return kind < FORGE_KINDS ? forges[kind].name : "";
}

const char *forge_state_name(enum forge_state state)
{
    return forges[FORGE_GITHUB].states[state];
}

/* --- where the repository is ----------------------------------------------------------------- */

static struct text trim_slashes(struct text path)
{
    while (path.length && path.data[0] == '/') {
        path.data++;
        path.length--;
    }
    while (path.length && path.data[path.length - 1] == '/')
        path.length--;
    return path;
}

/* The path of a repository's URL, without ".git". */
static struct text path_of(const char *repo)
{
    const char *separator = strstr(repo, "://");
    const char *start = separator ? separator + 3 : repo;
    const char *slash = strchr(start, separator ? '/' : ':');
    struct text path = {"", 0};
    if (slash)
        path = (struct text){slash + 1, strcspn(slash + 1, "?#")};
    path = trim_slashes(path);
    if (path.length >= 4 && text_ends_with(path, TEXT(".git")))
        path.length -= 4;
    return path;
}

/* Of OWNER/NAME behind more of a path: where OWNER begins. A forge that does not stand at the root
 * of its host has its API there, too. */
static size_t owner_offset(struct text path)
{
    size_t at = path.length;
    for (int slashes = 0; at > 0; at--)
        if (path.data[at - 1] == '/' && ++slashes == 2)
            break;
    return at;
}

static bool is_project_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           strchr("-_.~/", c);
}

/* Parts of letters, digits, "-", "_", "." and "~": what all forges allow. None is "." or "..". */
static bool is_project(enum forge_kind kind, struct text project)
{
    size_t slashes = 0, part = 0;
    if (project.length == 0 || project.length >= FORGE_PROJECT_SIZE)
        return false;
    for (size_t i = 0; i <= project.length; i++) {
        if (i < project.length && !is_project_character(project.data[i]))
            return false;
        if (i < project.length && project.data[i] != '/')
            continue;
        struct text word = {project.data + part, i - part};
        if (word.length == 0 || text_is(word, ".") || text_is(word, ".."))
            return false;
        slashes += i < project.length;
        part = i + 1;
    }
    bool number = slashes == 0 && strspn(project.data, "0123456789") >= project.length;
    return kind == FORGE_GITLAB ? slashes > 0 || number : slashes == 1;
}

static enum status find_project(enum forge_kind kind, const char *repo, const char *project,
                                struct forge_place *out, struct error *error)
{
    struct url_place place;
    struct text found = {"", 0};
    if (project) {
        found = text_of(project);
    } else if (url_place_parse(repo, &place)) {
        found = path_of(repo);
        size_t skipped = kind == FORGE_GITLAB ? 0 : owner_offset(found);
        found = (struct text){found.data + skipped, found.length - skipped};
    }
    char shown[80];
    http_clean(found, shown, sizeof shown);
    if (!is_project(kind, found))
        return error_set(error, STATUS_INVALID,
                         project ? "\"%s\" is no project of %s: write %s"
                                 : "the repository's URL names no project (\"%s\") of %s: set "
                                   "\"project\" of commit-status to %s",
                         shown, forges[kind].name,
                         kind == FORGE_GITLAB ? "GROUP/NAME, or its number" : "OWNER/NAME");
    memcpy(out->project, found.data, found.length);
    out->project[found.length] = '\0';
    return STATUS_OK;
}

/* "ssh.github.com" and "altssh.gitlab.com" take SSH at port 443. */
static const char *web_host(const char *host)
{
    if (strcasecmp(host, "ssh.github.com") == 0)
        return "github.com";
    return strcasecmp(host, "altssh.gitlab.com") == 0 ? "gitlab.com" : host;
}

/* https, unless the repository itself is fetched by http. */
static enum status derive_api(enum forge_kind kind, const char *repo, char *out, size_t size,
                              struct error *error)
{
    const struct forge *forge = &forges[kind];
    struct url_place place;
    if (!url_place_parse(repo, &place))
        return error_set(error, STATUS_INVALID,
                         "the repository's URL does not tell where %s is: set \"api\" of "
                         "commit-status, like https://git.example.com%s",
                         forge->name, forge->path);
    const char *host = web_host(place.host);
    if (forge->host && strcasecmp(host, forge->host) == 0) {
        snprintf(out, size, "%s", forge->host_api);
        return STATUS_OK;
    }
    bool http = strcmp(place.scheme, "http") == 0, v6 = strchr(host, ':');
    bool web = http || strcmp(place.scheme, "https") == 0;
    struct text path = web && kind == FORGE_GITEA ? path_of(repo) : (struct text){"", 0};
    path.length = path.length ? owner_offset(path) : 0; /* with the slash behind it */
    char port[8] = "";
    if (web && place.port != (http ? 80 : 443))
        snprintf(port, sizeof port, ":%u", place.port);
    int length = snprintf(out, size, "%s://%s%s%s%s%s%.*s%s", http ? "http" : "https",
                          v6 ? "[" : "", host, v6 ? "]" : "", port, path.length ? "/" : "",
                          path.length ? (int)path.length - 1 : 0, path.data, forge->path);
    return length > 0 && (size_t)length < size
               ? STATUS_OK
               : error_set(error, STATUS_LIMIT, "the repository's URL is too long");
}

enum status forge_place_find(enum forge_kind kind, const char *repo, const char *api,
                             const char *project, struct forge_place *out, struct error *error)
{
    struct http_url url;
    char derived[HTTP_URL_SIZE] = "";
    *out = (struct forge_place){.kind = kind};
    enum status status = api ? STATUS_OK : derive_api(kind, repo, derived, sizeof derived, error);
    if (status == STATUS_OK)
        status = http_url_parse(text_of(api ? api : derived), &url, error);
    if (status == STATUS_OK && strpbrk(url.text, "?#"))
        status = error_set(error, STATUS_INVALID, "'%s': the URL of an API has neither '?' nor '#'",
                           url.shown);
    if (status != STATUS_OK)
        return status;
    struct text text = text_of(url.text);
    while (text.length && text.data[text.length - 1] == '/')
        text.length--;
    memcpy(out->api, text.data, text.length);
    out->api[text.length] = '\0';
    return find_project(kind, repo, project, out, error);
}

/* --- the request ----------------------------------------------------------------------------- */

static void append_project(struct buffer *out, const struct forge_place *place)
{
    for (const char *at = place->project; *at; at++) {
        if (*at == '/' && forges[place->kind].encodes_project)
            buffer_append_string(out, "%2F");
        else
            buffer_append_char(out, *at);
    }
}

static enum status write_url(const struct forge_place *place, const struct forge_report *report,
                             struct http_url *url, struct error *error)
{
    struct buffer text;
    buffer_init(&text, HTTP_URL_SIZE);
    buffer_append_string(&text, place->api);
    buffer_append_string(&text, forges[place->kind].before_project);
    append_project(&text, place);
    buffer_printf(&text, "/statuses/%s", report->commit);
    enum status status =
        text.failed ? error_set(error, text.failed, "the URL of the commit's status is too long")
                    : http_url_parse(buffer_text(&text), url, error);
    buffer_dispose(&text);
    return status;
}

static void write_body(const struct forge_place *place, const struct forge_report *report,
                       const char *context, const char *target_url, struct buffer *out)
{
    buffer_append_string(out, "{\"context\":");
    json_write_string(out, text_of(context));
    buffer_append_string(out, ",\"description\":");
    json_write_string(out, text_of(report->description));
    buffer_append_string(out, ",\"state\":");
    json_write_string(out, text_of(forges[place->kind].states[report->state]));
    if (target_url) {
        buffer_append_string(out, ",\"target_url\":");
        json_write_string(out, text_of(target_url));
    }
    buffer_append_char(out, '}');
}

static enum status write_headers(const struct forge *forge, const char *token,
                                 struct forge_request *out, struct error *error)
{
    const char *const lines[] = {forge->accept, "Content-Type: application/json", forge->version};
    for (const char *at = token; *at; at++)
        if (*at <= ' ' || *at > '~')
            return error_set(error, STATUS_INVALID,
                             "the token of commit-status holds what no token has: it is one word "
                             "of printable ASCII");
    buffer_printf(&out->headers, "%s%s%c", forge->token, token, 0);
    for (size_t i = 0; i < COUNT_OF(lines); i++)
        if (lines[i])
            buffer_printf(&out->headers, "%s%c", lines[i], 0);
    if (out->headers.failed)
        return error_set(error, out->headers.failed, "no memory for a commit's status");
    const char *at = out->headers.data, *end = at + out->headers.length;
    for (size_t i = 0; i < FORGE_HEADERS && at < end; i++, at += strlen(at) + 1)
        out->lines[i] = at;
    return STATUS_OK;
}

enum status forge_request_write(const struct forge_place *place, const struct forge_report *report,
                                const char *context, const char *target_url, const char *token,
                                struct forge_request *out, struct error *error)
{
    *out = (struct forge_request){0};
    buffer_init(&out->headers, (size_t)64 << 10);
    buffer_init(&out->body, (size_t)64 << 10);
    /* So that it never moves, and leaves no copy of the token behind. */
    buffer_reserve(&out->headers, strlen(token) + 512);
    write_body(place, report, context, target_url, &out->body);
    if (out->body.failed)
        return error_set(error, out->body.failed, "no memory for a commit's status");
    enum status status = write_url(place, report, &out->url, error);
    return status ? status : write_headers(&forges[place->kind], token, out, error);
}

void forge_request_dispose(struct forge_request *request)
{
    if (request->headers.data)
        explicit_bzero(request->headers.data, request->headers.size);
    buffer_dispose(&request->headers);
    buffer_dispose(&request->body);
}

/* --- the answer ------------------------------------------------------------------------------ */

/* How long the forge wants to be left alone; 0: it says nothing of that. */
static int64_t wanted_wait(const struct forge_limits *limits, int64_t now)
{
    int64_t reset = 0, wait = retry_after(limits->retry_after, now, FORGE_WAIT_MOST);
    if (wait == 0 && strcmp(limits->remaining, "0") == 0 && seconds_parse(limits->reset, &reset))
        wait = seconds_clamp(reset - now, FORGE_WAIT_MOST);
    return wait;
}

static bool holds(struct text body, const char *words)
{
    return body.length && memmem(body.data, body.length, words, strlen(words));
}

enum forge_outcome forge_judge(enum forge_kind kind, unsigned status, struct text body,
                               const struct forge_limits *limits, int64_t now, int64_t *wait)
{
    *wait = 0;
    if (status >= 200 && status < 300)
        return FORGE_TOLD;
    if (status == 429 || status == 403 || status == 503) {
        *wait = wanted_wait(limits, now);
        if (status == 429 && *wait == 0)
            *wait = FORGE_WAIT_LEAST;
        if (*wait)
            return FORGE_LIMITED;
    }
    if (kind == FORGE_GITLAB && status == 400 && holds(body, "Cannot transition status via"))
        return FORGE_TOLD;
    bool mendable = status == 401 || status == 403 || status == 404 || status == 408 ||
                    status == 409 || status == 425;
    return mendable || status >= 500 || status < 400 ? FORGE_LATER : FORGE_REFUSED;
}
