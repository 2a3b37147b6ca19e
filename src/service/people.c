#include "service/people.h"

#include <errno.h>
#include <string.h>

#include "service/config_load.h"

static const char *read_file(struct arena *arena, struct span path, struct span *text, bool *absent)
{
    const char *why = config_load_file(arena, (const char *)path.p, LIMIT_DIRECTORY_FILE_OCTETS, text);

    *absent = why && strcmp(why, strerrordesc_np(ENOENT)) == 0;
    if (why) *text = SPAN("");
    return why;
}

bool people_load(struct people *p, const struct config *c)
{
    struct span users, aliases;

    *p = (struct people){.arena = arena_create(LIMIT_DIRECTORY_MEMORY_OCTETS)};
    if (!p->arena) return false;
    p->users_unreadable = read_file(p->arena, c->users_file, &users, &p->users_absent);
    p->aliases_unreadable = read_file(p->arena, c->aliases_file, &aliases, &p->aliases_absent);
    bool good = names_load(&p->names, c, users, aliases);
    union { /* verifiers were read into memory of our own; their names are copied (invariant I10) */
        const uint8_t *in;
        void *out;
    } secret = {.in = users.p};
    explicit_bzero(secret.out, users.n);
    if (!good) arena_destroy(&p->arena);
    return good;
}

void people_free(struct people *p)
{
    names_free(&p->names);
    arena_destroy(&p->arena);
}
