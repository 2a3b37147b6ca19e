#include "directory/login_message.h"

static void put_bounded(struct buf *b, struct span s, size_t max)
{
    b->over |= s.n > max;
    wire_put_span(b, s);
}

void login_begin_put(struct buf *b, const struct login_begin *m)
{
    wire_put_u64(b, m->session);
    wire_put_u32(b, m->slot);
    wire_put_u16(b, m->server);
    wire_put_u8(b, m->mechanism);
    wire_put_u8(b, m->tls);
    buf_put(b, span_of(m->client, sizeof m->client));
    buf_put(b, span_of(m->local, sizeof m->local));
    wire_put_u16(b, m->local_port);
    put_bounded(b, m->exporter, LIMIT_EXPORTER_OCTETS);
    put_bounded(b, m->end_point, LIMIT_END_POINT_OCTETS);
    put_bounded(b, m->certificate, LIMIT_CLIENT_CERTIFICATE_OCTETS);
    wire_put_u8(b, m->initial);
    put_bounded(b, m->response, LIMIT_SASL_RESPONSE_OCTETS);
}

bool login_begin_read(struct span payload, struct login_begin *ret)
{
    struct wire w = wire_on(payload);
    *ret = (struct login_begin){.session = wire_u64(&w)};
    ret->slot = wire_u32(&w);
    ret->server = wire_u16(&w);
    ret->mechanism = wire_u8(&w);
    ret->tls = wire_u8(&w);
    struct span client = wire_raw(&w, sizeof ret->client);
    if (client.n) memcpy(ret->client, client.p, client.n);
    struct span local = wire_raw(&w, sizeof ret->local);
    if (local.n) memcpy(ret->local, local.p, local.n);
    ret->local_port = wire_u16(&w);
    ret->exporter = wire_span(&w, LIMIT_EXPORTER_OCTETS);
    ret->end_point = wire_span(&w, LIMIT_END_POINT_OCTETS);
    ret->certificate = wire_span(&w, LIMIT_CLIENT_CERTIFICATE_OCTETS);
    uint8_t initial = wire_u8(&w);
    ret->initial = initial == 1;
    ret->response = wire_span(&w, LIMIT_SASL_RESPONSE_OCTETS);
    return wire_done(&w) && initial <= 1 && (ret->initial || ret->response.n == 0) &&
           ret->tls < LOGIN_TLS_COUNT && (ret->exporter.n == 0 || ret->exporter.n == LIMIT_EXPORTER_OCTETS);
}

void login_step_put(struct buf *b, const struct login_step *m)
{
    wire_put_u64(b, m->session);
    wire_put_u32(b, m->slot);
    put_bounded(b, m->response, LIMIT_SASL_RESPONSE_OCTETS);
}

bool login_step_read(struct span payload, struct login_step *ret)
{
    struct wire w = wire_on(payload);
    ret->session = wire_u64(&w);
    ret->slot = wire_u32(&w);
    ret->response = wire_span(&w, LIMIT_SASL_RESPONSE_OCTETS);
    return wire_done(&w);
}

void login_answer_put(struct buf *b, const struct login_answer *m)
{
    wire_put_u64(b, m->session);
    wire_put_u32(b, m->slot);
    wire_put_u8(b, m->kind);
    put_bounded(b, m->challenge, LIMIT_SASL_CHALLENGE_OCTETS);
    wire_put_u8(b, m->principal);
    wire_put_u32(b, m->rights);
    wire_put_u32(b, m->number);
    wire_put_u64(b, m->valid_until);
    buf_put(b, span_of(m->stamp, sizeof m->stamp));
    put_bounded(b, m->name, LIMIT_PRINCIPAL_NAME_OCTETS);
    put_bounded(b, m->label, LIMIT_IDENTITY_LABEL_OCTETS);
}

bool login_answer_read(struct span payload, struct login_answer *ret)
{
    static const uint8_t no_stamp[LIMIT_STAMP_OCTETS];
    struct wire w = wire_on(payload);
    ret->session = wire_u64(&w);
    ret->slot = wire_u32(&w);
    ret->kind = wire_u8(&w);
    ret->challenge = wire_span(&w, LIMIT_SASL_CHALLENGE_OCTETS);
    ret->principal = wire_u8(&w);
    ret->rights = wire_u32(&w);
    ret->number = wire_u32(&w);
    ret->valid_until = wire_u64(&w);
    struct span stamp = wire_raw(&w, sizeof ret->stamp);
    if (stamp.n) memcpy(ret->stamp, stamp.p, stamp.n);
    ret->name = wire_span(&w, LIMIT_PRINCIPAL_NAME_OCTETS);
    ret->label = wire_span(&w, LIMIT_IDENTITY_LABEL_OCTETS);
    if (!wire_done(&w) || ret->kind >= LOGIN_KIND_COUNT) return false;
    if (ret->kind != LOGIN_SUCCESS)
        return ret->principal == 0 && ret->rights == 0 && ret->valid_until == 0 && ret->name.n == 0 &&
               ret->label.n == 0 && memcmp(ret->stamp, no_stamp, sizeof no_stamp) == 0;
    return ret->principal != 0 && ret->rights != 0 && ret->valid_until != 0 && ret->name.n > 0 &&
           ret->challenge.n == 0;
}
