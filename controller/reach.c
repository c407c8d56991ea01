/* What the operator allowed, as a value: copies of it, and its secrets. */
#include "reach.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* --- copies ---------------------------------------------------------------------------------- */

static bool copy_string(const char *source, char **copy)
{
    *copy = source ? strdup(source) : NULL;
    return !source || *copy;
}

static bool copy_hosts(const struct reach_host *source, size_t count, struct reach_host **copy)
{
    *copy = NULL;
    if (count == 0)
        return true;
    *copy = calloc(count, sizeof **copy);
    if (*copy)
        memcpy(*copy, source, count * sizeof **copy);
    return *copy;
}

static bool copy_secret(const struct reach_secret *source, struct reach_secret *copy)
{
    copy->host_count = source->host_count;
    return copy_string(source->name, &copy->name) && copy_string(source->file, &copy->file) &&
           copy_string(source->variable, &copy->variable) &&
           copy_hosts(source->hosts, source->host_count, &copy->hosts);
}

enum status reach_copy(const struct reach *source, struct reach *copy)
{
    *copy = (struct reach){0};
    if (!copy_string(source->base, &copy->base) || !copy_string(source->ca_file, &copy->ca_file) ||
        !copy_hosts(source->hosts, source->host_count, &copy->hosts))
        return STATUS_NO_MEMORY;
    copy->host_count = source->host_count;
    if (source->path_count && !(copy->paths = calloc(source->path_count, sizeof *copy->paths)))
        return STATUS_NO_MEMORY;
    for (; copy->path_count < source->path_count; copy->path_count++)
        if (!copy_string(source->paths[copy->path_count], &copy->paths[copy->path_count]))
            return STATUS_NO_MEMORY;
    if (source->secret_count &&
        !(copy->secrets = calloc(source->secret_count, sizeof *copy->secrets)))
        return STATUS_NO_MEMORY;
    while (copy->secret_count < source->secret_count) {
        size_t i = copy->secret_count++;
        if (!copy_secret(&source->secrets[i], &copy->secrets[i]))
            return STATUS_NO_MEMORY;
    }
    return STATUS_OK;
}

void reach_dispose(struct reach *reach)
{
    for (size_t i = 0; i < reach->path_count; i++)
        free(reach->paths[i]);
    for (size_t i = 0; i < reach->secret_count; i++) {
        struct reach_secret *secret = &reach->secrets[i];
        free(secret->name);
        free(secret->file);
        free(secret->variable);
        free(secret->hosts);
    }
    free(reach->paths);
    free(reach->base);
    free(reach->ca_file);
    free(reach->hosts);
    free(reach->secrets);
    *reach = (struct reach){0};
}

/* --- secrets --------------------------------------------------------------------------------- */

const struct reach_secret *reach_secret(const struct reach *reach, struct text name)
{
    for (size_t i = 0; i < reach->secret_count; i++)
        if (text_is(name, reach->secrets[i].name))
            return &reach->secrets[i];
    return NULL;
}

static enum status too_long(const struct reach_secret *secret, size_t size, struct error *error)
{
    return error_set(error, STATUS_LIMIT, "secret '%s' is longer than %zu bytes", secret->name,
                     size - 1);
}

/* Fills at most `size` bytes; *length is how many there were. */
static enum status read_secret_file(const struct reach_secret *secret, char *value, size_t size,
                                    size_t *length, struct error *error)
{
    /* Not blocking, so that a pipe in its place cannot hang the reader. */
    int file = open(secret->file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (file < 0)
        return error_set(error, STATUS_SYSTEM, "secret '%s': cannot open '%s': %m", secret->name,
                         secret->file);
    enum status status = STATUS_OK;
    *length = 0;
    while (*length < size) {
        ssize_t got = read(file, value + *length, size - *length);
        if (got == 0)
            break;
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            status = error_set(error, STATUS_SYSTEM, "secret '%s': cannot read '%s': %m",
                               secret->name, secret->file);
            break;
        }
        *length += (size_t)got;
    }
    close(file);
    return status;
}

/* Cuts the value at the end of its first line. */
static enum status take_first_line(const struct reach_secret *secret, char *value, size_t length,
                                   size_t size, struct error *error)
{
    char *end = length ? memchr(value, '\n', length) : NULL;
    if (!end && length == size)
        return too_long(secret, size, error);
    size_t line = end ? (size_t)(end - value) : length;
    if (line && value[line - 1] == '\r')
        line--;
    if (line == 0)
        return error_set(error, STATUS_INVALID, "secret '%s' is empty", secret->name);
    if (memchr(value, '\0', line))
        return error_set(error, STATUS_INVALID, "secret '%s' holds a NUL byte", secret->name);
    value[line] = '\0';
    return STATUS_OK;
}

enum status reach_secret_read(const struct reach_secret *secret, char *value, size_t size,
                              struct error *error)
{
    enum status status = STATUS_OK;
    size_t length = 0;
    if (secret->file) {
        status = read_secret_file(secret, value, size, &length, error);
    } else {
        const char *variable = getenv(secret->variable);
        if (!variable)
            return error_set(error, STATUS_NOT_FOUND,
                             "secret '%s': environment variable '%s' is not set", secret->name,
                             secret->variable);
        length = strnlen(variable, size);
        memcpy(value, variable, length);
    }
    if (status == STATUS_OK)
        status = take_first_line(secret, value, length, size, error);
    if (status != STATUS_OK && size)
        explicit_bzero(value, size);
    return status;
}
