#include "base/crc32c.h"
#include "base/hex.h"
#include "base/limits.h"
#include "identity/identity_private.h"
#include "identity/secret.h"
#include "smtp/path.h"

bool identity_name(struct span written, struct span home, struct buf *ret)
{
    uint8_t memory[LIMIT_PRINCIPAL_NAME_OCTETS];
    struct buf whole = buf_on(memory, sizeof memory);

    if (span_find(written, '@') != SPAN_NPOS) return path_canonical(written, PATH_ALLOW_UTF8, ret);
    if (home.n) {
        buf_put(&whole, written);
        buf_byte(&whole, '@');
        buf_put(&whole, home);
        return !whole.over && path_canonical(buf_span(&whole), PATH_ALLOW_UTF8, ret);
    }
    if (!domain_valid(written, false, false)) return false; /* a host */
    for (size_t k = 0; k < written.n; k++)
        buf_byte(ret, octet_lower(written.p[k]));
    return !ret->over;
}

/* --- one principal */

static bool copy(struct arena *a, struct span from, struct span *ret)
{
    *ret = from.n ? arena_copy(a, from) : SPAN("");
    return ret->p != NULL;
}

/* A hash of exactly n octets, or none. */
static bool copy_exactly(struct span from, uint8_t *to, size_t n, bool *has)
{
    *has = from.n == n;
    if (*has) memcpy(to, from.p, n);
    return *has || from.n == 0;
}

static enum identity_found read_scram(struct identity *i, bool app, uint32_t number, struct arena *a,
                                      struct identity_principal *p)
{
    static const char of_principal[] =
        "SELECT hash, iterations, salt, stored_key, server_key FROM scram WHERE principal=?1";
    static const char of_app[] =
        "SELECT hash, iterations, salt, stored_key, server_key FROM scram WHERE app=?1";
    sqlite3_stmt *s = identity_prepare(i, app ? of_app : of_principal);
    enum identity_found found;

    if (s) sqlite3_bind_int64(s, 1, number);
    while ((found = identity_step(s)) == IDENTITY_FOUND) {
        bool sha_1 = sqlite3_column_int(s, 0) == 1;
        struct identity_scram *k = sha_1 ? &p->scram_1 : &p->scram_256;
        int64_t iterations = sqlite3_column_int64(s, 1);
        size_t octets = sha_1 ? 20 : 32;
        if (iterations < 1 || iterations > LIMIT_SCRAM_ITERATIONS_MAX ||
            !copy(a, identity_column(s, 2), &k->salt) || !copy(a, identity_column(s, 3), &k->stored_key) ||
            !copy(a, identity_column(s, 4), &k->server_key) || k->stored_key.n != octets ||
            k->server_key.n != octets) {
            sqlite3_reset(s);
            return IDENTITY_UNREADABLE;
        }
        k->iterations = (uint32_t)iterations;
    }
    return found == IDENTITY_UNKNOWN ? IDENTITY_FOUND : found;
}

static enum identity_found read_grants(struct identity *i, struct arena *a, struct identity_principal *p)
{
    static const char sql[] =
        "SELECT permits, '' FROM granted WHERE principal=?1 UNION ALL SELECT permits, team.name FROM granted "
        "JOIN member ON member.team=granted.team JOIN team ON team.number=member.team "
        "WHERE member.principal=?1 ORDER BY 2";
    struct right_grant grants[1 + LIMIT_IDENTITY_GROUPS];
    sqlite3_stmt *s = identity_prepare(i, sql);
    enum identity_found found;

    if (s) sqlite3_bind_int64(s, 1, p->number);
    while ((found = identity_step(s)) == IDENTITY_FOUND) {
        struct span group = identity_column(s, 1);
        struct right_grant *last = p->n_grants ? &grants[p->n_grants - 1] : NULL;
        if (!last || !span_eq(last->group, group)) {
            bool room = p->n_grants <= LIMIT_IDENTITY_GROUPS;
            last = &grants[room ? p->n_grants++ : 0];
            if (!room || !copy(a, group, &last->group)) {
                sqlite3_reset(s);
                return IDENTITY_UNREADABLE;
            }
            last->rights = 0;
        }
        last->rights |= (uint32_t)sqlite3_column_int64(s, 0);
    }
    if (found != IDENTITY_UNKNOWN) return found;
    p->grants = arena_take_array(a, p->n_grants, sizeof *p->grants);
    if (!p->grants) return IDENTITY_UNREADABLE;
    if (p->n_grants) memcpy(p->grants, grants, p->n_grants * sizeof *grants);
    return IDENTITY_FOUND;
}

