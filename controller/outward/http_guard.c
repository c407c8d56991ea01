#include "http_guard.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <sys/socket.h>

#include "../../rules/codes.h"
#include "../clock.h"
#include "http_client.h"

/* --- once a process -------------------------------------------------------------------------- */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool curl_is_ready;

static void start_curl(void)
{
    curl_is_ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

bool http_guard_ready(void)
{
    pthread_once(&once, start_curl);
    return curl_is_ready;
}

/* --- addresses ------------------------------------------------------------------------------- */

/* Which code a refusal has: the secret's, or the host's. */
static bool is_allowed(struct http_guard *guard, const struct sockaddr *address)
{
    const struct reach_host *server = &guard->server;
    const char *code = CODE_TARGET_HOST;
    struct error error;
    enum status status =
        reach_check_address(guard->reach, server->host, server->port, NULL, address, &error);
    if (status == STATUS_OK && guard->secret) {
        code = CODE_TARGET_SECRET;
        status = reach_check_address(guard->reach, server->host, server->port, guard->secret,
                                     address, &error);
    }
    if (status != STATUS_OK && guard->refusal.status == STATUS_OK) {
        guard->refusal = error;
        guard->refusal.status = STATUS_REFUSED;
        guard->code = code;
    }
    return status == STATUS_OK;
}

static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct http_guard *guard = context;
    if (purpose != CURLSOCKTYPE_IPCXN || !is_allowed(guard, &address->addr))
        return CURL_SOCKET_BAD;
    int descriptor = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    if (descriptor < 0)
        return CURL_SOCKET_BAD;
    guard->opened++;
    return descriptor;
}

/* libcurl tells the peer as text. */
static bool parse_peer(const char *text, struct sockaddr_storage *out)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
    char bare[INET6_ADDRSTRLEN];
    memset(out, 0, sizeof *out);
    size_t length = strcspn(text, "%"); /* without the zone of a link-local address */
    if (length >= sizeof bare)
        return false;
    memcpy(bare, text, length);
    bare[length] = '\0';
    if (inet_pton(AF_INET, bare, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        return true;
    }
    v6->sin6_family = AF_INET6;
    return inet_pton(AF_INET6, bare, &v6->sin6_addr) == 1;
}

static int check_request(void *context, char *peer, char *local, int peer_port, int local_port)
{
    struct http_guard *guard = context;
    struct sockaddr_storage address;
    (void)local, (void)peer_port, (void)local_port;
    return parse_peer(peer, &address) && is_allowed(guard, (const struct sockaddr *)&address)
               ? CURL_PREREQFUNC_OK
               : CURL_PREREQFUNC_ABORT;
}

/* --- handles --------------------------------------------------------------------------------- */

bool http_guard_set_up(struct http_guard *guard, CURL *easy, const char *ca_file)
{
    CURLcode failed = CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    failed |= curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    failed |= curl_easy_setopt(easy, CURLOPT_PROXY, "");
    failed |= curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    failed |= curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    failed |= curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    /* A resolver that hangs is left behind instead of being waited for. */
    failed |= curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    failed |= curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
    failed |= curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    failed |= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    failed |= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    failed |= curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, 0L); /* the file may be renewed */
    failed |= curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    failed |= curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, guard);
    failed |= curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                               (long)(HTTP_CONNECT_LIMIT / NANOSECONDS_PER_MILLISECOND));
    if (ca_file) {
        failed |= curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file);
        failed |= curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    }
    return failed == CURLE_OK;
}

void http_guard_begin(struct http_guard *guard, const struct reach_host *server)
{
    guard->server = *server;
    guard->opened = 0;
    guard->refusal = (struct error){0};
}

bool http_guard_recheck(struct http_guard *guard, CURL *easy)
{
    CURLcode failed = curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, check_request);
    failed |= curl_easy_setopt(easy, CURLOPT_PREREQDATA, guard);
    return failed == CURLE_OK;
}

enum status http_guard_follow(struct http_guard *guard, CURL *easy, unsigned status,
                              struct http_url *url, struct error *error)
{
    const char *location = NULL;
    struct http_url next;
    /* Not 303, which would have us ask for something else. */
    if (status != 301 && status != 302 && status != 307 && status != 308)
        return STATUS_NOT_FOUND;
    if (curl_easy_getinfo(easy, CURLINFO_REDIRECT_URL, &location) != CURLE_OK || !location)
        return error_set(error, STATUS_SYSTEM, "'%s': redirects without saying where", url->shown);
    char shown[100];
    if (http_url_parse(text_of(location), &next, NULL) != STATUS_OK ||
        !http_url_same_server(url, &next)) {
        http_clean(text_of(location), shown, sizeof shown);
        shown[strcspn(shown, "?#")] = '\0';
        guard->code = CODE_TARGET_HOST;
        return error_set(error, STATUS_REFUSED,
                         "'%.100s' redirects to '%s', which is another server and not followed",
                         url->shown, shown);
    }
    *url = next;
    return STATUS_OK;
}

/* --- headers --------------------------------------------------------------------------------- */

void http_guard_free_headers(struct curl_slist *list)
{
    for (struct curl_slist *item = list; item; item = item->next)
        explicit_bzero(item->data, strlen(item->data));
    curl_slist_free_all(list);
}

bool http_guard_append_header(struct curl_slist **list, const char *header)
{
    struct curl_slist *longer = curl_slist_append(*list, header);
    if (!longer)
        return false;
    *list = longer;
    return true;
}
