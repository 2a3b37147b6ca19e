/* Whatever a client answers in PLAIN, LOGIN, EXTERNAL, OAUTHBEARER, XOAUTH2, CRAM-MD5 and SCRAM: what is taken lies inside the message, is text, and
 * makes the same message again. First octet: which one. */
#include "sasl/cram.h"
#include "sasl/external.h"
#include "sasl/oauth.h"
#include "sasl/plain.h"
#include "sasl/scram.h"

#include "base/hex.h"
#include "base/utf8.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool b)
{
    if (!b) abort();
}

static void name(struct span s)
{
    must(s.n > 0 && s.n <= LIMIT_PRINCIPAL_NAME_OCTETS && utf8_valid(s) && span_no_controls(s));
}

static void plain(struct span message, struct buf *again)
{
    struct plain_message m;
    if (!plain_read(message, &m)) return;
    if (m.authzid.n > 0) name(m.authzid);
    name(m.authcid);
    must(m.password.n > 0 && m.password.n <= LIMIT_PASSWORD_OCTETS && span_find(m.password, 0) == SPAN_NPOS);
    buf_put(again, m.authzid);
    buf_byte(again, 0);
    buf_put(again, m.authcid);
    buf_byte(again, 0);
    buf_put(again, m.password);
    must(span_eq(message, buf_span(again)));
}

static void token(struct span s)
{
    must(span_printable(s) && span_find(s, ' ') == SPAN_NPOS && span_find(s, ',') == SPAN_NPOS);
}

static void bearer(struct span message)
{
    static struct oauth_message m;
    if (!oauth_bearer_read(message, &m)) return;
    if (m.authzid.n > 0) name(m.authzid);
    token(m.token);
    must(m.host.n <= LIMIT_DOMAIN_OCTETS && span_printable(m.host));
    must(message.n >= 10 && span_eq(span_skip(message, message.n - 2), SPAN("\1\1")));
    must(m.token.n == 0 || memmem(message.p, message.n, m.token.p, m.token.n) != NULL);
}

static void x2(struct span message)
{
    static struct oauth_message m;
    if (!oauth_x2_read(message, &m)) return;
    name(m.authzid);
    token(m.token);
    must(m.host.n == 0 && m.port == 0);
}

static void second_half(const uint8_t contexts[32], struct span challenge, uint8_t ret[16])
{
    (void)challenge;
    memcpy(ret, contexts + 16, 16);
}

static void cram(struct span message, struct buf *again)
{
    static const uint8_t contexts[32] = {7};
    struct cram_response r;
    if (!cram_read(message, &r)) return;
    name(r.name);
    buf_put(again, r.name);
    buf_byte(again, ' ');
    hex_encode(span_of(r.digest, sizeof r.digest), again);
    must(span_eq_nocase(message, buf_span(again)));
    must(!cram_verify(&r, SPAN("<1.2@h>"), NULL, second_half));
    must(cram_verify(&r, SPAN("<1.2@h>"), contexts, second_half) ==
         (memcmp(r.digest, contexts + 16, 16) == 0));
}

static void scram(struct span message)
{
    static struct gs2_header header;
    if (scram_first_read(message, &header)) {
        must(header.flag == 'n' || header.flag == 'y' || (header.flag == 'p' && header.binding.n > 0));
        if (header.authzid.n > 0) name(header.authzid);
        must(utf8_valid(message) && memmem(message.p, message.n, ",r=", 3) &&
             !memmem(message.p, message.n, ",m=", 3));
        must(message.p[message.n - 1] != ',');
    }
    if (scram_final_is_valid(message)) {
        must(span_eq(span_head(message, 2), SPAN("c=")) && memmem(message.p, message.n, ",p=", 3));
        must(!memmem(message.p, message.n, ",m=", 3) && !scram_first_read(message, &header));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t memory[LIMIT_SASL_RESPONSE_OCTETS];
    struct buf again = buf_on(memory, sizeof memory);
    struct span authzid;
    if (size == 0 || size > LIMIT_SASL_RESPONSE_OCTETS) return 0;
    struct span message = span_of(data + 1, size - 1);
    switch (data[0] % 6) {
    case 0: plain(message, &again); break;
    case 1: bearer(message); break;
    case 2: x2(message); break;
    case 3: cram(message, &again); break;
    case 5: scram(message); break;
    default:
        if (external_read(message, &authzid) && message.n > 0) name(authzid);
        if (plain_is_password(message)) must(utf8_valid(message));
    }
    return 0;
}
