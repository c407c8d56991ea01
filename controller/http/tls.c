#include "tls.h"

#include <errno.h>
#include <fcntl.h>
#include <nettle/sha2.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "../../rules/buffer.h"

#define CHAIN_MAX 16
#define PEM_MAX ((size_t)1 << 20)
#define RETIRED_MAX 64
/* A handshake has long been cut by then: a request, its handshake included, has a timeout, which
 * the configuration bounds to less. */
#define RETIRED_FOR (3600 * NANOSECONDS_PER_SECOND)

struct identity {
    gnutls_pcert_st chain[CHAIN_MAX];
    unsigned chain_length;
    gnutls_privkey_t key;
    uint8_t hash[SHA256_DIGEST_SIZE]; /* of both files */
    int64_t retired;                  /* monotonic; 0 while it is in use */
};

struct tls {
    const char *certificate, *key;
    const struct clock *clock;
    pthread_mutex_t lock; /* reloads exclude each other */
    struct identity *_Atomic current;
    struct identity *retired[RETIRED_MAX];
    size_t retired_count;
};

/* See tls_certificate(). */
static struct tls *_Atomic in_service;

/* --- reading --------------------------------------------------------------------------------- */

static void identity_free(struct identity *identity)
{
    if (!identity)
        return;
    for (unsigned i = 0; i < identity->chain_length; i++)
        gnutls_pcert_deinit(&identity->chain[i]);
    if (identity->key)
        gnutls_privkey_deinit(identity->key);
    free(identity);
}

static enum status read_pem(const char *path, struct buffer *out, struct error *error)
{
    int file = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (file < 0)
        return error_set(error, STATUS_SYSTEM, "cannot read \"%.150s\": %s", path, strerror(errno));
    ssize_t got = 0;
    do {
        char *room = buffer_reserve(out, 16384);
        got = room ? read(file, room, 16384) : -1;
        out->length += got > 0 ? (size_t)got : 0;
    } while (got > 0);
    int problem = errno;
    close(file);
    if (out->failed)
        return error_set(error, out->failed, "\"%.150s\" is too large for a PEM file", path);
    return got < 0 ? error_set(error, STATUS_SYSTEM, "cannot read \"%.150s\": %s", path,
                               strerror(problem))
                   : STATUS_OK;
}

/* The key has to be the one that the first certificate of the chain speaks of. */
static bool belong_together(struct identity *identity)
{
    uint8_t ours[64], theirs[64];
    size_t our_size = sizeof ours, their_size = sizeof theirs;
    gnutls_pubkey_t public = NULL;
    bool same = gnutls_pubkey_init(&public) == 0 &&
                gnutls_pubkey_import_privkey(public, identity->key, 0, 0) == 0 &&
                gnutls_pubkey_get_key_id(public, GNUTLS_KEYID_USE_SHA256, ours, &our_size) == 0 &&
                gnutls_pubkey_get_key_id(identity->chain[0].pubkey, GNUTLS_KEYID_USE_SHA256, theirs,
                                         &their_size) == 0 &&
                our_size == their_size && memcmp(ours, theirs, our_size) == 0;
    if (public)
        gnutls_pubkey_deinit(public);
    return same;
}

static gnutls_datum_t datum_of(const struct buffer *buffer)
{
    return (gnutls_datum_t){(unsigned char *)buffer->data, (unsigned)buffer->length};
}

static enum status parse(struct identity *identity, const struct tls *tls,
                         const struct buffer *certificate, const struct buffer *key,
                         struct error *error)
{
    unsigned count = CHAIN_MAX;
    gnutls_datum_t data = datum_of(certificate);
    int failure = gnutls_pcert_list_import_x509_raw(
        identity->chain, &count, &data, GNUTLS_X509_FMT_PEM, GNUTLS_X509_CRT_LIST_FAIL_IF_UNSORTED);
    if (failure < 0 || count == 0)
        return error_set(error, STATUS_INVALID, "\"%.120s\" is not a chain of PEM certificates: %s",
                         tls->certificate, failure < 0 ? gnutls_strerror(failure) : "it is empty");
    identity->chain_length = count;
    data = datum_of(key);
    failure = gnutls_privkey_init(&identity->key);
    if (failure == 0)
        failure = gnutls_privkey_import_x509_raw(identity->key, &data, GNUTLS_X509_FMT_PEM, NULL,
                                                 GNUTLS_PKCS_PLAIN);
    if (failure < 0)
        return error_set(error, STATUS_INVALID,
                         "\"%.120s\" is not a PEM private key without a password: %s", tls->key,
                         gnutls_strerror(failure));
    if (!belong_together(identity))
        return error_set(error, STATUS_INVALID,
                         "\"%.90s\" is not the key of the certificate in \"%.90s\"", tls->key,
                         tls->certificate);
    return STATUS_OK;
}

