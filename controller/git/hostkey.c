#include "hostkey.h"

#include <libssh2.h>
#include <nettle/base64.h>
#include <stdio.h>
#include <stdlib.h>

#define KEY_MAX 2048 /* bytes of a host key; an RSA key of 8192 bits has 1 050 */

struct kind {
    git_cert_ssh_raw_type_t raw;
    int mask;
    const char *name;
};

static const struct kind kinds[] = {
    {GIT_CERT_SSH_RAW_TYPE_RSA, LIBSSH2_KNOWNHOST_KEY_SSHRSA, "RSA"},
    {GIT_CERT_SSH_RAW_TYPE_DSS, LIBSSH2_KNOWNHOST_KEY_SSHDSS, "DSA"},
    {GIT_CERT_SSH_RAW_TYPE_KEY_ECDSA_256, LIBSSH2_KNOWNHOST_KEY_ECDSA_256, "ECDSA"},
    {GIT_CERT_SSH_RAW_TYPE_KEY_ECDSA_384, LIBSSH2_KNOWNHOST_KEY_ECDSA_384, "ECDSA-384"},
    {GIT_CERT_SSH_RAW_TYPE_KEY_ECDSA_521, LIBSSH2_KNOWNHOST_KEY_ECDSA_521, "ECDSA-521"},
    {GIT_CERT_SSH_RAW_TYPE_KEY_ED25519, LIBSSH2_KNOWNHOST_KEY_ED25519, "ED25519"},
};

static const struct kind *kind_of(const git_cert_hostkey *key)
{
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (kinds[i].raw == key->raw_type)
            return &kinds[i];
    }
    return NULL;
}

/* "SHA256:" and 43 digits of base64, as ssh-keygen -l prints it. */
static void write_fingerprint(const git_cert_hostkey *key, char out[64])
{
    char digits[BASE64_ENCODE_RAW_LENGTH(sizeof key->hash_sha256) + 1] = "";
    if (key->type & GIT_CERT_SSH_SHA256) {
        base64_encode_raw(digits, sizeof key->hash_sha256, key->hash_sha256);
        digits[43] = '\0';
    }
    snprintf(out, 64, "SHA256:%s", digits);
}

static bool line_revokes(const char *line, const char *key)
{
    static const char mark[] = "@revoked";
    if (strncmp(line, mark, sizeof mark - 1) != 0)
        return false;
    const char *found = strstr(line, key);
    return found && (found[-1] == ' ' || found[-1] == '\t') &&
           strchr(" \t\r\n", found[strlen(key)]);
}

/* A revoked key is refused whatever hosts its line names. */
static bool is_revoked(const char *path, const git_cert_hostkey *key)
{
    char digits[BASE64_ENCODE_RAW_LENGTH(KEY_MAX) + 1], *line = NULL;
    size_t size = 0;
    bool revoked = false;
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    base64_encode_raw(digits, key->hostkey_len, (const uint8_t *)key->hostkey);
    digits[BASE64_ENCODE_RAW_LENGTH(key->hostkey_len)] = '\0';
    while (!revoked && getline(&line, &size, file) >= 0)
        revoked = line_revokes(line, digits);
    free(line);
    fclose(file);
    return revoked;
}

enum found { FOUND_KEY, FOUND_OTHER_KEY, FOUND_OTHER_KIND, FOUND_NOTHING, FOUND_NO_FILE };

static enum found look_up(LIBSSH2_KNOWNHOSTS *hosts, const char *host, uint16_t port,
                          const git_cert_hostkey *key, const struct kind *kind)
{
    const int how = LIBSSH2_KNOWNHOST_TYPE_PLAIN | LIBSSH2_KNOWNHOST_KEYENC_RAW;
    struct libssh2_knownhost *entry = NULL;
    int any =
        libssh2_knownhost_checkp(hosts, host, port, key->hostkey, key->hostkey_len, how, &entry);
    if (any == LIBSSH2_KNOWNHOST_CHECK_MATCH)
        return FOUND_KEY;
    if (any != LIBSSH2_KNOWNHOST_CHECK_MISMATCH)
        return FOUND_NOTHING;
    int same = libssh2_knownhost_checkp(hosts, host, port, key->hostkey, key->hostkey_len,
                                        how | kind->mask, &entry);
    return same == LIBSSH2_KNOWNHOST_CHECK_MISMATCH ? FOUND_OTHER_KEY : FOUND_OTHER_KIND;
}

