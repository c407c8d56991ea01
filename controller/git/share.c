#include "share.h"

#include <stdlib.h>

#include "mirror_private.h"

struct mirror_share *share_new(void)
{
    struct mirror_share *share = calloc(1, sizeof *share);
    if (share && pthread_mutex_init(&share->lock, NULL) == 0)
        return share;
    free(share);
    return NULL;
}

void share_join(struct mirror_share *share, struct mirror *mirror)
{
    pthread_mutex_lock(&share->lock);
    mirror->share = share;
    mirror->generation = share->generation;
    mirror->next = share->first;
    share->first = mirror;
    pthread_mutex_unlock(&share->lock);
}

void share_leave(struct mirror_share *share, struct mirror *mirror)
{
    pthread_mutex_lock(&share->lock);
    struct mirror **link = &share->first;
    while (*link && *link != mirror)
        link = &(*link)->next;
    if (*link)
        *link = mirror->next;
    bool last = !share->first;
    pthread_mutex_unlock(&share->lock);
    if (last) {
        pthread_mutex_destroy(&share->lock);
        free(share);
    }
}

uint64_t share_renew(struct mirror_share *share)
{
    pthread_mutex_lock(&share->lock);
    uint64_t generation = ++share->generation;
    pthread_mutex_unlock(&share->lock);
    return generation;
}

bool share_has_reached(struct mirror_share *share, uint64_t generation)
{
    bool reached = true;
    pthread_mutex_lock(&share->lock);
    for (const struct mirror *mirror = share->first; mirror && reached; mirror = mirror->next)
        reached = mirror->generation >= generation;
    pthread_mutex_unlock(&share->lock);
    return reached;
}

bool share_is_stale(struct mirror_share *share, const struct mirror *mirror)
{
    pthread_mutex_lock(&share->lock);
    bool stale = mirror->generation < share->generation;
    pthread_mutex_unlock(&share->lock);
    return stale;
}

uint64_t share_generation(struct mirror_share *share)
{
    pthread_mutex_lock(&share->lock);
    uint64_t generation = share->generation;
    pthread_mutex_unlock(&share->lock);
    return generation;
}

void share_reach(struct mirror_share *share, struct mirror *mirror, uint64_t generation)
{
    pthread_mutex_lock(&share->lock);
    mirror->generation = generation;
    pthread_mutex_unlock(&share->lock);
}
