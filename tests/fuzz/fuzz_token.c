/* Whatever stands where a token should. First octet: bit 0, what follows is a token as it comes; else two lengths' worth of JSON, header (its
 * length in the second octet) and payload, are encoded here, so that the fuzzer need not learn base64url. Bit 1: it is a set of keys. */
#include "service/token_keys.h"

#include "base/base64.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool b)
{
    if (!b) abort();
}

static void put_url(struct buf *b, struct span s)
{
    size_t at = b->n;
    base64_encode(s, b);
    must(!b->over);
    while (b->n > at && b->p[b->n - 1] == '=')
        b->n--;
    for (; at < b->n; at++)
        b->p[at] = b->p[at] == '+' ? '-' : b->p[at] == '/' ? '_' : b->p[at];
}

static bool judge(struct span text)
{
    const struct config_tokens expected = {
        .given = true, .issuer = SPAN("i"), .audience = SPAN("a"), .scope = SPAN("s")};
    struct arena *a = arena_create(65536);
    struct web_token t;
    struct span account;
    uint64_t ends = 0;
    must(a != NULL);
    enum token_verdict v = token_read(text, a, &t);
    bool whole = v == TOKEN_GOOD;
    if (whole) {
        must(t.algorithm < TOKEN_ALGORITHMS && t.signed_by.n < text.n && t.kid.n <= LIMIT_TOKEN_TEXT_OCTETS);
        must(text.n <= LIMIT_TOKEN_OCTETS);
        v = token_judge(&t, &expected, 1000000, &account, &ends);
        if (v == TOKEN_GOOD)
            must(ends > 1000000 && span_find(account, '@') != SPAN_NPOS && span_no_controls(account) &&
                 account.n <= LIMIT_PRINCIPAL_NAME_OCTETS);
    }
    must(v < TOKEN_VERDICTS);
    token_free(&t);
    arena_destroy(&a);
    return whole;
}

static void keys(struct span text)
{
    const char *why = NULL;
    struct token_keys *k = token_keys_read(text, &why);
    must(!k == (why != NULL) && (!k || token_keys_count(k) > 0));
    token_keys_free(&k);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t memory[65536];
    if (size < 2 || size > 32768) return 0;
    uint8_t *exact = malloc(size); /* so that a read behind the end is seen */
    must(exact != NULL);
    memcpy(exact, data, size);
    struct span rest = span_of(exact + 1, size - 1);
    struct buf b = buf_on(memory, sizeof memory);
    if (data[0] & 2) {
        keys(rest);
    } else if (data[0] & 1) {
        (void)judge(rest);
    } else {
        size_t n = rest.p[0];
        rest = span_skip(rest, 1);
        put_url(&b, span_head(rest, n));
        buf_byte(&b, '.');
        put_url(&b, span_skip(rest, n));
        buf_str(&b, ".AAAA");
        (void)judge(buf_span(&b));
    }
    free(exact);
    return 0;
}
