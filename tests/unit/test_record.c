/* Commits made in the clone: trees, messages, persons, signatures, and what a commit holds. */
#include "../../controller/git/message.h"
#include "../../controller/git/record.h"
#include "../../controller/git/verify.h"
#include "repositories.h"

static const struct record_person robot = {"weir", "weir@example.com", 1767225600, 0};
static const struct record_person ada = {"Ada Lövelace", "ada@example.com", 1767225600, 60};

static char made[COMMIT_TEXT_SIZE];

static enum status make(const char *parent, struct record_edit *edits, size_t count,
                        const char *message, const struct record_key *key)
{
    const struct record request = {.parent = parent,
                                   .edits = edits,
                                   .edit_count = count,
                                   .message = message,
                                   .author = ada,
                                   .committer = robot,
                                   .key = key};
    failure.message[0] = '\0';
    return mirror_record(mirror, &request, made, &failure);
}

static const char *follow(const char *change)
{
    const char *tip = commit(change);
    open_mirror();
    ck_assert_str_eq(fetch(), tip);
    return tip;
}

#define TREE                                                                                       \
    "mkdir -p a/b state && echo 1 >a/b/one && echo 2 >a/two && echo x >run && chmod +x run && ln " \
    "-s run link && echo s >state/s"

/* --- trees ----------------------------------------------------------------------------------- */

START_TEST(files_are_added_changed_and_removed)
{
    begin();
    const char *tip = follow(TREE);
    struct record_edit edits[] = {
        {.path = "a/b/one", .gone = true},         {.path = "run", .bytes = TEXT("y\n")},
        {.path = "link", .bytes = TEXT("file\n")}, {.path = "new/deep/er", .bytes = TEXT("n\n")},
        {.path = "a-b", .bytes = {NULL, 0}},       {.path = "a/two", .bytes = TEXT("2\n")}};
    ck_assert_ok(make(tip, edits, COUNT_OF(edits), "subject\n", NULL));
    ck_assert_str_eq(shell("git -C clone ls-tree -r --format='%%(objectmode) %%(path)' %s", made),
                     "100644 a-b\n100644 a/two\n100644 link\n100644 new/deep/er\n100755 run\n"
                     "100644 state/s");
    ck_assert_str_eq(shell("git -C clone diff --name-status %s %s", tip, made),
                     "A\ta-b\nD\ta/b/one\nT\tlink\nA\tnew/deep/er\nM\trun");
    ck_assert(edits[5].is_same && !edits[0].is_same && !edits[1].is_same && !edits[2].is_same);
    ck_assert_str_eq(shell("git -C clone log -1 --format='%%P|%%an <%%ae> %%ad|%%cn %%cd|%%s' "
                           "--date=iso %s",
                           made),
                     shell("echo '%s|Ada Lövelace <ada@example.com> 2026-01-01 01:00:00 +0100|weir "
                           "2026-01-01 00:00:00 +0000|subject'",
                           tip));
    shell("git -C clone fsck --strict --no-dangling 2>&1");
    end();
}
END_TEST

START_TEST(what_changes_nothing_is_no_commit)
{
    begin();
    const char *tip = follow(TREE);
    struct record_edit edits[] = {{.path = "a/two", .bytes = TEXT("2\n")},
                                  {.path = "nothing/here", .gone = true}};
    ck_assert_ok(make(tip, edits, COUNT_OF(edits), "subject\n", NULL));
    ck_assert_str_eq(made, tip);
    ck_assert(edits[0].is_same && edits[1].is_same);
    end();
}
END_TEST

