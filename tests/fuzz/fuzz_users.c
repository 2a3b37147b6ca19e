/* The users file: what is taken is the name of a folder and in lower case; nothing of the second field is shown. */
#include "../unit/directory/canonical.h"
#include "directory/mailbox_name.h"
#include "directory/recipients.h"
#include "directory/users.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool b)
{
    if (!b) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_create(1 << 24);
    struct problems problems = {.count = 0};
    must(a != NULL);
    struct users *u = users_parse(a, SPAN("f"), span_of(data, size), canonical, &problems);
    for (uint32_t i = 0; u && i < u->count; i++) {
        struct span local, domain;
        must(recipients_split(u->keys[i], &local, &domain) && mailbox_name_local(local) &&
             mailbox_name_domain(domain));
        for (size_t k = 0; k < u->keys[i].n; k++)
            must(u->keys[i].p[k] != '/' && u->keys[i].p[k] == octet_lower(u->keys[i].p[k]));
        must(users_first(u, domain).n > 0);
    }
    for (const struct problem *p = problems.first; p; p = p->next)
        must(span_find(p->subject, '\t') == SPAN_NPOS && span_find(p->subject, '\n') == SPAN_NPOS);
    arena_destroy(&a);
    return 0;
}
