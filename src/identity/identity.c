#include "identity/identity.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/limits.h"
#include "identity/folder.h"
#include "identity/schema.h"

/* --- statements */

sqlite3_stmt *identity_prepare(struct identity *i, const char *sql)
{
    unsigned k = 0;
    while (k < i->n_statements && i->statements[k].sql != sql)
        k++;
    if (k == STATEMENTS) return NULL;
    if (k == i->n_statements) {
        sqlite3_stmt *s = NULL;
        if (sqlite3_prepare_v3(i->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &s, NULL) != SQLITE_OK) return NULL;
        i->statements[k].sql = sql;
        i->statements[k].statement = s;
        i->n_statements++;
    }
    sqlite3_reset(i->statements[k].statement);
    sqlite3_clear_bindings(i->statements[k].statement);
    return i->statements[k].statement;
}

enum identity_found identity_step(sqlite3_stmt *s)
{
    int result = s ? sqlite3_step(s) : SQLITE_ERROR;
    if (result == SQLITE_ROW) return IDENTITY_FOUND;
    if (s) sqlite3_reset(s);
    return result == SQLITE_DONE ? IDENTITY_UNKNOWN : IDENTITY_UNREADABLE;
}

void identity_bind_text(sqlite3_stmt *s, int at, struct span text)
{
    if (s) (void)sqlite3_bind_text(s, at, text.p ? (const char *)text.p : "", (int)text.n, SQLITE_STATIC);
}

void identity_bind_blob(sqlite3_stmt *s, int at, struct span octets)
{
    if (s) (void)sqlite3_bind_blob(s, at, octets.p, (int)octets.n, SQLITE_STATIC);
}

struct span identity_column(sqlite3_stmt *s, int at)
{
    const void *p = sqlite3_column_blob(s, at); /* of text: its UTF-8 octets */
    return span_of(p, (size_t)sqlite3_column_bytes(s, at));
}

const char *identity_why(struct identity *i)
{
    const int code = sqlite3_errcode(i->db) & 0xff;
    int error = sqlite3_system_errno(i->db);
    /* a log that is missing there cannot be made: SQLite has the last errno, of looking for it */
    if (code == SQLITE_CANTOPEN && faccessat(i->folder, ".", W_OK, 0) != 0) error = errno;
    const bool of_system = error && (code == SQLITE_IOERR || code == SQLITE_CANTOPEN || code == SQLITE_FULL);
    snprintf(i->why, sizeof i->why, "%s%s%s", sqlite3_errmsg(i->db), of_system ? ": " : "",
             of_system ? strerrordesc_np(error) : "");
    return i->why;
}

/* --- opening */

/* What no honest database needs. */
static void set_limits(sqlite3 *db)
{
    static const struct {
        int what, value;
    } limits[] = {
        {SQLITE_LIMIT_LENGTH, LIMIT_IDENTITY_VALUE_OCTETS},
        {SQLITE_LIMIT_SQL_LENGTH, LIMIT_IDENTITY_SQL_OCTETS},
        {SQLITE_LIMIT_COLUMN, 64},
        {SQLITE_LIMIT_EXPR_DEPTH, 64},
        {SQLITE_LIMIT_COMPOUND_SELECT, 8},
        {SQLITE_LIMIT_VDBE_OP, 25000},
        {SQLITE_LIMIT_FUNCTION_ARG, 8},
        {SQLITE_LIMIT_ATTACHED, 0},
        {SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 512},
        {SQLITE_LIMIT_VARIABLE_NUMBER, 32},
        {SQLITE_LIMIT_TRIGGER_DEPTH, 8 /* of ON DELETE CASCADE */},
        {SQLITE_LIMIT_WORKER_THREADS, 0},
    };
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++)
        (void)sqlite3_limit(db, limits[i].what, limits[i].value);
}

/* A file is not believed to be what we wrote: its schema may run nothing (no trigger, view or function of it), and pages are looked
 * at before they are used. */
