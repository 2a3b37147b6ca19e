/* Notifications: whatever is put in, the result has the lines, fields and parts it should have, and fits what was promised. */
#include "mail/dsn.h"

#include "base/limits.h"
#include "base/wire.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool b)
{
    if (!b) abort();
}

static size_t lines_that_begin(struct span s, struct span with)
{
    size_t n = 0;
    while (s.n) {
        size_t lf = span_find(s, '\n');
        n += s.n >= with.n && span_eq(span_head(s, with.n), with);
        s = lf == SPAN_NPOS ? span_skip(s, s.n) : span_skip(s, lf + 1);
    }
    return n;
}

static void check_lines(struct span s, bool controls)
{
    while (s.n) {
        size_t lf = span_find(s, '\n');
        must(lf != SPAN_NPOS && lf > 0 && s.p[lf - 1] == '\r' && lf <= LIMIT_TEXT_LINE_OCTETS + 1);
        for (size_t i = 0; i + 1 < lf; i++)
            must(s.p[i] != 0 && s.p[i] != '\r' && (controls || s.p[i] >= 32 || s.p[i] == '\t'));
        s = span_skip(s, lf + 1);
    }
}

static struct span field(struct wire *w)
{
    uint8_t n = wire_u8(w);
    return wire_raw(w, n < w->rest.n ? n : w->rest.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wire w = wire_on(span_of(data, size));
    struct dsn_recipient r[3];
    uint8_t how = wire_u8(&w);
    struct dsn d = {.host = SPAN("mail.example.org"),
                    .recipients = r,
                    .n = 1 + how % 3,
                    .utf8 = how & 4,
                    .full = how & 8,
                    .content_whole = how & 16};
    d.seed = wire_u8(&w);
    d.to = field(&w);
    d.envid = field(&w);
    d.id = field(&w);
    for (size_t i = 0; i < 3; i++) {
        r[i] = (struct dsn_recipient){.action = (enum dsn_action)(how / 32 % DSN_ACTION_COUNT),
                                      .retry_until_seconds = how};
        r[i].final = field(&w);
        r[i].orcpt = field(&w);
        r[i].status = field(&w);
        r[i].diagnostic = field(&w);
        r[i].remote = field(&w);
    }
    d.content = w.bad ? SPAN("") : w.rest;
    size_t max = dsn_octets(&d);
    uint8_t *memory = malloc(max);
    must(memory != NULL);
    struct buf b = buf_on(memory, max);
    dsn_put(&b, &d);
    must(b.over == (d.to.n == 0));
    if (!b.over) {
        struct span all = buf_span(&b);
        /* what is ours ends where the returned content begins */
        uint8_t *last = memmem(b.p, b.n, "\r\nContent-Description: The ", 27);
        must(last != NULL);
        struct span ours = span_head(all, (size_t)(last - b.p) + 2);
        check_lines(ours, false);
        check_lines(all, d.full);
        must(lines_that_begin(ours, SPAN("Action:")) == d.n);
        must(lines_that_begin(ours, SPAN("Final-Recipient:")) == d.n);
        must(lines_that_begin(ours, SPAN("Original-Recipient:")) <= d.n);
        must(lines_that_begin(ours, SPAN("Status:")) == d.n);
        must(lines_that_begin(ours, SPAN("Reporting-MTA:")) == 1);
        must(lines_that_begin(ours, SPAN("To:")) == 1);
        must(lines_that_begin(ours, SPAN("Content-Type:")) == 3);
        uint8_t mark[64];
        struct buf boundary = buf_on(mark, sizeof mark);
        const uint8_t *at = memmem(b.p, b.n, "\r\n\tboundary=\"", 13);
        must(at != NULL);
        buf_str(&boundary, "--");
        buf_put(&boundary, span_of(at + 13, 28));
        must(lines_that_begin(all, buf_span(&boundary)) == 4);
    }
    free(memory);
    return 0;
}
