/* Mailboxes of a test: names with blanks or line ends between them. */
#ifndef TESTS_MAILBOX_LIST_H
#define TESTS_MAILBOX_LIST_H

#include "directory/users.h"

static inline struct users *mailbox_list(struct arena *a, const char *names)
{
    struct users *u = arena_take(a, sizeof *u);
    while (u && *names) {
        size_t n = strcspn(names, " \n");
        if (n && !users_add(u, a, span_of(names, n))) return NULL;
        names += n + (names[n] != 0);
    }
    return u;
}

#endif
