#include "access.h"

#include <git2.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "../reach.h"

void git_access_dispose(struct git_access *access)
{
    for (size_t i = 0; i < access->safe_directory_count; i++)
        free(access->safe_directories[i]);
    free(access->safe_directories);
    free(access->user);
    free(access->token_file);
    free(access->token_variable);
    free(access->ssh_key);
    free(access->ssh_passphrase_file);
    free(access->ssh_known_hosts);
    free(access->proxy);
    free(access->ca_file);
    *access = (struct git_access){0};
}

bool git_access_has_token(const struct git_access *access)
{
    return access->token_file || access->token_variable;
}

/* --- what belongs together ------------------------------------------------------------------- */

static bool is_web(const struct url_place *place)
{
    return strcmp(place->scheme, "http") == 0 || strcmp(place->scheme, "https") == 0;
}

static enum status check_proxy(const char *proxy, struct error *error)
{
    struct url_place place;
    if (url_place_parse(proxy, &place) && is_web(&place))
        return STATUS_OK;
    struct buffer shown;
    buffer_init(&shown, 0);
    url_append_public(&shown, text_of(proxy));
    const char *text = buffer_string(&shown);
    enum status status = error_set(error, STATUS_INVALID,
                                   "the proxy \"%.80s\" is not http://HOST:PORT", text ? text : "");
    buffer_dispose(&shown);
    return status;
}

enum status git_access_check(const struct git_access *access, const char *url, struct error *error)
{
    struct url_place place;
    bool known = url_place_parse(url, &place);
    bool web = known && is_web(&place), ssh = known && strcmp(place.scheme, "ssh") == 0;
    if (access->token_file && access->token_variable)
        return error_set(error, STATUS_INVALID,
                         "both \"git-token-file\" and \"git-token-env\" are given: use one");
    if (access->user && !git_access_has_token(access))
        return error_set(error, STATUS_INVALID,
                         "\"git-user\" goes with a token: give \"git-token-file\" or "
                         "\"git-token-env\" too");
    if (git_access_has_token(access) && !web)
        return error_set(error, STATUS_INVALID,
                         "a token is for https:// repositories, and this is none: use "
                         "\"ssh-key\", or give the repository's https:// URL");
    if (git_access_has_token(access) && place.has_password)
        return error_set(error, STATUS_INVALID,
                         "the repository's URL holds a password and a token is given too: take "
                         "the password out of the URL");
    if ((access->ssh_key || access->ssh_known_hosts) && !ssh)
        return error_set(error, STATUS_INVALID,
                         "\"ssh-key\" and \"ssh-known-hosts\" are for ssh:// repositories, and "
                         "this is none");
    if (access->ssh_passphrase_file && !access->ssh_key)
        return error_set(error, STATUS_INVALID,
                         "\"ssh-passphrase-file\" goes with \"ssh-key\": give that too");
    if (access->proxy && !web)
        return error_set(error, STATUS_INVALID,
                         "\"git-proxy\" is for http:// and https:// repositories, and this is "
                         "none");
    return access->proxy ? check_proxy(access->proxy, error) : STATUS_OK;
}

bool git_access_is_exposed(const struct git_access *access, const char *url)
{
    static const char *const here[] = {"localhost", "127.0.0.1", "::1"};
    struct url_place place;
    if (!url_place_parse(url, &place) || strcmp(place.scheme, "http") != 0 ||
        !(git_access_has_token(access) || place.has_password))
        return false;
    for (size_t i = 0; i < COUNT_OF(here); i++) {
        if (strcasecmp(place.host, here[i]) == 0)
            return false;
    }
    return true;
}

enum status git_access_install(const struct git_access *access, struct error *error)
{
    if (!access->ca_file ||
        git_libgit2_opts(GIT_OPT_SET_SSL_CERT_LOCATIONS, access->ca_file, NULL) == 0)
        return STATUS_OK;
    return error_set(error, STATUS_INVALID,
                     "\"%.120s\" holds no certificates: \"git-ca\" is a PEM file of them",
                     access->ca_file);
}

/* --- secrets --------------------------------------------------------------------------------- */

/* What goes into a header or a login must not end it early. */
static enum status check_secret(const char *name, const char *value, struct error *error)
{
    for (const char *c = value; *c; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return error_set(error, STATUS_INVALID, "%s holds a control character", name);
    }
    return STATUS_OK;
}

