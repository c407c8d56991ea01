/* Random histories of states: weir's words and approvals, hands that put old ones back, edit or
 * take away, branches and merges. Who saw each commit, who begins at it, and who comes from
 * anywhere with what it kept on its disk, have the same in force. */
#include "chance.h"
#include "histories.h"

#define HISTORIES 12
#define COMMITS 24
#define HEADS 2

struct line {
    char tip[COMMIT_TEXT_SIZE];
    struct effective seen; /* goes from parent to child */
};

static uint64_t dice;
static struct line lines[HEADS];
static char *said[COMMITS + 8]; /* every word of weir's, in one history */
static size_t said_count;

static unsigned chance(size_t below_this)
{
    return (unsigned)(chance_next(&dice) % below_this);
}

/* With a hand's: another checksum. */
static char *make_word(uint32_t seq, bool is_foreign)
{
    static const enum rollout_course courses[] = {COURSE_RUNNING, COURSE_RUNNING,
                                                  COURSE_RUNNING, COURSE_ROLLED_BACK,
                                                  COURSE_KILLED,  COURSE_COMPLETED};
    struct rollout_state state =
        state_in(courses[chance(COUNT_OF(courses))], chance(COUNT_OF(phase_items)));
    state.seq = seq;
    char *text = state_text(&state);
    if (is_foreign)
        memcpy(strstr(text, "checksum: \"sha256:") + 18, "0000", 4);
    return text;
}

static const char *say(struct line *line)
{
    char *text = make_word(seq_in_force(&line->seen) + 1, false);
    said[said_count++] = text;
    return commit_one(line->tip, STATE_PATH, text);
}

static const char *edit(struct line *line)
{
    char *text = make_word(1 + chance(12), true);
    const char *made = commit_one(line->tip, STATE_PATH, text);
    free(text);
    return made;
}

static bool has_file(const char *path, const char *tip)
{
    struct buffer bytes;
    struct error error;
    buffer_init(&bytes, 0);
    bool found = mirror_read_file(mirror, tip, path, 1 << 20, &bytes, &error) == STATUS_OK;
    buffer_dispose(&bytes);
    return found;
}

/* A rollout that is there goes, and one that went comes back; perhaps with its state. */
static const char *toggle(struct line *line)
{
    bool there = has_file("rollouts.yaml", line->tip), stands = has_file(STATE_PATH, line->tip);
    const struct file_text files[] = {
        {"rollouts.yaml", there ? NULL : ROLLOUT("shop-release", ROLLOUT_PHASES)},
        {STATE_PATH, NULL}};
    const char *parent = line->tip;
    return commit_on(&parent, 1, files, there && stands && chance(2) ? 2 : 1);
}

static const char *merge_lines(struct line *line, const struct line *other)
{
    const char *text = chance(2) && said_count ? said[chance(said_count)] : NULL;
    return merge(line->tip, other->tip, text ? STATE_PATH : NULL, text);
}

static const char *change(struct line *line, const struct line *other)
{
    moment += (int64_t)chance(200) - 100; /* clocks that disagree */
    switch (chance(12)) {
    case 0:
    case 1:
    case 2:
        return say(line);
    case 3:
    case 4:
    case 5:
        return commit_one(line->tip, STATE_PATH, said[chance(said_count)]);
    case 6:
        return edit(line);
    case 7:
        return has_file(STATE_PATH, line->tip) ? commit_one(line->tip, STATE_PATH, NULL)
                                               : say(line);
    case 8:
        return toggle(line);
    case 9:
        return commit_one(line->tip, "README", chance(2) ? "one" : "two");
    default:
        return merge_lines(line, other);
    }
}

static void expect_each_alike(struct line *line, struct effective *wanderer, const char *what)
{
    struct effective fresh = begin_anew(NULL);
    ck_assert_ok(effective_go(&line->seen, line->tip, &failure));
    ck_assert_ok(effective_go(&fresh, line->tip, &failure));
    expect_alike(&line->seen, &fresh, what);
    effective_dispose(&fresh);
    if (chance(3))
        return;
    ck_assert_ok(effective_go(wanderer, line->tip, &failure));
    expect_alike(&line->seen, wanderer, what);
}

static void play(unsigned number)
{
    struct effective wanderer = begin_anew(below(root, "kept"));
    char *first = make_word(1, false);
    const char *tip = commit_first(first);
    said_count = 0;
    said[said_count++] = first;
    for (size_t i = 0; i < HEADS; i++) {
        snprintf(lines[i].tip, sizeof lines[i].tip, "%s", tip);
        lines[i].seen = begin_anew(NULL);
        ck_assert_ok(effective_go(&lines[i].seen, tip, &failure));
    }
    for (unsigned i = 0; i < COMMITS; i++) {
        char what[64];
        struct line *line = &lines[chance(HEADS)], *other = &lines[line == lines];
        snprintf(line->tip, sizeof line->tip, "%s", change(line, other));
        snprintf(what, sizeof what, "history %u, commit %u", number, i);
        expect_each_alike(line, &wanderer, what);
    }
    for (size_t i = 0; i < HEADS; i++)
        effective_dispose(&lines[i].seen);
    effective_dispose(&wanderer);
    while (said_count)
        free(said[--said_count]);
}

START_TEST(every_way_to_a_commit_is_the_same)
{
    begin_history();
    for (unsigned i = 0; i < HISTORIES; i++) {
        dice = i + 1;
        play(i);
    }
    end_history();
}
END_TEST

UNIT_MAIN("effective_order_ways", every_way_to_a_commit_is_the_same)
