#include "smtp/dot.h"

#if defined(__x86_64__)
#include "base/cpu.h"

#include <immintrin.h>
#endif

enum { /* dot.state */
       AT_LINE_START,
       IN_TEXT,
       AFTER_CR,
       AFTER_DOT,    /* a dot at the start of a line was dropped */
       AFTER_DOT_CR, /* ... and the CR behind it is kept back: LF would end the data */
       CR_INSERTED,  /* DOT_CR was returned: a bare LF is next */
};

enum { BLOCK = 64 };

/* Where the octets that matter are in a block: one bit each. */
struct marks {
    uint64_t lf, cr, nul, high;
};

typedef void mark_function(struct marks *m, const uint8_t *p);

#define INLINED __attribute__((always_inline)) static inline

#if defined(__x86_64__)
INLINED void mark_block(struct marks *m, const uint8_t *p)
{
    const __m128i lf = _mm_set1_epi8('\n'), cr = _mm_set1_epi8('\r'), nul = _mm_setzero_si128();
    *m = (struct marks){0, 0, 0, 0};
    for (int i = 0; i < BLOCK; i += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(p + i));
        m->lf |= (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(v, lf)) << i;
        m->cr |= (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(v, cr)) << i;
        m->nul |= (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(v, nul)) << i;
        m->high |= (uint64_t)(uint32_t)_mm_movemask_epi8(v) << i;
    }
}

#define WITH_AVX2 __attribute__((target("avx2,bmi")))

WITH_AVX2 INLINED void mark_block_avx2(struct marks *m, const uint8_t *p)
{
    const __m256i lf = _mm256_set1_epi8('\n'), cr = _mm256_set1_epi8('\r'), nul = _mm256_setzero_si256();
    *m = (struct marks){0, 0, 0, 0};
    for (int i = 0; i < BLOCK; i += 32) {
        __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)(p + i));
        m->lf |= (uint64_t)(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(v, lf)) << i;
        m->cr |= (uint64_t)(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(v, cr)) << i;
        m->nul |= (uint64_t)(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(v, nul)) << i;
        m->high |= (uint64_t)(uint32_t)_mm256_movemask_epi8(v) << i;
    }
}
#else
INLINED void mark_block(struct marks *m, const uint8_t *p)
{
    *m = (struct marks){0, 0, 0, 0};
    for (int i = 0; i < BLOCK; i++) {
        m->lf |= (uint64_t)(p[i] == '\n') << i;
        m->cr |= (uint64_t)(p[i] == '\r') << i;
        m->nul |= (uint64_t)(p[i] == 0) << i;
        m->high |= (uint64_t)(p[i] > 127) << i;
    }
}
#endif

/* The last block of the input may be short: it is filled up with octets that mean nothing. */
INLINED void mark_tail(mark_function *mark, struct marks *m, const uint8_t *p, size_t n)
{
    uint8_t block[BLOCK];
    memset(block, 'x', sizeof block);
    memcpy(block, p, n);
    mark(m, block);
}

INLINED uint64_t low_bits(size_t n)
{
    return n >= BLOCK ? ~(uint64_t)0 : ((uint64_t)1 << n) - 1;
}

