#include "identity.h"

#include <stdio.h>
#include <stdlib.h>

#include "mirror_private.h"

/* --- Git's configuration --------------------------------------------------------------------- */

/* What cannot be read is left out, as if it were not there. */
static void add_file(git_config *config, const char *path, git_config_level_t level)
{
    if (path[0])
        git_config_add_file_ondisk(config, path, level, NULL, 0);
}

static void add_found(git_config *config, int (*find)(git_buf *), git_config_level_t level)
{
    git_buf path = GIT_BUF_INIT;
    if (find(&path) == 0)
        add_file(config, path.ptr, level);
    git_buf_dispose(&path);
}

static void add_repository(git_config *config, const char *folder)
{
    git_repository *repository = NULL;
    char path[4200];
    if (git_repository_open_ext(&repository, folder, 0, NULL) == 0) {
        int length = snprintf(path, sizeof path, "%sconfig", git_repository_commondir(repository));
        if (length > 0 && (size_t)length < sizeof path)
            add_file(config, path, GIT_CONFIG_LEVEL_LOCAL);
    }
    git_repository_free(repository);
}

/* git takes "0", "no" and "false" for no. */
static bool is_set(const char *variable)
{
    int yes = 0;
    const char *value = getenv(variable);
    return value && (git_config_parse_bool(&yes, value) != 0 || yes);
}

static git_config *open_config(const char *folder)
{
    git_config *config = NULL;
    const char *global = getenv("GIT_CONFIG_GLOBAL");
    if (git_config_new(&config) != 0)
        return NULL;
    if (!is_set("GIT_CONFIG_NOSYSTEM"))
        add_found(config, git_config_find_system, GIT_CONFIG_LEVEL_SYSTEM);
    if (global) {
        add_file(config, global, GIT_CONFIG_LEVEL_GLOBAL);
    } else {
        add_found(config, git_config_find_xdg, GIT_CONFIG_LEVEL_XDG);
        add_found(config, git_config_find_global, GIT_CONFIG_LEVEL_GLOBAL);
    }
    add_repository(config, folder);
    return config;
}

/* False when it is not there, or does not fit. */
static bool get_text(git_config *config, const char *name, char *out, size_t size)
{
    git_buf value = GIT_BUF_INIT;
    bool found =
        git_config_get_string_buf(&value, config, name) == 0 && value.size > 0 && value.size < size;
    if (found)
        memcpy(out, value.ptr, value.size + 1);
    git_buf_dispose(&value);
    return found;
}

/* --- the author ------------------------------------------------------------------------------ */

static enum status parse_author(const char *author, struct identity *out, struct error *error)
{
    const char *open = strrchr(author, '<');
    size_t length = strlen(author), name = open ? (size_t)(open - author) : 0;
    while (name > 0 && author[name - 1] == ' ')
        name--;
    size_t mail = open ? length - (size_t)(open - author) : 0; /* with < and > */
    if (name == 0 || name >= sizeof out->name || mail < 3 || mail - 2 >= sizeof out->mail ||
        author[length - 1] != '>')
        return error_set(error, STATUS_INVALID, "\"%.120s\" is not \"NAME <MAIL>\"", author);
    memcpy(out->name, author, name);
    out->name[name] = '\0';
    memcpy(out->mail, open + 1, mail - 2);
    out->mail[mail - 2] = '\0';
    return STATUS_OK;
}

static bool get_part(git_config *config, const char *variable, const char *setting, char *out,
                     size_t size)
{
    const char *value = getenv(variable);
    if (!value || !value[0] || strlen(value) >= size)
        return get_text(config, setting, out, size);
    memcpy(out, value, strlen(value) + 1);
    return true;
}

static enum status find_author(git_config *config, struct identity *out, struct error *error)
{
    if (get_part(config, "GIT_AUTHOR_NAME", "user.name", out->name, sizeof out->name) &&
        get_part(config, "GIT_AUTHOR_EMAIL", "user.email", out->mail, sizeof out->mail))
        return STATUS_OK;
    return error_set(error, STATUS_INVALID,
                     "whose commit is it? use --author \"NAME <MAIL>\", or tell git: git config "
                     "--global user.name \"NAME\", and user.email");
}

/* --- the key --------------------------------------------------------------------------------- */

static bool is_key_itself(const char *value)
{
    return strncmp(value, "key::", 5) == 0 || strncmp(value, "ssh-", 4) == 0 ||
           strncmp(value, "ecdsa-", 6) == 0 || strncmp(value, "sk-", 3) == 0;
}

static enum status find_key(git_config *config, struct identity *out, struct error *error)
{
    char format[16], value[IDENTITY_KEY_MAX];
    git_buf path = GIT_BUF_INIT;
    int wanted = 0;
    if (git_config_get_bool(&wanted, config, "commit.gpgSign") != 0 || !wanted)
        return STATUS_OK;
    if (!get_text(config, "gpg.format", format, sizeof format) || strcmp(format, "ssh") != 0)
        return error_set(error, STATUS_INVALID,
                         "git's commit.gpgSign wants commits signed, and gpg.format is not ssh: "
                         "weir signs by SSH, use --sign-key FILE");
    if (!get_text(config, "user.signingKey", value, sizeof value))
        return error_set(error, STATUS_INVALID,
                         "git's commit.gpgSign wants commits signed: set git's user.signingKey, or "
                         "use --sign-key FILE");
    if (is_key_itself(value))
        return error_set(error, STATUS_INVALID,
                         "git's user.signingKey holds a key: name its file by --sign-key FILE");
    int code = git_config_get_path(&path, config, "user.signingKey"); /* knows "~/" */
    enum status status = STATUS_OK;
    if (code != 0 || path.size >= sizeof out->key)
        status = error_set(error, STATUS_INVALID, "git's user.signingKey \"%.100s\" is not a path",
                           value);
    else
        memcpy(out->key, path.ptr, path.size + 1);
    git_buf_dispose(&path);
    return status;
}

/* Who may sign: only asked for by those who need it, so nothing is wrong with none. */
static void find_signers(git_config *config, struct identity *out)
{
    git_buf path = GIT_BUF_INIT;
    if (git_config_get_path(&path, config, "gpg.ssh.allowedSignersFile") == 0 &&
        path.size < sizeof out->signers)
        memcpy(out->signers, path.ptr, path.size + 1);
    git_buf_dispose(&path);
}

/* --- all of it ------------------------------------------------------------------------------- */

enum status identity_find(const char *author, const char *key, const char *folder,
                          struct identity *out, struct error *error)
{
    *out = (struct identity){0};
    git_config *config = open_config(folder);
    if (!config)
        return error_set(error, STATUS_NO_MEMORY, "no memory for git's configuration");
    enum status status =
        author ? parse_author(author, out, error) : find_author(config, out, error);
    if (status == STATUS_OK && key && strlen(key) >= sizeof out->key)
        status = error_set(error, STATUS_INVALID, "the path of the key is too long");
    else if (status == STATUS_OK && key)
        memcpy(out->key, key, strlen(key) + 1);
    else if (status == STATUS_OK)
        status = find_key(config, out, error);
    find_signers(config, out);
    git_config_free(config);
    return status;
}

struct record_person identity_person(const struct identity *identity)
{
    return (struct record_person){.name = identity->name, .mail = identity->mail};
}
