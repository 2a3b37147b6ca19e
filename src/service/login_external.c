/* EXTERNAL (RFC 4422 A): the client's TLS certificate, of which nothing counts but its key, and that only where it was pinned to somebody
 * (sallyport user certificate). Who made the certificate and when it ends says nobody that is trusted here: whoever has the key can make another one. */
#include "base/hex.h"
#include "sasl/external.h"
#include "service/login_private.h"
#include "system/tls_certificate.h"

enum { KEY_OCTETS = 32 };

static bool acts_as_itself(struct login *l, struct span authzid)
{
    uint8_t memory[LIMIT_PRINCIPAL_NAME_OCTETS];
    struct buf name = buf_on(memory, sizeof memory);
    if (identity_name(authzid, l->world->home, &name) && span_eq(buf_span(&name), l->who.name)) return true;
    return login_authzid_permitted(l, authzid, l->who.name);
}

/* For the log: what would have to be pinned. */
static void claim_key(struct login *l, const uint8_t key[KEY_OCTETS])
{
    uint8_t memory[2 * KEY_OCTETS];
    struct buf text = buf_on(memory, sizeof memory);
    hex_encode(span_of(key, KEY_OCTETS), &text);
    login_claim(l, buf_span(&text));
}

static bool stamp(struct login *l, struct login_thread *t, const uint8_t key[KEY_OCTETS])
{
    uint64_t first;
    memcpy(&first, key, sizeof first);
    return login_stamp(l, t, IDENTITY_BY_KEY, first);
}

enum login_kind login_external(struct login *l, struct login_thread *t, struct span response, bool initial)
{
    uint8_t key[KEY_OCTETS];
    struct span authzid;
    if (l->step == 0 && !initial) return LOGIN_CHALLENGE; /* an empty one: the client begins */
    if (!external_read(response, &authzid)) return LOGIN_MALFORMED;
    if (!tls_certificate_key_hash(l->begin.certificate, key)) return login_refuse(l, "no-certificate");
    claim_key(l, key);
    enum identity_found found = identity_by_key(t->identity, key, l->arena, &l->who);
    if (found == IDENTITY_UNREADABLE) {
        l->report.event = "unavailable";
        return LOGIN_LATER;
    }
    if (found != IDENTITY_FOUND) return login_refuse(l, "unknown-user");
    if (!acts_as_itself(l, authzid)) return LOGIN_REFUSED;
    if (!stamp(l, t, key)) return LOGIN_LATER;
    l->proven = true;
    return LOGIN_SUCCESS;
}
