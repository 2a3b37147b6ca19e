/* id_map: message ids in order, each with a pointer. Pages of up to 512 ids in a sorted array of pages: ids mostly grow, so
 * insertion is at the end; finding is two binary searches; walking in order needs no recursion and survives changes, since
 * the cursor is an id. */
#ifndef SPOOL_ID_MAP_H
#define SPOOL_ID_MAP_H

#include "base/span.h"

struct id_page;
struct id_map {
    struct id_page **pages;
    size_t n_pages, max_pages;
    size_t count;
};

void *id_map_find(const struct id_map *m, uint64_t id);
MUST_USE bool id_map_insert(struct id_map *m, uint64_t id,
                            void *value);                        /* false: is there already, or no memory */
void id_map_replace(struct id_map *m, uint64_t id, void *value); /* of an id that is there */
void *id_map_remove(struct id_map *m, uint64_t id);              /* null: was not there */
void *id_map_after(const struct id_map *m, uint64_t cursor,
                   uint64_t *id);             /* the first id above cursor; null: none */
uint64_t id_map_last(const struct id_map *m); /* the highest id; 0: none */
void id_map_destroy(struct id_map *m);        /* the values are the caller's */

#endif
