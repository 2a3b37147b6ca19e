/* problem: what is wrong in a file of the directory, and where: for `check`, and for the log of the directory process. */
#ifndef DIRECTORY_PROBLEM_H
#define DIRECTORY_PROBLEM_H

#include "base/arena.h"

struct problem {
    struct span file;
    uint32_t line;
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
void problem_add(struct arena *a, struct problems *p, struct span file, uint32_t line, struct span subject,
                 const char *text, bool odd);

#endif
