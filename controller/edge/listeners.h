/* listeners.h - the threads by which an edge hears from its source that something has changed.
 *
 * One for each channel of the source (source.h). A channel that ends or cannot be had is tried
 * again with backoff, soon at first and rarely where a source offers none: the edge polls all the
 * same, so a channel only makes it sooner. What comes is nothing but a reason to look. */
#ifndef WEIR_EDGE_LISTENERS_H
#define WEIR_EDGE_LISTENERS_H

#include "source.h"

struct listeners;

/* `driver`, `source`, `ear` and `clock` must outlive it; the ear's function is called on any of the
 * threads. *out is NULL where the source has no channels. STATUS_NO_MEMORY or STATUS_SYSTEM. */
enum status listeners_start(const struct source_driver *driver, const void *source,
                            const struct source_ear *ear, const struct clock *clock,
                            struct listeners **out, struct error *error);
/* Whether every channel of the source is heard just now; false for NULL. */
bool listeners_hear(const struct listeners *listeners);
/* Ends the threads, within 200 ms once the source's *stop is set. NULL is fine. */
void listeners_stop(struct listeners *listeners);

#endif
