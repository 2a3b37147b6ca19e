#include "sasl/ntlm_message.h"

#include "sasl/ntlm_av.h"
#include "sasl/utf16.h"

enum { NEGOTIATE = 1, CHALLENGE = 2, AUTHENTICATE = 3 };
enum { CHALLENGE_HEADER = 56, AUTHENTICATE_HEADER = 64 };

#define SIGNATURE SPAN("NTLMSSP\0")

static bool begins(struct wire *w, uint32_t type)
{
    return span_eq(wire_raw(w, SIGNATURE.n), SIGNATURE) && wire_u32(w) == type;
}

bool ntlm_negotiate_read(struct span message, uint32_t *flags)
{
    struct wire w = wire_on(message);
    if (!begins(&w, NEGOTIATE)) return false;
    uint32_t f = wire_u32(&w);
    if (w.bad || !(f & (NTLM_FLAG_UNICODE | NTLM_FLAG_OEM))) return false;
    *flags = f;
    return true;
}

/* Length, MaxLen, offset: 2.2.1 "fields". */
static void put_field(struct buf *b, size_t n, size_t offset)
{
    wire_put_u16(b, (uint16_t)n);
    wire_put_u16(b, (uint16_t)n);
    wire_put_u32(b, (uint32_t)offset);
}

static void put_pairs(struct buf *b, const struct ntlm_target *t, uint64_t filetime)
{
    ntlm_av_put_name(b, NTLM_AV_NETBIOS_DOMAIN, t->netbios_domain);
    ntlm_av_put_name(b, NTLM_AV_NETBIOS_COMPUTER, t->netbios_computer);
    ntlm_av_put_name(b, NTLM_AV_DNS_DOMAIN, t->dns_domain);
    ntlm_av_put_name(b, NTLM_AV_DNS_COMPUTER, t->dns_computer);
    ntlm_av_put_timestamp(b, filetime);
    ntlm_av_put_end(b);
}

/* 3.2.5.1.1: what the client offered and the server can do, without the LM key. The session is neither signed nor sealed, whatever is
 * agreed here; clients that want such flags want to see them again. */
static uint32_t challenge_flags(uint32_t offered)
{
    uint32_t echo =
        offered & (NTLM_FLAG_REQUEST_TARGET | NTLM_FLAG_SIGN | NTLM_FLAG_SEAL | NTLM_FLAG_ALWAYS_SIGN |
                   NTLM_FLAG_EXTENDED_SECURITY | NTLM_FLAG_128 | NTLM_FLAG_KEY_EXCHANGE | NTLM_FLAG_56);
    uint32_t text = offered & NTLM_FLAG_UNICODE ? NTLM_FLAG_UNICODE : NTLM_FLAG_OEM;
    return echo | text | NTLM_FLAG_NTLM | NTLM_FLAG_TARGET_SERVER | NTLM_FLAG_TARGET_INFO;
}

void ntlm_challenge_put(struct buf *b, uint32_t offered, const struct ntlm_target *t,
                        const uint8_t server_challenge[8], uint64_t filetime)
{
    uint8_t memory[NTLM_CHALLENGE_OCTETS];
    struct buf payload = buf_on(memory, sizeof memory);
    bool too_long = t->netbios_computer.n > LIMIT_NETBIOS_NAME_OCTETS ||
                    t->netbios_domain.n > LIMIT_NETBIOS_NAME_OCTETS ||
                    t->dns_computer.n > LIMIT_DOMAIN_OCTETS || t->dns_domain.n > LIMIT_DOMAIN_OCTETS;
    uint32_t flags = challenge_flags(offered);
    if (!too_long && flags & NTLM_FLAG_UNICODE)
        utf16_put_ascii(&payload, t->netbios_computer);
    else if (!too_long)
        buf_put(&payload, t->netbios_computer);
    size_t name = payload.n;
    if (!too_long) put_pairs(&payload, t, filetime);

    buf_put(b, SIGNATURE);
    wire_put_u32(b, CHALLENGE);
    put_field(b, name, CHALLENGE_HEADER);
    wire_put_u32(b, flags);
    buf_put(b, span_of(server_challenge, 8));
    wire_put_u64(b, 0); /* reserved */
    put_field(b, payload.n - name, CHALLENGE_HEADER + name);
    wire_put_u64(b, 0); /* version */
    buf_put(b, buf_span(&payload));
    if (too_long) b->over = true;
}

static bool overlap(struct span a, struct span b)
{
    return a.n > 0 && b.n > 0 && a.p < b.p + b.n && b.p < a.p + a.n;
}

/* A field of the header; empty when its length is 0. Lowers *payload to where it lies. */
static struct span field(struct wire *w, struct span message, size_t *payload)
{
    uint16_t n = wire_u16(w);
    wire_u16(w); /* MaxLen */
    uint32_t offset = wire_u32(w);
    if (n == 0) return span_of(NULL, 0);
    if (offset < AUTHENTICATE_HEADER || offset > message.n || n > message.n - offset) {
        w->bad = true;
        return span_of(NULL, 0);
    }
    if (offset < *payload) *payload = offset;
    return span_of(message.p + offset, n);
}

static bool session_key_fits(const struct ntlm_authenticate *m)
{
    bool wanted =
        m->flags & NTLM_FLAG_KEY_EXCHANGE && m->flags & (NTLM_FLAG_SIGN | NTLM_FLAG_SEAL); /* 3.1.5.1.2 */
    return m->session_key.n == 16 || (m->session_key.n == 0 && !wanted);
}

bool ntlm_authenticate_read(struct span message, struct ntlm_authenticate *ret)
{
    struct ntlm_authenticate m = {.message = message, .payload = message.n};
    struct wire w = wire_on(message);
    if (!begins(&w, AUTHENTICATE)) return false;
    m.lm = field(&w, message, &m.payload);
    m.nt = field(&w, message, &m.payload);
    m.domain = field(&w, message, &m.payload);
    m.user = field(&w, message, &m.payload);
    m.workstation = field(&w, message, &m.payload);
    m.session_key = field(&w, message, &m.payload);
    m.flags = wire_u32(&w);
    if (w.bad) return false;
    struct span all[] = {m.lm, m.nt, m.domain, m.user, m.workstation, m.session_key};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        for (size_t j = 0; j < i; j++)
            if (overlap(all[i], all[j])) return false;
    if (!session_key_fits(&m)) return false;
    *ret = m;
    return true;
}

bool ntlm_response_read(struct span nt, struct ntlm_response *ret)
{
    struct wire w = wire_on(nt);
    struct ntlm_response r = {.proof = wire_raw(&w, 16), .blob = w.rest};
    bool version = wire_u16(&w) == 0x0101; /* RespType, HiRespType */
    wire_raw(&w, 2 + 4);                   /* reserved */
    r.filetime = wire_u64(&w);
    wire_raw(&w, 8 + 4); /* the client's challenge, reserved */
    r.pairs = w.rest;
    if (w.bad || !version) return false;
    *ret = r;
    return true;
}
