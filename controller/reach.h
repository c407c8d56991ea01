/* reach.h - what definitions may reach: folders, hosts and secrets that the operator allowed.
 *
 * Whoever may merge a pull request must not thereby read the controller's files or write to its
 * network. So a target's path is walked from an allowed folder without following links, and a host
 * is checked by the address it resolves to when the connection is made. Immutable after the
 * controller has started. */
#ifndef WEIR_REACH_H
#define WEIR_REACH_H

#include <netinet/in.h>

#include "../rules/base.h"

struct reach_host {
    char host[256]; /* name or address, without brackets */
    uint16_t port;  /* 0: any */
};

/* A secret of the operator's configuration: where it is, and which hosts may see it. */
struct reach_secret {
    char *name, *file, *variable; /* exactly one of file and variable is set */
    struct reach_host *hosts;
    size_t host_count;
};

struct reach {
    char **paths; /* allowed folders, absolute */
    size_t path_count;
    char *base; /* where relative target paths go: DATA/targets; always allowed */
    struct reach_host *hosts;
    size_t host_count;
    struct reach_secret *secrets;
    size_t secret_count;
    char *ca_file; /* certificates of the authorities that TLS servers are trusted by; NULL: the
                    * system's */
};

/* A deep copy, for threads that may outlive the configuration; to be disposed of also on
 * failure. */
enum status reach_copy(const struct reach *source, struct reach *copy) MUST_CHECK;
void reach_dispose(struct reach *reach); /* frees all it holds; leaves it empty */

/* HOST, HOST:PORT, [V6] or [V6]:PORT. */
enum status reach_host_parse(struct text text, struct reach_host *out, struct error *error);

/* Opens the folder of `path` (absolute, or relative to base) below an allowed folder, making
 * missing folders, and returns a descriptor of it with the last part of the path in `name`. -1 with
 * STATUS_REFUSED in `error` when the path leaves the allowed folders by "..", by a symbolic link or
 * by being elsewhere; STATUS_SYSTEM for the rest. */
int reach_open_folder(const struct reach *reach, struct text path, char name[256],
                      struct error *error);
/* The same decision for a definition seen in a commit: looks at folders that exist, makes none. */
enum status reach_check_path(const struct reach *reach, struct text path, struct error *error);

/* Resolves `host` and picks the first address that an allowed host resolves to as well (IPv4-mapped
 * IPv6 counts as IPv4), with an allowed port. STATUS_REFUSED when there is none, STATUS_SYSTEM when
 * the name does not resolve. `secret`, or NULL, must allow it too. May block on the resolver: for
 * worker threads only. */
enum status reach_connect_address(const struct reach *reach, const char *host, uint16_t port,
                                  const struct reach_secret *secret,
                                  struct sockaddr_storage *address, socklen_t *length,
                                  struct error *error);

/* The same decision for an address of `host` that somebody else has resolved and is about to
 * connect to. Looks up allowed hosts only, and only those that are spelled otherwise. */
enum status reach_check_address(const struct reach *reach, const char *host, uint16_t port,
                                const struct reach_secret *secret, const struct sockaddr *address,
                                struct error *error);

const struct reach_secret *reach_secret(const struct reach *reach, struct text name);
/* Reads a secret's value (the file's first line, or the variable), at most `size` − 1 bytes,
 * NUL-terminated. */
enum status reach_secret_read(const struct reach_secret *secret, char *value, size_t size,
                              struct error *error);

#endif