/* A line goes on by octets, or ends with them. */
INLINED void line_grows(struct dot *d, size_t octets)
{
    uint64_t n = (uint64_t)d->line + octets;
    if (n > d->max_line) d->found |= DOT_LONG_LINE;
    d->line = n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

/* Runs over content and notes what is in it, up to a dot that begins a line, a bare LF that is to be normalised, or the
 * end. Returns the octets of content; d->state is where we are behind them. n is above 0. */
INLINED size_t scan_with(mark_function *mark, struct dot *d, const uint8_t *p, size_t n)
{
    uint64_t carry = d->state == AFTER_CR;
    size_t line_from = 0; /* first octet that is not yet in d->line */
    for (size_t i = 0; i < n; i += BLOCK) {
        size_t width = n - i < BLOCK ? n - i : BLOCK;
        struct marks m;
        if (width == BLOCK)
            mark(&m, p + i);
        else
            mark_tail(mark, &m, p + i, width);
        uint64_t behind_cr = m.cr << 1 | carry;
        uint64_t bare_lf = m.lf & ~behind_cr;
        carry = m.cr >> (BLOCK - 1);
        size_t stop = width;
        bool stopped = false;
        if (bare_lf && d->normalize) {
            stop = (size_t)__builtin_ctzll(bare_lf);
            stopped = true;
        }
        /* RFC 5321 4.1.1.4: only CRLF ends a line, so only behind CRLF can a dot stand for anything but itself */
        for (uint64_t crlf = m.lf & behind_cr & low_bits(stop); crlf; crlf &= crlf - 1) {
            size_t next = i + (size_t)__builtin_ctzll(crlf) + 1;
            line_grows(d, next - line_from);
            d->line = 0;
            line_from = next;
            if (next < n && p[next] == '.') {
                stop = next - i;
                stopped = true;
                break;
            }
        }
        uint64_t seen = low_bits(stop);
        if (m.nul & seen) d->found |= DOT_NUL;
        if (m.high & seen) d->found |= DOT_8BIT;
        if (behind_cr & ~m.lf & seen) d->found |= DOT_BARE_CR;
        if (bare_lf & seen) d->found |= DOT_BARE_LF;
        if (stopped) {
            n = i + stop;
            break;
        }
    }
    if (n == 0) return 0;
    line_grows(d, n - line_from);
    bool line_start = p[n - 1] == '\n' && (n > 1 ? p[n - 2] == '\r' : d->state == AFTER_CR);
    d->state = p[n - 1] == '\r' ? AFTER_CR : line_start ? AT_LINE_START : IN_TEXT;
    return n;
}

static size_t scan_plain(struct dot *d, const uint8_t *p, size_t n)
{
    return scan_with(mark_block, d, p, n);
}

#if defined(__x86_64__)
WITH_AVX2 static size_t scan_avx2(struct dot *d, const uint8_t *p, size_t n)
{
    return scan_with(mark_block_avx2, d, p, n);
}

CPU_CHOOSER size_t (*choose_scan(void))(struct dot *, const uint8_t *, size_t)
{
    return cpu_has_avx2() ? scan_avx2 : scan_plain;
}

static size_t scan(struct dot *d, const uint8_t *p, size_t n) __attribute__((ifunc("choose_scan")));
#else
#define scan scan_plain
#endif

void dot_begin(struct dot *d, uint32_t max_line, bool normalize)
{
    *d = (struct dot){.state = AT_LINE_START, .normalize = normalize, .max_line = max_line};
}

static enum dot_event give(struct span *in, size_t n, struct span *slice)
{
    *slice = span_head(*in, n);
    *in = span_skip(*in, n);
    return DOT_SLICE;
}

/* The LF behind a CR that the caller has inserted. A dot behind it is content: only CRLF from the wire begins a line for
 * the purpose of transparency, so nothing that was normalised can end the data (invariant I7). */
static enum dot_event give_normalized(struct dot *d, struct span *in, struct span *slice)
{
    d->line = 0;
    d->state = IN_TEXT;
    return give(in, 1 + (in->n > 1 ? scan(d, in->p + 1, in->n - 1) : 0), slice);
}

enum dot_event dot_next(struct dot *d, struct span *in, struct span *slice)
{
    while (in->n) {
        uint8_t c = in->p[0];
        if (d->state == AT_LINE_START &&
            c == '.') { /* RFC 5321 4.5.2: "If the first character is a period and there
                                                        are other characters on the line, the first ... is deleted." */
            *in = span_skip(*in, 1);
            d->state = AFTER_DOT;
        } else if (d->state == AFTER_DOT && c == '\r') {
            *in = span_skip(*in, 1);
            d->state = AFTER_DOT_CR;
        } else if (d->state == AFTER_DOT_CR) {
            if (c ==
                '\n') { /* "If the line is composed of a single period, it is treated as the end of mail data." */
                *in = span_skip(*in, 1);
                d->state = AT_LINE_START;
                return DOT_END;
            }
            *slice = SPAN("\r"); /* it was content after all, and may be gone from the input by now */
            line_grows(d, 1);
            d->state = AFTER_CR;
            return DOT_SLICE;
        } else if (d->state == CR_INSERTED) {
            return give_normalized(d, in, slice);
        } else {
            if (d->state == AFTER_DOT) d->state = IN_TEXT;
            size_t n = scan(d, in->p, in->n);
            if (n) return give(in, n, slice);
            d->found |= DOT_BARE_LF;
            line_grows(d, 2);
            d->state = CR_INSERTED;
            return DOT_CR;
        }
    }
    return DOT_MORE;
}

enum {
    STUFF_LINE_START,
    STUFF_TEXT,
    STUFF_AFTER_CR
}; /* *state of the sending side; a message begins with 0 */

static bool begins_line(uint8_t state, struct span in, size_t i)
{
    if (i == 0) return state == STUFF_LINE_START;
    return in.p[i - 1] == '\n' && (i == 1 ? state == STUFF_AFTER_CR : in.p[i - 2] == '\r');
}

void dot_stuff(uint8_t *state, struct span in, struct buf *out)
{
    if (in.n == 0) return;
    size_t done = 0;
    for (size_t i = 0;; i++) {
        size_t dot = span_find(span_skip(in, i), '.');
        if (dot == SPAN_NPOS) break;
        i += dot;
        if (begins_line(*state, in, i)) {
            buf_put(out, span_of(in.p + done, i - done));
            buf_byte(out, '.');
            done = i;
        }
    }
    buf_put(out, span_skip(in, done));
    *state = begins_line(*state, in, in.n) ? STUFF_LINE_START
             : in.p[in.n - 1] == '\r'      ? STUFF_AFTER_CR
                                           : STUFF_TEXT;
}

void dot_finish(uint8_t *state, struct buf *out)
{
    if (*state != STUFF_LINE_START) buf_put(out, SPAN("\r\n"));
    buf_put(out, SPAN(".\r\n"));
    *state = STUFF_LINE_START;
}