static void hash_of(const struct buffer *certificate, const struct buffer *key, uint8_t *out)
{
    struct sha256_ctx context;
    sha256_init(&context);
    sha256_update(&context, certificate->length, (const uint8_t *)certificate->data);
    sha256_update(&context, 1, (const uint8_t *)"");
    sha256_update(&context, key->length, (const uint8_t *)key->data);
    sha256_digest(&context, SHA256_DIGEST_SIZE, out);
}

static enum status identity_read(const struct tls *tls, struct identity **out, struct error *error)
{
    struct buffer certificate, key;
    struct identity *identity = calloc(1, sizeof *identity);
    *out = NULL;
    if (!identity)
        return error_set(error, STATUS_NO_MEMORY, "no memory for a certificate");
    buffer_init(&certificate, PEM_MAX);
    buffer_init(&key, PEM_MAX);
    enum status status = read_pem(tls->certificate, &certificate, error);
    if (status == STATUS_OK)
        status = read_pem(tls->key, &key, error);
    if (status == STATUS_OK)
        status = parse(identity, tls, &certificate, &key, error);
    if (status == STATUS_OK) {
        hash_of(&certificate, &key, identity->hash);
        *out = identity;
    } else {
        identity_free(identity);
    }
    if (key.data)
        explicit_bzero(key.data, key.length);
    buffer_dispose(&certificate);
    buffer_dispose(&key);
    return status;
}

/* --- in use ---------------------------------------------------------------------------------- */

enum status tls_new(const char *certificate, const char *key, const struct clock *clock,
                    struct tls **out, struct error *error)
{
    struct identity *identity = NULL;
    struct tls *nobody = NULL, *tls = calloc(1, sizeof *tls);
    if (!tls || pthread_mutex_init(&tls->lock, NULL) != 0) {
        free(tls);
        return error_set(error, STATUS_NO_MEMORY, "no memory for a certificate");
    }
    tls->certificate = certificate;
    tls->key = key;
    tls->clock = clock;
    atomic_init(&tls->current, NULL);
    enum status status = identity_read(tls, &identity, error);
    if (identity) {
        atomic_store(&tls->current, identity);
        if (!atomic_compare_exchange_strong(&in_service, &nobody, tls))
            status = error_set(error, STATUS_REFUSED, "a process serves TLS once");
    }
    if (status == STATUS_OK)
        *out = tls;
    else
        tls_free(tls);
    return status;
}

void tls_free(struct tls *tls)
{
    if (!tls)
        return;
    struct tls *self = tls;
    atomic_compare_exchange_strong(&in_service, &self, NULL);
    identity_free(atomic_load(&tls->current));
    for (size_t i = 0; i < tls->retired_count; i++)
        identity_free(tls->retired[i]);
    pthread_mutex_destroy(&tls->lock);
    free(tls);
}

/* Those that no handshake can be using any more are freed. */
static void sweep(struct tls *tls, int64_t now)
{
    size_t kept = 0;
    for (size_t i = 0; i < tls->retired_count; i++) {
        if (now - tls->retired[i]->retired > RETIRED_FOR)
            identity_free(tls->retired[i]);
        else
            tls->retired[kept++] = tls->retired[i];
    }
    tls->retired_count = kept;
}

static enum status replace(struct tls *tls, struct identity *identity, bool *changed,
                           struct error *error)
{
    struct identity *old = atomic_load(&tls->current);
    int64_t now = tls->clock->monotonic(tls->clock->self);
    sweep(tls, now);
    /* SIGHUP also means other things: most often nothing has changed here. */
    if (memcmp(old->hash, identity->hash, sizeof old->hash) == 0) {
        identity_free(identity);
        return STATUS_OK;
    }
    if (tls->retired_count == RETIRED_MAX) {
        identity_free(identity);
        return error_set(error, STATUS_LIMIT,
                         "the certificate was replaced %d times within an hour; try again later",
                         RETIRED_MAX);
    }
    atomic_store(&tls->current, identity);
    *changed = true;
    old->retired = now;
    tls->retired[tls->retired_count++] = old;
    return STATUS_OK;
}

enum status tls_reload(struct tls *tls, bool *changed, struct error *error)
{
    *changed = false;
    struct identity *identity = NULL;
    pthread_mutex_lock(&tls->lock);
    enum status status = identity_read(tls, &identity, error);
    if (identity)
        status = replace(tls, identity, changed, error);
    pthread_mutex_unlock(&tls->lock);
    return status;
}

int tls_certificate(gnutls_session_t session, const gnutls_datum_t *authorities,
                    int authority_count, const gnutls_pk_algorithm_t *algorithms,
                    int algorithm_count, gnutls_pcert_st **certificates,
                    unsigned int *certificate_count, gnutls_privkey_t *key)
{
    (void)session;
    (void)authorities;
    (void)authority_count;
    (void)algorithms;
    (void)algorithm_count;
    struct tls *tls = atomic_load(&in_service);
    if (!tls)
        return -1;
    struct identity *identity = atomic_load(&tls->current);
    *certificates = identity->chain;
    *certificate_count = identity->chain_length;
    *key = identity->key;
    return 0;
}
