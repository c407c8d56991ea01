#include "mirror.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>

#include "mirror_private.h"
#include "owner.h"
#include "stream.h"
#include "url.h"

#define PATIENCE_MS 30000
#define OPEN_PACKS ((size_t)64)         /* every fetch adds one, and libgit2 would keep all open */
#define PACK_OBJECTS ((size_t)50000000) /* in one pack, whoever sends it */
#define REFSPEC "+refs/heads/*:" REF_REMOTE "*"

/* --- libgit2 --------------------------------------------------------------------------------- */

enum status mirror_startup(struct error *error)
{
    if (git_libgit2_init() < 0)
        return mirror_fail(error, STATUS_SYSTEM, "libgit2 does not start");
    enum status status = stream_register(error);
    /* A ref must not outlive a power cut that the objects behind it did not. */
    if (status == STATUS_OK && (git_libgit2_opts(GIT_OPT_SET_MWINDOW_FILE_LIMIT, OPEN_PACKS) != 0 ||
                                git_libgit2_opts(GIT_OPT_SET_PACK_MAX_OBJECTS, PACK_OBJECTS) != 0 ||
                                git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, 1) != 0))
        status = mirror_fail(error, STATUS_SYSTEM, "libgit2 does not take its settings");
    if (status != STATUS_OK)
        git_libgit2_shutdown();
    return status;
}

void mirror_shutdown(void)
{
    git_libgit2_shutdown();
}

enum status mirror_fail(struct error *error, enum status status, const char *format, ...)
{
    const git_error *last = git_error_last();
    if (last && last->klass == GIT_ERROR_NOMEMORY)
        status = STATUS_NO_MEMORY;
    if (!error)
        return status;
    char message[sizeof error->message];
    struct buffer words;
    va_list arguments;
    va_start(arguments, format);
    if (vsnprintf(message, sizeof message, format, arguments) < 0)
        message[0] = '\0';
    va_end(arguments);
    buffer_init(&words, 0);
    if (last && last->klass != GIT_ERROR_NONE && last->message && last->message[0]) {
        buffer_append_string(&words, ": ");
        url_append_public(&words, text_of(last->message));
    }
    for (size_t i = 0; i < words.length; i++) {
        if ((unsigned char)words.data[i] < 0x20 || words.data[i] == 0x7f)
            words.data[i] = ' ';
    }
    while (words.length &&
           (words.data[words.length - 1] == ' ' || words.data[words.length - 1] == '.'))
        words.length--;
    error_set(error, status, "%s%.*s", message, (int)words.length, words.data ? words.data : "");
    buffer_dispose(&words);
    return status;
}

/* --- ids ------------------------------------------------------------------------------------- */

enum status mirror_parse_id(const char *commit, git_oid *out, struct error *error)
{
    if (strlen(commit) != GIT_OID_HEXSZ || git_oid_fromstr(out, commit) != 0)
        return error_set(error, STATUS_INVALID, "\"%.60s\" is not a full commit id", commit);
    return STATUS_OK;
}

void mirror_format_id(const git_oid *id, char out[COMMIT_TEXT_SIZE])
{
    git_oid_tostr(out, COMMIT_TEXT_SIZE, id);
}

enum status mirror_lookup_commit(struct mirror *mirror, const char *commit, git_commit **out,
                                 struct error *error)
{
    git_oid id;
    enum status status = mirror_parse_id(commit, &id, error);
    if (status != STATUS_OK)
        return status;
    int code = git_commit_lookup(out, mirror->repository, &id);
    if (code == 0)
        return STATUS_OK;
    if (code != GIT_ENOTFOUND)
        return mirror_fail(error, STATUS_SYSTEM, "commit %s cannot be read", commit);
    git_object *object;
    if (git_object_lookup(&object, mirror->repository, &id, GIT_OBJECT_ANY) != 0)
        return error_set(error, STATUS_NOT_FOUND, "there is no commit %s", commit);
    git_object_free(object);
    return error_set(error, STATUS_INVALID, "%s is not a commit", commit);
}

/* --- opening --------------------------------------------------------------------------------- */

static struct mirror *new_mirror(const char *shown)
{
    struct mirror *mirror = calloc(1, sizeof *mirror);
    struct buffer hidden;
    if (!mirror)
        return NULL;
    if (pthread_mutex_init(&mirror->reading, NULL) != 0) {
        free(mirror);
        return NULL;
    }
    mirror->patience = PATIENCE_MS;
    buffer_init(&hidden, 0);
    url_append_public(&hidden, text_of(shown));
    mirror->shown = buffer_take(&hidden, NULL);
    buffer_dispose(&hidden);
    if (mirror->shown)
        return mirror;
    mirror_close(mirror);
    return NULL;
}

