/* problem: what is wrong in a file of the directory, and where: for `check`, and for the log of the directory process. */
#ifndef DIRECTORY_PROBLEM_H
#define DIRECTORY_PROBLEM_H

#include "base/arena.h"

struct problem_place {
    struct span file;
    uint32_t line, column; /* from 1; columns count characters. line 0: the file as a whole */
};

struct problem {
    struct problem_place place;
    struct span subject; /* what was written there, not escaped, may be empty; points into the file's text */
    const char *text; /* what is wrong with it, and what to do; constant, or in the arena and not escaped */
    bool odd;         /* it works, though perhaps not as meant; otherwise it is an error */
    struct problem *next;
};

struct problems { /* in the order they were found */
    struct problem *first, **last;
    uint32_t count;
};

/* Keeps at most LIMIT_PROBLEMS of them; counts all. */
void problem_add(struct arena *a, struct problems *p, struct problem_place place, struct span subject,
                 const char *text, bool odd);
/* The column of an octet of the line; 1 when it is none of it. */
uint32_t problem_column(struct span line, const uint8_t *at);

#endif
