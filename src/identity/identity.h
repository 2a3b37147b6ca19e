/* identity: who exists and how they prove it, what they may do and from which addresses they may send: an SQLite database in a folder of
 * its own, written by `sallyport user` and read by the directory process, at the moment of each question. Proof and permission are kept
 * apart (MS02-011, invariants I1 and I2): a principal without a grant has no rights, whatever it proves. */
#ifndef IDENTITY_IDENTITY_H
#define IDENTITY_IDENTITY_H

#include "base/arena.h"
#include "base/limits.h"
#include "policy/decide.h"
#include "policy/network.h"
#include "policy/right.h"

struct identity; /* an open database. One thread at a time; each thread opens one of its own */

#define IDENTITY_FILE "identity.db" /* its name in that folder; others begin with it */

/* folder: the descriptor of the folder that holds it (borrowed, must outlive it; O_PATH will do): every file is opened below it, so
 * that a caged process needs no path (SANDBOX_FILES_AT). Who only reads writes as well (locks of SQLite lie in a file). writable:
 * the file and its tables are made when they are missing, and brought up to date; root's belong to the owner of the folder.
 * Null: *why (a constant, or text of this thread until its next call); a file that is not there is one. No process opens the
 * file in any other way: closing it would give up the locks. */
struct identity *identity_open(int folder, bool writable, const char **why);
void identity_close(struct identity **i); /* accepts null */

/* Looks at every page, index and reference of it (`sallyport check`). False: *why says what is damaged, as above. */
bool identity_check(struct identity *i, const char **why);

/* The canonical name of a principal, as smtp/path makes keys: written "local@domain"; or the bare "local" when home is not empty;
 * else the name of a host. False: it is none, or does not fit. */
bool identity_name(struct span written, struct span home, struct buf *ret);

enum identity_found {
    IDENTITY_FOUND,
    IDENTITY_UNKNOWN,
    IDENTITY_UNREADABLE, /* for now: damaged, locked, no memory */
    IDENTITY_EXPIRED,    /* an app password that is there, and has expired */
    IDENTITY_ELSEWHERE   /* one that may not be used from there */
};

struct identity_scram { /* RFC 5803; empty spans: there are no such keys */
    uint32_t iterations;
    struct span salt, stored_key, server_key;
};
/* Secrets of one principal; everything lives in the caller's arena, which the caller wipes (invariant I10). */
#define IDENTITY_OUTSIDE                                                                                     \
    UINT32_C(0x80000000) /* in the number of who is in no database: see identity_outsider() */
struct identity_principal {
    uint32_t number;  /* never used again for another one */
    uint8_t kind;     /* enum principal: PRINCIPAL_USER or PRINCIPAL_HOST */
    struct span name; /* canonical */
    bool locked;      /* may prove nothing; its mailbox goes on */
    bool has_nt, has_cram;
    struct span crypt; /* for secret_fits(); empty: no password fits */
    struct identity_scram scram_256, scram_1;
    uint8_t nt[16];             /* the NT hash; only if it was asked for */
    uint8_t cram[32];           /* the two MD5 contexts of HMAC: inner, outer; only if they were asked for */
    struct right_grant *grants; /* of the database: its own, then those of each group: config/rights */
    uint32_t n_grants;
    struct span *groups;
    uint32_t n_groups;
    uint32_t app_password; /* it logs in by that one: its number; 0: by the account's own password */
    uint64_t expires;      /* unix seconds: of that app password; UINT64_MAX: never */
};

/* login: as the client said it, UTF-8, hostile; its name as identity_name takes it. With "/label" behind it the app password of that
 * label: the secrets are then those of the app password. EXPIRED (unix seconds), ELSEWHERE (client is not in its networks): ret is
 * as when it is found, so that a proof can be looked at; whatever it proves, it opens nothing. */
enum identity_found identity_find(struct identity *i, struct span login, struct span home,
                                  const struct address *client, uint64_t unix_seconds, struct arena *a,
                                  struct identity_principal *ret);
