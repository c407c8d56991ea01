#include "recording.h"

#include <unistd.h>

#include "../controller/git/access.h"
#include "../controller/git/url.h"

void recording_init(struct recording *recording)
{
    *recording = (struct recording){0};
    config_init(&recording->config);
    buffer_init(&recording->shown, 0);
}

void recording_dispose(struct recording *recording)
{
    if (recording->is_open)
        mirror_shutdown();
    recording->is_open = false;
    buffer_dispose(&recording->shown);
    config_dispose(&recording->config);
}

int recording_configure(struct recording *recording, const struct arguments *arguments,
                        decide_callback *callback, void *context)
{
    struct config *config = &recording->config;
    struct error error = {0};
    int code = git_configure(config, arguments);
    if (code != EXIT_FINE)
        return code;
    if (config_set_repo(config, argument_given(arguments, "repo"), &error) != STATUS_OK ||
        git_access_check(&config->git, config->repo, &error) != STATUS_OK)
        return command_fail("%s", error.message);
    recording->decide = (struct decide){.branch = argument_given(arguments, "branch"),
                                        .clock = &system_clock,
                                        .dry = argument_flag(arguments, "dry-run"),
                                        .decide = callback,
                                        .context = context};
    url_append_public(&recording->shown, text_of(config->repo));
    return buffer_string(&recording->shown) ? EXIT_FINE : command_fail("no memory");
}

static enum status identify(struct recording *recording, const struct arguments *arguments,
                            struct error *error)
{
    const char *url = recording->config.repo;
    const char *folder = access(url, F_OK) == 0 ? url : ".";
    enum status status =
        identity_find(argument_given(arguments, "author"), argument_given(arguments, "sign-key"),
                      folder, &recording->identity, error);
    if (status != STATUS_OK)
        return status;
    recording->decide.author = recording->decide.committer = identity_person(&recording->identity);
    recording->key.file = recording->identity.key;
    if (recording->identity.key[0])
        recording->decide.key = &recording->key;
    return STATUS_OK;
}

enum status recording_open(struct recording *recording, const struct arguments *arguments,
                           struct error *error)
{
    enum status status = mirror_startup(error);
    if (status != STATUS_OK)
        return status;
    recording->is_open = true;
    status = git_access_install(&recording->config.git, error);
    return status == STATUS_OK ? identify(recording, arguments, error) : status;
}

enum status recording_run(struct recording *recording, clone_work *work, void *context,
                          struct error *error)
{
    return clone_run(recording->config.repo, &recording->config.git, work, context, error);
}

enum status recording_decide(void *recording, struct mirror *mirror, _Atomic bool *stop,
                             struct error *error)
{
    struct decide *options = &((struct recording *)recording)->decide;
    options->mirror = mirror;
    options->stop = stop;
    return decide(options, error);
}
