/* Fetches again and again from a real server, one commit each time, as a controller does for years,
 * and tells every now and then what the clone has become: packs, descriptors, memory, the time of a
 * fetch that brings a commit and of one that brings nothing. All of it must stay flat. */
#include <git2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../controller/git/mirror.h"
#include "../../controller/git/upkeep.h"
#include "../../controller/limits.h"

#define REPORTS 20
#define IDLE_FETCHES 20

struct soak {
    char root[64], url[512];
    pid_t server;
    int server_end; /* closing it ends the server */
    git_repository *remote;
    git_oid tip, tree;
    struct mirror *fetching, *reading;
    struct telemetry *telemetry;
    struct upkeep *upkeep;
};

static double seconds_since(int64_t start)
{
    return (double)(system_clock.monotonic(NULL) - start) / 1e9;
}

static void die(const char *what, const char *why)
{
    fprintf(stderr, "soak: %s: %s\n", what, why);
    exit(2);
}

static void check(int code, const char *what)
{
    const git_error *last = git_error_last();
    if (code != 0)
        die(what, last ? last->message : "failed");
}

static void check_status(enum status status, const char *what, const struct error *error)
{
    if (status != STATUS_OK)
        die(what, error->message);
}

/* --- the server ------------------------------------------------------------------------------ */

