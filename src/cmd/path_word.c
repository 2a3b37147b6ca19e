#include "cmd/path_word.h"

bool path_word(const char *text, unsigned flags, char memory[PATH_WORD_OCTETS], struct path *ret)
{
    struct buf b = buf_on(memory, PATH_WORD_OCTETS);
    struct span rest;
    bool bare = text[0] != '<';

    if (bare) buf_byte(&b, '<');
    buf_str(&b, text);
    if (bare) buf_byte(&b, '>');
    return !b.over && path_parse(buf_span(&b), flags | PATH_ALLOW_UTF8, ret, &rest) == PATH_OK && !rest.n;
}
