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

bool people_load(struct people *p, const struct config *c, bool mailboxes)
{
    struct span aliases;

    *p = (struct people){.arena = arena_create(LIMIT_DIRECTORY_MEMORY_OCTETS)};
    if (!p->arena) return false;
    p->mailboxes = MAILBOXES_ABSENT;
    if (mailboxes)
        p->mailboxes =
            mailboxes_open((const char *)c->users_folder.p, p->arena, &p->users, &p->users_unreadable);
    p->aliases_unreadable = read_file(p->arena, c->aliases_file, &aliases, &p->aliases_absent);
    if (names_load(&p->names, c, &p->users, aliases)) return true;
    arena_destroy(&p->arena);
    return false;
}

void people_free(struct people *p)
{
    names_free(&p->names);
    arena_destroy(&p->arena);
}
