#include "policy/legacy.h"

const struct legacy_row legacy_table[LEGACY_NEEDS] = {
    {LEGACY_TLS_FAILED, "tls-failed",
     "It tried TLS and could not: give it a certificate with an RSA key, or switch its TLS off for this "
     "server."},
    {LEGACY_CLEAR_TEXT, "clear-text", "Switch TLS (STARTTLS or SSL) on in its mail settings."},
    {LEGACY_CLEAR_PASSWORD, "clear-password",
     "Give it a password of its own (sallyport user app add): this one can be read on the way."},
    {LEGACY_NO_LOGIN, "no-login",
     "Give it an account (sallyport user add NAME@DOMAIN --no-mailbox --grant submit) and let it log in."},
    {LEGACY_TLS_1_0, "tls1.0", "New firmware, or a newer device: TLS 1.0 ended in 2021 (RFC 8996)."},
    {LEGACY_TLS_1_1, "tls1.1", "New firmware, or a newer device: TLS 1.1 ended in 2021 (RFC 8996)."},
    {LEGACY_OLD_CIPHER, "old-cipher",
     "New firmware: it speaks TLS 1.2 without authenticated encryption (AES-GCM)."},
    {LEGACY_CRAM_MD5, "cram-md5",
     "Choose LOGIN or PLAIN with TLS in its settings; CRAM-MD5 is spoken nowhere else."},
    {LEGACY_NTLM, "ntlm",
     "Choose LOGIN or PLAIN with TLS in its settings: NTLM is offered where it is named only."},
};

static bool contains(struct span s, struct span part)
{
    for (size_t i = 0; i + part.n <= s.n; i++)
        if (span_eq(span_head(span_skip(s, i), part.n), part)) return true;
    return false;
}

static uint32_t needs_of_tls(const struct legacy_facts *f)
{
    if (!f->tls) return f->tls_tried ? LEGACY_TLS_FAILED : LEGACY_CLEAR_TEXT;
    if (span_eq(f->version, SPAN("TLSv1"))) return LEGACY_TLS_1_0;
    if (span_eq(f->version, SPAN("TLSv1.1"))) return LEGACY_TLS_1_1;
    bool sealed = contains(f->cipher, SPAN("GCM")) || contains(f->cipher, SPAN("CHACHA20"));
    return span_eq(f->version, SPAN("TLSv1.2")) && !sealed ? LEGACY_OLD_CIPHER : 0;
}

uint32_t legacy_needs(const struct legacy_facts *f)
{
    uint32_t needs = needs_of_tls(f);
    if (f->mechanism.n && f->shows_password && !f->tls) needs |= LEGACY_CLEAR_PASSWORD;
    if (!f->mechanism.n && f->messages) needs |= LEGACY_NO_LOGIN;
    if (span_eq(f->mechanism, SPAN("CRAM-MD5"))) needs |= LEGACY_CRAM_MD5;
    if (span_eq(f->mechanism, SPAN("NTLM"))) needs |= LEGACY_NTLM;
    return needs;
}

uint32_t legacy_need_find(struct span name)
{
    for (unsigned i = 0; i < LEGACY_NEEDS; i++)
        if (span_eq(name, span_str(legacy_table[i].name))) return legacy_table[i].need;
    return 0;
}
