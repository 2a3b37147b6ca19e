#include "identity/schema.h"

#include <stdio.h>

enum { APPLICATION = 0x73616c79 /* "saly" */ };

/* A version a row: what leads there from the version before. A row that was released is never changed. Numbers of principals and of
 * app passwords are never used again (AUTOINCREMENT), so that a session that outlives its principal is nobody else's. Times are
 * unix seconds, expires NULL is never. */
static const char *const versions[] = {
    "CREATE TABLE principal("
    " number INTEGER PRIMARY KEY AUTOINCREMENT,"
    " kind INTEGER NOT NULL CHECK(kind IN (1,2))," /* enum principal */
    " name TEXT NOT NULL UNIQUE CHECK(length(name) BETWEEN 1 AND 320),"
    " mailbox INTEGER NOT NULL CHECK(mailbox IN (0,1)),"
    " locked INTEGER NOT NULL DEFAULT 0 CHECK(locked IN (0,1)),"
    " crypt TEXT CHECK(length(crypt) BETWEEN 1 AND 383),"
    " nt BLOB CHECK(length(nt) = 16),"
    " cram BLOB CHECK(length(cram) = 32),"
    " made INTEGER NOT NULL) STRICT;"

    "CREATE TABLE app("
    " number INTEGER PRIMARY KEY AUTOINCREMENT,"
    " principal INTEGER NOT NULL REFERENCES principal(number) ON DELETE CASCADE,"
    " label TEXT NOT NULL CHECK(length(label) BETWEEN 1 AND 64),"
    " digest BLOB NOT NULL CHECK(length(digest) = 32)," /* SHA-256: it has 120 random bits */
    " nt BLOB CHECK(length(nt) = 16),"
    " cram BLOB CHECK(length(cram) = 32),"
    " expires INTEGER,"
    " made INTEGER NOT NULL,"
    " UNIQUE(principal, label), UNIQUE(principal, digest)) STRICT;"
    "CREATE TABLE app_network("
    " app INTEGER NOT NULL REFERENCES app(number) ON DELETE CASCADE,"
    " network TEXT NOT NULL CHECK(length(network) BETWEEN 2 AND 49),"
    " PRIMARY KEY(app, network)) STRICT, WITHOUT ROWID;"

    "CREATE TABLE scram("
    " principal INTEGER REFERENCES principal(number) ON DELETE CASCADE,"
    " app INTEGER REFERENCES app(number) ON DELETE CASCADE,"
    " hash INTEGER NOT NULL CHECK(hash IN (1,256)),"
    " iterations INTEGER NOT NULL CHECK(iterations BETWEEN 4096 AND 10000000),"
    " salt BLOB NOT NULL CHECK(length(salt) BETWEEN 8 AND 64),"
    " stored_key BLOB NOT NULL CHECK(length(stored_key) = CASE hash WHEN 1 THEN 20 ELSE 32 END),"
    " server_key BLOB NOT NULL CHECK(length(server_key) = length(stored_key)),"
    " CHECK((principal IS NULL) <> (app IS NULL)),"
    " UNIQUE(principal, hash), UNIQUE(app, hash)) STRICT;"

    "CREATE TABLE team("
    " number INTEGER PRIMARY KEY,"
    " name TEXT NOT NULL UNIQUE CHECK(length(name) BETWEEN 1 AND 64)) STRICT;"
    "CREATE TABLE member("
    " principal INTEGER NOT NULL REFERENCES principal(number) ON DELETE CASCADE,"
    " team INTEGER NOT NULL REFERENCES team(number) ON DELETE CASCADE,"
    " PRIMARY KEY(principal, team)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX member_team ON member(team);"

    "CREATE TABLE granted("
    " principal INTEGER REFERENCES principal(number) ON DELETE CASCADE,"
    " team INTEGER REFERENCES team(number) ON DELETE CASCADE,"
    " permits INTEGER NOT NULL CHECK(permits > 0)," /* one bit of enum right */
    " CHECK((principal IS NULL) <> (team IS NULL)),"
    " UNIQUE(principal, permits), UNIQUE(team, permits)) STRICT;"

    "CREATE TABLE sender("
    " principal INTEGER NOT NULL REFERENCES principal(number) ON DELETE CASCADE,"
    " pattern TEXT NOT NULL CHECK(length(pattern) BETWEEN 1 AND 320)," /* local@domain, @domain, * */
    " PRIMARY KEY(principal, pattern)) STRICT, WITHOUT ROWID;"

    "CREATE TABLE pinned("
    " sha256 BLOB PRIMARY KEY CHECK(length(sha256) = 32)," /* of a SubjectPublicKeyInfo */
    " principal INTEGER NOT NULL REFERENCES principal(number) ON DELETE CASCADE,"
    " label TEXT NOT NULL CHECK(length(label) <= 64),"
    " made INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE INDEX pinned_principal ON pinned(principal);"

    "CREATE TABLE audit("
    " number INTEGER PRIMARY KEY AUTOINCREMENT,"
    " made INTEGER NOT NULL,"
    " uid INTEGER NOT NULL,"
    " who TEXT NOT NULL,"
    " what TEXT NOT NULL) STRICT;",

    "CREATE TABLE ban("
    " network TEXT PRIMARY KEY CHECK(length(network) BETWEEN 2 AND 49),"
    " since INTEGER NOT NULL,"
    " until INTEGER NOT NULL,"
    " strikes INTEGER NOT NULL,"
    " failures INTEGER NOT NULL,"
    " accounts INTEGER NOT NULL,"
    " reason INTEGER NOT NULL CHECK(reason BETWEEN 0 AND 2)," /* enum guess_reason */
    " said TEXT NOT NULL CHECK(length(said) < 160)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX ban_until ON ban(until);"
    "CREATE TABLE known(" /* a network from which a principal logged in */
    " principal INTEGER NOT NULL REFERENCES principal(number) ON DELETE CASCADE,"
    " network TEXT NOT NULL CHECK(length(network) BETWEEN 2 AND 49),"
    " seen INTEGER NOT NULL,"
    " PRIMARY KEY(principal, network)) STRICT, WITHOUT ROWID;",

    /* Nobody asks these: they hold a second time what an octet that changed on the disk would permit, so that identity_check finds it. The rest
     * of what permits something is in an index anyway. */
    "CREATE INDEX principal_locked ON principal(locked, kind);"
    "CREATE INDEX app_expires ON app(expires);"
    "CREATE INDEX app_network_network ON app_network(network);"
    "CREATE INDEX sender_pattern ON sender(pattern);",
};

