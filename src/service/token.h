/* token: a JSON Web Token as an access token (RFC 7519 in the compact serialisation of RFC 7515, after the advice of RFC 8725),
 * checked here and now, nobody is asked. In this order: token_read (form), token_keys_verify (service/token_keys.h: who wrote it),
 * token_judge (what it says). */
#ifndef SERVICE_TOKEN_H
#define SERVICE_TOKEN_H

#include "config/config.h"

/* All that is taken; each belongs to one type of key. Not "none", nothing with a shared secret. RFC 7518 3.1, RFC 8037 3.1. */
enum token_algorithm { TOKEN_RS256, TOKEN_PS256, TOKEN_ES256, TOKEN_EDDSA, TOKEN_ALGORITHMS };

enum token_verdict {
    TOKEN_GOOD,
    TOKEN_MALFORMED, /* no such token, or a claim of the wrong type */
    TOKEN_ALGORITHM, /* one that is not taken */
    TOKEN_KEY,       /* no key fits its header */
    TOKEN_SIGNATURE,
    TOKEN_ISSUER,
    TOKEN_AUDIENCE,
    TOKEN_EXPIRED,
    TOKEN_NO_EXPIRY, /* it does not say when it expires */
    TOKEN_EARLY,     /* nbf or iat lie in the future */
    TOKEN_SCOPE,
    TOKEN_ACCOUNT, /* it names no address of an account */
    TOKEN_VERDICTS
};

struct json_t; /* of jansson */

struct web_token {
    enum token_algorithm algorithm;
    struct span kid;       /* p null: it names no key */
    struct span signed_by; /* what was signed: header and payload as they came; points into the text */
    struct span signature; /* decoded */
    struct json_t *header, *claims;
};

/* The form, nothing of it is believed: text is hostile. What it decodes lies in a. Anything but TOKEN_GOOD: *ret is empty. */
enum token_verdict token_read(struct span text, struct arena *a, struct web_token *ret);
void token_free(struct web_token *t); /* accepts an empty one */

/* What it says, once the signature was good. now: unix seconds. GOOD: *account is the address that it names, well-formed as a name, with an @;
 * it lives as long as t; *ends: from then on (unix seconds) it would be TOKEN_EXPIRED. */
enum token_verdict token_judge(const struct web_token *t, const struct config_tokens *expected, uint64_t now,
                               struct span *account, uint64_t *ends);

/* By its name in a header; TOKEN_ALGORITHMS: it is not taken. */
enum token_algorithm token_algorithm_find(struct span name);
/* One JSON object, whole, with no member twice and nesting bounded; null: it is none. For json_decref. */
struct json_t *token_json(struct span text);
/* A member that is a string; p null: there is none. other: there is a member of another type. */
struct span token_json_string(const struct json_t *object, const char *name, bool *other);

#endif
