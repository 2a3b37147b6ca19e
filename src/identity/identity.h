/* identity: who exists and how they prove it, what they may do and from which addresses they may send: an SQLite database in a folder of
 * its own, written by `sallyport user` and read by the directory process, at the moment of each question. Proof and permission are kept
 * apart (MS02-011, invariants I1 and I2): a principal without a grant has no rights, whatever it proves. */
#ifndef IDENTITY_IDENTITY_H
#define IDENTITY_IDENTITY_H

#include "base/arena.h"
#include "policy/decide.h"
#include "policy/network.h"

struct identity; /* an open database. One thread at a time; each thread opens one of its own */

/* folder: the descriptor of the folder that holds it (borrowed, must outlive it): every file is opened below it, so that a caged process
 * needs no path (SANDBOX_FILES_AT). Null: *why (constant, or SQLite's own text, valid until the next call). */
struct identity *identity_open(int folder, bool writable, const char **why);
void identity_close(struct identity **i); /* accepts null */

enum identity_found {
    IDENTITY_FOUND,
    IDENTITY_UNKNOWN,
    IDENTITY_UNREADABLE /* for now: damaged, locked, no memory */
};

struct identity_scram { /* RFC 5803; empty spans: there are no such keys */
    uint32_t iterations;
    struct span salt, stored_key, server_key;
};
/* Secrets of one principal; everything lives in the caller's arena, which the caller wipes (invariant I10). */
struct identity_principal {
    uint32_t number;  /* never used again for another one */
    uint8_t kind;     /* enum principal: PRINCIPAL_USER or PRINCIPAL_HOST */
    struct span name; /* canonical */
    bool locked;      /* may prove nothing; its mailbox goes on */
    bool has_nt, has_cram;
    struct span crypt; /* yescrypt verifier of crypt(5), or empty: no password fits */
    struct identity_scram scram_256, scram_1;
    uint8_t nt[16];   /* the NT hash; only if it was asked for */
    uint8_t cram[32]; /* the two MD5 contexts of HMAC: inner, outer; only if they were asked for */
    uint32_t rights;  /* granted to it or to its groups in the database; the configuration may grant more */
    struct span *groups;
    uint32_t n_groups;
    uint32_t app_password; /* it logs in by that one: its number; 0: by the account's own password */
};

/* login: as the client said it, UTF-8, hostile: "local@domain", or the bare "local" when home is not empty: then local@home. With
 * "/label" behind it the app password of that label: the secrets are then those of the app password, and it is UNKNOWN when it has
 * expired (unix seconds) or client is not in its networks. */
enum identity_found identity_find(struct identity *i, struct span login, struct span home,
                                  const struct address *client, uint64_t unix_seconds, struct arena *a,
                                  struct identity_principal *ret);
/* An app password without label (they are long and random, so that their SHA-256 finds them): of that principal, not expired, from
 * there. FOUND: *number is the app password's. */
enum identity_found identity_app_password(struct identity *i, uint32_t principal, struct span password,
                                          const struct address *client, uint64_t unix_seconds,
                                          uint32_t *number);
/* A host or user by what its client certificate proves: the SHA-256 of its SubjectPublicKeyInfo was pinned to it. */
enum identity_found identity_by_key(struct identity *i, const uint8_t spki_sha256[32], struct arena *a,
                                    struct identity_principal *ret);

/* May it send from there (path: canonical local@domain)? Its own address, its mailbox's aliases that were listed for it, and what was
 * granted: an address, "@domain", or "*". FOUND: yes; UNKNOWN: no. */
enum identity_found identity_sender(struct identity *i, uint32_t principal, struct span path);

/* Mailboxes, in order of their names: *after begins empty (n == 0) and is replaced by each name (in a). False: no more, or *why. */
bool identity_next_mailbox(struct identity *i, struct arena *a, struct span *after, const char **why);

#endif
