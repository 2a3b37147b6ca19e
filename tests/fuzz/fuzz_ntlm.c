/* Whatever a client of NTLM sends. First octet: bit 0, a right AUTHENTICATE is made and the rest changes it, in steps of three octets (where,
 * two octets; by what, one); else the rest is NEGOTIATE, with its length in one octet before it, and AUTHENTICATE. Bit 1: with a MIC,
 * bit 2: with a session key, bit 3: OEM, bit 4: header of 64 octets. */
#include "../tools/ntlm_client.h"

#include "base/utf8.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct ntlm_policy policy = {NTLM_BINDINGS_ALLOWED, {(const uint8_t *)"end point", 9}};

static void must(bool b)
{
    if (!b) abort();
}

static bool begin(struct ntlm *n, struct span negotiate)
{
    static const uint8_t random[8] = {9, 8, 7, 6, 5, 4, 3, 2};
    struct ntlm_target t = {SPAN("MX"), SPAN("WG"), SPAN("mx.example.org"), SPAN("example.org")};
    struct span challenge;
    if (!ntlm_challenge(n, &t, negotiate, random, UINT64_C(1700000000000), &challenge)) return false;
    must(challenge.n >= 56 && challenge.n <= LIMIT_SASL_CHALLENGE_OCTETS);
    return true;
}

static void text(struct span s)
{
    must(utf8_valid(s) && span_no_controls(s));
}

static bool judge(const struct ntlm *n, struct span authenticate)
{
    static struct ntlm_login l;
    enum ntlm_kind kind = ntlm_read(authenticate, &l);
    if (kind == NTLM_MALFORMED) return false;
    text(l.user);
    text(l.domain);
    text(l.workstation);
    if (kind != NTLM_USER) return false;
    must(l.user.n > 0 && l.message.nt.n >= 48 && !span_eq_nocase(l.user, SPAN("guest")));
    must(ntlm_verify(n, &l, &policy, &ntlm_client_crypto, NULL) == NTLM_WRONG_PROOF);
    return ntlm_verify(n, &l, &policy, &ntlm_client_crypto, ntlm_client_hash) == NTLM_PROVEN;
}

static void changed(uint8_t options, struct span changes)
{
    uint8_t first[32], memory[2048], before[2048];
    struct buf negotiate = buf_on(first, sizeof first), b = buf_on(memory, sizeof memory);
    struct ntlm n;
    ntlm_client_negotiate(&negotiate, NTLM_CLIENT_FLAGS, sizeof first);
    must(begin(&n, buf_span(&negotiate)));
    struct ntlm_client c = ntlm_client_of(&n, "User");
    c.header = options & 16 ? 64 : 88;
    c.mic = options & 2 && c.header == 88;
    c.exchange = options & 4;
    if (options & 8) c.flags ^= NTLM_FLAG_UNICODE | NTLM_FLAG_OEM;
    ntlm_client_authenticate(&c, &n, &b);
    must(judge(&n, buf_span(&b)));
    memcpy(before, b.p, b.n);
    for (; changes.n >= 3; changes = span_skip(changes, 3))
        b.p[(changes.p[0] | changes.p[1] << 8) % b.n] ^= changes.p[2];
    uint8_t *exact = malloc(b.n); /* so that a read behind the end is seen */
    must(exact != NULL);
    memcpy(exact, b.p, b.n);
    bool proven = judge(&n, span_of(exact, b.n));
    free(exact);
    must(!proven || !c.mic || memcmp(before, b.p, b.n) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct ntlm n;
    if (size < 2) return 0;
    if (data[0] & 1) {
        changed(data[0], span_of(data + 1, size - 1));
        return 0;
    }
    struct span rest = span_of(data + 2, size - 2);
    if (begin(&n, span_head(rest, data[1]))) (void)judge(&n, span_skip(rest, data[1]));
    return 0;
}