static enum status read_secret(const char *name, const char *file, const char *variable,
                               char *value, size_t size, struct error *error)
{
    char called[24], path[4200], environment[256];
    snprintf(called, sizeof called, "%s", name);
    snprintf(path, sizeof path, "%s", file ? file : "");
    snprintf(environment, sizeof environment, "%s", variable ? variable : "");
    const struct reach_secret secret = {
        .name = called, .file = file ? path : NULL, .variable = file ? NULL : environment};
    enum status status = reach_secret_read(&secret, value, size, error);
    if (status == STATUS_OK)
        status = check_secret(name, value, error);
    if (status != STATUS_OK)
        explicit_bzero(value, size);
    return status;
}

enum status git_access_token(const struct git_access *access, char *token, size_t size,
                             struct error *error)
{
    return read_secret("git-token", access->token_file, access->token_variable, token, size, error);
}

enum status git_access_passphrase(const struct git_access *access, char *passphrase, size_t size,
                                  struct error *error)
{
    passphrase[0] = '\0';
    if (!access->ssh_passphrase_file)
        return STATUS_OK;
    return read_secret("ssh-passphrase", access->ssh_passphrase_file, NULL, passphrase, size,
                       error);
}

/* --- the proxy ------------------------------------------------------------------------------- */

/* One entry of no_proxy, as curl reads them: "*", or a host with all that ends in it, perhaps with
 * a port. */
static bool entry_spares(struct text entry, const struct url_place *remote)
{
    char port[8];
    snprintf(port, sizeof port, ":%u", remote->port);
    if (entry.length && entry.data[0] == '[') { /* [::1] or [::1]:8080 */
        const char *close = memchr(entry.data, ']', entry.length);
        if (!close)
            return false;
        struct text rest = {close + 1, entry.length - (size_t)(close + 1 - entry.data)};
        if (rest.length && !text_is(rest, port))
            return false;
        entry = (struct text){entry.data + 1, (size_t)(close - entry.data) - 1};
    } else if (entry.length && memchr(entry.data, ':', entry.length) &&
               memchr(entry.data, ':', entry.length) == memrchr(entry.data, ':', entry.length)) {
        if (!text_ends_with(entry, text_of(port)))
            return false;
        entry.length -= strlen(port);
    }
    if (entry.length && entry.data[0] == '.')
        entry = (struct text){entry.data + 1, entry.length - 1};
    size_t length = strlen(remote->host);
    if (entry.length == 0 || entry.length > length)
        return false;
    const char *tail = remote->host + length - entry.length;
    return strncasecmp(tail, entry.data, entry.length) == 0 &&
           (tail == remote->host || tail[-1] == '.');
}

static bool is_spared(const struct url_place *remote)
{
    const char *list = getenv("no_proxy");
    if (!list)
        list = getenv("NO_PROXY");
    for (; list && *list; list += strspn(list, ", \t")) {
        struct text entry = {list, strcspn(list, ", \t")};
        if (text_is(entry, "*") || entry_spares(entry, remote))
            return true;
        list += entry.length;
    }
    return false;
}

/* HTTP_PROXY in capitals is not read, as by curl: a CGI server sets it from a request's header. */
static const char *proxy_of_environment(const struct url_place *remote)
{
    const char *value = NULL;
    if (strcmp(remote->scheme, "http") == 0) {
        value = getenv("http_proxy");
    } else if (strcmp(remote->scheme, "https") == 0) {
        value = getenv("https_proxy");
        if (!value)
            value = getenv("HTTPS_PROXY");
    }
    return value && value[0] && !is_spared(remote) ? value : NULL;
}

enum status git_access_proxy(const struct git_access *access, const struct url_place *remote,
                             char *proxy, size_t size, struct error *error)
{
    proxy[0] = '\0';
    const char *value = access->proxy ? access->proxy : proxy_of_environment(remote);
    if (!value || !is_web(remote))
        return STATUS_OK;
    int length = snprintf(proxy, size, "%s%s", strstr(value, "://") ? "" : "http://", value);
    if (length < 0 || (size_t)length >= size)
        return error_set(error, STATUS_LIMIT, "the URL of the proxy is longer than %zu bytes",
                         size - 1);
    return check_proxy(proxy, error);
}
