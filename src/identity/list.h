/* list: what the database holds, row by row, for people and their scripts. Secrets are never in a row, only that there are some. */
#ifndef IDENTITY_LIST_H
#define IDENTITY_LIST_H

#include "identity/identity.h"

enum list {
    LIST_USERS,        /* hosts too */
    LIST_GROUPS,       /* of: nothing */
    LIST_MEMBERS,      /* of: a group */
    LIST_SENDERS,      /* of: a principal, as in those that follow */
    LIST_APPS,         /* app passwords */
    LIST_CERTIFICATES, /* pinned keys */
    LIST_AUDIT,        /* of: what it says begins so */
};

enum list_type {
    LIST_TEXT,
    LIST_NUMBER,
    LIST_YES_NO,  /* number: 0 or 1 */
    LIST_TIME,    /* unix seconds */
    LIST_RIGHTS,  /* number: a set */
    LIST_NAMES,   /* text: several, with commas between (none holds one), or none */
    LIST_NOTHING, /* there is no value */
};

struct list_value {
    struct span name; /* of the column */
    enum list_type type;
    struct span text;
    int64_t number;
};
enum { LIST_COLUMNS = 16 };

typedef void list_row_fn(void *context, const struct list_value *values, unsigned n);

/* of: the canonical name, or empty: all. Spans live during the call of row. False: *why (until the next call). */
bool list_each(struct identity *i, enum list what, struct span of, list_row_fn *row, void *context,
               const char **why);

#endif
