/* A clone that is fetched into again and again, packed by the real git program and by ones that
 * fail. */
#include "../../controller/git/upkeep.h"

#include <stdio.h>
#include <stdlib.h>

#include "../../controller/git/leftovers.h"
#include "repositories.h"

static struct telemetry *telemetry;
static struct upkeep *upkeep;
static int64_t now = 1;

static int64_t fake_time(void *self)
{
    (void)self;
    return now;
}

static uint64_t fake_random(void *self)
{
    (void)self;
    return UINT64_MAX;
}

static const struct clock fake_clock = {fake_time, fake_time, fake_random, NULL};

static void begin_upkeep(void)
{
    begin();
    commit("echo x >x");
    open_mirror();
    fetch();
    telemetry = telemetry_new();
    upkeep = upkeep_new(mirror, &fake_clock, telemetry);
    ck_assert_ptr_nonnull(upkeep);
}

static void end_upkeep(void)
{
    upkeep_free(upkeep);
    telemetry_free(telemetry);
    end();
}

/* `count` commits, each fetched by itself. */
static const char *fetch_often(int count)
{
    const char *tip = NULL;
    shell("cd work && for i in $(seq %d); do git commit -q --allow-empty -m $i; done && git push "
          "-q origin +HEAD:refs/all/main && git rev-list --reverse -n %d HEAD >../commits",
          count, count);
    for (int i = 0; i < count; i++) {
        shell("sed -n %dp commits >remote.git/refs/heads/main", i + 1);
        tip = fetch();
    }
    shell("cd work && git fetch -q");
    return tip;
}

/* shell() uses its buffers again. */
static void keep(char *kept, size_t size, const char *text)
{
    ck_assert_int_lt(snprintf(kept, size, "%s", text), (int)size);
}

static long packs(void)
{
    return strtol(shell("ls clone/objects/pack/*.pack | wc -l"), NULL, 10);
}

static void ck_assert_told(const char *words)
{
    struct buffer out;
    buffer_init(&out, 0);
    telemetry_write(telemetry, &out);
    upkeep_write_status(upkeep, &out);
    ck_assert_msg(strstr(buffer_string(&out), words), "%s is not in %s", words,
                  buffer_string(&out));
    buffer_dispose(&out);
}

static uint32_t level(struct mirror *handle, const char *commit)
{
    struct generation generation;
    ck_assert_ok(mirror_generation(handle, commit, &generation, &failure));
    return generation.level;
}

/* --- packing --------------------------------------------------------------------------------- */

START_TEST(few_packs_are_left_alone)
{
    begin_upkeep();
    fetch_often(20);
    ck_assert(!upkeep_turn(upkeep, NULL));
    ck_assert_int_eq(packs(), 21);
    ck_assert_told("weir_git_packs 21\n");
    ck_assert_told("\"packs\":21,\"problem\":null,\"ran\":null");
    end_upkeep();
}
END_TEST

START_TEST(many_packs_become_one)
{
    begin_upkeep();
    const char *tip = fetch_often(55);
    ck_assert_int_eq(packs(), 56);
    ck_assert(!upkeep_turn(upkeep, NULL));
    ck_assert_int_eq(packs(), 1);
    ck_assert_told("weir_git_packs 1\n");
    ck_assert_told("weir_git_upkeep_runs_total{result=\"ok\"} 1\n");
    ck_assert_uint_eq(level(mirror, tip), 56);
    shell("git -C clone fsck --full 2>&1");
    ck_assert_str_eq(fetch(), tip);
    end_upkeep();
}
END_TEST

/* What is large is not written again for the sake of what is small. */
START_TEST(a_large_pack_stays_as_it_is)
{
    begin_upkeep();
    commit("head -c 3000000 /dev/urandom >large");
    fetch();
    char large[80];
    keep(large, sizeof large, shell("cd clone/objects/pack && ls -S *.pack | head -n 1"));
    fetch_often(55);
    ck_assert(!upkeep_turn(upkeep, NULL));
    ck_assert_int_eq(packs(), 2);
    shell("test -f clone/objects/pack/%s", large);
    shell("git -C clone fsck --full 2>&1");
    end_upkeep();
}
END_TEST

