#include "ntlm_client.h"

#include "../span_check.h"

static const uint8_t random_octets[8] = {9, 8, 7, 6, 5, 4, 3, 2};
static const struct ntlm_target target = {SPAN("MX"), SPAN("WG"), SPAN("mx.example.org"),
                                          SPAN("example.org")};
#define NOW_MS UINT64_C(1700000000000)

static struct ntlm begin(uint32_t flags, size_t n_negotiate)
{
    uint8_t memory[64];
    struct buf b = buf_on(memory, sizeof memory);
    struct ntlm n;
    struct span challenge;
    ntlm_client_negotiate(&b, flags, n_negotiate);
    assert_true(ntlm_challenge(&n, &target, buf_span(&b), random_octets, NOW_MS, &challenge));
    assert_ptr_equal(challenge.p, n.challenge);
    assert_true(n.filetime == UINT64_C(133444736000000000)); /* 2023-11-14 22:13:20 */
    return n;
}

static uint8_t memory[4096];

static enum ntlm_kind say(const struct ntlm_client *c, const struct ntlm *n, struct ntlm_login *l)
{
    struct buf b = buf_on(memory, sizeof memory);
    ntlm_client_authenticate(c, n, &b);
    return ntlm_read(buf_span(&b), l);
}

static enum ntlm_verdict verdict(const struct ntlm_client *c, const struct ntlm *n,
                                 const struct ntlm_policy *p)
{
    struct ntlm_login l;
    assert_int_equal(say(c, n, &l), NTLM_USER);
    return ntlm_verify(n, &l, p, &ntlm_client_crypto, ntlm_client_hash);
}

static const struct ntlm_policy allowed = {NTLM_BINDINGS_ALLOWED, {NULL, 0}};

/* Every form that real clients send: NEGOTIATE with and without version and names; AUTHENTICATE with headers of 64, 72, 88; with and without
 * a MIC, a session key, Unicode. */
static void forms(void **state)
{
    (void)state;
    static const size_t negotiates[] = {16, 32, 40}, headers[] = {64, 72, 88};
    for (unsigned i = 0; i < 3 * 3 * 2 * 2; i++) {
        struct ntlm n = begin(NTLM_CLIENT_FLAGS, negotiates[i % 3]);
        struct ntlm_client c = ntlm_client_of(&n, "User");
        c.header = headers[i / 3 % 3];
        c.mic = c.header == 88;
        c.exchange = i / 9 % 2;
        if (i / 18) c.flags = (c.flags & ~NTLM_FLAG_UNICODE) | NTLM_FLAG_OEM;
        assert_int_equal(verdict(&c, &n, &allowed), NTLM_PROVEN);
        c.user = "uSER";
        assert_int_equal(verdict(&c, &n, &allowed), NTLM_PROVEN);
        c.domain = "domain"; /* as typed, whatever it is */
        assert_int_equal(verdict(&c, &n, &allowed), NTLM_PROVEN);
        c.domain = "";
        assert_int_equal(verdict(&c, &n, &allowed), NTLM_PROVEN);
        c.domain = "Domain";
        c.nil_domain = true;
        assert_int_equal(verdict(&c, &n, &allowed), NTLM_PROVEN);
        uint8_t wrong[16] = {1};
        c.hash = wrong;
        assert_int_equal(verdict(&c, &n, &allowed), NTLM_WRONG_PROOF);
    }
}

static void negotiation(void **state)
{
    (void)state;
    uint8_t text[LIMIT_NTLM_NEGOTIATE_OCTETS + 1] = "NTLMSSP\0\1\0\0\0\1\0\0";
    struct ntlm n;
    struct span challenge;
    assert_true(
        ntlm_challenge(&n, &target, span_of(text, sizeof text - 1), random_octets, NOW_MS, &challenge));
    assert_false(ntlm_challenge(&n, &target, span_of(text, sizeof text), random_octets, NOW_MS, &challenge));
    assert_false(ntlm_challenge(&n, &target, SPAN(""), random_octets, NOW_MS, &challenge));
    assert_false(
        ntlm_challenge(&n, &target, SPAN("NTLMSSP\0\3\0\0\0\1\0\0\0"), random_octets, NOW_MS, &challenge));
}