void mirror_close(struct mirror *mirror)
{
    if (!mirror)
        return;
    if (mirror->share)
        share_leave(mirror->share, mirror);
    git_repository_free(mirror->repository);
    pthread_mutex_destroy(&mirror->reading);
    free(mirror->levels.slots);
    free(mirror->intents);
    free(mirror->verified);
    free(mirror->shown);
    free(mirror->url);
    free(mirror);
}

/* libgit2 refuses what belongs to another user, since that user could make it run anything. */
static enum status refuse_owner(const char *path, struct error *error)
{
    return error_set(
        error, STATUS_REFUSED,
        "\"%.80s\" belongs to another user: change its owner, or run git config --global --add "
        "safe.directory \"%.80s\"",
        path, path);
}

/* Is there nothing in the folder, or no folder? */
static enum status is_vacant(const char *folder, bool *vacant, struct error *error)
{
    const struct dirent *entry;
    DIR *listing = opendir(folder);
    *vacant = true;
    if (!listing && errno == ENOENT)
        return STATUS_OK;
    if (!listing)
        return error_set(error, STATUS_SYSTEM, "\"%.160s\" cannot be opened: %s", folder,
                         strerror(errno));
    while ((entry = readdir(listing))) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            *vacant = false;
    }
    closedir(listing);
    return STATUS_OK;
}

static enum status open_clone(struct mirror *mirror, const char *folder, struct error *error)
{
    const unsigned flags = GIT_REPOSITORY_OPEN_BARE | GIT_REPOSITORY_OPEN_NO_SEARCH;
    bool vacant;
    enum status status = is_vacant(folder, &vacant, error);
    if (status != STATUS_OK)
        return status;
    if (vacant) {
        git_repository_init_options options;
        git_repository_init_options_init(&options, GIT_REPOSITORY_INIT_OPTIONS_VERSION);
        options.flags =
            GIT_REPOSITORY_INIT_BARE | GIT_REPOSITORY_INIT_MKPATH | GIT_REPOSITORY_INIT_NO_REINIT;
        if (git_repository_init_ext(&mirror->repository, folder, &options) != 0)
            return mirror_fail(error, STATUS_SYSTEM, "no clone can be made in \"%.120s\"", folder);
        return STATUS_OK;
    }
    owner_begin(NULL, folder);
    int code = git_repository_open_ext(&mirror->repository, folder, flags, NULL);
    owner_end();
    if (code == 0 && git_repository_is_bare(mirror->repository))
        return STATUS_OK;
    if (owner_was_refused(code))
        return refuse_owner(folder, error);
    if (code == 0 || code == GIT_ENOTFOUND)
        return error_set(error, STATUS_REFUSED,
                         "\"%.120s\" is not empty and is not a clone made by weir: move it away, "
                         "or choose another "
                         "folder",
                         folder);
    return mirror_fail(error, STATUS_SYSTEM, "the clone in \"%.120s\" cannot be opened", folder);
}

/* The clone's own configuration, libgit2's code: what users and the machine have set is no matter
 * of the clone, and never to be written to. */
static int open_config(const struct mirror *mirror, git_config **out)
{
    git_config *all = NULL;
    *out = NULL;
    int code = git_repository_config(&all, mirror->repository);
    if (code == 0)
        code = git_config_open_level(out, all, GIT_CONFIG_LEVEL_LOCAL);
    git_config_free(all);
    return code;
}

/* The URL in the clone's configuration, as it was written there; empty: there is none. */
static enum status read_origin(struct mirror *mirror, git_buf *url, struct error *error)
{
    git_config *config = NULL;
    int code = open_config(mirror, &config);
    if (code == 0)
        code = git_config_get_string_buf(url, config, "remote.origin.url");
    git_config_free(config);
    if (code != 0 && code != GIT_ENOTFOUND)
        return mirror_fail(error, STATUS_SYSTEM, "the clone's configuration cannot be read");
    return STATUS_OK;
}

/* For a person who looks into the clone with the git program, and for us at the next start. */
static enum status write_origin(struct mirror *mirror, struct error *error)
{
    git_config *config = NULL;
    int code = open_config(mirror, &config);
    if (code == 0)
        code = git_config_set_string(config, "remote.origin.fetch", REFSPEC);
    if (code == 0)
        code = git_config_set_string(config, "remote.origin.url", mirror->shown);
    git_config_free(config);
    return code == 0
               ? STATUS_OK
               : mirror_fail(error, STATUS_SYSTEM, "the clone's configuration cannot be written");
}

