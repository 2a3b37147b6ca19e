#include "identity/change.h"

#include <stdarg.h>
#include <stdio.h>

#include "identity/identity_private.h"

int identity_execute(struct identity *i, const char *sql, const char *types, ...)
{
    sqlite3_stmt *s = identity_prepare(i, sql);
    va_list values;

    va_start(values, types);
    for (int at = 1; s && types[at - 1]; at++) {
        if (types[at - 1] == 'i') sqlite3_bind_int64(s, at, (sqlite3_int64)va_arg(values, uint64_t));
        if (types[at - 1] == 't') identity_bind_text(s, at, va_arg(values, struct span));
        if (types[at - 1] == 'b') identity_bind_blob(s, at, va_arg(values, struct span));
    }
    va_end(values);
    enum identity_found found = identity_step(s);
    if (s) sqlite3_clear_bindings(s); /* they point to memory of the caller */
    if (found != IDENTITY_UNKNOWN) {
        (void)identity_why(i);
        return -1;
    }
    return sqlite3_changes(i->db);
}

static enum change outcome(int rows)
{
    return rows < 0 ? CHANGE_FAILED : rows == 0 ? CHANGE_NONE : CHANGE_DONE;
}

static struct span optional(const uint8_t *p, size_t n, bool has)
{
    return has ? span_of(p, n) : (struct span){NULL, 0}; /* SQLite takes a null pointer for NULL */
}

/* --- a transaction */

bool change_begin(struct identity *i)
{
    static const char sql[] = "BEGIN IMMEDIATE";
    return identity_execute(i, sql, "") >= 0;
}

void change_undo(struct identity *i)
{
    static const char sql[] = "ROLLBACK";
    if (!sqlite3_get_autocommit(i->db)) (void)identity_step(identity_prepare(i, sql));
}

bool change_commit(struct identity *i, const struct change_caller *who, struct span what)
{
    static const char audit[] = "INSERT INTO audit(made, uid, who, what) VALUES (?1, ?2, ?3, ?4)";
    static const char forget[] = "DELETE FROM audit WHERE number <= (SELECT max(number) FROM audit) - ?1";
    static const char sql[] = "COMMIT";
    bool good =
        identity_execute(i, audit, "iitt", who->unix_seconds, (uint64_t)who->uid, who->name, what) >= 0 &&
        identity_execute(i, forget, "i", (uint64_t)LIMIT_IDENTITY_AUDIT_ROWS) >= 0 &&
        identity_execute(i, sql, "") >= 0;
    if (!good) change_undo(i);
    return good;
}

const char *change_why(const struct identity *i)
{
    return i->why;
}

/* --- principals */

static enum identity_found number_of(struct identity *i, const char *sql, struct span name, uint32_t *number)
{
    sqlite3_stmt *s = identity_prepare(i, sql);
    identity_bind_text(s, 1, name);
    enum identity_found found = identity_step(s);
    if (found == IDENTITY_UNREADABLE) (void)identity_why(i);
    if (found != IDENTITY_FOUND) return found;
    *number = (uint32_t)sqlite3_column_int64(s, 0);
    sqlite3_reset(s);
    return found;
}

enum identity_found change_find(struct identity *i, struct span name, uint32_t *number)
{
    static const char sql[] = "SELECT number FROM principal WHERE name=?1";
    return number_of(i, sql, name, number);
}

enum identity_found change_find_team(struct identity *i, struct span name, uint32_t *number)
{
    static const char sql[] = "SELECT number FROM team WHERE name=?1";
    return number_of(i, sql, name, number);
}

enum change change_add(struct identity *i, uint8_t kind, struct span name, bool mailbox,
                       uint64_t unix_seconds, uint32_t *number)
{
    static const char sql[] = "INSERT INTO principal(kind, name, mailbox, made) VALUES (?1, ?2, ?3, ?4) "
                              "ON CONFLICT(name) DO NOTHING";
    int rows = identity_execute(i, sql, "itii", (uint64_t)kind, name, (uint64_t)mailbox, unix_seconds);
    if (rows > 0) *number = (uint32_t)sqlite3_last_insert_rowid(i->db);
    return outcome(rows);
}

