/* canonical: what the directory process gives to aliases_parse, for tests. */
#ifndef TESTS_CANONICAL_H
#define TESTS_CANONICAL_H

#include "directory/aliases.h"
#include "smtp/path.h"

static inline bool canonical(struct span address, struct buf *key)
{
    return path_canonical(address, PATH_ALLOW_UTF8, key);
}

#endif
