#include "report_queue.h"

static bool same_report(const struct forge_report *a, const struct forge_report *b)
{
    return strcmp(a->commit, b->commit) == 0 && a->state == b->state &&
           strcmp(a->description, b->description) == 0;
}

static struct report_entry *find(struct report_queue *queue, const char *commit)
{
    for (size_t i = 0; i < queue->count; i++)
        if (strcmp(queue->waiting[i].report.commit, commit) == 0)
            return &queue->waiting[i];
    return NULL;
}

static void drop(struct report_queue *queue, struct report_entry *entry)
{
    *entry = queue->waiting[--queue->count];
}

/* What the forge was last told of a commit; NULL: nothing that is remembered. */
static const struct forge_report *find_settled(const struct report_queue *queue, const char *commit)
{
    size_t kept = queue->settled_count < REPORTS_MOST ? queue->settled_count : REPORTS_MOST;
    for (size_t i = 1; i <= kept; i++) {
        const struct forge_report *report =
            &queue->settled[(queue->settled_count - i) % REPORTS_MOST];
        if (strcmp(report->commit, commit) == 0)
            return report;
    }
    return NULL;
}

static struct report_entry *make_room(struct report_queue *queue, bool *dropped)
{
    *dropped = queue->count == REPORTS_MOST;
    if (!*dropped)
        return &queue->waiting[queue->count++];
    struct report_entry *oldest = &queue->waiting[0];
    for (size_t i = 1; i < queue->count; i++)
        if (queue->waiting[i].order < oldest->order)
            oldest = &queue->waiting[i];
    return oldest;
}

bool report_queue_put(struct report_queue *queue, const struct forge_report *report, int64_t now)
{
    struct report_entry *entry = find(queue, report->commit);
    const struct forge_report *settled = find_settled(queue, report->commit);
    bool dropped = false, pending = report->state == FORGE_PENDING;
    if (pending && (entry || settled))
        return true;
    if (entry && same_report(&entry->report, report))
        return true;
    if (settled && same_report(settled, report)) {
        if (entry)
            drop(queue, entry);
        return true;
    }
    if (!entry)
        entry = make_room(queue, &dropped);
    *entry = (struct report_entry){.report = *report,
                                   .since = now,
                                   .due = now + (pending ? REPORT_PENDING_DELAY : 0),
                                   .order = ++queue->order};
    return !dropped;
}

bool report_queue_next(const struct report_queue *queue, int64_t now, struct forge_report *out)
{
    const struct report_entry *newest = NULL;
    for (size_t i = 0; i < queue->count && now >= queue->quiet_until; i++) {
        const struct report_entry *entry = &queue->waiting[i];
        if (entry->due <= now && (!newest || entry->order > newest->order))
            newest = entry;
    }
    if (newest)
        *out = newest->report;
    return newest;
}

int64_t report_queue_due(const struct report_queue *queue)
{
    int64_t due = INT64_MAX;
    for (size_t i = 0; i < queue->count; i++)
        if (queue->waiting[i].due < due)
            due = queue->waiting[i].due;
    return due < queue->quiet_until ? queue->quiet_until : due;
}

static void remember(struct report_queue *queue, const struct forge_report *report)
{
    queue->settled[queue->settled_count++ % REPORTS_MOST] = *report;
}

bool report_queue_settle(struct report_queue *queue, const struct forge_report *sent,
                         enum forge_outcome outcome, int64_t wait, const struct clock *clock)
{
    struct report_entry *entry = find(queue, sent->commit);
    bool is_newer = entry && !same_report(&entry->report, sent);
    int64_t now = clock->monotonic(clock->self);
    if (outcome == FORGE_TOLD || outcome == FORGE_REFUSED) {
        remember(queue, sent);
        if (entry && !is_newer)
            drop(queue, entry);
        return true;
    }
    if (outcome == FORGE_LIMITED) /* never earlier than asked, and not all controllers at once */
        queue->quiet_until =
            now + wait * NANOSECONDS_PER_SECOND + clock_jitter(clock, NANOSECONDS_PER_SECOND, 100);
    if (!entry || is_newer)
        return true;
    if (now - entry->since >= REPORT_PATIENCE) {
        remember(queue, sent);
        drop(queue, entry);
        return false;
    }
    entry->attempts++;
    entry->due =
        now + clock_backoff(clock, entry->attempts, REPORT_RETRY_FIRST, REPORT_RETRY_LONGEST);
    return true;
}