/* An account that is not there is answered as a wrong password, and nothing that somebody could know as its hash proves it. */
static void nobody(void **state)
{
    (void)state;
    static const uint8_t zero[16];
    struct ntlm n = begin(NTLM_CLIENT_FLAGS, 32);
    struct ntlm_client c = ntlm_client_of(&n, "User");
    const uint8_t *hashes[] = {ntlm_client_hash, zero};
    for (unsigned i = 0; i < 2; i++) {
        struct ntlm_login l;
        c.hash = hashes[i];
        assert_int_equal(say(&c, &n, &l), NTLM_USER);
        assert_int_equal(ntlm_verify(&n, &l, &allowed, &ntlm_client_crypto, NULL), NTLM_WRONG_PROOF);
    }
}

static void integrity(void **state)
{
    (void)state;
    struct ntlm n = begin(NTLM_CLIENT_FLAGS, 32), other;
    for (unsigned exchange = 0; exchange < 2; exchange++) {
        struct ntlm_client c = ntlm_client_of(&n, "User");
        struct ntlm_login l;
        c.exchange = exchange;
        assert_int_equal(say(&c, &n, &l), NTLM_USER);
        for (unsigned at = 72; at < 88; at++) { /* the MIC itself */
            memory[at] ^= 1;
            assert_int_equal(ntlm_verify(&n, &l, &allowed, &ntlm_client_crypto, ntlm_client_hash),
                             NTLM_WRONG_MIC);
            memory[at] ^= 1;
        }
        memory[64] ^= 1; /* the version: of no other weight */
        assert_int_equal(ntlm_verify(&n, &l, &allowed, &ntlm_client_crypto, ntlm_client_hash),
                         NTLM_WRONG_MIC);
        memory[64] ^= 1;
        assert_int_equal(ntlm_verify(&n, &l, &allowed, &ntlm_client_crypto, ntlm_client_hash), NTLM_PROVEN);
        other = n; /* what the client offered, and what it was answered */
        other.negotiate[12] ^= 2;
        assert_int_equal(ntlm_verify(&other, &l, &allowed, &ntlm_client_crypto, ntlm_client_hash),
                         NTLM_WRONG_MIC);
        other = n;
        other.challenge[21] ^= 0x80;
        assert_int_equal(ntlm_verify(&other, &l, &allowed, &ntlm_client_crypto, ntlm_client_hash),
                         NTLM_WRONG_MIC);
        c.header = 72; /* promised, and no room for it */
        assert_int_equal(verdict(&c, &n, &allowed), NTLM_WRONG_MIC);
        c.mic = false; /* not promised */
        assert_int_equal(verdict(&c, &n, &allowed), NTLM_PROVEN);
    }
}

static void times(void **state)
{
    (void)state;
    struct ntlm n = begin(NTLM_CLIENT_FLAGS, 32);
    struct ntlm_client c = ntlm_client_of(&n, "User");
    const uint64_t most = (uint64_t)LIMIT_NTLM_CLOCK_SECONDS * 10000000;
    uint64_t another = n.filetime + 1;
    c.av_timestamp = NULL;
    c.filetime = n.filetime + most;
    assert_int_equal(verdict(&c, &n, &allowed), NTLM_PROVEN);
    c.filetime = n.filetime - most;
    assert_int_equal(verdict(&c, &n, &allowed), NTLM_PROVEN);
    c.filetime = n.filetime + most + 10000000;
    assert_int_equal(verdict(&c, &n, &allowed), NTLM_WRONG_TIME);
    c.filetime = n.filetime - most - 10000000;
    assert_int_equal(verdict(&c, &n, &allowed), NTLM_WRONG_TIME);
    c.filetime = 0;
    assert_int_equal(verdict(&c, &n, &allowed), NTLM_WRONG_TIME);
    c.filetime = UINT64_MAX;
    assert_int_equal(verdict(&c, &n, &allowed), NTLM_WRONG_TIME);
    c.filetime = n.filetime;
    c.av_timestamp = &another; /* of another challenge */
    assert_int_equal(verdict(&c, &n, &allowed), NTLM_WRONG_TIME);
}