enum change change_remove(struct identity *i, uint32_t principal)
{
    static const char sql[] = "DELETE FROM principal WHERE number=?1";
    return outcome(identity_execute(i, sql, "i", (uint64_t)principal));
}

enum change change_lock(struct identity *i, uint32_t principal, bool locked)
{
    static const char sql[] = "UPDATE principal SET locked=?2 WHERE number=?1 AND locked<>?2";
    return outcome(identity_execute(i, sql, "ii", (uint64_t)principal, (uint64_t)locked));
}

enum change change_mailbox(struct identity *i, uint32_t principal, bool mailbox)
{
    static const char sql[] = "UPDATE principal SET mailbox=?2 WHERE number=?1 AND mailbox<>?2";
    return outcome(identity_execute(i, sql, "ii", (uint64_t)principal, (uint64_t)mailbox));
}

/* --- secrets */

static bool add_scram(struct identity *i, const char *sql, uint32_t of, enum secret_hash hash,
                      const struct secret_scram *k)
{
    if (k->iterations == 0) return true;
    return identity_execute(i, sql, "iiibbb", (uint64_t)of, (uint64_t)hash, (uint64_t)k->iterations,
                            span_of(k->salt, k->salt_octets), span_of(k->stored_key, k->key_octets),
                            span_of(k->server_key, k->key_octets)) >= 0;
}

enum change change_secrets(struct identity *i, uint32_t principal, const struct change_secrets *s)
{
    static const char forget[] = "DELETE FROM scram WHERE principal=?1";
    static const char sql[] = "UPDATE principal SET crypt=?2, nt=?3, cram=?4 WHERE number=?1";
    static const char scram[] =
        "INSERT INTO scram(principal, hash, iterations, salt, stored_key, server_key) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    const struct span nt = optional(s->nt, sizeof s->nt, s->has_nt),
                      cram = optional(s->cram, sizeof s->cram, s->has_cram);

    if (identity_execute(i, forget, "i", (uint64_t)principal) < 0) return CHANGE_FAILED;
    int rows = identity_execute(i, sql, s->verifier[0] ? "itbb" : "ibbb", (uint64_t)principal,
                                s->verifier[0] ? span_str(s->verifier) : (struct span){NULL, 0}, nt, cram);
    if (rows > 0 && (!add_scram(i, scram, principal, SECRET_SHA_256, &s->scram_256) ||
                     !add_scram(i, scram, principal, SECRET_SHA_1, &s->scram_1)))
        return CHANGE_FAILED;
    return outcome(rows);
}

/* --- rights and groups */

enum change change_grant(struct identity *i, struct change_subject to, uint32_t right, bool granted)
{
    static const char give[] =
        "INSERT INTO granted(principal, permits) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    static const char take[] = "DELETE FROM granted WHERE principal=?1 AND permits=?2";
    static const char give_team[] =
        "INSERT INTO granted(team, permits) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    static const char take_team[] = "DELETE FROM granted WHERE team=?1 AND permits=?2";
    const char *sql = to.team ? (granted ? give_team : take_team) : (granted ? give : take);
    return outcome(identity_execute(i, sql, "ii", (uint64_t)to.number, (uint64_t)right));
}

enum change change_team(struct identity *i, struct span name, bool exists, uint32_t *number)
{
    static const char add[] = "INSERT INTO team(name) VALUES (?1) ON CONFLICT DO NOTHING";
    static const char take[] = "DELETE FROM team WHERE name=?1";
    int rows = identity_execute(i, exists ? add : take, "t", name);
    if (rows > 0 && exists) *number = (uint32_t)sqlite3_last_insert_rowid(i->db);
    return outcome(rows);
}

