/* token_keys: the public keys of whoever issues tokens, from a JWK set (RFC 7517): P-256 (RFC 7518 6.2), RSA of 2048 to 8192 bits
 * (6.3) and Ed25519 (RFC 8037 2). Others, and keys that are not for signatures, are passed over. Read once, before the cage (jansson
 * opens /dev/urandom for its first table); then threads may share it. */
#ifndef SERVICE_TOKEN_KEYS_H
#define SERVICE_TOKEN_KEYS_H

#include "service/token.h"

struct token_keys;

/* Null: *why (constant text): no JWK set, a key in it that is broken, private, or named like another one, or no key that is of use. */
struct token_keys *token_keys_read(struct span text, const char **why);
void token_keys_free(struct token_keys **k); /* accepts null */
unsigned token_keys_count(const struct token_keys *k);

/* By the key that the token names; where it names none, by the only one that is made for its algorithm. GOOD, TOKEN_KEY or TOKEN_SIGNATURE. */
enum token_verdict token_keys_verify(const struct token_keys *k, const struct web_token *t);

#endif
