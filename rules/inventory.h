/* inventory.h - what the files of a commit define, by name; and which version of each is in force.
 *
 * What stays in memory from one commit to the next: names, where they stand, and who refers to
 * whom. Definitions themselves are read again when a commit touches them or something they belong
 * with (reconcile.h), so 100 000 of them cost some 30 MB.
 *
 * `wanted` is what the newest commit says. `in_force` is what is compiled into the documents: the
 * same, but for what a faulty commit leaves as it was (DESIGN section 5, quarantine).
 *
 * One owner, one thread. */
#ifndef WEIR_INVENTORY_H
#define WEIR_INVENTORY_H

#include "definitions.h"
#include "document.h"
#include "table.h"

/* SHA-1 of a file's content, as Git has it; all zeros where nobody knows it. */
struct blob_id {
    uint8_t bytes[20];
};

/* One document of a file. */
struct version {
    struct source_file *source;
    struct entry *entry;
    struct version *next;  /* another document of the commit that defines the same name */
    struct version **link; /* what points to this one, while the commit wants it */
    uint32_t index;        /* of the document in its file */
    bool whole;            /* nothing is wrong with it by itself, nor with the file's YAML */
    bool leans;            /* a state, unfinished, in force: what it walks on is not there */
    uint32_t step;         /* `definition` is there in this step only */
    void *definition;      /* struct flag … */
};

/* One file as one commit has it. Counted: by the commit's table, and once for each of its versions
 * that is in force. */
struct source_file {
    uint64_t hash; /* of the path */
    uint32_t references;
    struct blob_id blob;
    size_t size;                                          /* bytes of the file */
    bool is_read;                                         /* is one of definitions */
    bool unreadable, unidentified;                        /* as struct read_file has them */
    struct diagnostics *faults;                           /* or NULL */
    struct source_file *troubled_before, *troubled_after; /* the list of those with faults */
    struct version *versions;
    uint32_t version_count;
    struct text path;
};

/* One end of "this asks for that"; each end knows where the other stands, so that a segment that
 * 100 000 flags ask for lets go of each of them at once. */
struct reference {
    struct entry *entry;
    uint32_t place; /* of the other end, among the entry's referrers or references */
};

/* That a hand other than weir's made the state or pin in force. It counts as a move of its own:
 * what weir does next has a seq that none before it has. */
struct edit {
    struct blob_id word; /* weir's last before it; of the same path */
    uint32_t seq;        /* that it stands with: one more than that of `word` */
};

/* A name of one kind. */
struct entry {
    uint64_t hash; /* of kind and name */
    enum kind kind;
    struct text name;
    size_t place;                 /* in inventory->kinds[kind] */
    struct version *wanted;       /* each document of the commit that defines it; NULL: none does */
    struct version *in_force;     /* NULL: none */
    struct edit *edit;            /* owned; NULL: what is in force is as weir made it */
    struct reference *references; /* what the version in force asks for, each once */
    struct reference *referrers;  /* those whose version in force asks for this */
    uint32_t reference_count, referrer_count, referrer_size;
    uint32_t asked;    /* by the definition of that number: inventory_begin_asking() */
    struct work *work; /* in the midst of a step: reconcile_private.h */
};

struct entries {
    struct entry **items;
    size_t count, size;
};

struct inventory_document {
    char *environment;
    unsigned evaluators; /* that it was compiled for */
    bool holds;          /* onInvalid: hold */
    struct document *document;
};

struct inventory {
    struct table entries;                 /* struct entry */
    struct entries kinds[KIND_COUNT];     /* the same, in no order */
    struct table sources;                 /* struct source_file: of the commit */
    struct source_file *troubled;         /* those with faults */
    size_t unidentified, unreadable;      /* how many sources are */
    size_t files, bytes, looked;          /* against bundle.h's limits */
    struct entries quarantined;           /* wanted is not what is in force */
    struct inventory_document *documents; /* sorted by environment: what is in force, compiled */
    size_t document_count;
    uint32_t step, asking;
};

void inventory_init(struct inventory *inventory);
void inventory_dispose(struct inventory *inventory);

struct entry *inventory_find(const struct inventory *inventory, enum kind kind, struct text name);
/* The same, made where there is none; NULL without memory. */
struct entry *inventory_entry(struct inventory *inventory, enum kind kind, struct text name);
/* Forgets an entry that nobody wants, has in force or refers to; else does nothing. */
void inventory_forget(struct inventory *inventory, struct entry *entry);

/* A source by itself, with one reference; NULL without memory. */
struct source_file *source_new(struct text path, const struct blob_id *blob);
void source_release(struct source_file *source); /* NULL is fine */

struct source_file *inventory_source(const struct inventory *inventory, struct text path);
/* Takes over the reference. Its versions become wanted. */
bool inventory_add(struct inventory *inventory, struct source_file *source) MUST_CHECK;
/* Its versions are wanted no more; `touched` (may be NULL) gets their entries. */
bool inventory_remove(struct inventory *inventory, struct source_file *source,
                      struct entries *touched) MUST_CHECK;

/* Gives the next definition that asks for others a number of its own: each that it asks for is
 * marked with it (entry->asked), and so taken once. */
void inventory_begin_asking(struct inventory *inventory);

/* Makes `version` (or NULL) the one in force, referring to `references`, each once. After a failure
 * the inventory is only good for disposing. */
bool inventory_put_in_force(struct entry *entry, struct version *version,
                            struct entry *const *references, size_t count) MUST_CHECK;

/* Copies `edit` (or NULL). False without memory. */
bool inventory_set_edit(struct entry *entry, const struct edit *edit) MUST_CHECK;

/* The same for one that says just what the one in force says. */
void inventory_exchange(struct entry *entry, struct version *version);

const struct inventory_document *inventory_document(const struct inventory *inventory,
                                                    struct text environment);

bool entries_add(struct entries *entries, struct entry *entry) MUST_CHECK;
void entries_dispose(struct entries *entries);

#endif