static void bindings(void **state)
{
    (void)state;
    static const uint8_t zero[16];
    struct span end_point = SPAN("0123456789abcdef0123456789abcdef");
    uint8_t right[16], wrong[16];
    assert_true(ntlm_proof_channel_bindings(&ntlm_client_crypto, end_point, right));
    memcpy(wrong, right, sizeof wrong);
    wrong[15] ^= 1;
    const uint8_t *sent[] = {NULL, zero, right, wrong};
    static const enum ntlm_verdict want[3][2][4] = {
        [NTLM_BINDINGS_IGNORED] = {{NTLM_PROVEN, NTLM_PROVEN, NTLM_PROVEN, NTLM_PROVEN},
                                   {NTLM_PROVEN, NTLM_PROVEN, NTLM_PROVEN, NTLM_PROVEN}},
        [NTLM_BINDINGS_ALLOWED] = {{NTLM_PROVEN, NTLM_PROVEN, NTLM_WRONG_BINDINGS, NTLM_WRONG_BINDINGS},
                                   {NTLM_PROVEN, NTLM_PROVEN, NTLM_PROVEN, NTLM_WRONG_BINDINGS}},
        [NTLM_BINDINGS_REQUIRED] = {{NTLM_NO_BINDINGS, NTLM_NO_BINDINGS, NTLM_WRONG_BINDINGS,
                                     NTLM_WRONG_BINDINGS},
                                    {NTLM_NO_BINDINGS, NTLM_NO_BINDINGS, NTLM_PROVEN, NTLM_WRONG_BINDINGS}},
    };
    struct ntlm n = begin(NTLM_CLIENT_FLAGS, 32);
    struct ntlm_client c = ntlm_client_of(&n, "User");
    for (unsigned policy = 0; policy < 3; policy++)
        for (unsigned tls = 0; tls < 2; tls++)
            for (unsigned i = 0; i < 4; i++) {
                struct ntlm_policy p = {(enum ntlm_bindings)policy, tls ? end_point : SPAN("")};
                c.bindings = sent[i];
                assert_int_equal(verdict(&c, &n, &p), want[policy][tls][i]);
            }
}

/* A domain controller says whether the proof is right, and gives the session key; the rest is still ours. */
static void by_session_key(void **state)
{
    (void)state;
    struct ntlm n = begin(NTLM_CLIENT_FLAGS, 32);
    struct ntlm_client c = ntlm_client_of(&n, "User");
    struct ntlm_login l;
    uint8_t key[16], session_key[16];
    assert_int_equal(say(&c, &n, &l), NTLM_USER);
    assert_true(ntlm_proof_response_key(&ntlm_client_crypto, ntlm_client_hash, SPAN("U\0S\0E\0R\0"),
                                        SPAN("D\0o\0m\0a\0i\0n\0"), key));
    assert_true(ntlm_proof_session_key(&ntlm_client_crypto, key, l.response.proof.p, session_key));
    struct ntlm_policy required = {NTLM_BINDINGS_REQUIRED, SPAN("x")};
    assert_int_equal(ntlm_verify_key(&n, &l, &allowed, &ntlm_client_crypto, session_key), NTLM_PROVEN);
    assert_int_equal(ntlm_verify_key(&n, &l, &required, &ntlm_client_crypto, session_key), NTLM_NO_BINDINGS);
    session_key[0] ^= 1;
    assert_int_equal(ntlm_verify_key(&n, &l, &allowed, &ntlm_client_crypto, session_key), NTLM_WRONG_MIC);
}

static bool broken_hmac(void *context, const uint8_t key[16], const struct span *parts, size_t n,
                        uint8_t ret[16])
{
    int *calls = context;
    return (*calls)-- > 0 && ntlm_client_crypto.hmac_md5(NULL, key, parts, n, ret);
}

static bool broken_md5(void *context, const struct span *parts, size_t n, uint8_t ret[16])
{
    int *calls = context;
    return (*calls)-- > 0 && ntlm_client_crypto.md5(NULL, parts, n, ret);
}

/* A library that fails lets nobody in, and its failure is not taken for a wrong password. */
static void broken_library(void **state)
{
    (void)state;
    struct ntlm n = begin(NTLM_CLIENT_FLAGS, 32);
    struct ntlm_client c = ntlm_client_of(&n, "User");
    struct ntlm_login l;
    struct ntlm_policy p = {NTLM_BINDINGS_ALLOWED, SPAN("end point")};
    uint8_t right[16];
    assert_true(ntlm_proof_channel_bindings(&ntlm_client_crypto, p.end_point, right));
    c.bindings = right;
    assert_int_equal(say(&c, &n, &l), NTLM_USER);
    for (int works = 0; works < 9; works++) {
        int calls = works;
        struct ntlm_crypto broken = {&calls, broken_hmac, broken_md5};
        assert_int_equal(ntlm_verify(&n, &l, &p, &broken, ntlm_client_hash),
                         works < 8 ? NTLM_FAILED : NTLM_PROVEN);
    }
}