enum {
    VERSIONS = sizeof versions / sizeof versions[0],
    READABLE = 2 /* the first one that has all tables; who only reads needs no more */
};

/* -1: SQLite does not say. */
static int64_t pragma(struct identity *i, const char *sql)
{
    sqlite3_stmt *s = NULL;
    int64_t n = -1;
    if (sqlite3_prepare_v2(i->db, sql, -1, &s, NULL) == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW)
        n = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return n;
}

static bool read_version(struct identity *i, int64_t *ret, const char **why)
{
    int64_t application = pragma(i, "PRAGMA application_id"), version = pragma(i, "PRAGMA user_version");
    *why = identity_why(i);
    if (application < 0 || version < 0) return false;
    *why = "it is a database of another program";
    if (application != APPLICATION && (application != 0 || version != 0)) return false;
    *why = "it was made by a newer version of this program";
    if (version > VERSIONS) return false;
    *ret = version;
    return true;
}

bool schema_fits(struct identity *i, const char **why)
{
    int64_t version = 0;
    if (!read_version(i, &version, why)) return false;
    *why = version ? "it is of an older version: any change by sallyport user upgrades it"
                   : "it has no tables yet: any change by sallyport user makes them";
    return version >= READABLE;
}

static bool run(struct identity *i, const char *sql, const char **why)
{
    if (sqlite3_exec(i->db, sql, NULL, NULL, NULL) == SQLITE_OK) return true;
    *why = identity_why(i);
    return false;
}

bool schema_upgrade(struct identity *i, const char **why)
{
    char mark[96];
    int64_t version;

    snprintf(mark, sizeof mark, "PRAGMA application_id=%d; PRAGMA user_version=%d", APPLICATION, VERSIONS);
    if (!read_version(i, &version, why)) return false;
    if (version == VERSIONS) return true;
    bool ok = run(i, "BEGIN IMMEDIATE", why) && read_version(i, &version, why);
    for (; ok && version < VERSIONS; version++)
        ok = run(i, versions[version], why);
    ok = ok && run(i, mark, why) && run(i, "COMMIT", why);
    if (!ok && !sqlite3_get_autocommit(i->db)) (void)sqlite3_exec(i->db, "ROLLBACK", NULL, NULL, NULL);
    return ok;
}
