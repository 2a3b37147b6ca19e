#include "directory/users.h"

#include "base/limits.h"
#include "directory/recipients.h"

enum { ROOM_FIRST = 64 };

bool users_add(struct users *u, struct arena *a, struct span key)
{
    if (u->count == LIMIT_USERS) return false;
    if (u->count == u->room) {
        uint32_t room = u->room ? 2 * u->room : ROOM_FIRST;
        struct span *keys = arena_take_array(a, room, sizeof *keys);
        if (!keys) return false;
        if (u->count) memcpy(keys, u->keys, u->count * sizeof *keys);
        u->keys = keys;
        u->room = room;
    }
    struct span copy = arena_copy(a, key);
    if (!copy.p) return false;
    u->keys[u->count++] = copy;
    return true;
}

struct span users_first(const struct users *u, struct span domain)
{
    struct span local, d;
    for (uint32_t i = 0; i < u->count; i++)
        if (recipients_split(u->keys[i], &local, &d) && span_eq(d, domain)) return u->keys[i];
    return u->count ? u->keys[0] : SPAN("");
}