static bool counted_hmac(void *context, const uint8_t key[16], const struct span *parts, size_t n,
                         uint8_t ret[16])
{
    size_t *octets = context;
    for (size_t i = 0; i < n; i++)
        *octets += parts[i].n;
    ++*octets; /* a call is something, too */
    return ntlm_client_crypto.hmac_md5(NULL, key, parts, n, ret);
}

static bool counted_md5(void *context, const struct span *parts, size_t n, uint8_t ret[16])
{
    size_t *octets = context;
    ++*octets;
    return ntlm_client_crypto.md5(NULL, parts, n, ret);
}

/* The time tells nobody whether an account exists, nor how far a login came: right, wrong and unknown are the same work. */
static void same_work(void **state)
{
    (void)state;
    static const uint8_t other[16] = {1};
    static const uint8_t bindings[16] = {1};
    const uint8_t *stored[] = {ntlm_client_hash, other, NULL};
    struct ntlm n = begin(NTLM_CLIENT_FLAGS, 32);
    struct ntlm_client c = ntlm_client_of(&n, "User");
    struct ntlm_policy p = {NTLM_BINDINGS_REQUIRED, SPAN("end point")};
    struct ntlm_login l;
    size_t octets[3] = {0};
    c.bindings = bindings;
    assert_int_equal(say(&c, &n, &l), NTLM_USER);
    for (unsigned i = 0; i < 3; i++) {
        struct ntlm_crypto crypto = {&octets[i], counted_hmac, counted_md5};
        assert_int_equal(ntlm_verify(&n, &l, &p, &crypto, stored[i]),
                         i == 0 ? NTLM_WRONG_BINDINGS : NTLM_WRONG_PROOF);
    }
    assert_true(octets[0] > 500);
    assert_int_equal(octets[1], octets[0]);
    assert_int_equal(octets[2], octets[0]);
}

static void names(void **state)
{
    (void)state;
    struct ntlm n = begin(NTLM_CLIENT_FLAGS, 32);
    struct ntlm_login l;
    static char user[LIMIT_PRINCIPAL_NAME_OCTETS + 2], domain[LIMIT_DOMAIN_OCTETS + 2];
    memset(user, 'u', sizeof user - 2);
    memset(domain, 'd', sizeof domain - 2);
    struct ntlm_client c = ntlm_client_of(&n, user);
    c.domain = c.workstation = domain;
    assert_int_equal(say(&c, &n, &l), NTLM_USER);
    assert_span(l.user, user);
    assert_span(l.domain, domain);
    assert_span(l.workstation, domain);
    domain[LIMIT_DOMAIN_OCTETS] = 'd';
    c.domain = "Domain";
    assert_int_equal(say(&c, &n, &l), NTLM_USER);
    assert_int_equal(l.workstation.n, 0); /* nobody needs it */
    c.domain = domain;
    assert_int_equal(say(&c, &n, &l), NTLM_MALFORMED);
    c.domain = "Domain";
    user[LIMIT_PRINCIPAL_NAME_OCTETS] = 'u';
    assert_int_equal(say(&c, &n, &l), NTLM_MALFORMED);
    c.user = "us\ner";
    assert_int_equal(say(&c, &n, &l), NTLM_MALFORMED);
    c.flags = NTLM_FLAG_OEM;
    assert_int_equal(say(&c, &n, &l), NTLM_MALFORMED);
    c.user = "us\xe4r"; /* of which code page? */
    assert_int_equal(say(&c, &n, &l), NTLM_MALFORMED);
    c.user = "user";
    c.workstation = "W\xe4";
    assert_int_equal(say(&c, &n, &l), NTLM_USER);
    assert_int_equal(l.workstation.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms),          cmocka_unit_test(negotiation),    cmocka_unit_test(nobody),
        cmocka_unit_test(integrity),      cmocka_unit_test(times),          cmocka_unit_test(bindings),
        cmocka_unit_test(by_session_key), cmocka_unit_test(broken_library), cmocka_unit_test(same_work),
        cmocka_unit_test(names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