/* An app password without label (they are long and random, so that their SHA-256 finds them): of that principal. FOUND: not expired,
 * from there; *number is the app password's, *expires when it ends (unix seconds; UINT64_MAX: never). EXPIRED, ELSEWHERE: it is the one, and
 * opens nothing. Whether the principal is locked identity_find has said. */
enum identity_found identity_app_password(struct identity *i, uint32_t principal, struct span password,
                                          const struct address *client, uint64_t unix_seconds,
                                          uint32_t *number, uint64_t *expires);
/* The user (PRINCIPAL_USER) or host (PRINCIPAL_HOST) whose canonical name that is, without the secrets that lie in tables of their
 * own; never an app password. */
enum identity_found identity_named(struct identity *i, enum principal kind, struct span name, struct arena *a,
                                   struct identity_principal *ret);
/* A host or user by what its client certificate proves: the SHA-256 of its SubjectPublicKeyInfo was pinned to it. */
enum identity_found identity_by_key(struct identity *i, const uint8_t spki_sha256[32], struct arena *a,
                                    struct identity_principal *ret);

/* Who has that number and what it may do, at this moment. Secrets: the account's, without keys of SCRAM. */
enum identity_found identity_by_number(struct identity *i, uint32_t number, struct arena *a,
                                       struct identity_principal *ret);

/* Somebody whom an outside authority knows (Kerberos, Active Directory, Dovecot), not this database: name is canonical, local@domain. It has
 * no secret, lock, group or right. The same name has the same number, with IDENTITY_OUTSIDE in it; two names may share one. The name
 * is borrowed. */
void identity_outsider(struct span name, struct identity_principal *ret);
/* Is path (canonical) the address called name, or that with a subaddress behind it? */
bool identity_own_address(struct span name, struct span path);

enum identity_by { /* how somebody in the database has proven who it is */
                   IDENTITY_BY_NOTHING,
                   IDENTITY_BY_PASSWORD, /* the account's */
                   IDENTITY_BY_APP,      /* credential: the number of an app password */
                   IDENTITY_BY_KEY, /* credential: the first eight octets of the SHA-256 that was pinned */
                   IDENTITY_BY_OUTSIDE, /* a token, or an outside authority: nothing of the database */
};
/* The stamp of a login: of what it permits (grants, groups) and of what it rests on (by, credential; 0 where there is none), as they
 * are now. It holds no secret and nothing to guess one by. UNKNOWN: there is no such credential. */
enum identity_found identity_stamp(struct identity *i, uint32_t number, uint8_t by, uint64_t credential,
                                   uint8_t ret[LIMIT_STAMP_OCTETS]);

/* The label of that credential, in a; empty: it has none, or is neither an app password nor a key. UNKNOWN: there is no such credential. */
enum identity_found identity_label(struct identity *i, uint32_t number, uint8_t by, uint64_t credential,
                                   struct arena *a, struct span *ret);

/* May who has logged in under that number and name go on? FOUND: it exists, is not locked and its login would have the same stamp
 * now; or it is an outsider's (which have none) and the database has nobody of its name. UNKNOWN: it must log in again. stamp:
 * hostile. */
enum identity_found identity_stands(struct identity *i, uint32_t number, struct span name,
                                    const uint8_t stamp[LIMIT_STAMP_OCTETS]);

/* May it send from there (path: canonical local@domain)? From its own address, and from what was listed for it: an address (an alias
 * of its mailbox, say), "@domain", or "*"; an address with a subaddress behind it too. FOUND: yes, and by (may be null) gets its
 * name or the row that permits it; UNKNOWN: no. */
enum identity_found identity_sender(struct identity *i, uint32_t principal, struct span path, struct buf *by);

/* Mailboxes, in the order in which they were made: *after begins at 0 and is the number of each; name: in a. False: no more (*why is
 * null), or *why. */
bool identity_next_mailbox(struct identity *i, uint32_t *after, struct arena *a, struct span *name,
                           const char **why);

#endif