static void serve(struct soak *soak)
{
    int in[2], out[2];
    char line[1024];
    if (pipe(in) != 0 || pipe(out) != 0)
        die("pipe", "failed");
    soak->server = fork();
    if (soak->server == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        close(in[0]);
        close(in[1]);
        close(out[0]);
        close(out[1]);
        execl("/usr/bin/python3", "python3", "tests/integration/gitserver.py", "http", soak->root,
              (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    soak->server_end = in[1];
    FILE *ready = fdopen(out[0], "r");
    const char *found = ready && fgets(line, sizeof line, ready) ? strstr(line, "http://") : NULL;
    if (!found)
        die("gitserver.py", "did not start: run this from the top folder");
    snprintf(soak->url, sizeof soak->url, "%.*sremote.git", (int)strcspn(found, "\""), found);
    fclose(ready);
}

/* The number that a shell command prints. */
static long count(const char *command)
{
    char digits[32] = "";
    FILE *pipe = popen(command, "r");
    if (pipe && !fgets(digits, sizeof digits, pipe))
        digits[0] = '\0';
    if (pipe)
        pclose(pipe);
    return strtol(digits, NULL, 10);
}

/* --- the remote ------------------------------------------------------------------------------ */

static void make_remote(struct soak *soak)
{
    char path[128];
    git_treebuilder *builder;
    git_reference *head;
    snprintf(path, sizeof path, "%s/remote.git", soak->root);
    check(git_repository_init(&soak->remote, path, 1), "remote");
    check(git_reference_symbolic_create(&head, soak->remote, "HEAD", "refs/heads/main", 1, NULL),
          "HEAD");
    git_reference_free(head);
    check(git_treebuilder_new(&builder, soak->remote, NULL), "tree");
    check(git_treebuilder_write(&soak->tree, builder), "tree");
    git_treebuilder_free(builder);
}

/* As servers do now and then. What this process has read of it is forgotten with the handle: only
 * the clone is to be measured. */
static void tidy_remote(struct soak *soak)
{
    char path[128], command[256];
    snprintf(path, sizeof path, "%s/remote.git", soak->root);
    snprintf(command, sizeof command, "git -C %s gc --quiet --prune=now; echo $?", path);
    git_repository_free(soak->remote);
    if (count(command) != 0)
        die("git gc", "failed");
    check(git_repository_open(&soak->remote, path), "remote");
}

/* A commit with a file of its own number. */
static void add_commit(struct soak *soak, int number)
{
    char content[64];
    git_oid blob, next;
    git_tree *tree;
    git_commit *parent = NULL;
    git_signature *who;
    git_treebuilder *builder;
    snprintf(content, sizeof content, "number: %d\n", number);
    check(git_blob_create_from_buffer(&blob, soak->remote, content, strlen(content)), "blob");
    check(git_treebuilder_new(&builder, soak->remote, NULL), "tree");
    check(git_treebuilder_insert(NULL, builder, "number.yaml", &blob, GIT_FILEMODE_BLOB), "tree");
    check(git_treebuilder_write(&soak->tree, builder), "tree");
    git_treebuilder_free(builder);
    check(git_tree_lookup(&tree, soak->remote, &soak->tree), "tree");
    check(git_signature_new(&who, "A", "a@example.com", 1700000000 + number, 0), "signature");
    if (number)
        check(git_commit_lookup(&parent, soak->remote, &soak->tip), "parent");
    const git_commit *parents[] = {parent};
    check(git_commit_create(&next, soak->remote, "refs/heads/main", who, who, NULL, "change\n",
                            tree, number ? 1 : 0, parents),
          "commit");
    soak->tip = next;
    git_commit_free(parent);
    git_signature_free(who);
    git_tree_free(tree);
}

/* --- the clone ------------------------------------------------------------------------------- */

static void open_clone(struct soak *soak)
{
    char path[128];
    struct error error = {0};
    snprintf(path, sizeof path, "%s/clone", soak->root);
    check_status(mirror_open(path, soak->url, &soak->fetching, &error), "clone", &error);
    check_status(mirror_open_beside(soak->fetching, &soak->reading, &error), "clone", &error);
    soak->telemetry = telemetry_new();
    soak->upkeep = upkeep_new(soak->fetching, &system_clock, soak->telemetry);
    if (!soak->telemetry || !soak->upkeep)
        die("upkeep", "no memory");
}

static double fetch(struct soak *soak)
{
    char tip[COMMIT_TEXT_SIZE], wanted[COMMIT_TEXT_SIZE];
    struct error error = {0};
    int64_t start = system_clock.monotonic(NULL);
    check_status(mirror_fetch(soak->fetching, NULL, NULL, tip, &error), "fetch", &error);
    double taken = seconds_since(start);
    git_oid_tostr(wanted, sizeof wanted, &soak->tip);
    if (strcmp(tip, wanted) != 0)
        die("fetch", "brought another tip");
    return taken;
}

/* As core does: reads the new commit by its own handle, then opens that anew when it is due. */
static void read_tip(struct soak *soak, uint32_t level)
{
    char tip[COMMIT_TEXT_SIZE];
    struct generation generation;
    struct error error = {0};
    git_oid_tostr(tip, sizeof tip, &soak->tip);
    check_status(mirror_generation(soak->reading, tip, &generation, &error), "read", &error);
    if (generation.level != level)
        die("read", "another level");
    check_status(mirror_refresh(soak->reading, &error), "refresh", &error);
}

struct window {
    double fetch, worst, upkeep;
    int count;
};

static void report(struct soak *soak, int done, struct window *window)
{
    char packs[128], descriptors[64], memory[64];
    double idle = 0;
    for (int i = 0; i < IDLE_FETCHES; i++)
        idle += fetch(soak);
    snprintf(packs, sizeof packs, "ls %s/clone/objects/pack/*.pack | wc -l", soak->root);
    snprintf(descriptors, sizeof descriptors, "ls /proc/%d/fd | wc -l", (int)getpid());
    snprintf(memory, sizeof memory, "awk '/VmRSS/{print $2}' /proc/%d/status", (int)getpid());
    printf("%8d %7ld %12ld %10.1f %12.2f %12.2f %12.2f %12.2f\n", done, count(packs),
           count(descriptors), (double)count(memory) / 1024, idle / IDLE_FETCHES * 1e3,
           window->fetch / window->count * 1e3, window->worst * 1e3,
           window->upkeep / window->count * 1e3);
    fflush(stdout);
    *window = (struct window){0};
    tidy_remote(soak);
}

static void run(struct soak *soak, int fetches)
{
    struct window window = {0};
    printf("%8s %7s %12s %10s %12s %12s %12s %12s\n", "fetches", "packs", "descriptors", "MiB",
           "idle ms", "fetch ms", "worst ms", "upkeep ms");
    for (int i = 0; i < fetches; i++) {
        add_commit(soak, i);
        double taken = fetch(soak);
        window.fetch += taken;
        window.worst = taken > window.worst ? taken : window.worst;
        window.count++;
        read_tip(soak, (uint32_t)i + 1);
        int64_t start = system_clock.monotonic(NULL);
        upkeep_turn(soak->upkeep, NULL);
        window.upkeep += seconds_since(start);
        if ((i + 1) % (fetches / REPORTS) == 0)
            report(soak, i + 1, &window);
    }
}

int main(int count_of_arguments, char **arguments)
{
    struct soak soak = {.root = "/tmp/weir-soak-XXXXXX"};
    struct error error = {0};
    int fetches = count_of_arguments > 1 ? (int)strtol(arguments[1], NULL, 10) : 5000;
    if (fetches < REPORTS || !mkdtemp(soak.root))
        die("usage", "git FETCHES, 20 or more");
    limits_raise_descriptors();
    check_status(mirror_startup(&error), "libgit2", &error);
    make_remote(&soak);
    serve(&soak);
    open_clone(&soak);
    run(&soak, fetches);
    upkeep_free(soak.upkeep);
    telemetry_free(soak.telemetry);
    mirror_close(soak.reading);
    mirror_close(soak.fetching);
    git_repository_free(soak.remote);
    mirror_shutdown();
    close(soak.server_end);
    waitpid(soak.server, NULL, 0);
    char remove[96];
    snprintf(remove, sizeof remove, "rm -rf %s; echo $?", soak.root);
    return (int)count(remove);
}
