#include "rate.h"

#include <pthread.h>
#include <stdlib.h>

#include "../clock.h"

#define SHARDS ((size_t)16) /* each with a lock of its own */
#define SETS ((size_t)256)  /* of a shard */
#define WAYS ((size_t)8)    /* places that a caller may have */

/* What a caller has left is told by one time: when his bucket would be full. So a bucket that was
 * never used and one that is full again are the same. */
struct bucket {
    uint64_t caller;
    int64_t full;
};

struct shard {
    pthread_mutex_t lock;
    struct bucket buckets[SETS][WAYS];
};

struct rate {
    int64_t cost; /* nanoseconds that one request takes to refill */
    int64_t size; /* nanoseconds that an empty bucket takes */
    struct shard *shards;
};

struct rate *rate_new(unsigned limit)
{
    struct rate *rate = calloc(1, sizeof *rate);
    struct shard *shards = calloc(SHARDS, sizeof *shards);
    size_t made = 0;
    while (rate && shards && made < SHARDS && pthread_mutex_init(&shards[made].lock, NULL) == 0)
        made++;
    if (made < SHARDS) {
        while (made)
            pthread_mutex_destroy(&shards[--made].lock);
        free(shards);
        free(rate);
        return NULL;
    }
    rate->cost = NANOSECONDS_PER_SECOND / limit;
    rate->size = rate->cost * limit;
    rate->shards = shards;
    return rate;
}

void rate_free(struct rate *rate)
{
    if (!rate)
        return;
    for (size_t i = 0; i < SHARDS; i++)
        pthread_mutex_destroy(&rate->shards[i].lock);
    free(rate->shards);
    free(rate);
}

/* The caller's bucket, or the one of this set that has been full for longest. */
static struct bucket *find(struct bucket *set, uint64_t caller)
{
    struct bucket *oldest = &set[0];
    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].caller == caller)
            return &set[i];
        if (set[i].full < oldest->full)
            oldest = &set[i];
    }
    *oldest = (struct bucket){.caller = caller};
    return oldest;
}

int64_t rate_take(struct rate *rate, uint64_t caller, int64_t now)
{
    struct shard *shard = &rate->shards[caller % SHARDS];
    pthread_mutex_lock(&shard->lock);
    struct bucket *bucket = find(shard->buckets[caller / SHARDS % SETS], caller);
    int64_t full = (bucket->full > now ? bucket->full : now) + rate->cost;
    int64_t wait = full - now - rate->size;
    if (wait <= 0)
        bucket->full = full;
    pthread_mutex_unlock(&shard->lock);
    return wait > 0 ? wait : 0;
}
