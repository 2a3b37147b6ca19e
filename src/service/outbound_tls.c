/* Whom we expect at the other end, and what we do when it is not them (RFC 7435, RFC 7672). */
#include "service/outbound_private.h"

static bool by_records(const struct outbound_peer *p)
{
    return p->dane && (p->tls == TLS_POLICY_DANE || p->tls == TLS_POLICY_DANE_ONLY);
}

static bool within(struct span host, struct span domain)
{
    size_t more = host.n > domain.n ? host.n - domain.n : 0;
    return span_eq_nocase(span_skip(host, more), domain) && (more == 0 || host.p[more - 1] == '.');
}

void outbound_expect(struct outbound_peer *p, const struct next_hop *h, const struct connect_answer *a)
{
    bool vouched = h->kind != NEXT_HOP_MX || a->dns_secure || within(a->host, h->name);
    bool domain = h->tls == TLS_POLICY_VERIFY && !vouched;
    p->name = domain ? h->name : a->host;
    p->also = domain ? (struct span){0} : a->also;
}

enum client_tls outbound_tls_wish(const struct outbound_peer *p)
{
    switch ((enum tls_policy)p->tls) {
    case TLS_POLICY_NONE: return CLIENT_TLS_NEVER;
    case TLS_POLICY_MAY: return p->in_clear ? CLIENT_TLS_NEVER : CLIENT_TLS_MAY;
    case TLS_POLICY_DANE: /* RFC 7672 2.2: secure records, usable or not, make TLS mandatory */
        return p->dane ? CLIENT_TLS_MUST : p->in_clear ? CLIENT_TLS_NEVER : CLIENT_TLS_MAY;
    default: return CLIENT_TLS_MUST;
    }
}

static enum tls_client_verify verify_of(const struct outbound_session *s)
{
    const struct outbound_peer *p = &s->peer;
    if (p->tls == TLS_POLICY_VERIFY) return TLS_CLIENT_AUTHORITY;
    if (!by_records(p) || tls_client_usable(s->all->setup.tls, p->tlsa, p->n_tlsa) == 0)
        return TLS_CLIENT_ANYBODY;
    return TLS_CLIENT_DANE;
}

bool outbound_tls_begin(struct outbound_session *s)
{
    struct tls_client_peer peer = {.verify = verify_of(s),
                                   .name = s->peer.name,
                                   .also = s->peer.also,
                                   .tlsa = s->peer.tlsa,
                                   .n_tlsa = s->peer.n_tlsa};
    if (s->peer.tls == TLS_POLICY_DANE_ONLY && peer.verify != TLS_CLIENT_DANE) return false;
    s->tls = tls_client_create(s->all->setup.tls, s->watch.fd, &peer, s);
    return s->tls != NULL;
}

bool outbound_exporter(const struct outbound_session *s, uint8_t ret[LIMIT_EXPORTER_OCTETS])
{
    return s->tls && s->state != OUTBOUND_SHAKING && strcmp(tls_version(s->tls), "TLSv1.3") == 0 &&
           tls_exporter(s->tls, ret);
}

const char *outbound_tls_refusal(const struct outbound_session *s)
{
    if (s->peer.tls == TLS_POLICY_DANE_ONLY && verify_of(s) != TLS_CLIENT_DANE)
        return "dane-only, and the next hop has no usable TLSA records";
    return NULL;
}

void outbound_put_tls(const struct outbound_session *s, struct buf *b)
{
    const struct outbound_peer *p = &s->peer;
    if (s->tls && s->state != OUTBOUND_SHAKING)
        tls_client_put_text(s->tls, b);
    else if (s->tls)
        buf_put(b, SPAN("none: the handshake failed"));
    else if (p->tls == TLS_POLICY_NONE)
        buf_put(b, SPAN("none: not wanted"));
    else if (p->in_clear)
        buf_put(b, SPAN("none: the handshake failed"));
    else if (client_extensions(s->engine) & EXT_STARTTLS)
        buf_put(b, SPAN("none: STARTTLS was refused"));
    else
        buf_put(b, SPAN("none: not offered"));
}