static enum identity_found read_groups(struct identity *i, struct arena *a, struct identity_principal *p)
{
    static const char sql[] = "SELECT team.name FROM member JOIN team ON team.number=member.team "
                              "WHERE member.principal=?1 ORDER BY team.name";
    struct span groups[LIMIT_IDENTITY_GROUPS];
    sqlite3_stmt *s = identity_prepare(i, sql);
    enum identity_found found;

    if (s) sqlite3_bind_int64(s, 1, p->number);
    while ((found = identity_step(s)) == IDENTITY_FOUND)
        if (p->n_groups == LIMIT_IDENTITY_GROUPS || !copy(a, identity_column(s, 0), &groups[p->n_groups++])) {
            sqlite3_reset(s);
            return IDENTITY_UNREADABLE;
        }
    if (found != IDENTITY_UNKNOWN) return found;
    p->groups = arena_take_array(a, p->n_groups, sizeof *p->groups);
    if (!p->groups) return IDENTITY_UNREADABLE;
    if (p->n_groups) memcpy(p->groups, groups, p->n_groups * sizeof *groups);
    return IDENTITY_FOUND;
}

#define PRINCIPAL_COLUMNS                                                                                    \
    "principal.number, principal.kind, principal.name, principal.locked, principal.crypt, principal.nt, "    \
    "principal.cram"

/* The row of a statement with those columns; the secrets are those of the account. */
static enum identity_found read_principal(struct identity *i, sqlite3_stmt *s, struct arena *a,
                                          struct identity_principal *p)
{
    enum identity_found found = identity_step(s);
    if (found != IDENTITY_FOUND) return found;
    int64_t number = sqlite3_column_int64(s, 0);
    int kind = sqlite3_column_int(s, 1);
    *p =
        (struct identity_principal){.number = (uint32_t)number, .kind = (uint8_t)kind, .expires = UINT64_MAX};
    p->locked = sqlite3_column_int(s, 3) != 0;
    bool ok = number > 0 && number < IDENTITY_OUTSIDE && (kind == PRINCIPAL_USER || kind == PRINCIPAL_HOST) &&
              copy(a, identity_column(s, 2), &p->name) && copy(a, identity_column(s, 4), &p->crypt) &&
              copy_exactly(identity_column(s, 5), p->nt, sizeof p->nt, &p->has_nt) &&
              copy_exactly(identity_column(s, 6), p->cram, sizeof p->cram, &p->has_cram);
    sqlite3_reset(s);
    if (!ok) return IDENTITY_UNREADABLE;
    found = read_grants(i, a, p);
    return found == IDENTITY_FOUND ? read_groups(i, a, p) : found;
}

/* --- app passwords */

/* Without networks it may be used from everywhere. UNKNOWN: not from there. */
static enum identity_found comes_from(struct identity *i, uint32_t app, const struct address *client)
{
    static const char sql[] = "SELECT network FROM app_network WHERE app=?1";
    sqlite3_stmt *s = identity_prepare(i, sql);
    enum identity_found found;
    bool any = true, fits = false;

    if (s) sqlite3_bind_int64(s, 1, app);
    while ((found = identity_step(s)) == IDENTITY_FOUND) {
        struct network network;
        any = false;
        if (!network_parse(identity_column(s, 0), &network)) {
            sqlite3_reset(s);
            return IDENTITY_UNREADABLE;
        }
        fits |= client && network_holds(&network, client);
    }
    if (found != IDENTITY_UNKNOWN) return found;
    return any || fits ? IDENTITY_FOUND : IDENTITY_UNKNOWN;
}

/* Whether an app password that is there opens anything now, from there. */
static enum identity_found usable(struct identity *i, uint32_t app, uint64_t expires, uint64_t unix_seconds,
                                  const struct address *client)
{
    enum identity_found found = comes_from(i, app, client);
    if (found == IDENTITY_UNREADABLE) return found;
    return expires <= unix_seconds ? IDENTITY_EXPIRED : found == IDENTITY_FOUND ? found : IDENTITY_ELSEWHERE;
}

static uint64_t expiry(sqlite3_stmt *s, int at)
{
    return sqlite3_column_type(s, at) == SQLITE_NULL ? UINT64_MAX : (uint64_t)sqlite3_column_int64(s, at);
}

