/* What a login rests on and what it permits, as a stamp that its session carries: an unequal one later on says that something of it
 * was changed. No secret goes into it, so that whoever has it can guess at none: a password that is set has a fresh random salt for
 * SCRAM, which any client is told (RFC 5802 5), and numbers of app passwords are never used again. Without a key it outlives the
 * process that made it. */
#include <openssl/evp.h>

#include "base/wire.h"
#include "identity/identity_private.h"

enum { DIGEST_OCTETS = 8, STAMP_OCTETS = 1 + 8 + DIGEST_OCTETS /* by, credential, digest */ };
_Static_assert(STAMP_OCTETS == LIMIT_STAMP_OCTETS, "what is carried is what is made");

static bool add(EVP_MD_CTX *c, struct span s)
{
    uint32_t n = (uint32_t)s.n;
    return EVP_DigestUpdate(c, &n, sizeof n) == 1 && (n == 0 || EVP_DigestUpdate(c, s.p, s.n) == 1);
}

/* All rows of a statement whose first value is the number. UNKNOWN: there is none. */
static enum identity_found add_rows(EVP_MD_CTX *c, sqlite3_stmt *s, uint32_t number)
{
    static const uint32_t last = UINT32_MAX; /* no value is that long */
    enum identity_found found, any = IDENTITY_UNKNOWN;
    if (s) sqlite3_bind_int64(s, 1, number);
    while ((found = identity_step(s)) == IDENTITY_FOUND) {
        any = IDENTITY_FOUND;
        for (int at = 0; at < sqlite3_column_count(s); at++)
            if (!add(c, identity_column(s, at))) {
                sqlite3_reset(s);
                return IDENTITY_UNREADABLE;
            }
    }
    if (found == IDENTITY_UNREADABLE || EVP_DigestUpdate(c, &last, sizeof last) != 1)
        return IDENTITY_UNREADABLE;
    return any;
}

/* Rights and groups: `right` lines go by the names of these. */
static enum identity_found add_rights(struct identity *i, EVP_MD_CTX *c, uint32_t number)
{
    static const char sql[] =
        "SELECT '', permits FROM granted WHERE principal=?1 UNION ALL "
        "SELECT team.name, permits FROM member JOIN team ON team.number=member.team "
        "LEFT JOIN granted ON granted.team=team.number WHERE member.principal=?1 ORDER BY 1, 2";
    enum identity_found found = add_rows(c, identity_prepare(i, sql), number);
    return found == IDENTITY_UNKNOWN ? IDENTITY_FOUND : found;
}

static enum identity_found add_credential(struct identity *i, EVP_MD_CTX *c, uint32_t number, uint8_t by,
                                          uint64_t credential)
{
    static const char password[] = "SELECT hash, salt FROM scram WHERE principal=?1 ORDER BY hash";
    static const char app[] = "SELECT number FROM app WHERE principal=?1 AND number=?2";
    static const char key[] = "SELECT sha256 FROM pinned WHERE principal=?1 AND substr(sha256, 1, 8)=?2";
    sqlite3_stmt *s = NULL;
    enum identity_found found;
    switch (by) {
    case IDENTITY_BY_PASSWORD:
        found = add_rows(c, identity_prepare(i, password), number);
        return found == IDENTITY_UNKNOWN ? IDENTITY_FOUND : found;
    case IDENTITY_BY_APP:
        s = identity_prepare(i, app);
        if (s) sqlite3_bind_int64(s, 2, (sqlite3_int64)credential);
        return add_rows(c, s, number);
    case IDENTITY_BY_KEY:
        s = identity_prepare(i, key);
        identity_bind_blob(s, 2, span_of(&credential, sizeof credential));
        return add_rows(c, s, number);
    case IDENTITY_BY_OUTSIDE: return IDENTITY_FOUND;
    default: return IDENTITY_UNKNOWN;
    }
}

