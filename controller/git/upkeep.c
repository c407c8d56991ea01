#include "upkeep.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../rules/json.h"
#include "../log.h"
#include "../telemetry_families.h"
#include "child.h"
#include "leftovers.h"
#include "mirror_private.h"

#define PATIENCE_MS (15U * 60 * 1000)
#define RETRY_FIRST (60 * NANOSECONDS_PER_SECOND)
#define RETRY_LONGEST (3600 * NANOSECONDS_PER_SECOND)
#define PACK_NAME_SIZE 72  /* "pack-", 40 or 64 digits, NUL */
#define PACKS_LISTED 10000 /* at a time; the rest waits for the next one */

struct pack {
    char name[PACK_NAME_SIZE]; /* without ".pack" */
    uint64_t bytes;
};

struct packs {
    struct pack *items; /* owned */
    size_t count, size;
};

struct upkeep {
    struct mirror *mirror;
    const struct clock *clock;
    struct telemetry *telemetry;
    struct packs old;    /* superseded, not yet removed */
    uint64_t generation; /* of the share, from which on nobody reads those */
    unsigned failures;   /* in a row */
    int64_t not_before;  /* monotonic: the next attempt after a failure */

    pthread_mutex_t lock; /* over what /status shows */
    size_t pack_count;
    int64_t ran; /* wall seconds; 0: never */
    char problem[256];
};

struct upkeep *upkeep_new(struct mirror *mirror, const struct clock *clock,
                          struct telemetry *telemetry)
{
    struct upkeep *upkeep = calloc(1, sizeof *upkeep);
    if (!upkeep || pthread_mutex_init(&upkeep->lock, NULL) != 0) {
        free(upkeep);
        return NULL;
    }
    upkeep->mirror = mirror;
    upkeep->clock = clock;
    upkeep->telemetry = telemetry;
    return upkeep;
}

void upkeep_free(struct upkeep *upkeep)
{
    if (!upkeep)
        return;
    free(upkeep->old.items);
    pthread_mutex_destroy(&upkeep->lock);
    free(upkeep);
}

/* --- the packs on the disk ------------------------------------------------------------------- */

static const char pack_suffix[] = ".pack";

static bool is_pack(const char *name)
{
    struct text text = text_of(name);
    return text_starts_with(text, TEXT("pack-")) && text_ends_with(text, TEXT(".pack")) &&
           text.length - (sizeof pack_suffix - 1) < PACK_NAME_SIZE;
}

static bool packs_add(struct packs *packs, const char *file, uint64_t bytes)
{
    if (packs->count == packs->size) {
        size_t size = packs->size ? packs->size * 2 : 64;
        struct pack *items = reallocarray(packs->items, size, sizeof *items);
        if (!items)
            return false;
        packs->items = items;
        packs->size = size;
    }
    struct pack *pack = &packs->items[packs->count++];
    pack->bytes = bytes;
    snprintf(pack->name, sizeof pack->name, "%.*s", (int)(strlen(file) - (sizeof pack_suffix - 1)),
             file);
    return true;
}

static bool has_beside(int folder, const char *file, const char *suffix)
{
    char name[PACK_NAME_SIZE + 8];
    snprintf(name, sizeof name, "%.*s%s", (int)(strlen(file) - (sizeof pack_suffix - 1)), file,
             suffix);
    return faccessat(folder, name, F_OK, 0) == 0;
}

/* Without an index it is not whole yet; with a .keep beside it a person wants it as it is. */
static bool is_ours(int folder, const char *file, uint64_t *bytes)
{
    struct stat about;
    if (!is_pack(file) || !has_beside(folder, file, ".idx") || has_beside(folder, file, ".keep") ||
        fstatat(folder, file, &about, AT_SYMLINK_NOFOLLOW) != 0)
        return false;
    *bytes = (uint64_t)about.st_size;
    return true;
}

