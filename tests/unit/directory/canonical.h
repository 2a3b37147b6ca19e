/* canonical: what the directory process gives to aliases_parse, for tests. */
#ifndef TESTS_CANONICAL_H
#define TESTS_CANONICAL_H

#include "directory/aliases.h"
#include "smtp/path.h"

static inline bool canonical(struct span address, struct buf *key)
{
    char memory[600];
    struct buf b = buf_on(memory, sizeof memory);
    struct path path;
    struct span rest;
    buf_byte(&b, '<');
    buf_put(&b, address);
    buf_byte(&b, '>');
    if (b.over || path_parse(buf_span(&b), PATH_ALLOW_UTF8, &path, &rest) != PATH_OK || rest.n) return false;
    path_key(&path, key);
    return !key->over;
}

#endif
