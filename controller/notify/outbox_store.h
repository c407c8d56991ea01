/* outbox_store.h - an outbox that a store keeps (store/store.h): notices wait through restarts, and
 * what was sent is remembered for as long as the store does, so that the same news is not sent
 * twice.
 *
 * It has a handle of its own on the store, and a lock around it: any thread may call. A notice that
 * is handed out is nobody else's for OUTBOX_LEASE; after a crash it comes again then. When
 * STORE_PENDING_MAXIMUM wait, the oldest is given up for what is new; outbox.h's STATUS_LIMIT is
 * never told. The store counts in seconds: what is due within one is due at its end. */
#ifndef WEIR_OUTBOX_STORE_H
#define WEIR_OUTBOX_STORE_H

#include "outbox.h"

#define OUTBOX_LEASE 30 /* seconds */

/* `location`: as store_open() has it, whose failures these are. */
enum status outbox_store_new(const char *location, struct outbox *out,
                             struct error *error) MUST_CHECK;
void outbox_store_free(struct outbox *outbox); /* one that was never made, or is freed: fine */

#endif