START_TEST(a_kept_pack_stays_as_it_is)
{
    begin_upkeep();
    char kept[80];
    keep(kept, sizeof kept, shell("cd clone/objects/pack && ls *.idx | sed 's/.idx$//'"));
    shell("touch clone/objects/pack/%s.keep", kept);
    fetch_often(55);
    ck_assert(!upkeep_turn(upkeep, NULL));
    ck_assert_int_eq(packs(), 2);
    shell("test -f clone/objects/pack/%s.pack", kept);
    end_upkeep();
}
END_TEST

/* A tip that a rewrite has cut off may be what core is reading. */
START_TEST(what_no_ref_leads_to_is_kept)
{
    begin_upkeep();
    char lost[COMMIT_TEXT_SIZE];
    keep(lost, sizeof lost, fetch_often(30));
    commit("git reset -q --hard HEAD~20; echo y >y");
    fetch();
    fetch_often(30);
    ck_assert(!upkeep_turn(upkeep, NULL));
    ck_assert_int_eq(packs(), 1);
    ck_assert_uint_eq(level(mirror, lost), 31);
    shell("git -C clone cat-file -e %s", lost);
    end_upkeep();
}
END_TEST

/* --- other handles --------------------------------------------------------------------------- */

START_TEST(old_packs_stay_until_every_handle_is_opened_anew)
{
    begin_upkeep();
    struct mirror *reader;
    ck_assert_ok(mirror_open_beside(mirror, &reader, &failure));
    const char *tip = fetch_often(55);
    ck_assert(!mirror_is_stale(reader));
    ck_assert(upkeep_turn(upkeep, NULL));
    ck_assert_int_eq(packs(), 57);
    ck_assert(mirror_is_stale(reader));
    ck_assert(upkeep_turn(upkeep, NULL)); /* and not once more */
    ck_assert_int_eq(packs(), 57);
    ck_assert_uint_eq(level(reader, tip), 56);
    ck_assert_ok(mirror_refresh(reader, &failure));
    ck_assert(!mirror_is_stale(reader));
    ck_assert(!upkeep_turn(upkeep, NULL));
    ck_assert_int_eq(packs(), 1);
    ck_assert_uint_eq(level(reader, tip), 56);
    mirror_close(reader);
    end_upkeep();
}
END_TEST

START_TEST(a_handle_that_was_closed_is_not_waited_for)
{
    begin_upkeep();
    struct mirror *reader;
    ck_assert_ok(mirror_open_beside(mirror, &reader, &failure));
    fetch_often(55);
    ck_assert(upkeep_turn(upkeep, NULL));
    mirror_close(reader);
    ck_assert(!upkeep_turn(upkeep, NULL));
    ck_assert_int_eq(packs(), 1);
    end_upkeep();
}
END_TEST

START_TEST(descriptors_do_not_add_up)
{
    begin_upkeep();
    long most = 0;
    for (int i = 0; i < 4; i++) {
        fetch_often(55);
        upkeep_turn(upkeep, NULL);
        long open = strtol(shell("ls /proc/%d/fd | wc -l", (int)getpid()), NULL, 10);
        most = open > most ? open : most;
    }
    ck_assert_int_lt(most, 30);
    end_upkeep();
}
END_TEST

/* --- what fails ------------------------------------------------------------------------------ */

/* A git of our own, which does `script`, in the place of the real one. */
static void replace_git(const char *script)
{
    shell("mkdir -p bin && printf '#!/bin/sh\\n%%s\\n' '%s' >bin/git && chmod +x bin/git", script);
    char path[4200];
    snprintf(path, sizeof path, "%s:/usr/bin:/bin", below(root, "bin"));
    setenv("PATH", path, 1);
}

START_TEST(without_git_it_says_so_and_goes_on)
{
    begin_upkeep();
    fetch_often(55);
    char before[4200];
    snprintf(before, sizeof before, "%s", getenv("PATH"));
    setenv("PATH", root, 1);
    ck_assert(!upkeep_turn(upkeep, NULL));
    setenv("PATH", before, 1);
    ck_assert_told("there is no \\\"git\\\" on PATH");
    ck_assert_told("weir_git_upkeep_runs_total{result=\"failed\"} 1\n");
    ck_assert_int_eq(packs(), 56);
    fetch_often(1);
    end_upkeep();
}
END_TEST

