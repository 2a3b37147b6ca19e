/* Parameters of MAIL, RCPT and BDAT: values lie in the input and keep their promises. */
#include "base/limits.h"
#include "base/utf8.h"
#include "smtp/params.h"
#include "smtp/xtext.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool b)
{
    if (!b) abort();
}

static void inside(struct span s, struct span in)
{
    if (s.n) must(s.p >= in.p && s.p + s.n <= in.p + in.n);
}

static void mail(struct span in, unsigned offered)
{
    struct mail_params m;
    struct span bad = {NULL, 0};
    if (params_mail(in, offered, &m, &bad)) {
        must(bad.n > 0);
        inside(bad, in);
        return;
    }
    must(bad.n == 0);
    inside(m.envid, in);
    inside(m.auth, in);
    must(xtext_valid(m.envid) && m.envid.n <= LIMIT_ENVID_OCTETS && xtext_valid(m.auth));
    must(m.has_auth == (m.auth.n > 0));
    if (m.has_size) must(offered & PARAMS_SIZE);
    if (m.has_body) must(offered & PARAMS_BODY);
    if (m.body == BODY_BINARYMIME) must(offered & PARAMS_BINARY);
    if (m.smtputf8) must(offered & PARAMS_SMTPUTF8);
    if (m.envid.n || m.ret) must(offered & PARAMS_DSN);
}

static void rcpt(struct span in, unsigned offered)
{
    struct rcpt_params r;
    struct span bad = {NULL, 0};
    if (params_rcpt(in, offered, &r, &bad)) {
        must(bad.n > 0);
        inside(bad, in);
        return;
    }
    inside(r.orcpt, in);
    must(r.orcpt.n <= LIMIT_ORCPT_OCTETS && utf8_valid(r.orcpt));
    for (size_t i = 0; i < r.orcpt.n; i++)
        must(r.orcpt.p[i] > ' ' && r.orcpt.p[i] != 127);
    must(!(r.notify & DSN_NOTIFY_NEVER) || r.notify == DSN_NOTIFY_NEVER);
    if (r.notify || r.orcpt.n) must(offered & PARAMS_DSN);
}

static void chunk(struct span in)
{
    uint64_t size = 0;
    bool last = false;
    if (params_chunk(in, &size, &last) == CHUNK_BAD_SIZE) return;
    must(in.n && octet_is_digit(in.p[0]));
    for (size_t i = 0; i < in.n && in.p[i] != ' '; i++)
        must(octet_is_digit(in.p[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    struct span in = {data + 1, size - 1};
    unsigned offered = data[0] & 63;
    mail(in, offered);
    rcpt(in, offered);
    chunk(in);
    return 0;
}
