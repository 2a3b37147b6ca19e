/* Paths: what is accepted is inside the input, within its limits, and means the same when it is written and read again. */
#include "base/limits.h"
#include "base/utf8.h"
#include "smtp/path.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool b)
{
    if (!b) abort();
}

static void inside(struct span s, struct span in)
{
    if (s.n) must(s.p >= in.p && s.p + s.n <= in.p + in.n);
    for (size_t i = 0; i < s.n; i++)
        must(s.p[i] >= ' ' && s.p[i] != 127);
    must(utf8_valid(s));
}

/* <key>, whose key is itself. */
static void key_is_stable(const struct path *p)
{
    uint8_t memory[2][LIMIT_PATH_OCTETS + 2];
    struct buf key = buf_on(memory[0], sizeof memory[0]), again = buf_on(memory[1], sizeof memory[1]);
    struct path q;
    struct span rest;
    buf_byte(&key, '<');
    path_key(p, &key);
    buf_byte(&key, '>');
    must(!key.over);
    must(path_parse(buf_span(&key), PATH_ALLOW_NULL | PATH_ALLOW_POSTMASTER | PATH_ALLOW_UTF8, &q, &rest) ==
         PATH_OK);
    must(rest.n == 0 && q.null == p->null && q.literal == p->literal);
    path_key(&q, &again);
    must(span_eq(buf_span(&again), span_of(key.p + 1, key.n - 2)));
}

static void written_is_read(const struct path *p, unsigned flags)
{
    uint8_t memory[LIMIT_PATH_OCTETS + 2];
    struct buf b = buf_on(memory, sizeof memory);
    struct path q;
    struct span rest;
    buf_byte(&b, '<');
    path_put(p, &b);
    buf_byte(&b, '>');
    must(!b.over);
    must(path_parse(buf_span(&b), flags, &q, &rest) == PATH_OK && rest.n == 0);
    must(span_eq(p->local, q.local) && span_eq(p->domain, q.domain) && p->null == q.null &&
         p->postmaster == q.postmaster);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    unsigned flags = data[0] & 7;
    struct span in = {data + 1, size - 1}, rest;
    struct path p;
    (void)domain_valid(in, flags & 1, flags & 2);
    (void)address_literal_valid(in);
    if (path_parse(in, flags, &p, &rest)) return 0;
    must(in.p[0] == '<' && rest.p > in.p && rest.p[-1] == '>' && rest.p + rest.n == in.p + in.n);
    inside(p.local, in);
    inside(p.domain, in);
    must(p.local.n <= LIMIT_LOCAL_PART_OCTETS && p.local.n + p.domain.n + 1 <= LIMIT_PATH_OCTETS);
    must(!(p.null && p.postmaster) && (p.null || p.postmaster || (p.local.n && p.domain.n)));
    if (p.null) must(flags & PATH_ALLOW_NULL);
    if (p.postmaster) must(flags & PATH_ALLOW_POSTMASTER);
    if (p.utf8) must(flags & PATH_ALLOW_UTF8);
    if (!p.null && !p.postmaster)
        must(p.literal ? address_literal_valid(p.domain) : domain_valid(p.domain, p.utf8, false));
    key_is_stable(&p);
    written_is_read(&p, flags);
    return 0;
}
