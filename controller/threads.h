/* threads.h - a crew (rules/crew.h) of threads.
 *
 * They are started for each piece of work and joined at its end: nothing runs, and nothing has to
 * be stopped, in between. */
#ifndef WEIR_THREADS_H
#define WEIR_THREADS_H

#include "../rules/crew.h"

#define THREADS_MOST 64

/* `size` hands, the caller's included; 0: one for each processor that this process may use. */
struct crew threads_crew(unsigned size);

#endif
