#include "unit.h"

#include <unistd.h>

#include "../../controller/config.h"
#include "../../rules/codes.h"

static struct config config;
static struct diagnostics diagnostics;
static struct error error;
static char folder[64], file[96], working[4096];

/* Reads `yaml` into `config`, over what stands there. */
static enum status read_yaml(const char *yaml)
{
    FILE *out = fopen(file, "wb");
    ck_assert_ptr_nonnull(out);
    ck_assert_int_ge(fputs(yaml, out), 0);
    ck_assert_int_eq(fclose(out), 0);
    return config_read(&config, file, &diagnostics, &error);
}

static void begin(void)
{
    snprintf(folder, sizeof folder, "/tmp/weir-config-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(file, sizeof file, "%s/weir.yaml", folder);
    ck_assert_ptr_nonnull(getcwd(working, sizeof working));
    config_init(&config);
    diagnostics_init(&diagnostics);
}

static void end(void)
{
    unlink(file);
    rmdir(folder);
    config_dispose(&config);
    diagnostics_dispose(&diagnostics);
}

START_TEST(test_ssh_fields)
{
    begin();
    ck_assert_int_eq(read_yaml("repo: git@git.example.com:flags.git\n"
                               "ssh-key: /etc/weir/key\n"
                               "ssh-passphrase-file: /etc/weir/passphrase\n"
                               "ssh-known-hosts: /etc/weir/hosts\n"),
                     STATUS_OK);
    ck_assert_int_eq(config_finish(&config, &error), STATUS_OK);
    ck_assert_str_eq(config.git.ssh_key, "/etc/weir/key");
    ck_assert_str_eq(config.git.ssh_passphrase_file, "/etc/weir/passphrase");
    ck_assert_str_eq(config.git.ssh_known_hosts, "/etc/weir/hosts");
    end();
}
END_TEST

/* "WORKING/rest" */
static const char *here(const char *rest)
{
    static char path[4200];
    snprintf(path, sizeof path, "%s/%s", working, rest);
    return path;
}

static void assert_fault(const char *yaml, const char *code, uint32_t line, uint32_t column,
                         const char *words)
{
    begin();
    ck_assert_int_eq(read_yaml(yaml), STATUS_INVALID);
    ck_assert_uint_ge(diagnostics.count, 1);
    const struct diagnostic *first = &diagnostics.items[0];
    ck_assert_msg(strcmp(first->code, code) == 0, "%s: %s", first->code, first->message.data);
    ck_assert_msg(first->place.line == line && first->place.column == column, "at %u:%u",
                  first->place.line, first->place.column);
    ck_assert_msg(memmem(first->message.data, first->message.length, words, strlen(words)) != NULL,
                  "%s", first->message.data);
    ck_assert(text_is(first->place.path, file));
    ck_assert_uint_gt(first->excerpt.length, 0);
    end();
}

START_TEST(test_every_field)
{
    begin();
    enum status status = read_yaml("repo: https://git.example.com/flags.git\n"
                                   "branch: main\n"
                                   "listen: 0.0.0.0:80\n"
                                   "data: /var/lib/../lib/weir/\n"
                                   "poll: 250ms\n"
                                   "default-environment: production\n"
                                   "http-threads: 3\n"
                                   "blast-cap: 20\n"
                                   "git-user: robot\n"
                                   "git-token-file: token.txt\n"
                                   "git-ca: /etc/ca.pem\n"
                                   "git-proxy: http://proxy:3128\n"
                                   "git-timeout: 90s\n"
                                   "safe-directory: [\"*\", x/../flags.git]\n"
                                   "ca-file: certificates/../ca.pem\n"
                                   "allow-path: [out/./files, /srv//flags]\n"
                                   "allow-host: [redis.internal, \"[::1]:6379\"]\n"
                                   "secrets:\n"
                                   "  cache: {file: secret.txt, hosts: [\"redis.internal:6379\"]}\n"
                                   "  other: {env: OTHER, hosts: [a, b]}\n"
                                   "hooks:\n"
                                   "  github: {secretFile: hook.txt}\n"
                                   "  gitea: {secretEnv: GITEA_HOOK}\n"
                                   "log-format: json\n"
                                   "log-level: warn\n");
    ck_assert_int_eq(status, STATUS_OK);
    ck_assert_int_eq(config_finish(&config, &error), STATUS_OK);
    ck_assert_str_eq(config.repo, "https://git.example.com/flags.git");
    ck_assert_str_eq(config.branch, "main");
    ck_assert_str_eq(config.listen, "0.0.0.0:80");
    ck_assert_str_eq(config.data, "/var/lib/weir");
    ck_assert_int_eq(config.poll, 250000000);
    ck_assert_str_eq(config.default_environment, "production");
    ck_assert_uint_eq(config.http_threads, 3);
    ck_assert_uint_eq(config.blast_cap, 20);
    ck_assert_str_eq(config.git.user, "robot");
    ck_assert_str_eq(config.git.token_file, here("token.txt"));
    ck_assert_str_eq(config.git.ca_file, "/etc/ca.pem");
    ck_assert_str_eq(config.git.proxy, "http://proxy:3128");
    ck_assert_int_eq(config.git.timeout, INT64_C(90000000000));
    ck_assert_uint_eq(config.git.safe_directory_count, 2);
    ck_assert_str_eq(config.git.safe_directories[0], "*");
    ck_assert_str_eq(config.git.safe_directories[1], here("flags.git"));
    ck_assert_str_eq(config.reach.ca_file, here("ca.pem"));
    ck_assert_uint_eq(config.reach.path_count, 2);
    ck_assert_str_eq(config.reach.paths[0], here("out/files"));
    ck_assert_str_eq(config.reach.paths[1], "/srv/flags");
    ck_assert_str_eq(config.reach.base, "/var/lib/weir/targets");
    ck_assert_uint_eq(config.reach.host_count, 2);
    ck_assert_str_eq(config.reach.hosts[0].host, "redis.internal");
    ck_assert_uint_eq(config.reach.hosts[0].port, 0);
    ck_assert_str_eq(config.reach.hosts[1].host, "::1");
    ck_assert_uint_eq(config.reach.hosts[1].port, 6379);
    ck_assert_uint_eq(config.reach.secret_count, 2);
    ck_assert_str_eq(config.reach.secrets[0].name, "cache");
    ck_assert_str_eq(config.reach.secrets[0].file, here("secret.txt"));
    ck_assert_ptr_null(config.reach.secrets[0].variable);
    ck_assert_uint_eq(config.reach.secrets[0].hosts[0].port, 6379);
    ck_assert_str_eq(config.reach.secrets[1].variable, "OTHER");
    ck_assert_ptr_null(config.reach.secrets[1].file);
    ck_assert_uint_eq(config.reach.secrets[1].host_count, 2);
    ck_assert_uint_eq(config.hook_count, 2);
    ck_assert_str_eq(config.hooks[0].name, "hooks.github");
    ck_assert_str_eq(config.hooks[0].file, here("hook.txt"));
    ck_assert_str_eq(config.hooks[1].name, "hooks.gitea");
    ck_assert_str_eq(config.hooks[1].variable, "GITEA_HOOK");
    ck_assert_str_eq(config.log_format, "json");
    ck_assert_str_eq(config.log_level, "warn");
    end();
}
END_TEST

START_TEST(test_defaults)
{
    begin();
    ck_assert_int_eq(read_yaml("repo: flags.git\n"), STATUS_OK);
    ck_assert_int_eq(config_finish(&config, &error), STATUS_OK);
    ck_assert_str_eq(config.repo, here("flags.git"));
    ck_assert_ptr_null(config.branch);
    ck_assert_str_eq(config.listen, "127.0.0.1:8080");
    ck_assert_str_eq(config.data, here("weir-data"));
    ck_assert_str_eq(config.reach.base, here("weir-data/targets"));
    ck_assert_int_eq(config.poll, INT64_C(10000000000));
    ck_assert_uint_eq(config.http_threads, 0);
    ck_assert_ptr_null(config.default_environment);
    ck_assert_ptr_null(config.reach.ca_file);
    ck_assert_uint_eq(config.reach.path_count + config.reach.host_count + config.reach.secret_count,
                      0);
    end();
}
END_TEST

START_TEST(test_what_is_set_stays)
{
    begin();
    ck_assert_int_eq(config_set_repo(&config, "git@host:flags", &error), STATUS_OK);
    ck_assert_int_eq(config_set_poll(&config, "1m", &error), STATUS_OK);
    ck_assert_int_eq(config_set_threads(&config, "7", &error), STATUS_OK);
    ck_assert_int_eq(config_set_blast_cap(&config, "9", &error), STATUS_OK);
    ck_assert_int_eq(config_set_text(&config.listen, ":1", &error), STATUS_OK);
    ck_assert_int_eq(config_set_path(&config.data, "../x", &error), STATUS_OK);
    ck_assert_int_eq(config_allow_path(&config, "/only", &error), STATUS_OK);
    enum status status = read_yaml(
        "repo: /other\nbranch: b\nlisten: \":2\"\ndata: /other\npoll: 2m\nhttp-threads: 2\n"
        "allow-path: [/a, /b]\nallow-host: [h]\nblast-cap: 2\n");
    ck_assert_int_eq(status, STATUS_OK);
    ck_assert_str_eq(config.repo, "git@host:flags");
    ck_assert_str_eq(config.branch, "b");
    ck_assert_str_eq(config.listen, ":1");
    ck_assert_str_ne(config.data, "/other");
    ck_assert_int_eq(config.poll, INT64_C(60000000000));
    ck_assert_uint_eq(config.http_threads, 7);
    ck_assert_uint_eq(config.blast_cap, 9);
    ck_assert_uint_eq(config.reach.path_count, 1);
    ck_assert_str_eq(config.reach.paths[0], "/only");
    ck_assert_uint_eq(config.reach.host_count, 1);
    ck_assert_str_eq(config.reach.hosts[0].host, "h");
    end();
}
END_TEST

START_TEST(test_event_streams)
{
    static const char *const wrong_numbers[] = {"", "-1", "1000001", "2x", " 2", "1e3"};
    static const char *const wrong_times[] = {"", "15", "99ms", "11m", "soon"};
    begin();
    ck_assert_int_eq(read_yaml("repo: x\n"), STATUS_OK);
    ck_assert_int_eq(config_finish(&config, &error), STATUS_OK);
    ck_assert_uint_eq(config.event_streams, 10000);
    ck_assert_int_eq(config.event_heartbeat, INT64_C(15000000000));
    end();
    begin();
    ck_assert_int_eq(read_yaml("repo: x\nevent-streams: 0\nevent-heartbeat: 100ms\n"), STATUS_OK);
    ck_assert_int_eq(config_finish(&config, &error), STATUS_OK);
    ck_assert_uint_eq(config.event_streams, 0); /* none is not unset */
    ck_assert_int_eq(config.event_heartbeat, 100000000);
    end();
    begin();
    ck_assert_int_eq(config_set_event_streams(&config, "0", &error), STATUS_OK);
    ck_assert_int_eq(config_set_event_heartbeat(&config, "10m", &error), STATUS_OK);
    ck_assert_int_eq(read_yaml("repo: x\nevent-streams: 7\nevent-heartbeat: 1s\n"), STATUS_OK);
    ck_assert_uint_eq(config.event_streams, 0);
    ck_assert_int_eq(config.event_heartbeat, INT64_C(600000000000));
    for (size_t i = 0; i < COUNT_OF(wrong_numbers); i++)
        ck_assert_int_eq(config_set_event_streams(&config, wrong_numbers[i], &error),
                         STATUS_INVALID);
    for (size_t i = 0; i < COUNT_OF(wrong_times); i++)
        ck_assert_int_eq(config_set_event_heartbeat(&config, wrong_times[i], &error),
                         STATUS_INVALID);
    end();
    assert_fault("event-streams: 1000001\n", CODE_SCHEMA_RANGE, 1, 16, "1000000");
    assert_fault("event-heartbeat: 1ms\n", CODE_SCHEMA_RANGE, 1, 18, "100ms");
}
END_TEST

START_TEST(test_hooks_of_options)
{
    begin();
    ck_assert_int_eq(config_add_hook(&config, "forgejo=/etc/hook", &error), STATUS_OK);
    ck_assert_str_eq(config.hooks[0].name, "hooks.gitea");
    ck_assert_str_eq(config.hooks[0].file, "/etc/hook");
    ck_assert_int_eq(config_add_hook(&config, "gitea=/other", &error), STATUS_INVALID);
    ck_assert_str_eq(error.message, "the secret of gitea is given twice");
    ck_assert_int_eq(config_add_hook(&config, "svn=/x", &error), STATUS_INVALID);
    ck_assert_str_eq(error.message, "\"svn\" is none of the forges github, gitlab and gitea");
    ck_assert_int_eq(config_add_hook(&config, "/etc/hook", &error), STATUS_INVALID);
    ck_assert_ptr_nonnull(strstr(error.message, "is not FORGE=FILE"));
    ck_assert_int_eq(config_set_log_format(&config.log_format, "xml", &error), STATUS_INVALID);
    ck_assert_int_eq(config_set_log_level(&config.log_level, "loud", &error), STATUS_INVALID);
    ck_assert_str_eq(error.message, "\"loud\" is none of debug, info, warn and error");
    /* What options gave is not added to. */
    ck_assert_int_eq(read_yaml("hooks: {github: {secretFile: /a}}\n"), STATUS_OK);
    ck_assert_uint_eq(config.hook_count, 1);
    end();
}
END_TEST

START_TEST(test_faults_have_places)
{
    assert_fault("hooks: {svn: {secretFile: a}}\n", CODE_SCHEMA_UNKNOWN, 1, 9, "svn");
    assert_fault("hooks: {github: {secretFile: a, secretEnv: B}}\n", CODE_SCHEMA_CHOICE, 1, 33,
                 "exactly one");
    assert_fault("log-level: loud\n", CODE_SCHEMA_VALUE, 1, 12, "");
    assert_fault("repo: x\npol: 10s\n", CODE_SCHEMA_UNKNOWN, 2, 1, "pol");
    assert_fault("repo: x\npoll: soon\n", CODE_SCHEMA_PATTERN, 2, 7, "duration");
    assert_fault("repo: x\npoll: 1ms\n", CODE_SCHEMA_RANGE, 2, 7, "100ms");
    assert_fault("repo: x\npoll: 999999999w\n", CODE_SCHEMA_RANGE, 2, 7, "999999999w");
    assert_fault("http-threads: 0\n", CODE_SCHEMA_RANGE, 1, 15, "1");
    assert_fault("blast-cap: 0\n", CODE_SCHEMA_RANGE, 1, 12, "1");
    assert_fault("http-threads: 1.5\n", CODE_SCHEMA_TYPE, 1, 15, "");
    assert_fault("repo: [x]\n", CODE_SCHEMA_TYPE, 1, 7, "");
    assert_fault("repo: x\nallow-host:\n  - good\n  - \"a b\"\n", CODE_SCHEMA_PATTERN, 4, 5,
                 "HOST");
    assert_fault("allow-host: [\"h:70000\"]\n", CODE_SCHEMA_PATTERN, 1, 14, "h:70000");
    assert_fault("data: \"/a\\0b\"\n", CODE_SCHEMA_PATTERN, 1, 7, "control");
    assert_fault("secrets:\n  s: {hosts: [h]}\n", CODE_SCHEMA_CHOICE, 2, 6, "");
    assert_fault("secrets:\n  s: {file: a, env: B, hosts: [h]}\n", CODE_SCHEMA_CHOICE, 2, 16, "");
    assert_fault("repo: x\nrepo: y\n", CODE_DUPLICATE_KEY, 2, 1, "repo");
    assert_fault("repo: x\n---\nbranch: y\n", CODE_SCHEMA_SIZE, 3, 1, "one document");
    assert_fault("repo: x: y\n", CODE_YAML, 1, 8, "");
}
END_TEST

START_TEST(test_files_that_cannot_be_read)
{
    begin();
    ck_assert_int_eq(config_read(&config, file, &diagnostics, &error), STATUS_SYSTEM);
    ck_assert_ptr_nonnull(strstr(error.message, "weir.yaml\": No such file"));
    ck_assert_int_eq(config_read(&config, folder, &diagnostics, &error), STATUS_SYSTEM);
    ck_assert_ptr_nonnull(strstr(error.message, "Is a directory"));
    char *large = malloc(CONFIG_MAX_BYTES + 2);
    ck_assert_ptr_nonnull(large);
    memset(large, '#', CONFIG_MAX_BYTES + 1);
    large[CONFIG_MAX_BYTES + 1] = '\0';
    ck_assert_int_eq(read_yaml(large), STATUS_LIMIT);
    ck_assert_ptr_nonnull(strstr(error.message, "larger than 1 MiB"));
    free(large);
    ck_assert_uint_eq(diagnostics.count, 0);
    end();
}
END_TEST

START_TEST(test_an_empty_file_says_nothing)
{
    begin();
    ck_assert_int_eq(read_yaml("# nothing yet\n"), STATUS_OK);
    ck_assert_int_eq(config_finish(&config, &error), STATUS_INVALID);
    ck_assert_ptr_nonnull(strstr(error.message, "--repo"));
    end();
}
END_TEST

START_TEST(test_option_values)
{
    static const char *const bad_polls[] = {
        "", "10", "10 s", "-1s", "1ms", "8d", "99999999999999999999s"};
    static const char *const bad_threads[] = {"",     "0", "-1", "1.0",
                                              "1025", "x", " 1", "99999999999999999999"};
    begin();
    for (size_t i = 0; i < COUNT_OF(bad_polls); i++) {
        ck_assert_msg(config_set_poll(&config, bad_polls[i], &error) == STATUS_INVALID, "%s",
                      bad_polls[i]);
        ck_assert_int_eq(config.poll, 0);
    }
    for (size_t i = 0; i < COUNT_OF(bad_threads); i++) {
        ck_assert_msg(config_set_threads(&config, bad_threads[i], &error) == STATUS_INVALID, "%s",
                      bad_threads[i]);
        ck_assert_uint_eq(config.http_threads, 0);
    }
    ck_assert_int_eq(config_allow_host(&config, "h:0x1", &error), STATUS_INVALID);
    ck_assert_int_eq(config_allow_path(&config, "", &error), STATUS_INVALID);
    ck_assert_int_eq(config_set_text(&config.branch, "", &error), STATUS_INVALID);
    end();
}
END_TEST

START_TEST(test_paths)
{
    static const char *const pairs[][2] = {
        {"/", "/"},
        {"/..", "/"},
        {"/a/../..", "/"},
        {"//a///b/", "/a/b"},
        {"/a/./b/../c", "/a/c"},
        {"/a/..b/...", "/a/..b/..."},
    };
    char longest[5000];
    begin();
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        ck_assert_int_eq(config_set_path(&config.data, pairs[i][0], &error), STATUS_OK);
        ck_assert_str_eq(config.data, pairs[i][1]);
    }
    ck_assert_int_eq(config_set_path(&config.data, "./a/../b", &error), STATUS_OK);
    ck_assert_str_eq(config.data, here("b"));
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    ck_assert_int_eq(config_set_path(&config.data, longest, &error), STATUS_LIMIT);
    ck_assert_str_eq(config.data, here("b"));
    end();
}
END_TEST

START_TEST(test_repositories)
{
    static const char *const remote[] = {"https://u@h/x", "ssh://h/x", "git@h:x/y", "host:x",
                                         "file:///x"};
    begin();
    for (size_t i = 0; i < COUNT_OF(remote); i++) {
        ck_assert_int_eq(config_set_repo(&config, remote[i], &error), STATUS_OK);
        ck_assert_str_eq(config.repo, remote[i]);
    }
    ck_assert_int_eq(config_set_repo(&config, "./a:b", &error), STATUS_OK);
    ck_assert_str_eq(config.repo, here("a:b"));
    ck_assert_int_eq(config_set_path(&config.data, "a:b", &error), STATUS_OK);
    ck_assert_int_eq(config_finish(&config, &error), STATUS_INVALID);
    ck_assert_ptr_nonnull(strstr(error.message, "the repository itself"));
    end();
}
END_TEST

UNIT_MAIN("config", test_hooks_of_options, test_ssh_fields, test_every_field, test_defaults,
          test_what_is_set_stays, test_event_streams, test_faults_have_places,
          test_files_that_cannot_be_read, test_an_empty_file_says_nothing, test_option_values,
          test_paths, test_repositories)