static enum status settle_origin(struct mirror *mirror, const char *folder, struct error *error)
{
    git_buf url = GIT_BUF_INIT;
    enum status status = read_origin(mirror, &url, error);
    if (status == STATUS_OK && url.size == 0)
        status = write_origin(mirror, error);
    else if (status == STATUS_OK && strcmp(url.ptr, mirror->shown) != 0)
        status =
            error_set(error, STATUS_REFUSED,
                      "\"%.70s\" is a clone of \"%.60s\", not of \"%.60s\": choose another folder",
                      folder, url.ptr, mirror->shown);
    git_buf_dispose(&url);
    return status;
}

enum status mirror_open(const char *folder, const char *url, struct mirror **out,
                        struct error *error)
{
    enum status status;
    *out = NULL;
    if (!url[0])
        return error_set(error, STATUS_INVALID, "the repository's URL or path is empty");
    char *absolute = url_absolute(url);
    struct mirror *mirror = absolute ? new_mirror(absolute) : NULL;
    if (!mirror) {
        free(absolute);
        return error_set(error, STATUS_NO_MEMORY, "no memory to open \"%.120s\"", folder);
    }
    mirror->url = absolute;
    struct mirror_share *share = share_new();
    if (share)
        share_join(share, mirror);
    status = share ? open_clone(mirror, folder, error)
                   : error_set(error, STATUS_NO_MEMORY, "no memory to open \"%.120s\"", folder);
    if (status == STATUS_OK)
        status = settle_origin(mirror, folder, error);
    if (status == STATUS_OK)
        *out = mirror;
    else
        mirror_close(mirror);
    return status;
}

/* --- further handles ------------------------------------------------------------------------- */

/* The clone of `mirror`, opened once more. */
static enum status open_again(const struct mirror *mirror, git_repository **out,
                              struct error *error)
{
    const char *folder = git_repository_path(mirror->repository);
    *out = NULL;
    owner_begin(NULL, folder);
    int code = git_repository_open_bare(out, folder);
    owner_end();
    return code == 0 ? STATUS_OK
                     : mirror_fail(error, STATUS_SYSTEM, "the clone in \"%.120s\" cannot be opened",
                                   folder);
}

enum status mirror_open_beside(struct mirror *first, struct mirror **out, struct error *error)
{
    struct mirror *mirror = new_mirror(first->shown);
    *out = NULL;
    if (mirror && first->url)
        mirror->url = strdup(first->url);
    if (!mirror || (first->url && !mirror->url)) {
        mirror_close(mirror);
        return error_set(error, STATUS_NO_MEMORY, "no memory to open \"%.120s\"", first->shown);
    }
    if (first->share) /* before it is opened: what it reads then cannot be swept from under it */
        share_join(first->share, mirror);
    mirror->access = first->access;
    mirror->patience = first->patience;
    enum status status = open_again(first, &mirror->repository, error);
    if (status == STATUS_OK)
        *out = mirror;
    else
        mirror_close(mirror);
    return status;
}

bool mirror_is_stale(const struct mirror *mirror)
{
    return mirror->share && share_is_stale(mirror->share, mirror);
}

enum status mirror_refresh(struct mirror *mirror, struct error *error)
{
    git_repository *opened;
    if (!mirror_is_stale(mirror))
        return STATUS_OK;
    uint64_t generation = share_generation(mirror->share);
    enum status status = open_again(mirror, &opened, error);
    if (status != STATUS_OK)
        return status;
    git_repository_free(mirror->repository);
    mirror->repository = opened;
    share_reach(mirror->share, mirror, generation);
    return STATUS_OK;
}

enum status mirror_open_local(const char *path, struct mirror **out, struct error *error)
{
    enum status status;
    struct mirror *mirror = new_mirror(path);
    *out = NULL;
    if (!mirror)
        return error_set(error, STATUS_NO_MEMORY, "no memory to open \"%.120s\"", path);
    owner_begin(NULL, path);
    int code =
        git_repository_open_ext(&mirror->repository, path, GIT_REPOSITORY_OPEN_NO_SEARCH, NULL);
    owner_end();
    if (code == 0) {
        *out = mirror;
        return STATUS_OK;
    }
    if (owner_was_refused(code))
        status = refuse_owner(mirror->shown, error);
    else if (code == GIT_ENOTFOUND)
        status =
            error_set(error, STATUS_NOT_FOUND, "\"%.160s\" is not a git repository", mirror->shown);
    else
        status = mirror_fail(error, STATUS_SYSTEM, "repository \"%.120s\" cannot be opened",
                             mirror->shown);
    mirror_close(mirror);
    return status;
}

void mirror_set_patience(struct mirror *mirror, unsigned milliseconds)
{
    mirror->patience = milliseconds;
}

void mirror_set_access(struct mirror *mirror, const struct git_access *access)
{
    mirror->access = access;
}
