#include "config/schema.h"

enum { SUGGEST_LETTERS = 40 };

unsigned suggest_distance(struct span a, struct span b, unsigned max)
{
    unsigned rows[3][SUGGEST_LETTERS + 1], *two = rows[0], *one = rows[1], *now = rows[2];

    if (a.n > SUGGEST_LETTERS || b.n > SUGGEST_LETTERS) return max + 1;
    for (size_t j = 0; j <= b.n; j++) {
        two[j] = 0;
        one[j] = (unsigned)j;
    }
    for (size_t i = 1; i <= a.n; i++) {
        now[0] = (unsigned)i;
        for (size_t j = 1; j <= b.n; j++) {
            uint8_t x = octet_lower(a.p[i - 1]), y = octet_lower(b.p[j - 1]);
            unsigned best = one[j - 1] + (x != y);
            if (one[j] + 1 < best) best = one[j] + 1;
            if (now[j - 1] + 1 < best) best = now[j - 1] + 1;
            if (i > 1 && j > 1 && x == octet_lower(b.p[j - 2]) && y == octet_lower(a.p[i - 2]) &&
                two[j - 2] + 1 < best)
                best = two[j - 2] + 1;
            now[j] = best;
        }
        unsigned *oldest = two;
        two = one;
        one = now;
        now = oldest;
    }
    return one[b.n] > max ? max + 1 : one[b.n];
}

/* A third of the word may be wrong, at most three letters. */
static unsigned tolerated(struct span s)
{
    unsigned third = (unsigned)(s.n / 3);

    return third < 1 ? 1 : third > 3 ? 3 : third;
}

struct span suggest_word(struct span s, const char *words)
{
    struct span rest = span_str(words), best = {NULL, 0};
    unsigned limit = tolerated(span_head(s, SUGGEST_LETTERS));

    if (s.n && s.p[0] >= '0' && s.p[0] <= '9')
        return best; /* a number is another one, not a slip of the hand */
    while (rest.n) {
        size_t end = span_find(rest, ' ');
        struct span word = span_head(rest, end);
        unsigned distance = suggest_distance(s, word, limit);
        if (distance <= limit && (!best.n || distance < suggest_distance(s, best, limit))) best = word;
        rest = end == SPAN_NPOS ? span_of(NULL, 0) : span_skip(rest, end + 1);
    }
    return best;
}

const char *schema_nearest(struct span name, unsigned block)
{
    unsigned limit = tolerated(span_head(name, SUGGEST_LETTERS)), best = limit + 1;
    const char *found = NULL;

    for (size_t i = 0; i < schema_rows; i++) {
        if (!(schema_table[i].where & block)) continue;
        unsigned distance = suggest_distance(name, span_str(schema_table[i].name), limit);
        if (distance < best) {
            best = distance;
            found = schema_table[i].name;
        }
    }
    return found;
}