enum change change_member(struct identity *i, uint32_t team, uint32_t principal, bool member)
{
    static const char add[] = "INSERT INTO member(team, principal) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    static const char take[] = "DELETE FROM member WHERE team=?1 AND principal=?2";
    static const char count[] = "SELECT 1 FROM member WHERE principal=?1 LIMIT 1 OFFSET ?2";
    sqlite3_stmt *s = identity_prepare(i, count);
    if (s) sqlite3_bind_int64(s, 1, principal);
    if (s) sqlite3_bind_int64(s, 2, LIMIT_IDENTITY_GROUPS - 1);
    if (member && identity_step(s) == IDENTITY_FOUND) {
        sqlite3_reset(s);
        snprintf(i->why, sizeof i->why, "nobody may be in more than %d groups", LIMIT_IDENTITY_GROUPS);
        return CHANGE_FAILED;
    }
    return outcome(identity_execute(i, member ? add : take, "ii", (uint64_t)team, (uint64_t)principal));
}

enum change change_sender(struct identity *i, uint32_t principal, struct span pattern, bool allowed)
{
    static const char add[] = "INSERT INTO sender(principal, pattern) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    static const char take[] = "DELETE FROM sender WHERE principal=?1 AND pattern=?2";
    return outcome(identity_execute(i, allowed ? add : take, "it", (uint64_t)principal, pattern));
}

/* --- app passwords and keys */

enum change change_app_add(struct identity *i, uint32_t principal, const struct change_app *app,
                           uint64_t unix_seconds)
{
    static const char sql[] =
        "INSERT INTO app(principal, label, digest, nt, cram, expires, made) "
        "VALUES (?1, ?2, ?3, ?4, ?5, nullif(?6, 0), ?7) ON CONFLICT(principal, label) DO NOTHING";
    static const char network[] =
        "INSERT INTO app_network(app, network) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    static const char scram[] = "INSERT INTO scram(app, hash, iterations, salt, stored_key, server_key) "
                                "VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    const struct change_secrets *s = &app->secrets;
    int rows =
        identity_execute(i, sql, "itbbbii", (uint64_t)principal, app->label,
                         span_of(app->digest, sizeof app->digest), optional(s->nt, sizeof s->nt, s->has_nt),
                         optional(s->cram, sizeof s->cram, s->has_cram), app->expires, unix_seconds);
    if (rows <= 0) return outcome(rows);
    uint32_t number = (uint32_t)sqlite3_last_insert_rowid(i->db);
    for (uint32_t k = 0; k < app->n_networks; k++)
        if (identity_execute(i, network, "it", (uint64_t)number, app->networks[k]) < 0) return CHANGE_FAILED;
    if (!add_scram(i, scram, number, SECRET_SHA_256, &s->scram_256) ||
        !add_scram(i, scram, number, SECRET_SHA_1, &s->scram_1))
        return CHANGE_FAILED;
    return CHANGE_DONE;
}

enum change change_app_remove(struct identity *i, uint32_t principal, struct span label)
{
    static const char sql[] = "DELETE FROM app WHERE principal=?1 AND label=?2";
    return outcome(identity_execute(i, sql, "it", (uint64_t)principal, label));
}

enum change change_pin(struct identity *i, uint32_t principal, const uint8_t spki_sha256[32],
                       struct span label, uint64_t unix_seconds)
{
    static const char sql[] = "INSERT INTO pinned(sha256, principal, label, made) VALUES (?1, ?2, ?3, ?4) "
                              "ON CONFLICT DO NOTHING";
    return outcome(
        identity_execute(i, sql, "biti", span_of(spki_sha256, 32), (uint64_t)principal, label, unix_seconds));
}

enum change change_unpin(struct identity *i, uint32_t principal, const uint8_t spki_sha256[32])
{
    static const char sql[] = "DELETE FROM pinned WHERE sha256=?1 AND principal=?2";
    return outcome(identity_execute(i, sql, "bi", span_of(spki_sha256, 32), (uint64_t)principal));
}
