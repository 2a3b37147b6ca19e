/* ntlm-try USER NT-HASH [END-POINT]: the acceptor of NTLM without a server around it, for real clients (tests/scenario/test_ntlm.py). Standard
 * input: one base64 message a line, NEGOTIATE and AUTHENTICATE by turns. Standard output: a CHALLENGE in base64 for the first,
 * "KIND VERDICT NAME" for the second; "malformed" when it is none. USER is the one account that exists, in lower case; END-POINT, in
 * hexadecimal, makes channel bindings required. */
#include "ntlm_client.h"

#include "base/base64.h"
#include "base/hex.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

static const char *const kinds[] = {"malformed", "anonymous", "guest", "old", "user"};
static const char *const verdicts[] = {"proven",      "wrong-proof", "wrong-mic", "wrong-bindings",
                                       "no-bindings", "wrong-time",  "failed"};

static struct span from_hex(const char *text, uint8_t *memory, size_t max)
{
    struct buf b = buf_on(memory, max);
    if (!hex_decode(span_str(text), &b) || b.over) exit(2);
    return buf_span(&b);
}

static void challenge(struct ntlm *n, struct span negotiate, bool *begun)
{
    struct ntlm_target t = {SPAN("MX"), SPAN("WORKGROUP"), SPAN("mx.example.org"), SPAN("example.org")};
    uint8_t random[8], memory[BASE64_OCTETS(LIMIT_SASL_CHALLENGE_OCTETS)];
    struct buf b = buf_on(memory, sizeof memory);
    struct span c;
    if (getrandom(random, sizeof random, 0) != sizeof random) exit(2);
    *begun = ntlm_challenge(n, &t, negotiate, random, (uint64_t)time(NULL) * 1000, &c);
    if (*begun) base64_encode(c, &b);
    printf("%.*s\n", *begun ? (int)b.n : 9, *begun ? (const char *)b.p : "malformed");
}

static void verdict(const struct ntlm *n, struct span authenticate, struct span user, const uint8_t hash[16],
                    struct span end_point)
{
    static struct ntlm_login l;
    struct ntlm_policy p = {end_point.n > 0 ? NTLM_BINDINGS_REQUIRED : NTLM_BINDINGS_ALLOWED, end_point};
    enum ntlm_kind kind = ntlm_read(authenticate, &l);
    if (kind == NTLM_MALFORMED) {
        puts("malformed");
        return;
    }
    enum ntlm_verdict v = NTLM_WRONG_PROOF;
    if (kind == NTLM_USER)
        v = ntlm_verify(n, &l, &p, &ntlm_client_crypto, span_eq_nocase(l.user, user) ? hash : NULL);
    printf("%s %s %.*s\n", kinds[kind], kind == NTLM_USER ? verdicts[v] : "-", SPAN_ARG(l.user));
}

int main(int argc, char **argv)
{
    static struct ntlm n;
    uint8_t hash[16], end_point_memory[LIMIT_END_POINT_OCTETS], message[LIMIT_SASL_RESPONSE_OCTETS];
    char line[LIMIT_AUTH_LINE_OCTETS + 2];
    bool begun = false;
    if (argc < 3 || from_hex(argv[2], hash, sizeof hash).n != sizeof hash) return 2;
    struct span end_point =
        argc > 3 ? from_hex(argv[3], end_point_memory, sizeof end_point_memory) : SPAN("");
    while (fgets(line, sizeof line, stdin)) {
        struct buf b = buf_on(message, sizeof message);
        line[strcspn(line, "\r\n")] = 0;
        if (!base64_decode(span_str(line), &b) || b.over) {
            puts("malformed");
        } else if (!begun) {
            challenge(&n, buf_span(&b), &begun);
        } else {
            verdict(&n, buf_span(&b), span_str(argv[1]), hash, end_point);
            begun = false;
        }
        fflush(stdout);
    }
    return 0;
}
