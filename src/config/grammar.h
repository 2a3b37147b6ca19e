/* grammar: the words of the configuration. "name arguments { ... }", statements end at a line end, ';', '}' or (read.c) before
 * the next keyword of the block; '#' begins a comment where a word could begin; "..." quotes with \" and \\ inside.
 * The state is a plain struct: copy it to look ahead. */
#ifndef CONFIG_GRAMMAR_H
#define CONFIG_GRAMMAR_H

#include "base/arena.h"
#include "base/span.h"

enum token_kind {
    TOKEN_WORD,
    TOKEN_STRING,
    TOKEN_OPEN,
    TOKEN_CLOSE,
    TOKEN_SEMICOLON,
    TOKEN_LINE_END,
    TOKEN_END,
    TOKEN_BAD
};

struct token {
    enum token_kind kind;
    struct span
        text; /* WORD: as written. STRING: what stands between the quotes, still escaped. BAD: what is wrong */
    uint32_t line, column; /* from 1; columns count characters */
};

struct grammar {
    struct span rest;
    uint32_t line, column;
};

void grammar_begin(struct grammar *g, struct span text);
struct token grammar_next(struct grammar *g);
/* The value of a WORD or STRING: the escapes of a string are undone into arena memory. p null: no memory. */
struct span token_value(const struct token *t, struct arena *arena);

#endif