static enum status find(const char *path, const char *host, uint16_t port,
                        const git_cert_hostkey *key, const struct kind *kind, enum found *found)
{
    /* The library wants a session to allocate from; it connects to nothing. */
    LIBSSH2_SESSION *session = libssh2_session_init();
    LIBSSH2_KNOWNHOSTS *hosts = session ? libssh2_knownhost_init(session) : NULL;
    enum status status = hosts ? STATUS_OK : STATUS_NO_MEMORY;
    if (hosts) {
        int lines = libssh2_knownhost_readfile(hosts, path, LIBSSH2_KNOWNHOST_FILE_OPENSSH);
        *found = lines < 0 ? FOUND_NO_FILE : look_up(hosts, host, port, key, kind);
        libssh2_knownhost_free(hosts);
    }
    if (session)
        libssh2_session_free(session);
    return status;
}

static enum status refuse(enum found found, const char *path, const char *host,
                          const struct kind *kind, const char *fingerprint, struct error *error)
{
    switch (found) {
    case FOUND_OTHER_KEY:
        return error_set(error, STATUS_REFUSED,
                         "the SSH host \"%.40s\" is not trusted: its key has changed to %s; put "
                         "that into \"%.40s\" only when its administrators say so",
                         host, fingerprint, path);
    case FOUND_OTHER_KIND:
        return error_set(error, STATUS_REFUSED,
                         "the SSH host \"%.40s\" is not trusted: \"%.40s\" has no %s key of it, "
                         "which it shows; if that is %s, add it with ssh-keyscan",
                         host, path, kind->name, fingerprint);
    case FOUND_NO_FILE:
        return error_set(error, STATUS_REFUSED,
                         "the SSH host \"%.40s\" is not trusted: \"%.60s\" cannot be read; write "
                         "it with ssh-keyscan, and compare",
                         host, path);
    default:
        return error_set(error, STATUS_REFUSED,
                         "the SSH host \"%.40s\" is not trusted: it is not in \"%.40s\"; if its "
                         "key is %s, add it with ssh-keyscan",
                         host, path, fingerprint);
    }
}

static bool default_file(char *path, size_t size)
{
    const char *home = getenv("HOME");
    int length = home && home[0] ? snprintf(path, size, "%s/.ssh/known_hosts", home) : -1;
    return length > 0 && (size_t)length < size;
}

enum status hostkey_check(const char *file, const char *host, uint16_t port,
                          const git_cert_hostkey *key, struct error *error)
{
    char standard[4200], fingerprint[64];
    const struct kind *kind = kind_of(key);
    enum found found = FOUND_NO_FILE;
    if (!file && !default_file(standard, sizeof standard))
        return error_set(error, STATUS_REFUSED,
                         "there is no home folder with known SSH hosts: give \"ssh-known-hosts\"");
    const char *path = file ? file : standard;
    if (!(key->type & GIT_CERT_SSH_RAW) || !kind || key->hostkey_len > KEY_MAX)
        return error_set(error, STATUS_REFUSED,
                         "the SSH host \"%.60s\" has a key of a kind that is not known", host);
    enum status status = find(path, host, port, key, kind, &found);
    if (status != STATUS_OK)
        return error_set(error, status, "no memory to check the key of \"%.60s\"", host);
    if (found == FOUND_KEY && !is_revoked(path, key))
        return STATUS_OK;
    write_fingerprint(key, fingerprint);
    if (found == FOUND_KEY)
        return error_set(
            error, STATUS_REFUSED,
            "the SSH host \"%.40s\" is not trusted: its key %s is revoked in \"%.40s\"", host,
            fingerprint, path);
    return refuse(found, path, host, kind, fingerprint, error);
}
