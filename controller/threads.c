#include "threads.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

struct job {
    void (*work)(void *context, unsigned part);
    void *context;
    unsigned parts;
    _Atomic unsigned next;
};

/* Takes the next part until there is none. */
static void *do_parts(void *argument)
{
    struct job *job = argument;
    for (;;) {
        unsigned part = atomic_fetch_add(&job->next, 1);
        if (part >= job->parts)
            return NULL;
        job->work(job->context, part);
    }
}

static void run(const struct crew *crew, unsigned parts, void (*work)(void *context, unsigned part),
                void *context)
{
    struct job job = {.work = work, .context = context, .parts = parts};
    pthread_t threads[THREADS_MOST];
    unsigned started = 0;
    while (started + 1 < crew->size && started + 1 < parts &&
           pthread_create(&threads[started], NULL, do_parts, &job) == 0)
        started++;
    do_parts(&job); /* without the others, all of it */
    for (unsigned i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
}

static unsigned processors(void)
{
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) == 0)
        return (unsigned)CPU_COUNT(&allowed);
    long online = sysconf(_SC_NPROCESSORS_ONLN); /* more than a cpu_set_t can hold */
    return online > 0 ? (unsigned)online : 1;
}

struct crew threads_crew(unsigned size)
{
    if (size == 0)
        size = processors();
    return (struct crew){.size = size < THREADS_MOST ? size : THREADS_MOST, .run = run};
}