START_TEST(paths_stay_inside)
{
    static const char *const bad[] = {"",     "/a",       "a/",   "a//b", ".",     "a/../b", "..",
                                      ".git", "a/.GIT/b", "a\\b", "a\nb", "a\x7f", "\xff",   "./a"};
    begin();
    const char *tip = follow(TREE);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct record_edit edit = {.path = bad[i], .bytes = TEXT("x")};
        ck_assert_fails(make(tip, &edit, 1, "subject\n", NULL), STATUS_INVALID, "cannot write to");
    }
    char longest[RECORD_PATH_MAX + 2];
    memset(longest, 'a', sizeof longest);
    longest[RECORD_PATH_MAX + 1] = '\0';
    struct record_edit edit = {.path = longest, .bytes = TEXT("x")};
    ck_assert_fails(make(tip, &edit, 1, "subject\n", NULL), STATUS_INVALID, "cannot write to");
    edit.path = "a";
    ck_assert_fails(make(tip, &edit, 1, "subject\n", NULL), STATUS_INVALID, "\"a\" is a folder");
    edit.path = "run/below";
    ck_assert_int_ne(make(tip, &edit, 1, "subject\n", NULL), STATUS_OK);
    struct record_edit both[] = {{.path = "n", .bytes = TEXT("x")},
                                 {.path = "n-o", .bytes = TEXT("x")},
                                 {.path = "n/o", .bytes = TEXT("x")}};
    ck_assert_fails(make(tip, both, 3, "subject\n", NULL), STATUS_INVALID,
                    "both \"n\" and \"n/o\"");
    both[2].path = "n";
    ck_assert_fails(make(tip, both, 3, "subject\n", NULL), STATUS_INVALID, "both \"n\" and \"n\"");
    ck_assert_fails(make(tip, both, 0, "subject\n", NULL), STATUS_INVALID, "between 1 and");
    ck_assert_fails(make(tip, both, 1, "", NULL), STATUS_INVALID, "needs a message");
    ck_assert_fails(make("0123456789012345678901234567890123456789", both, 1, "m\n", NULL),
                    STATUS_NOT_FOUND, "there is no commit");
    end();
}
END_TEST

START_TEST(persons_are_what_git_takes)
{
    static const char *const bad[] = {"", "a\nb", "<x>", " ", "...", "\xff"};
    begin();
    const char *tip = follow(TREE);
    struct record_edit edit = {.path = "x", .bytes = TEXT("x")};
    struct record request = {.parent = tip,
                             .edits = &edit,
                             .edit_count = 1,
                             .message = "m\n",
                             .author = ada,
                             .committer = robot};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        request.author.name = bad[i];
        ck_assert_fails(mirror_record(mirror, &request, made, &failure), STATUS_INVALID,
                        "the name");
        request.author.name = "Ada";
        request.committer.mail = bad[i];
        ck_assert_fails(mirror_record(mirror, &request, made, &failure), STATUS_INVALID,
                        "the e-mail address");
        request.committer.mail = "x";
    }
    ck_assert_ok(mirror_record(mirror, &request, made, &failure));
    end();
}
END_TEST

/* --- messages -------------------------------------------------------------------------------- */

START_TEST(a_message_is_what_git_reads)
{
    struct message message;
    begin();
    const char *tip = follow(TREE);
    message_begin(&message, TEXT("Roll back\tshop\n\nWeir-Action: kill"));
    message_line(&message, TEXT("This reverts commit 1."));
    message_line(&message, TEXT("Weir-Action: kill"));
    message_line(&message, TEXT("---"));
    message_line(&message, TEXT("# ------------------------ >8 ------------------------"));
    message_line(&message, TEXT(" \n\r "));
    message_trailer(&message, "Weir-Action", TEXT("rollback"));
    message_trailer(&message, "Weir-Reason",
                    TEXT("it broke\nWeir-Action: kill\n\n\x1b[31mred \xe2\x80\xae!"));
    message_trailer(&message, "Weir-Nothing", TEXT(" \n"));
    const char *text = message_text(&message);
    ck_assert_str_eq(text, "Roll back shop Weir-Action: kill\n\nThis reverts commit 1.\n"
                           "  Weir-Action: kill\n  ---\n"
                           "  # ------------------------ >8 ------------------------\n\n"
                           "Weir-Action: rollback\n"
                           "Weir-Reason: it broke Weir-Action: kill [31mred !\n");
    struct record_edit edit = {.path = "x", .bytes = TEXT("x")};
    ck_assert_ok(make(tip, &edit, 1, text, NULL));
    static const char trailers[] =
        "Weir-Action: rollback\nWeir-Reason: it broke Weir-Action: kill [31mred !";
    ck_assert_str_eq(
        shell("git -C clone log -1 --format=%%B %s | git interpret-trailers --parse", made),
        trailers);
    ck_assert_str_eq(shell("git -C clone log -1 '--format=%%(trailers:only)' %s", made), trailers);
    message_dispose(&message);
    end();
}
END_TEST

