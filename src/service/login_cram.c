/* CRAM-MD5 (RFC 2195), for old devices: against the two MD5 contexts of the identity store. */
#include <sys/random.h>

#include "identity/secret.h"
#include "sasl/cram.h"
#include "service/login_private.h"

static enum login_kind challenge(struct login *l)
{
    struct buf b = buf_on(l->challenge, sizeof l->challenge);
    uint64_t random;
    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random) return LOGIN_LATER;
    cram_put_challenge(&b, random, l->unix_seconds, l->world->config->servers[l->begin.server].hostname);
    struct span *sent = arena_take(l->arena, sizeof *sent);
    if (b.over || !sent) return LOGIN_LATER;
    l->out = *sent = buf_span(&b);
    l->state = sent;
    return LOGIN_CHALLENGE;
}

enum login_kind login_cram(struct login *l, struct login_thread *t, struct span response, bool initial)
{
    const struct span *sent = l->state;
    struct cram_response r;
    if (initial) return LOGIN_MALFORMED; /* RFC 4422 5: the server has the first word */
    if (!sent) return challenge(l);
    if (!cram_read(response, &r)) return LOGIN_MALFORMED;
    if (!login_find(l, t, r.name)) return LOGIN_LATER;
    if (!cram_verify(&r, *sent, l->who.has_cram ? l->who.cram : NULL, secret_cram_digest))
        return login_fail_proof(l, l->who.has_cram);
    l->proven = true;
    return LOGIN_SUCCESS;
}
