/* driver.h - what a store has to do. store.c checks every argument before it calls a driver, and
 * the promises of store.h are the driver's to keep; the table's functions are those of store.h,
 * one for one. */
#ifndef WEIR_STORE_DRIVER_H
#define WEIR_STORE_DRIVER_H

#include "store.h"

struct store_driver {
    const char *scheme; /* "sqlite": of locations that begin with "sqlite:" */
    enum status (*open)(const char *location, struct store **out, struct error *error);
    void (*close)(struct store *store);
    enum status (*set_aside)(const char *location, int64_t now, char *kept, size_t size,
                             struct error *error);

    enum status (*override_put)(struct store *store, const struct store_override *override,
                                bool again, struct error *error);
    enum status (*override_close)(struct store *store, struct text intent, int64_t when,
                                  struct error *error);
    enum status (*override_each)(struct store *store, store_override_visit *visit, void *context,
                                 struct error *error);
    enum status (*override_get)(struct store *store, struct text intent,
                                store_override_visit *visit, void *context, struct error *error);

    enum status (*measurement_append)(struct store *store,
                                      const struct store_measurement *measurements, size_t count,
                                      struct error *error);
    enum status (*measurement_each)(struct store *store, struct text environment,
                                    struct text rollout, struct text metric, int64_t since,
                                    store_measurement_visit *visit, void *context,
                                    struct error *error);
    enum status (*measurement_all)(struct store *store, struct text environment,
                                   struct text rollout, int64_t since, uint64_t most,
                                   store_measurement_visit *visit, void *context,
                                   struct error *error);

    enum status (*evidence_put)(struct store *store, const struct store_evidence_key *key,
                                uint32_t version, struct text bytes, int64_t when,
                                struct error *error);
    enum status (*evidence_get)(struct store *store, const struct store_evidence_key *key,
                                uint32_t *version, char *bytes, size_t *length,
                                struct error *error);
    enum status (*evidence_delete)(struct store *store, const struct store_evidence_key *key,
                                   struct error *error);

    enum status (*outbox_append)(struct store *store, const struct store_notice *notice,
                                 struct error *error);
    enum status (*outbox_take)(struct store *store, struct text channel, int64_t now, int64_t lease,
                               struct store_notice *out, struct error *error);
    enum status (*outbox_done)(struct store *store, struct text id, struct error *error);
    enum status (*outbox_retry)(struct store *store, struct text id, int64_t due,
                                struct text problem, struct error *error);
    enum status (*outbox_drop)(struct store *store, struct text id, struct text problem,
                               struct error *error);
    enum status (*outbox_count)(struct store *store, struct text channel,
                                struct store_outbox_counts *out, struct error *error);
    enum status (*outbox_dropped)(struct store *store, store_notice_visit *visit, void *context,
                                  struct error *error);

    enum status (*rollback_note)(struct store *store, const struct store_rollback *rollback,
                                 struct error *error);
    enum status (*rollback_each)(struct store *store, int64_t since, store_rollback_visit *visit,
                                 void *context, struct error *error);

    enum status (*prune)(struct store *store, const struct store_keep *keep, uint64_t *removed,
                         struct error *error);
};

/* The beginning of every driver's own struct. */
struct store {
    const struct store_driver *driver;
};

extern const struct store_driver sqlite_driver;

/* registry.c: the driver of a location, whose scheme is cut off; the first one where the location
 * names none. NULL: nobody knows its scheme. */
const struct store_driver *store_driver_of(const char *location, const char **rest);

#endif
