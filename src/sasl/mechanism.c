#include "sasl/mechanism.h"

#define ROW(m, n, f, ref, text) [MECHANISM_##m] = {MECHANISM_##m, n, f, ref, text}

const struct mechanism_row mechanism_table[MECHANISM_COUNT] = {
    ROW(SCRAM_SHA_256_PLUS, "SCRAM-SHA-256-PLUS", MECHANISM_BINDS, "RFC 7677, RFC 9266",
        "the password is proven, never sent, and bound to this TLS session"),
    ROW(SCRAM_SHA_256, "SCRAM-SHA-256", 0, "RFC 7677", "the password is proven, never sent"),
    ROW(SCRAM_SHA_1_PLUS, "SCRAM-SHA-1-PLUS", MECHANISM_BINDS | MECHANISM_LEGACY, "RFC 5802, RFC 9266",
        "as SCRAM-SHA-256-PLUS, with an older hash"),
    ROW(SCRAM_SHA_1, "SCRAM-SHA-1", MECHANISM_LEGACY, "RFC 5802", "as SCRAM-SHA-256, with an older hash"),
    ROW(EXTERNAL, "EXTERNAL", MECHANISM_CERTIFICATE, "RFC 4422 A", "the client's TLS certificate"),
    ROW(GSSAPI, "GSSAPI", MECHANISM_SLOW | MECHANISM_TLS | MECHANISM_MAY_BIND, "RFC 4752",
        "a ticket of Kerberos"),
    ROW(GSS_SPNEGO, "GSS-SPNEGO", MECHANISM_SLOW | MECHANISM_TLS | MECHANISM_MAY_BIND, "RFC 4178",
        "a ticket of Kerberos, as Windows shows it"),
    ROW(NTLM, "NTLM", MECHANISM_LEGACY | MECHANISM_SLOW, "MS-NLMP, MS-SMTPNTLM",
        "NTLMv2 only; never anonymous, never a guest"),
    ROW(OAUTHBEARER, "OAUTHBEARER", MECHANISM_SECRET, "RFC 7628", "a bearer token"),
    ROW(XOAUTH2, "XOAUTH2", MECHANISM_SECRET, "RFC 6750", "a bearer token, as older clients send it"),
    ROW(CRAM_MD5, "CRAM-MD5", MECHANISM_LEGACY | MECHANISM_SERVER_FIRST, "RFC 2195", "for old devices only"),
    ROW(PLAIN, "PLAIN", MECHANISM_SECRET | MECHANISM_SLOW, "RFC 4616", "name and password"),
    ROW(LOGIN, "LOGIN", MECHANISM_SECRET | MECHANISM_SLOW, "MS-XLOGIN",
        "name and password, asked one by one"),
};

const struct mechanism_row *mechanism_find(struct span name)
{
    for (size_t i = 0; i < MECHANISM_COUNT; i++)
        if (span_eq_nocase(span_str(mechanism_table[i].name), name)) return &mechanism_table[i];
    return NULL;
}

bool mechanism_any(uint32_t set, uint8_t flag)
{
    for (size_t i = 0; i < MECHANISM_COUNT; i++)
        if (set & MECHANISM_BIT(i) && mechanism_table[i].flags & flag) return true;
    return false;
}

void mechanism_put_names(struct buf *b, uint32_t set)
{
    bool first = true;
    for (size_t i = 0; i < MECHANISM_COUNT; i++) {
        if (!(set & MECHANISM_BIT(i))) continue;
        if (!first) buf_byte(b, ' ');
        buf_str(b, mechanism_table[i].name);
        first = false;
    }
}

const char *mechanism_why_not(enum mechanism m, const struct mechanism_facts *f)
{
    uint8_t flags = mechanism_table[m].flags;
    if (!f->tls && !f->clear)
        return "the session is in clear: only under TLS, or from a network of allow-cleartext-auth";
    if ((flags & MECHANISM_BINDS) && !f->binding)
        return "it is bound to a TLS session, and there is no key of one";
    if ((flags & MECHANISM_CERTIFICATE) && !f->certificate) return "the client shows no certificate";
    if ((flags & MECHANISM_TLS) && !f->tls) return "in clear text it is never offered";
    return NULL;
}

uint32_t mechanism_offered(uint32_t set, const struct mechanism_facts *f)
{
    uint32_t offered = 0;
    for (size_t i = 0; i < MECHANISM_COUNT; i++)
        if (!mechanism_why_not((enum mechanism)i, f)) offered |= set & MECHANISM_BIT(i);
    return offered;
}