/* Its secrets take the place of the account's. */
static enum identity_found become_app(struct identity *i, struct span label, const struct address *client,
                                      uint64_t unix_seconds, struct arena *a, struct identity_principal *p)
{
    static const char sql[] =
        "SELECT number, nt, cram, digest, expires FROM app WHERE principal=?1 AND label=?2";
    uint8_t memory[SECRET_DIGEST_VERIFIER_OCTETS];
    struct buf verifier = buf_on(memory, sizeof memory);
    sqlite3_stmt *s = identity_prepare(i, sql);

    if (s) sqlite3_bind_int64(s, 1, p->number);
    identity_bind_text(s, 2, label);
    enum identity_found found = identity_step(s);
    if (found != IDENTITY_FOUND) return found;
    p->app_password = (uint32_t)sqlite3_column_int64(s, 0);
    p->expires = expiry(s, 4);
    bool ok = copy_exactly(identity_column(s, 1), p->nt, sizeof p->nt, &p->has_nt) &&
              copy_exactly(identity_column(s, 2), p->cram, sizeof p->cram, &p->has_cram) && p->app_password;
    secret_put_digest(&verifier, identity_column(s, 3));
    ok = ok && !verifier.over && copy(a, buf_span(&verifier), &p->crypt);
    sqlite3_reset(s);
    return ok ? usable(i, p->app_password, p->expires, unix_seconds, client) : IDENTITY_UNREADABLE;
}

enum identity_found identity_app_password(struct identity *i, uint32_t principal, struct span password,
                                          const struct address *client, uint64_t unix_seconds,
                                          uint32_t *number, uint64_t *expires)
{
    static const char sql[] = "SELECT number, expires FROM app WHERE principal=?1 AND digest=?2";
    uint8_t digest[SECRET_DIGEST_OCTETS];
    sqlite3_stmt *s = identity_prepare(i, sql);

    if (!secret_digest(password, digest)) return IDENTITY_UNREADABLE;
    if (s) sqlite3_bind_int64(s, 1, principal);
    identity_bind_blob(s, 2, span_of(digest, sizeof digest));
    enum identity_found found = identity_step(s);
    if (found != IDENTITY_FOUND) return found;
    uint32_t app = (uint32_t)sqlite3_column_int64(s, 0);
    uint64_t ends = expiry(s, 1);
    sqlite3_reset(s);
    found = usable(i, app, ends, unix_seconds, client);
    if (found != IDENTITY_FOUND) return found;
    *number = app;
    *expires = ends;
    return found;
}

/* --- questions */

/* All that is read of one principal is of one moment. */
static void begin(struct identity *i)
{
    static const char sql[] = "BEGIN";
    (void)identity_step(identity_prepare(i, sql)); /* without it each statement is a moment of its own */
}

static enum identity_found end(struct identity *i, enum identity_found found)
{
    static const char sql[] = "COMMIT";
    (void)identity_step(identity_prepare(i, sql));
    return found;
}

enum identity_found identity_find(struct identity *i, struct span login, struct span home,
                                  const struct address *client, uint64_t unix_seconds, struct arena *a,
                                  struct identity_principal *ret)
{
    static const char sql[] = "SELECT " PRINCIPAL_COLUMNS " FROM principal WHERE name=?1";
    uint8_t memory[LIMIT_PRINCIPAL_NAME_OCTETS];
    struct buf name = buf_on(memory, sizeof memory);
    size_t slash = span_find(login, '/');
    struct span label = slash == SPAN_NPOS ? SPAN("") : span_skip(login, slash + 1);
    struct identity_principal p;

    if (!identity_name(span_head(login, slash), home, &name)) return IDENTITY_UNKNOWN;
    begin(i);
    sqlite3_stmt *s = identity_prepare(i, sql);
    identity_bind_text(s, 1, buf_span(&name));
    enum identity_found found = read_principal(i, s, a, &p);
    if (found == IDENTITY_FOUND && slash != SPAN_NPOS)
        found = become_app(i, label, client, unix_seconds, a, &p);
    if (found != IDENTITY_UNKNOWN && found != IDENTITY_UNREADABLE) {
        enum identity_found keys =
            read_scram(i, p.app_password != 0, p.app_password ? p.app_password : p.number, a, &p);
        if (keys == IDENTITY_FOUND)
            *ret = p;
        else
            found = keys;
    }
    explicit_bzero(&p, sizeof p);
    return end(i, found);
}

/* The only row of a statement with the columns of a principal. */
static enum identity_found only_one(struct identity *i, sqlite3_stmt *s, struct arena *a,
                                    struct identity_principal *ret)
{
    struct identity_principal p;
    enum identity_found found = read_principal(i, s, a, &p);
    if (found == IDENTITY_FOUND) *ret = p;
    explicit_bzero(&p, sizeof p);
    return found;
}

