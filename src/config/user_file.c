#include "config/user_file.h"

static void add_table(const struct config_route *table, uint32_t n, struct config_user_file *ret,
                      uint32_t *count)
{
    for (uint32_t i = 0; i < n && *count <= LIMIT_CREDENTIAL_FILES; i++) {
        struct span path = table[i].hop.user;
        uint32_t k = 0;
        while (k < *count && k < LIMIT_CREDENTIAL_FILES && !span_eq(ret[k].path, path))
            k++;
        if (path.n == 0 || k < *count) continue;
        if (k < LIMIT_CREDENTIAL_FILES)
            ret[k] = (struct config_user_file){path, &table[i].place, table[i].secret};
        ++*count;
    }
}

uint32_t config_user_files(const struct config *c, struct config_user_file ret[LIMIT_CREDENTIAL_FILES])
{
    uint32_t count = 0;
    add_table(c->routes, c->n_routes, ret, &count);
    add_table(c->sender_routes, c->n_sender_routes, ret, &count);
    return count;
}