START_TEST(a_body_alone_has_no_trailers)
{
    struct message message;
    begin();
    message_begin(&message, TEXT("s"));
    message_line(&message, TEXT("Weir-Action: kill"));
    message_line(&message, TEXT("Signed-off-by: A"));
    message_line(&message, TEXT("weir-epoch : 7"));
    message_line(&message, TEXT("(cherry picked from commit 1)"));
    spill(below(root, "message"), message_text(&message));
    ck_assert_str_eq(shell("git interpret-trailers --parse <message"), "");
    message_dispose(&message);
    end();
}
END_TEST

START_TEST(values_are_folded_and_cut)
{
    static const struct {
        struct text in;
        size_t size;
        const char *out;
    } cases[] = {
        {TEXT(""), 10, ""},
        {TEXT(" \t a \0 b\x7f"), 10, "a b"},
        {TEXT("\xc2\x85x\xc2\xa0y"), 10, "x y"},
        {TEXT("\xe2\x80\xa8p\xe2\x80\xa9q\xe2\x81\xa6r"), 10, "p q r"},
        {TEXT("bad\xff\xc3"), 10, "bad??"},
        {TEXT("123456789"), 10, "123456789"},
        {TEXT("1234567890"), 10, "123456\xe2\x80\xa6"},
        {TEXT("12345 7890"), 10, "12345\xe2\x80\xa6"},
        {TEXT("\xc3\xa4\xc3\xb6\xc3\xbc\xc3\xa4\xc3\xb6"), 10,
         "\xc3\xa4\xc3\xb6\xc3\xbc\xe2\x80\xa6"},
        {TEXT("12345678         "), 9, "12345678"},
        {TEXT("abcd"), 4, "\xe2\x80\xa6"},
    };
    char out[16];
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        ck_assert_uint_eq(message_fold(cases[i].in, out, cases[i].size), strlen(cases[i].out));
        ck_assert_str_eq(out, cases[i].out);
    }
}
END_TEST

START_TEST(a_message_that_makes_no_sense_fails)
{
    struct message message;
    message_begin(&message, TEXT(" \n"));
    ck_assert_ptr_null(message_text(&message));
    ck_assert_int_eq(message.text.failed, STATUS_INVALID);
    message_dispose(&message);
    message_begin(&message, TEXT("s"));
    message_trailer(&message, "Weir Action", TEXT("x"));
    ck_assert_int_eq(message.text.failed, STATUS_INVALID);
    message_dispose(&message);
    message_begin(&message, TEXT("s"));
    message_trailer(&message, "A", TEXT("x"));
    message_line(&message, TEXT("after"));
    ck_assert_int_eq(message.text.failed, STATUS_INVALID);
    message_dispose(&message);
    char line[MESSAGE_LINE_MAX];
    memset(line, 'x', sizeof line);
    message_begin(&message, TEXT("s"));
    for (size_t i = 0; i <= MESSAGE_MAX / sizeof line; i++)
        message_line(&message, (struct text){line, sizeof line});
    ck_assert_int_eq(message.text.failed, STATUS_LIMIT);
    message_dispose(&message);
}
END_TEST

/* --- signatures ------------------------------------------------------------------------------ */

static void make_keys(void)
{
    shell("ssh-keygen -q -t ed25519 -N '' -C t -f key && ssh-keygen -q -t ed25519 -N pass -C t -f "
          "locked && printf 'weir@example.com %%s\\n' \"$(cut -d' ' -f1,2 key.pub)\" >signers");
}