START_TEST(what_failed_is_tried_again_later)
{
    begin_upkeep();
    char before[4200];
    snprintf(before, sizeof before, "%s", getenv("PATH"));
    fetch_often(55);
    replace_git("echo fatal: no space left >&2; exit 128");
    ck_assert(!upkeep_turn(upkeep, NULL));
    ck_assert_told("git pack-objects failed: fatal: no space left");
    replace_git("echo 0123; exit 0");
    ck_assert(!upkeep_turn(upkeep, NULL)); /* too early */
    ck_assert_told("no space left");
    now += 61 * NANOSECONDS_PER_SECOND;
    ck_assert(!upkeep_turn(upkeep, NULL));
    ck_assert_told("named no pack");
    replace_git("echo 0123456789012345678901234567890123456789; exit 0");
    now += 121 * NANOSECONDS_PER_SECOND;
    ck_assert(!upkeep_turn(upkeep, NULL));
    ck_assert_told("left no");
    ck_assert_int_eq(packs(), 56);
    setenv("PATH", before, 1);
    now += 241 * NANOSECONDS_PER_SECOND;
    ck_assert(!upkeep_turn(upkeep, NULL));
    ck_assert_int_eq(packs(), 1);
    ck_assert_told("\"problem\":null,\"ran\":\"1970-");
    end_upkeep();
}
END_TEST

START_TEST(one_that_was_killed_leaves_nothing)
{
    begin_upkeep();
    fetch_often(55);
    replace_git("touch \"${1#--git-dir=}objects/pack/tmp_pack_Ab12\"; kill -9 $$");
    ck_assert(!upkeep_turn(upkeep, NULL));
    ck_assert_told("was killed by signal 9");
    ck_assert_str_eq(shell("ls clone/objects/pack | grep -c tmp_ || true"), "0");
    ck_assert_int_eq(packs(), 56);
    end_upkeep();
}
END_TEST

START_TEST(one_that_is_under_way_can_be_stopped)
{
    begin_upkeep();
    _Atomic bool stop = true;
    fetch_often(55);
    replace_git("exec sleep 600");
    ck_assert(!upkeep_turn(upkeep, &stop));
    ck_assert_int_eq(packs(), 56);
    end_upkeep();
}
END_TEST

/* --- after a crash --------------------------------------------------------------------------- */

START_TEST(what_a_crash_left_is_removed)
{
    begin_upkeep();
    const char *tip = fetch_often(3);
    mirror_close(mirror);
    mirror = NULL;
    shell("cd clone && touch objects/pack/tmp_pack_Ab12 objects/pack/tmp_idx_Ab12 "
          "objects/pack/pack_git2_Ab12 refs/remotes/origin/main.lock refs/weir/tip.lock "
          "packed-refs.lock && cp $(ls objects/pack/*.pack | head -n 1) "
          "objects/pack/pack-0123456789012345678901234567890123456789.pack");
    ck_assert_uint_eq(leftovers_remove(below(root, "clone")), 7);
    ck_assert_uint_eq(leftovers_remove(below(root, "clone")), 0);
    ck_assert_uint_eq(leftovers_remove(below(root, "nothing")), 0);
    open_mirror();
    commit("echo z >z");
    fetch();
    ck_assert_uint_eq(level(mirror, tip), 4);
    shell("git -C clone fsck --full 2>&1");
    upkeep_free(upkeep);
    upkeep = NULL;
    end_upkeep();
}
END_TEST

UNIT_MAIN("upkeep", few_packs_are_left_alone, many_packs_become_one, a_large_pack_stays_as_it_is,
          a_kept_pack_stays_as_it_is, what_no_ref_leads_to_is_kept,
          old_packs_stay_until_every_handle_is_opened_anew,
          a_handle_that_was_closed_is_not_waited_for, descriptors_do_not_add_up,
          without_git_it_says_so_and_goes_on, what_failed_is_tried_again_later,
          one_that_was_killed_leaves_nothing, one_that_is_under_way_can_be_stopped,
          what_a_crash_left_is_removed)