enum identity_found identity_named(struct identity *i, enum principal kind, struct span name, struct arena *a,
                                   struct identity_principal *ret)
{
    static const char sql[] =
        "SELECT " PRINCIPAL_COLUMNS " FROM principal WHERE name=?1 AND principal.kind=?2";
    begin(i);
    sqlite3_stmt *s = identity_prepare(i, sql);
    identity_bind_text(s, 1, name);
    if (s) sqlite3_bind_int64(s, 2, kind);
    return end(i, only_one(i, s, a, ret));
}

enum identity_found identity_by_key(struct identity *i, const uint8_t spki_sha256[32], struct arena *a,
                                    struct identity_principal *ret)
{
    static const char sql[] =
        "SELECT " PRINCIPAL_COLUMNS
        " FROM pinned JOIN principal ON principal.number=pinned.principal WHERE sha256=?1";

    begin(i);
    sqlite3_stmt *s = identity_prepare(i, sql);
    identity_bind_blob(s, 1, span_of(spki_sha256, 32));
    return end(i, only_one(i, s, a, ret));
}

enum identity_found identity_by_number(struct identity *i, uint32_t number, struct arena *a,
                                       struct identity_principal *ret)
{
    static const char sql[] = "SELECT " PRINCIPAL_COLUMNS " FROM principal WHERE number=?1";

    begin(i);
    sqlite3_stmt *s = identity_prepare(i, sql);
    if (s) sqlite3_bind_int64(s, 1, number);
    return end(i, only_one(i, s, a, ret));
}

void identity_outsider(struct span name, struct identity_principal *ret)
{
    *ret = (struct identity_principal){.number = IDENTITY_OUTSIDE | crc32c(0, name.p, name.n),
                                       .kind = PRINCIPAL_USER,
                                       .name = name,
                                       .expires = UINT64_MAX};
}

/* --- senders */

/* Without its subaddress. A quoted local part has none. *domain: "@domain". False: it is no address. */
static bool put_base(struct span path, struct buf *ret, struct span *domain)
{
    size_t at = span_rfind(path, '@');
    if (at == SPAN_NPOS) return false;
    *domain = span_skip(path, at);
    size_t plus = path.p[0] == '"' ? SPAN_NPOS : span_find(span_head(path, at), '+');
    buf_put(ret, span_head(path, plus == 0 || plus == SPAN_NPOS ? at : plus));
    buf_put(ret, *domain);
    return !ret->over;
}

bool identity_own_address(struct span name, struct span path)
{
    uint8_t memory[LIMIT_PRINCIPAL_NAME_OCTETS];
    struct buf base = buf_on(memory, sizeof memory);
    struct span domain;
    return span_eq(path, name) || (put_base(path, &base, &domain) && span_eq(buf_span(&base), name));
}

enum identity_found identity_sender(struct identity *i, uint32_t principal, struct span path, struct buf *by)
{
    static const char sql[] =
        "SELECT name FROM principal WHERE number=?1 AND name IN (?2, ?3) UNION ALL "
        "SELECT pattern FROM sender WHERE principal=?1 AND pattern IN (?2, ?3, ?4, '*') LIMIT 1";
    uint8_t memory[LIMIT_PRINCIPAL_NAME_OCTETS];
    struct buf base = buf_on(memory, sizeof memory);
    struct span domain;
    sqlite3_stmt *s = identity_prepare(i, sql);

    if (!put_base(path, &base, &domain)) return IDENTITY_UNKNOWN;
    if (s) sqlite3_bind_int64(s, 1, principal);
    identity_bind_text(s, 2, path);
    identity_bind_text(s, 3, buf_span(&base));
    identity_bind_text(s, 4, domain);
    enum identity_found found = identity_step(s);
    if (found == IDENTITY_FOUND && by) buf_put(by, identity_column(s, 0));
    if (found == IDENTITY_FOUND) sqlite3_reset(s);
    return found;
}

bool identity_next_mailbox(struct identity *i, uint32_t *after, struct arena *a, struct span *name,
                           const char **why)
{
    static const char sql[] =
        "SELECT number, name FROM principal WHERE number>?1 AND mailbox=1 AND kind=1 ORDER BY number LIMIT 1";
    sqlite3_stmt *s = identity_prepare(i, sql);

    *why = NULL;
    if (s) sqlite3_bind_int64(s, 1, *after);
    enum identity_found found = identity_step(s);
    if (found == IDENTITY_UNREADABLE) *why = identity_why(i);
    if (found != IDENTITY_FOUND) return false;
    *after = (uint32_t)sqlite3_column_int64(s, 0);
    bool ok = *after && copy(a, identity_column(s, 1), name);
    sqlite3_reset(s);
    if (!ok) *why = "no memory";
    return ok;
}
