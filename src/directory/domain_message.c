#include "directory/domain_message.h"

#include "base/utf8.h"

enum { OLD_RESPONSE_OCTETS = 24 }; /* NTLMv1, LM */

/* Such text becomes a C string on its way to winbind, and a line of the log. */
static bool text_good(struct span s)
{
    uint32_t code;
    for (size_t n; s.n > 0; s = span_skip(s, n)) {
        n = utf8_next(s, &code);
        if (n == 0 || utf8_is_control(code)) return false;
    }
    return true;
}

static struct span text(struct wire *w, size_t max)
{
    struct span s = wire_span(w, max);
    w->bad |= !text_good(s);
    return s;
}

void domain_question_put(struct buf *b, const struct domain_question *m)
{
    wire_put_u64(b, m->tag);
    wire_put_span(b, m->user);
    wire_put_span(b, m->domain);
    wire_put_span(b, m->workstation);
    buf_put(b, span_of(m->challenge, sizeof m->challenge));
    wire_put_span(b, m->response);
}

bool domain_question_read(struct span payload, struct domain_question *ret)
{
    struct wire w = wire_on(payload);
    ret->tag = wire_u64(&w);
    ret->user = text(&w, LIMIT_DOMAIN_NAME_OCTETS);
    ret->domain = text(&w, LIMIT_DOMAIN_NAME_OCTETS);
    ret->workstation = text(&w, LIMIT_DOMAIN_NAME_OCTETS);
    struct span challenge = wire_raw(&w, sizeof ret->challenge);
    if (challenge.n) memcpy(ret->challenge, challenge.p, challenge.n);
    ret->response = wire_span(&w, LIMIT_SASL_RESPONSE_OCTETS);
    return wire_done(&w) && ret->user.n > 0 && ret->response.n > OLD_RESPONSE_OCTETS;
}

void domain_answer_put(struct buf *b, const struct domain_answer *m)
{
    wire_put_u64(b, m->tag);
    wire_put_u8(b, m->status);
    if (m->status != DOMAIN_PROVEN) return;
    buf_put(b, span_of(m->session_key, sizeof m->session_key));
    wire_put_span(b, m->account);
    wire_put_span(b, m->domain);
    wire_put_u16(b, m->n_groups);
    for (uint16_t i = 0; i < m->n_groups; i++)
        wire_put_span(b, m->groups[i]);
}

bool domain_answer_read(struct span payload, struct domain_answer *ret)
{
    struct wire w = wire_on(payload);
    *ret = (struct domain_answer){.tag = wire_u64(&w), .status = wire_u8(&w)};
    if (ret->status != DOMAIN_PROVEN) return wire_done(&w) && ret->status < DOMAIN_STATUS_COUNT;
    struct span key = wire_raw(&w, sizeof ret->session_key);
    if (key.n) memcpy(ret->session_key, key.p, key.n);
    ret->account = text(&w, LIMIT_DOMAIN_NAME_OCTETS);
    ret->domain = text(&w, LIMIT_DOMAIN_NAME_OCTETS);
    ret->n_groups = wire_u16(&w);
    w.bad |= ret->n_groups > LIMIT_IDENTITY_GROUPS;
    for (uint16_t i = 0; !w.bad && i < ret->n_groups; i++) {
        ret->groups[i] = text(&w, LIMIT_GROUP_NAME_OCTETS);
        w.bad |= ret->groups[i].n == 0;
    }
    return wire_done(&w) && ret->account.n > 0 && ret->domain.n > 0;
}