/* A descriptor of the folder of packs, or -1 with errno. */
static int open_folder(const struct upkeep *upkeep)
{
    char path[4200];
    int length = snprintf(path, sizeof path, "%sobjects/pack",
                          git_repository_path(upkeep->mirror->repository));
    if (length < 0 || (size_t)length >= sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* Lists the packs; `packs` may be NULL, to count them only. */
static enum status list_packs(int folder, struct packs *packs, size_t *count)
{
    enum status status = STATUS_OK;
    int copy = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *listing = copy >= 0 ? fdopendir(copy) : NULL;
    *count = 0;
    if (!listing) {
        if (copy >= 0)
            close(copy);
        return STATUS_SYSTEM;
    }
    for (const struct dirent *entry; (entry = readdir(listing)) && status == STATUS_OK;) {
        uint64_t bytes;
        if (!is_ours(folder, entry->d_name, &bytes))
            continue;
        ++*count;
        if (packs && packs->count < PACKS_LISTED && !packs_add(packs, entry->d_name, bytes))
            status = STATUS_NO_MEMORY;
    }
    closedir(listing);
    return status;
}

static void remove_file(int folder, const char *pack, const char *suffix)
{
    char name[PACK_NAME_SIZE + 16];
    snprintf(name, sizeof name, "%s%s", pack, suffix);
    unlinkat(folder, name, 0);
}

/* The index goes first: a pack without one is not there, an index without its pack is a fault. */
static void remove_pack(int folder, const char *pack)
{
    static const char *const suffixes[] = {".idx", ".rev", ".bitmap", ".mtimes", ".pack"};
    for (size_t i = 0; i < COUNT_OF(suffixes); i++)
        remove_file(folder, pack, suffixes[i]);
}

/* --- telling --------------------------------------------------------------------------------- */

static size_t count_descriptors(void)
{
    size_t count = 0;
    DIR *listing = opendir("/proc/self/fd");
    if (!listing)
        return 0;
    while (readdir(listing))
        count++;
    closedir(listing);
    return count > 3 ? count - 3 : 0; /* ".", ".." and the listing's own */
}

static void note_counts(struct upkeep *upkeep, size_t packs)
{
    pthread_mutex_lock(&upkeep->lock);
    upkeep->pack_count = packs;
    pthread_mutex_unlock(&upkeep->lock);
    series_set(telemetry_series(upkeep->telemetry, &family_git_packs, NULL, NULL), (int64_t)packs);
    series_set(telemetry_series(upkeep->telemetry, &family_open_descriptors, NULL, NULL),
               (int64_t)count_descriptors());
}

static void count_run(struct upkeep *upkeep, const char *result)
{
    series_add(telemetry_series(upkeep->telemetry, &family_upkeep_runs, result, NULL), 1);
}

/* The same problem is logged once. */
static void note_failure(struct upkeep *upkeep, const struct error *error)
{
    count_run(upkeep, "failed");
    upkeep->failures++;
    upkeep->not_before = upkeep->clock->monotonic(upkeep->clock->self) +
                         clock_backoff(upkeep->clock, upkeep->failures, RETRY_FIRST, RETRY_LONGEST);
    pthread_mutex_lock(&upkeep->lock);
    bool known = strcmp(upkeep->problem, error->message) == 0;
    snprintf(upkeep->problem, sizeof upkeep->problem, "%s", error->message);
    pthread_mutex_unlock(&upkeep->lock);
    if (!known)
        log_event(LOG_LEVEL_WARN, "upkeep_failed", "error", error->message, NULL);
}

static void note_success(struct upkeep *upkeep, const char *pack)
{
    char replaced[24];
    count_run(upkeep, "ok");
    upkeep->failures = 0;
    upkeep->not_before = 0;
    pthread_mutex_lock(&upkeep->lock);
    upkeep->ran = clock_seconds(upkeep->clock);
    upkeep->problem[0] = '\0';
    pthread_mutex_unlock(&upkeep->lock);
    snprintf(replaced, sizeof replaced, "%zu", upkeep->old.count);
    log_event(LOG_LEVEL_INFO, "repacked", "pack", pack, "replaces", replaced, NULL);
}

void upkeep_write_status(struct upkeep *upkeep, struct buffer *out)
{
    pthread_mutex_lock(&upkeep->lock);
    buffer_printf(out, "{\"packs\":%zu,\"problem\":", upkeep->pack_count);
    if (upkeep->problem[0])
        json_write_string(out, text_of(upkeep->problem));
    else
        buffer_append_string(out, "null");
    buffer_append_string(out, ",\"ran\":");
    char ran[TIME_TEXT_SIZE];
    time_format(upkeep->ran, ran);
    if (upkeep->ran)
        json_write_string(out, text_of(ran));
    else
        buffer_append_string(out, "null");
    buffer_append_char(out, '}');
    pthread_mutex_unlock(&upkeep->lock);
}

/* --- packing anew ---------------------------------------------------------------------------- */

/* The name that git printed, as "pack-DIGITS". */
static bool read_name(const struct child *child, char name[PACK_NAME_SIZE])
{
    size_t digits = strspn(child->output, "0123456789abcdef");
    if ((digits != 40 && digits != 64) || child->output[digits] != '\n' ||
        child->output[digits + 1])
        return false;
    snprintf(name, PACK_NAME_SIZE, "pack-%.*s", (int)digits, child->output);
    return true;
}

static int by_size(const void *a, const void *b)
{
    const struct pack *one = a, *other = b;
    return (one->bytes > other->bytes) - (one->bytes < other->bytes);
}

/* How many of the packs, sorted by size, become one: what stays is each at least twice as large as
 * all before it together. */
static size_t choose(const struct packs *packs)
{
    size_t split = packs->count;
    while (split > 1 && packs->items[split - 1].bytes / 2 >= packs->items[split - 2].bytes)
        split--;
    uint64_t total = 0;
    for (size_t i = 0; i < split; i++)
        total += packs->items[i].bytes;
    while (split < packs->count && packs->items[split].bytes / 2 < total)
        total += packs->items[split++].bytes;
    return split;
}

/* The list that git reads: what is taken, and after a "^" what is there already. -1 with errno. */
static int write_list(const struct packs *packs, size_t taken)
{
    struct buffer list;
    int file = -1;
    buffer_init(&list, 0);
    for (size_t i = 0; i < packs->count; i++)
        buffer_printf(&list, "%s%s.pack\n", i < taken ? "" : "^", packs->items[i].name);
    errno = ENOMEM;
    if (!list.failed)
        file = child_file(buffer_text(&list));
    buffer_dispose(&list);
    return file;
}

/* One pack of what `list` names, beside those that are there. One thread and little memory: the
 * machine has flags to serve. */
static enum status pack_list(const struct upkeep *upkeep, int list, _Atomic bool *stop,
                             char name[PACK_NAME_SIZE], struct error *error)
{
    const char *folder = git_repository_path(upkeep->mirror->repository);
    char place[4200], prefix[4200];
    snprintf(place, sizeof place, "--git-dir=%s", folder);
    snprintf(prefix, sizeof prefix, "%sobjects/pack/pack", folder);
    const char *const arguments[] = {"git",
                                     place,
                                     "-c",
                                     "safe.directory=*",
                                     "-c",
                                     "pack.threads=1",
                                     "-c",
                                     "pack.windowMemory=64m",
                                     "pack-objects",
                                     "-q",
                                     "--stdin-packs",
                                     "--delta-base-offset",
                                     "--non-empty",
                                     prefix,
                                     NULL};
    struct child child = {

        .arguments = arguments, .input = list, .patience = PATIENCE_MS, .stop = stop};
    enum status status = child_run(&child, error);
    if (status == STATUS_NOT_FOUND)
        return error_set(error, status,
                         "the clone cannot be packed: there is no \"git\" on PATH: install it, or "
                         "fetches become slower with time");
    if (status != STATUS_OK)
        return status;
    child.problem[strcspn(child.problem, "\r\n")] = '\0';
    if (child.code != 0)
        return error_set(error, STATUS_SYSTEM, "git pack-objects failed: %.180s", child.problem);
    if (!read_name(&child, name))
        return error_set(error, STATUS_SYSTEM, "git pack-objects named no pack");
    return STATUS_OK;
}

/* The new pack must be on the disk before any of the old leaves it. */
static enum status settle(int folder, const char *name, struct error *error)
{
    char file[PACK_NAME_SIZE + 8];
    snprintf(file, sizeof file, "%s.idx", name);
    if (faccessat(folder, file, R_OK, 0) != 0)
        return error_set(error, STATUS_SYSTEM, "git pack-objects left no \"%.80s\"", file);
    if (fsync(folder) != 0)
        return error_set(error, STATUS_SYSTEM, "the folder of packs cannot be synced: %s",
                         strerror(errno));
    return STATUS_OK;
}

static void forget(struct packs *packs, const char *name)
{
    for (size_t i = 0; i < packs->count; i++) {
        if (strcmp(packs->items[i].name, name) == 0) {
            packs->items[i] = packs->items[--packs->count];
            return;
        }
    }
}

/* Packs what is small; the packs that this replaces end up in upkeep->old. */
static enum status pack_small(struct upkeep *upkeep, int folder, _Atomic bool *stop,
                              char name[PACK_NAME_SIZE], struct error *error)
{
    size_t count;
    struct packs *packs = &upkeep->old;
    /* Listed first: what comes in while git packs is not in the new pack. */
    enum status status = list_packs(folder, packs, &count);
    if (status != STATUS_OK)
        return error_set(error, status, "the packs of the clone cannot be listed");
    qsort(packs->items, packs->count, sizeof *packs->items, by_size);
    size_t taken = choose(packs);
    int list = write_list(packs, taken);
    if (list < 0)
        return error_set(error, STATUS_SYSTEM, "the packs of the clone cannot be listed: %s",
                         strerror(errno));
    packs->count = taken;
    status = pack_list(upkeep, list, stop, name, error);
    close(list);
    return status == STATUS_OK ? settle(folder, name, error) : status;
}

/* A git that was killed, for its time or by the machine for its memory, leaves what it had written:
 * as much as the clone, at each attempt. This thread is the only one that writes packs. */
static void remove_halves(const struct upkeep *upkeep)
{
    char path[4200];
    int length = snprintf(path, sizeof path, "%sobjects/pack",
                          git_repository_path(upkeep->mirror->repository));
    if (length > 0 && (size_t)length < sizeof path)
        leftovers_remove(path);
}

static void repack(struct upkeep *upkeep, int folder, _Atomic bool *stop)
{
    struct error error = {0};
    char name[PACK_NAME_SIZE];
    enum status status = pack_small(upkeep, folder, stop, name, &error);
    if (status != STATUS_OK) {
        upkeep->old.count = 0;
        remove_halves(upkeep);
    }
    if (status == STATUS_STOPPED)
        return;
    if (status != STATUS_OK) {
        note_failure(upkeep, &error);
        return;
    }
    forget(&upkeep->old, name);
    note_success(upkeep, name);
    upkeep->generation = share_renew(upkeep->mirror->share);
}

/* Removes the old packs once nobody reads them; false when somebody still may. */
static bool sweep(struct upkeep *upkeep, int folder)
{
    struct error error = {0};
    if (mirror_refresh(upkeep->mirror, &error) != STATUS_OK)
        log_event(LOG_LEVEL_WARN, "reopen_failed", "error", error.message, NULL);
    if (!share_has_reached(upkeep->mirror->share, upkeep->generation))
        return false;
    for (size_t i = 0; i < upkeep->old.count; i++)
        remove_pack(folder, upkeep->old.items[i].name);
    upkeep->old.count = 0;
    return true;
}

bool upkeep_turn(struct upkeep *upkeep, _Atomic bool *stop)
{
    size_t count = 0;
    int folder = open_folder(upkeep);
    if (folder < 0)
        return false;
    bool swept = upkeep->old.count == 0 || sweep(upkeep, folder);
    list_packs(folder, NULL, &count);
    if (swept && count > UPKEEP_PACKS &&
        upkeep->clock->monotonic(upkeep->clock->self) >= upkeep->not_before) {
        repack(upkeep, folder, stop);
        swept = upkeep->old.count == 0 || sweep(upkeep, folder);
        list_packs(folder, NULL, &count);
    }
    note_counts(upkeep, count);
    close(folder);
    return !swept;
}
