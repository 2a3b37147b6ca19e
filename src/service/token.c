#include <jansson.h>

#include "base/base64.h"
#include "sasl/authzid.h"
#include "service/token.h"

/* --- JSON */

/* jansson's own bound of depth is 2048 and cannot be set. Brackets inside strings do not count. */
static bool shallow(struct span text)
{
    unsigned depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = text.p[i];
        if (quoted) {
            if (c == '\\') i++;
            quoted = c != '"';
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{' || c == '[') {
            if (++depth > LIMIT_TOKEN_JSON_DEPTH) return false;
        } else if ((c == '}' || c == ']') && depth-- == 0) {
            return false;
        }
    }
    return true;
}

struct json_t *token_json(struct span text)
{
    json_error_t error;
    json_t *j =
        shallow(text) ? json_loadb((const char *)text.p, text.n, JSON_REJECT_DUPLICATES, &error) : NULL;
    if (j && json_is_object(j)) return j;
    json_decref(j);
    return NULL;
}

struct span token_json_string(const struct json_t *object, const char *name, bool *other)
{
    const json_t *j = json_object_get(object, name);
    if (j && !json_is_string(j)) *other = true;
    return json_is_string(j) ? span_of(json_string_value(j), json_string_length(j)) : span_of(NULL, 0);
}

/* --- the form */

enum token_algorithm token_algorithm_find(struct span name)
{
    static const char *const names[TOKEN_ALGORITHMS] = {"RS256", "PS256", "ES256", "EdDSA"};
    enum token_algorithm a = 0;
    while (a < TOKEN_ALGORITHMS && !span_eq(name, span_str(names[a])))
        a++;
    return a;
}

static bool take_part(struct span *rest, struct span *ret)
{
    size_t dot = span_find(*rest, '.');
    if (dot == SPAN_NPOS) return false;
    *ret = span_head(*rest, dot);
    *rest = span_skip(*rest, dot + 1);
    return true;
}

static bool decode(struct span part, struct arena *a, struct span *ret)
{
    uint8_t *memory = arena_take(a, part.n + 1);
    struct buf b = buf_on(memory, memory ? part.n : 0);
    if (!memory || !base64_url_decode(part, &b) || b.over) return false;
    *ret = buf_span(&b);
    return true;
}

/* RFC 8725 3.11: what says that it is something else is something else. RFC 9068 4: the type of access tokens. */
static bool is_type(struct span typ)
{
    return !typ.p || span_eq_nocase(typ, SPAN("JWT")) || span_eq_nocase(typ, SPAN("at+jwt")) ||
           span_eq_nocase(typ, SPAN("application/at+jwt"));
}

/* jwk, jku, x5c and their like are passed over: no key is taken from a token. */
static enum token_verdict read_header(struct web_token *t)
{
    bool wrong = false;
    struct span alg = token_json_string(t->header, "alg", &wrong);
    struct span typ = token_json_string(t->header, "typ", &wrong);
    t->kid = token_json_string(t->header, "kid", &wrong);
    /* RFC 7515 4.1.11: extensions that must be understood, and none is; cty: another token inside (RFC 7519 5.2) */
    if (json_object_get(t->header, "crit") || json_object_get(t->header, "cty")) wrong = true;
    if (wrong || !alg.p || !is_type(typ) || t->kid.n > LIMIT_TOKEN_TEXT_OCTETS) return TOKEN_MALFORMED;
    t->algorithm = token_algorithm_find(alg);
    return t->algorithm == TOKEN_ALGORITHMS ? TOKEN_ALGORITHM : TOKEN_GOOD;
}

static enum token_verdict read_parts(struct span text, struct arena *a, struct web_token *t)
{
    struct span rest = text, header, payload;
    if (text.n > LIMIT_TOKEN_OCTETS || !take_part(&rest, &header) || !take_part(&rest, &payload))
        return TOKEN_MALFORMED;
    t->signed_by = span_head(text, header.n + 1 + payload.n);
    if (!decode(header, a, &header) || !decode(payload, a, &payload) || !decode(rest, a, &t->signature))
        return TOKEN_MALFORMED;
    t->header = token_json(header);
    t->claims = t->header ? token_json(payload) : NULL;
    return t->claims ? read_header(t) : TOKEN_MALFORMED;
}

enum token_verdict token_read(struct span text, struct arena *a, struct web_token *ret)
{
    *ret = (struct web_token){.header = NULL};
    enum token_verdict v = read_parts(text, a, ret);
    if (v != TOKEN_GOOD) token_free(ret);
    return v;
}

void token_free(struct web_token *t)
{
    json_decref(t->header);
    json_decref(t->claims);
    *t = (struct web_token){.header = NULL};
}

/* --- what it says */

/* A string, or an array of strings: does it hold that one? words: a string is a list of them (RFC 8693 4.2). */
static enum token_verdict holds(const json_t *j, struct span wanted, bool words, enum token_verdict no)
{
    enum token_verdict v = no;
    const json_t *each = json_is_array(j) ? json_array_get(j, 0) : j;
    for (size_t i = 0; each; each = json_is_array(j) ? json_array_get(j, ++i) : NULL) {
        if (!json_is_string(each)) return TOKEN_MALFORMED;
        struct span s = span_of(json_string_value(each), json_string_length(each));
        for (bool more = true; more;) {
            size_t blank = words ? span_find(s, ' ') : SPAN_NPOS;
            if (span_eq(span_head(s, blank), wanted)) v = TOKEN_GOOD;
            more = blank != SPAN_NPOS;
            if (more) s = span_skip(s, blank + 1);
        }
    }
    return v;
}

/* NumericDate (RFC 7519 2): seconds, maybe with a fraction. False: it is another thing. */
static bool date(const json_t *j, double *ret)
{
    *ret = json_number_value(j);
    return json_is_number(j) && *ret >= 0 && *ret < 9007199254740992.0;
}

static enum token_verdict judge_times(const json_t *claims, uint64_t now, uint64_t *ends)
{
    const double at = (double)now, leeway = LIMIT_TOKEN_LEEWAY_SECONDS;
    const json_t *exp = json_object_get(claims, "exp"), *nbf = json_object_get(claims, "nbf"),
                 *iat = json_object_get(claims, "iat");
    double end = 0, begin = 0, issued = 0;
    if ((exp && !date(exp, &end)) || (nbf && !date(nbf, &begin)) || (iat && !date(iat, &issued)))
        return TOKEN_MALFORMED;
    if (!exp) return TOKEN_NO_EXPIRY;
    if (at >= end + leeway) return TOKEN_EXPIRED;
    *ends = (uint64_t)(end + leeway);
    *ends += (double)*ends < end + leeway;
    return begin > at + leeway || issued > at + leeway ? TOKEN_EARLY : TOKEN_GOOD;
}

/* An address that its issuer did not look at is whatever its owner typed there (OpenID Connect Core 5.7). */
static bool unverified(const json_t *claims)
{
    const json_t *verified = json_object_get(claims, "email_verified");
    return verified && !json_is_true(verified);
}

static enum token_verdict judge_account(const json_t *claims, struct span claim, struct span *account)
{
    bool wrong = false;
    struct span name = claim.n ? claim : SPAN("email");
    char text[LIMIT_TOKEN_TEXT_OCTETS + 1] = {0};
    if (name.n > LIMIT_TOKEN_TEXT_OCTETS) return TOKEN_ACCOUNT;
    memcpy(text, name.p, name.n);
    *account = token_json_string(claims, text, &wrong);
    if (span_eq(name, SPAN("email")) && account->p && unverified(claims)) return TOKEN_ACCOUNT;
    if (claim.n == 0 && !account->p) *account = token_json_string(claims, "sub", &wrong);
    if (wrong) return TOKEN_MALFORMED;
    return authzid_is_name(*account) && span_find(*account, '@') != SPAN_NPOS ? TOKEN_GOOD : TOKEN_ACCOUNT;
}

enum token_verdict token_judge(const struct web_token *t, const struct config_tokens *expected, uint64_t now,
                               struct span *account, uint64_t *ends)
{
    bool wrong = false;
    struct span issuer = token_json_string(t->claims, "iss", &wrong);
    const json_t *scope = json_object_get(t->claims, "scope");
    *account = span_of(NULL, 0);
    if (wrong) return TOKEN_MALFORMED;
    if (!issuer.p || !span_eq(issuer, expected->issuer)) return TOKEN_ISSUER;
    enum token_verdict v =
        holds(json_object_get(t->claims, "aud"), expected->audience, false, TOKEN_AUDIENCE);
    if (v == TOKEN_GOOD) v = judge_times(t->claims, now, ends);
    if (v == TOKEN_GOOD)
        v = holds(scope ? scope : json_object_get(t->claims, "scp"), expected->scope, true, TOKEN_SCOPE);
    return v == TOKEN_GOOD ? judge_account(t->claims, expected->account, account) : v;
}
