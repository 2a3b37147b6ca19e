/* buf: a writer into memory of a fixed size that somebody else owns. A buffer is born with its maximum and never
 * grows. A write that does not fit writes nothing and sets `over` for good: write many fields, check once. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/span.h"

struct buf {
    uint8_t *p;
    size_t n;   /* octets written */
    size_t max; /* octets that fit */
    bool over;  /* something did not fit; the content is not to be used as a whole */
};

static inline struct buf buf_on(void *memory, size_t max)
{
    return (struct buf){(uint8_t *)memory, 0, max, false};
}

static inline struct span buf_span(const struct buf *b)
{
    return (struct span){b->p, b->n};
}

static inline size_t buf_room(const struct buf *b)
{
    return b->max - b->n;
}

static inline void buf_put(struct buf *b, struct span s)
{
    if (b->over || s.n > b->max - b->n) {
        b->over = true;
        return;
    }
    if (s.n) memcpy(b->p + b->n, s.p, s.n);
    b->n += s.n;
}

static inline void buf_byte(struct buf *b, uint8_t c)
{
    if (b->over || b->n == b->max) {
        b->over = true;
        return;
    }
    b->p[b->n++] = c;
}

static inline void buf_str(struct buf *b, const char *z)
{
    buf_put(b, span_str(z));
}

void buf_u64(struct buf *b, uint64_t v);                     /* decimal */
void buf_u64_pad(struct buf *b, uint64_t v, unsigned width); /* decimal, zero-padded to width (at most 20) */
void buf_hex64(struct buf *b, uint64_t v);                   /* 16 lower-case hex digits */

/* For people and logs (invariant I11): printable ASCII and well-formed UTF-8 pass, the escape character `\`, controls,
 * DEL and broken UTF-8 become \xHH. At most max_in octets of s are shown, then "...". */
void buf_escaped(struct buf *b, struct span s, size_t max_in);
/* The same, but `\` passes: for text that was escaped when it was made. */
void buf_shown(struct buf *b, struct span s, size_t max_in);

/* The content of a JSON string (no quotes around it), RFC 8259: quotes, backslash and controls escaped, broken UTF-8
 * becomes \ufffd. At most max_in octets of s, then "...". */
void buf_json(struct buf *b, struct span s, size_t max_in);

#endif
