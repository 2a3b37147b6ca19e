#include "identity/ban.h"

#include <stdio.h>

#include "identity/identity_private.h"

enum { NETWORK_OCTETS = 52 };

const char *const ban_reasons[GUESS_REASONS] = {"failures", "spray", "by-hand"};

static struct span text_of(const struct network *n, char memory[NETWORK_OCTETS])
{
    struct buf b = buf_on(memory, NETWORK_OCTETS);
    network_put(&b, n);
    return buf_span(&b);
}

bool ban_put(struct identity *i, const struct guess_ban *ban)
{
    static const char sql[] =
        "INSERT OR REPLACE INTO ban(network, since, until, strikes, failures, accounts, reason, said) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    char memory[NETWORK_OCTETS];
    return identity_execute(i, sql, "tiiiiiit", text_of(&ban->network, memory), ban->since, ban->until,
                            (uint64_t)ban->strikes, (uint64_t)ban->failures, (uint64_t)ban->accounts,
                            (uint64_t)ban->reason, span_str(ban->text)) >= 0;
}

bool ban_know(struct identity *i, const struct ban_known *known)
{
    static const char sql[] = "INSERT OR REPLACE INTO known(principal, network, seen) "
                              "SELECT number, ?2, ?3 FROM principal WHERE number=?1";
    static const char few[] = "DELETE FROM known WHERE principal=?1 AND network NOT IN (SELECT network FROM "
                              "known WHERE principal=?1 ORDER BY seen DESC LIMIT ?2)";
    char memory[NETWORK_OCTETS];
    return identity_execute(i, sql, "iti", (uint64_t)known->principal, text_of(&known->source, memory),
                            known->unix_seconds) >= 0 &&
           identity_execute(i, few, "ii", (uint64_t)known->principal, (uint64_t)LIMIT_GUESS_KNOWN_NETWORKS) >=
               0;
}

enum change ban_remove(struct identity *i, const struct network *network)
{
    static const char sql[] = "DELETE FROM ban WHERE network=?1";
    char memory[NETWORK_OCTETS];
    int rows = identity_execute(i, sql, "t", text_of(network, memory));
    return rows < 0 ? CHANGE_FAILED : rows == 0 ? CHANGE_NONE : CHANGE_DONE;
}

bool ban_commit(struct identity *i, uint64_t unix_seconds)
{
    static const char old[] = "DELETE FROM ban WHERE until < ?1";
    static const char many[] =
        "DELETE FROM ban WHERE network NOT IN (SELECT network FROM ban ORDER BY until DESC LIMIT ?1)";
    static const char known[] = "DELETE FROM known WHERE seen < ?1";
    static const char sql[] = "COMMIT";
    bool good = identity_execute(i, old, "i", unix_seconds - LIMIT_BAN_FORGET_SECONDS) >= 0 &&
                identity_execute(i, many, "i", (uint64_t)LIMIT_GUESS_BANS_KEPT) >= 0 &&
                identity_execute(i, known, "i", unix_seconds - LIMIT_GUESS_KNOWN_SECONDS) >= 0 &&
                identity_execute(i, sql, "") >= 0;
    if (!good) change_undo(i);
    return good;
}

bool ban_changed(struct identity *i, int64_t *version)
{
    static const char sql[] = "PRAGMA data_version";
    sqlite3_stmt *s = identity_prepare(i, sql);
    if (identity_step(s) != IDENTITY_FOUND) return true; /* reading says why */
    int64_t now = sqlite3_column_int64(s, 0);
    sqlite3_reset(s);
    bool changed = now != *version;
    *version = now;
    return changed;
}

/* A row may have been written by another program. */
static bool read_ban(sqlite3_stmt *s, struct guess_ban *ret)
{
    int64_t reason = sqlite3_column_int64(s, 6);
    struct span said = identity_column(s, 7);
    *ret = (struct guess_ban){.since = (uint64_t)sqlite3_column_int64(s, 1),
                              .until = (uint64_t)sqlite3_column_int64(s, 2),
                              .strikes = (uint32_t)sqlite3_column_int64(s, 3),
                              .failures = (uint32_t)sqlite3_column_int64(s, 4),
                              .accounts = (uint32_t)sqlite3_column_int64(s, 5),
                              .reason = (uint8_t)reason};
    snprintf(ret->text, sizeof ret->text, "%.*s", SPAN_ARG(said));
    return network_parse(identity_column(s, 0), &ret->network) && reason >= 0 && reason < GUESS_REASONS &&
           ret->until <= BAN_FOREVER;
}

int ban_list(struct identity *i, struct guess_ban *ret, unsigned max)
{
    static const char sql[] = "SELECT network, since, until, strikes, failures, accounts, reason, said "
                              "FROM ban ORDER BY until DESC, network";
    sqlite3_stmt *s = identity_prepare(i, sql);
    enum identity_found found = IDENTITY_UNKNOWN;
    unsigned n = 0;
    while (n < max && (found = identity_step(s)) == IDENTITY_FOUND)
        n += read_ban(s, &ret[n]);
    if (found == IDENTITY_FOUND) sqlite3_reset(s);
    if (found != IDENTITY_UNREADABLE) return (int)n;
    (void)identity_why(i);
    return -1;
}

bool ban_each_known(struct identity *i, ban_known_fn *fn, void *context)
{
    static const char sql[] = "SELECT principal, network, seen FROM known ORDER BY seen";
    sqlite3_stmt *s = identity_prepare(i, sql);
    enum identity_found found;
    while ((found = identity_step(s)) == IDENTITY_FOUND) {
        struct ban_known k = {.principal = (uint32_t)sqlite3_column_int64(s, 0),
                              .unix_seconds = (uint64_t)sqlite3_column_int64(s, 2)};
        if (network_parse(identity_column(s, 1), &k.source)) fn(context, &k);
    }
    if (found == IDENTITY_UNREADABLE) (void)identity_why(i);
    return found == IDENTITY_UNKNOWN;
}
