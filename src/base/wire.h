/* wire: the encoding of everything that crosses a process border or goes to disk. Little-endian fixed-width integers
 * and length-prefixed octets. Writing goes through buf. Reading has a sticky error: read all fields, then ask
 * wire_done(), which is true only if nothing was short and every octet was consumed. */
#ifndef BASE_WIRE_H
#define BASE_WIRE_H

#include "base/buf.h"

struct wire {
    struct span rest;
    bool bad;
};

static inline struct wire wire_on(struct span s)
{
    return (struct wire){s, false};
}

static inline struct span wire_raw(struct wire *w, size_t n)
{
    if (w->bad || n > w->rest.n) {
        w->bad = true;
        return (struct span){NULL, 0};
    }
    struct span r = {w->rest.p, n};
    w->rest = span_skip(w->rest, n);
    return r;
}

#define WIRE_INT(bits)                                                                                       \
    static inline uint##bits##_t wire_u##bits(struct wire *w)                                                \
    {                                                                                                        \
        struct span r = wire_raw(w, bits / 8);                                                               \
        uint##bits##_t v = 0;                                                                                \
        if (r.n) memcpy(&v, r.p, sizeof v);                                                                  \
        return v;                                                                                            \
    }                                                                                                        \
    static inline void wire_put_u##bits(struct buf *b, uint##bits##_t v)                                     \
    {                                                                                                        \
        buf_put(b, span_of(&v, sizeof v));                                                                   \
    }
WIRE_INT(8)
WIRE_INT(16)
WIRE_INT(32)
WIRE_INT(64)
#undef WIRE_INT
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "wire and spool formats are little-endian as the host");

/* u16 length, then the octets. A span longer than 65535 sets over. */
static inline void wire_put_span(struct buf *b, struct span s)
{
    if (s.n > UINT16_MAX) {
        b->over = true;
        return;
    }
    wire_put_u16(b, (uint16_t)s.n);
    buf_put(b, s);
}

/* Points into what was read. Longer than max is an error. */
static inline struct span wire_span(struct wire *w, size_t max)
{
    uint16_t n = wire_u16(w);
    if (n > max) w->bad = true;
    return wire_raw(w, n);
}

MUST_USE static inline bool wire_done(const struct wire *w)
{
    return !w->bad && w->rest.n == 0;
}

#endif