static bool harden(sqlite3 *db)
{
    static const struct {
        int what, value;
    } switches[] = {
        {SQLITE_DBCONFIG_DEFENSIVE, 1},      {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
        {SQLITE_DBCONFIG_ENABLE_TRIGGER, 0}, {SQLITE_DBCONFIG_ENABLE_VIEW, 0},
        {SQLITE_DBCONFIG_ENABLE_FKEY, 1},    {SQLITE_DBCONFIG_DQS_DML, 0},
        {SQLITE_DBCONFIG_DQS_DDL, 0},        {SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0},
    };
    for (size_t i = 0; i < sizeof switches / sizeof switches[0]; i++)
        if (sqlite3_db_config(db, switches[i].what, switches[i].value, NULL) != SQLITE_OK) return false;
    set_limits(db);
    return sqlite3_busy_timeout(db, LIMIT_IDENTITY_WAIT_MS) == SQLITE_OK;
}

/* `secure_delete`: what a change replaces is overwritten, for it was a secret (invariant I10). */
static bool set_pragmas(struct identity *i, const char **why)
{
    static const char always[] =
        "PRAGMA cell_size_check=ON; PRAGMA temp_store=MEMORY; PRAGMA mmap_size=0;"
        "PRAGMA synchronous=FULL; PRAGMA secure_delete=ON; PRAGMA recursive_triggers=OFF";
    if (sqlite3_exec(i->db, always, NULL, NULL, NULL) == SQLITE_OK &&
        (!i->writable || sqlite3_exec(i->db, "PRAGMA journal_mode=WAL", NULL, NULL, NULL) == SQLITE_OK))
        return true;
    *why = identity_why(i);
    return false;
}

static bool open_database(struct identity *i, const char **why)
{
    char name[FOLDER_NAME_OCTETS];
    const int how = i->writable ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;

    if (i->writable && !folder_make_file(i->folder)) {
        *why = strerrordesc_np(errno);
        return false;
    }
    if (!folder_has_regular(i->folder)) {
        *why = "it is no regular file (a link is none either)";
        return false;
    }
    folder_name(i->folder, name);
    errno = 0;
    if (sqlite3_open_v2(name, &i->db, how | SQLITE_OPEN_NOMUTEX, "unix") != SQLITE_OK || !harden(i->db)) {
        *why = errno ? strerrordesc_np(errno) : "SQLite cannot open it";
        return false;
    }
    return set_pragmas(i, why) && (i->writable ? schema_upgrade(i, why) : schema_fits(i, why));
}

struct identity *identity_open(int folder, bool writable, const char **why)
{
    static _Thread_local char reason[WHY_OCTETS];
    struct identity *i = folder_install() ? calloc(1, sizeof *i) : NULL;

    *why = "SQLite cannot be used here";
    if (!i) return NULL;
    i->folder = folder;
    i->writable = writable;
    if (open_database(i, why)) return i;
    snprintf(reason, sizeof reason, "%s", *why); /* it may be SQLite's, which is closed now */
    *why = reason;
    identity_close(&i);
    return NULL;
}

bool identity_check(struct identity *i, const char **why)
{
    static const char pages[] = "PRAGMA integrity_check(1)", references[] = "PRAGMA foreign_key_check";
    sqlite3_stmt *s = identity_prepare(i, pages);
    enum identity_found found = identity_step(s);
    bool good = found == IDENTITY_FOUND && span_eq(identity_column(s, 0), SPAN("ok"));
    const struct span said =
        found == IDENTITY_FOUND ? identity_column(s, 0) : span_str(sqlite3_errmsg(i->db));
    snprintf(i->why, sizeof i->why, "%.*s", SPAN_ARG(said));
    if (found == IDENTITY_FOUND) sqlite3_reset(s);
    if (good) {
        s = identity_prepare(i, references);
        found = identity_step(s);
        good = found == IDENTITY_UNKNOWN;
        snprintf(i->why, sizeof i->why, "%s",
                 found == IDENTITY_FOUND ? "a row refers to one that is not there" : sqlite3_errmsg(i->db));
        if (found == IDENTITY_FOUND) sqlite3_reset(s);
    }
    *why = i->why;
    return good;
}

void identity_close(struct identity **i)
{
    if (!i || !*i) return;
    for (unsigned k = 0; k < (*i)->n_statements; k++)
        sqlite3_finalize((*i)->statements[k].statement);
    (void)sqlite3_close((*i)->db);
    free(*i);
    *i = NULL;
}
