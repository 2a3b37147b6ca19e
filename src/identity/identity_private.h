/* identity_private: inside of the room. folder: SQLite below a descriptor; schema: tables; identity: opening and statements; find:
 * questions; stamp: what a login rests on; change: answers to `sallyport user`; list: rows; ban: what failed logins led to; secret,
 * md4: what is made of a password. */
#ifndef IDENTITY_IDENTITY_PRIVATE_H
#define IDENTITY_IDENTITY_PRIVATE_H

#include <sqlite3.h>

#include "identity/identity.h"

enum { WHY_OCTETS = 256, STATEMENTS = 96 /* more than this room has */ };

struct identity {
    sqlite3 *db;
    int folder;
    bool writable;
    char why[WHY_OCTETS];
    struct {
        const char *sql; /* a constant: its address tells it apart */
        sqlite3_stmt *statement;
    } statements[STATEMENTS];
    unsigned n_statements;
};

/* What SQLite says of its last failure, and what the system said of it: text in i->why. */
const char *identity_why(struct identity *i);
/* A statement that is kept for the next time, without values and at its beginning. Null: SQLite says why. */
sqlite3_stmt *identity_prepare(struct identity *i, const char *sql);
/* One row more. IDENTITY_UNKNOWN: there is none. The statement is reset unless there was a row. */
enum identity_found identity_step(sqlite3_stmt *s);
/* One statement with values: i a uint64_t, t text (span), b a blob (span), n nothing (NULL). How many rows it changed; -1: failed, i->why. */
int identity_execute(struct identity *i, const char *sql, const char *types, ...);
void identity_bind_text(sqlite3_stmt *s, int at, struct span text); /* lives until the statement is reset */
void identity_bind_blob(sqlite3_stmt *s, int at, struct span octets);
struct span identity_column(sqlite3_stmt *s, int at); /* text or blob, until the next step */

#endif