enum identity_found identity_stamp(struct identity *i, uint32_t number, uint8_t by, uint64_t credential,
                                   uint8_t ret[LIMIT_STAMP_OCTETS])
{
    uint8_t hash[EVP_MAX_MD_SIZE];
    struct buf b = buf_on(ret, LIMIT_STAMP_OCTETS);
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    enum identity_found found = IDENTITY_UNREADABLE;
    wire_put_u8(&b, by);
    wire_put_u64(&b, credential);
    if (c && EVP_DigestInit_ex(c, EVP_sha256(), NULL) == 1 && add(c, buf_span(&b)))
        found = add_rights(i, c, number);
    if (found == IDENTITY_FOUND) found = add_credential(i, c, number, by, credential);
    if (found == IDENTITY_FOUND && EVP_DigestFinal_ex(c, hash, NULL) != 1) found = IDENTITY_UNREADABLE;
    EVP_MD_CTX_free(c);
    if (found == IDENTITY_FOUND) buf_put(&b, span_of(hash, DIGEST_OCTETS));
    return found;
}

enum identity_found identity_label(struct identity *i, uint32_t number, uint8_t by, uint64_t credential,
                                   struct arena *a, struct span *ret)
{
    static const char app[] = "SELECT label FROM app WHERE principal=?1 AND number=?2";
    static const char key[] = "SELECT label FROM pinned WHERE principal=?1 AND substr(sha256, 1, 8)=?2";
    *ret = SPAN("");
    if (by != IDENTITY_BY_APP && by != IDENTITY_BY_KEY) return IDENTITY_FOUND;
    sqlite3_stmt *s = identity_prepare(i, by == IDENTITY_BY_APP ? app : key);
    if (s) sqlite3_bind_int64(s, 1, number);
    if (s && by == IDENTITY_BY_APP) sqlite3_bind_int64(s, 2, (sqlite3_int64)credential);
    if (by == IDENTITY_BY_KEY) identity_bind_blob(s, 2, span_of(&credential, sizeof credential));
    enum identity_found found = identity_step(s);
    if (found != IDENTITY_FOUND) return found;
    struct span label = span_head(identity_column(s, 0), LIMIT_IDENTITY_LABEL_OCTETS);
    if (label.n) *ret = arena_copy(a, label);
    sqlite3_reset(s);
    return ret->p ? IDENTITY_FOUND : IDENTITY_UNREADABLE;
}

static enum identity_found stamp_fits(struct identity *i, uint32_t number,
                                      const uint8_t stamp[LIMIT_STAMP_OCTETS])
{
    uint8_t now[LIMIT_STAMP_OCTETS];
    struct wire w = wire_on(span_of(stamp, LIMIT_STAMP_OCTETS));
    uint8_t by = wire_u8(&w);
    enum identity_found found = identity_stamp(i, number, by, wire_u64(&w), now);
    if (found != IDENTITY_FOUND) return found;
    return memcmp(now, stamp, sizeof now) == 0 ? IDENTITY_FOUND : IDENTITY_UNKNOWN;
}

enum identity_found identity_stands(struct identity *i, uint32_t number, struct span name,
                                    const uint8_t stamp[LIMIT_STAMP_OCTETS])
{
    static const char of_number[] = "SELECT 1 FROM principal WHERE number=?1 AND locked=0";
    static const char of_name[] = "SELECT 1 FROM principal WHERE name=?1";
    bool outside = number & IDENTITY_OUTSIDE;
    sqlite3_stmt *s = identity_prepare(i, outside ? of_name : of_number);

    if (outside)
        identity_bind_text(s, 1, name);
    else if (s)
        sqlite3_bind_int64(s, 1, number);
    enum identity_found found = identity_step(s);
    if (found == IDENTITY_FOUND) sqlite3_reset(s);
    if (!outside) return found == IDENTITY_FOUND ? stamp_fits(i, number, stamp) : found;
    if (found == IDENTITY_UNREADABLE) return found;
    return found == IDENTITY_FOUND ? IDENTITY_UNKNOWN : IDENTITY_FOUND;
}
