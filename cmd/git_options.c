#include "git_options.h"

#include "serving_options.h"

static int set_texts(struct git_access *git, const struct arguments *arguments)
{
    const struct {
        const char *option;
        char **member;
        enum status (*set)(char **member, const char *text, struct error *error);
    } texts[] = {
        {"git-ca", &git->ca_file, config_set_path},
        {"git-proxy", &git->proxy, config_set_text},
        {"git-token-env", &git->token_variable, config_set_text},
        {"git-token-file", &git->token_file, config_set_path},
        {"git-user", &git->user, config_set_text},
        {"ssh-key", &git->ssh_key, config_set_path},
        {"ssh-known-hosts", &git->ssh_known_hosts, config_set_path},
        {"ssh-passphrase-file", &git->ssh_passphrase_file, config_set_path},
    };
    struct error error;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        const char *value = argument_given(arguments, texts[i].option);
        if (value && texts[i].set(texts[i].member, value, &error) != STATUS_OK)
            return serving_refuse(texts[i].option, &error);
    }
    return EXIT_FINE;
}

int git_configure(struct config *config, const struct arguments *arguments)
{
    const char *timeout = argument_given(arguments, "git-timeout");
    struct error error;
    int code = set_texts(&config->git, arguments);
    if (code == EXIT_FINE && timeout &&
        config_set_git_timeout(config, timeout, &error) != STATUS_OK)
        code = serving_refuse("git-timeout", &error);
    for (size_t i = 0; i < argument_count(arguments, "safe-directory") && code == EXIT_FINE; i++) {
        const char *folder = argument_at(arguments, "safe-directory", i);
        if (config_safe_directory(config, folder, &error) != STATUS_OK)
            code = serving_refuse("safe-directory", &error);
    }
    return code;
}
