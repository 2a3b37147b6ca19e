/* span: octets that somebody else owns, pointer and length by value. Octets from outside are spans from socket to
 * log; a NUL-terminated string exists only at the border to libc. A span never owns; it lives as long as what it
 * points into. A span of length 0 may have a null pointer. */
#ifndef BASE_SPAN_H
#define BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define MUST_USE __attribute__((warn_unused_result))

struct span {
    const uint8_t *p;
    size_t n;
};

/* A string literal as a span, without its NUL. */
#define SPAN(literal) ((struct span){(const uint8_t *)("" literal), sizeof(literal) - 1})
/* For printf("%.*s", SPAN_ARG(s)): only for octets known to be printable. */
#define SPAN_ARG(s) (int)(s).n, (const char *)(s).p

static inline struct span span_of(const void *p, size_t n)
{
    return (struct span){(const uint8_t *)p, n};
}

static inline struct span span_str(const char *z) /* z: NUL-terminated, may be null */
{
    return (struct span){(const uint8_t *)z, z ? strlen(z) : 0};
}

static inline bool span_eq(struct span a, struct span b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* By octets, as unsigned; a beginning of the other comes first. Negative, 0 or positive. */
static inline int span_compare(struct span a, struct span b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n ? memcmp(a.p, b.p, n) : 0;
    return c ? c : (a.n > b.n) - (a.n < b.n);
}

static inline uint8_t octet_lower(uint8_t c) /* ASCII only, never by locale */
{
    return (c >= 'A' && c <= 'Z') ? (uint8_t)(c + 32) : c;
}

static inline bool octet_is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static inline bool octet_is_alnum(uint8_t c) /* ASCII only */
{
    uint8_t l = octet_lower(c);
    return (l >= 'a' && l <= 'z') || octet_is_digit(c);
}

static inline bool span_eq_nocase(struct span a, struct span b) /* ASCII case folding */
{
    if (a.n != b.n) return false;
    for (size_t i = 0; i < a.n; i++)
        if (octet_lower(a.p[i]) != octet_lower(b.p[i])) return false;
    return true;
}

static inline bool span_starts_nocase(struct span s, struct span prefix)
{
    return s.n >= prefix.n && span_eq_nocase((struct span){s.p, prefix.n}, prefix);
}

/* The first n octets (or all of s when it is shorter). */
static inline struct span span_head(struct span s, size_t n)
{
    return (struct span){s.p, n < s.n ? n : s.n};
}

/* What is left behind the first n octets (empty when s is shorter). */
static inline struct span span_skip(struct span s, size_t n)
{
    if (n >= s.n) return (struct span){s.p ? s.p + s.n : s.p, 0};
    return (struct span){s.p + n, s.n - n};
}

/* Only octets 32..126: what may stand in a reply, a log line or a terminal as it is. */
static inline bool span_printable(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < ' ' || s.p[i] > '~') return false;
    return true;
}

/* No control octet (0..31, 127), UTF-8 passes: nothing in it ends a line or breaks a field out of its place. */
static inline bool span_no_controls(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < ' ' || s.p[i] == 127) return false;
    return true;
}

#define SPAN_NPOS ((size_t)-1)

/* Index of the first / last octet c, or SPAN_NPOS. */
static inline size_t span_find(struct span s, uint8_t c)
{
    const uint8_t *q = s.n ? memchr(s.p, c, s.n) : NULL;
    return q ? (size_t)(q - s.p) : SPAN_NPOS;
}

static inline size_t span_rfind(struct span s, uint8_t c)
{
    /* p is asked, too: gcc 12 with sanitizers believes that a null pointer could have a length */
    const uint8_t *q = s.n && s.p ? memrchr(s.p, c, s.n) : NULL;
    return q ? (size_t)(q - s.p) : SPAN_NPOS;
}

/* Decimal digits only, 1 to 20 of them, no sign, no blank. False on anything else or above UINT64_MAX; *ret is then
 * untouched. The only way this program reads a number that a peer wrote (MS03-046: a negative size was accepted). */
MUST_USE static inline bool span_u64(struct span s, uint64_t *ret)
{
    uint64_t v = 0;
    if (s.n == 0 || s.n > 20) return false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9') return false;
        if (__builtin_mul_overflow(v, (uint64_t)10, &v)) return false;
        if (__builtin_add_overflow(v, (uint64_t)(s.p[i] - '0'), &v)) return false;
    }
    *ret = v;
    return true;
}

#endif
