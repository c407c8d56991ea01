/* crew.h - hands that the caller lends for work that can be done in parts at once.
 *
 * The rules start no threads of their own: who has some passes a crew (controller/threads.h makes
 * one), others pass NULL. What comes out is the same, byte for byte, whoever does it and in
 * whatever order: parts share nothing that one of them changes, and are put together in their
 * order. */
#ifndef WEIR_CREW_H
#define WEIR_CREW_H

#include "base.h"

struct crew {
    unsigned size; /* how many parts can be done at once */
    /* Calls work(context, part) for each part below `parts`, and returns when all are done. Cannot
     * fail: where there is nobody to help the caller does all of them. */
    void (*run)(const struct crew *crew, unsigned parts, void (*work)(void *context, unsigned part),
                void *context);
};

#define CREW_MOST_PARTS 256

/* How many parts are worth it for `count` things of which one part should have `least`; several for
 * each hand, so that none waits long for the last. */
static inline unsigned crew_parts(const struct crew *crew, size_t count, size_t least)
{
    size_t parts = crew && crew->size > 1 ? (size_t)crew->size * 4 : 1, worth = count / least;
    if (parts > CREW_MOST_PARTS)
        parts = CREW_MOST_PARTS;
    return (unsigned)(worth < 1 ? 1 : parts < worth ? parts : worth);
}

static inline void crew_run(const struct crew *crew, unsigned parts,
                            void (*work)(void *context, unsigned part), void *context)
{
    if (crew && parts > 1) {
        crew->run(crew, parts, work, context);
        return;
    }
    for (unsigned part = 0; part < parts; part++)
        work(context, part);
}

#endif