START_TEST(a_signed_commit_is_verified_by_git_and_by_us)
{
    begin();
    make_keys();
    const char *tip = follow(TREE);
    const struct record_key key = {below(root, "key")};
    struct record_edit edit = {.path = "x", .bytes = TEXT("x")};
    ck_assert_ok(make(tip, &edit, 1, "subject\n\nWeir-Action: accept\n", &key));
    ck_assert_ptr_nonnull(
        strstr(shell("git -C clone -c gpg.format=ssh -c "
                     "gpg.ssh.allowedSignersFile=%s/signers verify-commit %s 2>&1",
                     root, made),
               "Good \"git\" signature for weir@example.com"));
    ck_assert_str_eq(shell("git -C clone fsck --strict --no-dangling 2>&1 | grep -v ^notice || :"),
                     "");
    char signers[80];
    snprintf(signers, sizeof signers, "%s/signers", root);
    const struct verify_policy policy = {.mode = VERIFY_TIP, .allowed_signers = signers};
    struct verification verification;
    ck_assert_ok(mirror_verify_commit(mirror, &policy, made, &verification, &failure));
    ck_assert_int_eq(verification.verdict, VERDICT_VERIFIED);
    ck_assert_str_eq(verification.principal, "weir@example.com");
    end();
}
END_TEST

START_TEST(a_key_that_cannot_sign_says_why)
{
    begin();
    make_keys();
    const char *tip = follow(TREE);
    struct record_edit edit = {.path = "x", .bytes = TEXT("x")};
    struct record_key key = {below(root, "locked")};
    ck_assert_fails(make(tip, &edit, 1, "m\n", &key), STATUS_SYSTEM, "has a passphrase");
    key.file = below(root, "missing");
    ck_assert_fails(make(tip, &edit, 1, "m\n", &key), STATUS_SYSTEM, "missing\" does not sign");
    key.file = below(root, "signers");
    ck_assert_fails(make(tip, &edit, 1, "m\n", &key), STATUS_SYSTEM, "does not sign");
    key.file = below(root, "key");
    setenv("PATH", "/nonexistent", 1);
    ck_assert_fails(make(tip, &edit, 1, "m\n", &key), STATUS_SYSTEM, "no \"ssh-keygen\" on PATH");
    end();
}
END_TEST

/* --- what a commit holds --------------------------------------------------------------------- */

START_TEST(files_are_read_and_listed)
{
    struct buffer out;
    begin();
    const char *tip = follow(TREE "; mkdir state/deep; echo d >state/deep/d; ln -s s state/l");
    buffer_init(&out, 0);
    ck_assert_ok(mirror_read_file(mirror, tip, "a/two", 2, &out, &failure));
    ck_assert_text(buffer_text(&out), "2\n");
    ck_assert_fails(mirror_read_file(mirror, tip, "a/two", 1, &out, &failure), STATUS_LIMIT,
                    "\"a/two\" has 2 bytes, more than 1");
    static const char *const none[] = {"a", "link", "a/three", "run/x", "state/l"};
    for (size_t i = 0; i < COUNT_OF(none); i++)
        ck_assert_fails(mirror_read_file(mirror, tip, none[i], 99, &out, &failure),
                        STATUS_NOT_FOUND, "has no file");
    buffer_clear(&out);
    ck_assert_ok(mirror_list_files(mirror, tip, "state", 4, &out, &failure));
    ck_assert_uint_eq(out.length, sizeof "state/deep/d" + sizeof "state/s");
    ck_assert_mem_eq(out.data, "state/deep/d\0state/s", out.length);
    ck_assert_fails(mirror_list_files(mirror, tip, "state", 3, &out, &failure), STATUS_LIMIT,
                    "more than 3 entries");
    buffer_clear(&out);
    ck_assert_ok(mirror_list_files(mirror, tip, "nothing", 4, &out, &failure));
    ck_assert_ok(mirror_list_files(mirror, tip, "run", 4, &out, &failure));
    ck_assert_uint_eq(out.length, 0);
    buffer_dispose(&out);
    end();
}
END_TEST

UNIT_MAIN("record", files_are_added_changed_and_removed, what_changes_nothing_is_no_commit,
          paths_stay_inside, persons_are_what_git_takes, a_message_is_what_git_reads,
          a_body_alone_has_no_trailers, values_are_folded_and_cut,
          a_message_that_makes_no_sense_fails, a_signed_commit_is_verified_by_git_and_by_us,
          a_key_that_cannot_sign_says_why, files_are_read_and_listed)
