/* recipients: the sealed, read-only map of who exists, made by the directory process and mapped by every edge. Built
 * into flat memory (no pointers, only offsets) and checked against hostile content whenever it is opened or read. */
#ifndef DIRECTORY_RECIPIENTS_H
#define DIRECTORY_RECIPIENTS_H

#include "base/buf.h"

enum recipients_answer { RECIPIENTS_NOT_SERVED, RECIPIENTS_UNKNOWN, RECIPIENTS_KNOWN };

/* Building: two passes over the same names, the first with memory null to learn the size. Doubles are taken once. */
struct recipients_builder {
    uint8_t *memory;  /* null in the first pass */
    size_t octets;    /* of memory */
    uint32_t entries; /* counted in the first pass; sizes the table in the second */
    size_t text;      /* octets of keys, likewise */
    uint32_t slots;   /* second pass, private */
    size_t used;      /* second pass, private: octets of keys written */
    bool over;        /* a name is too long or no name, or there are more than were counted */
};
/* The first pass forgets everything (the struct need not be initialised), the second keeps entries and text. memory:
 * recipients_needed octets, zeroed. */
void recipients_begin(struct recipients_builder *b, void *memory, size_t octets);
void recipients_add_domain(struct recipients_builder *b, struct span domain,
                           bool any); /* any: every local part exists */
/* key: canonical local@domain in lower case, or "local@" for every served domain. */
void recipients_add_mailbox(struct recipients_builder *b, struct span key);
/* An alias of that name reaches nobody: mail for it is refused, whatever else (a mailbox of that name, `any`) would take it. */
void recipients_add_nobody(struct recipients_builder *b, struct span key);
size_t recipients_needed(const struct recipients_builder *b);
bool recipients_finish(struct recipients_builder *b); /* false: over; the memory is then no map */

struct
    recipients { /* an opened map; trusts nothing in memory: shape is checked once and kept here, offsets at each use */
    const uint8_t *memory;
    size_t octets;
    uint32_t slots;
};
/* False when memory is no map of exactly that size. memory: sealed, so that it does not change under the reader. */
bool recipients_open(struct recipients *r, const void *memory, size_t octets);
/* key: canonical local@domain in lower case (smtp/path path_key makes it). What is said of the name in its domain counts before what
 * is said of it in every domain. A local part with '+' is looked up whole, then without its subaddress. postmaster@ and abuse@ (RFC 2142) a served domain always exist. Where every local part
 * exists, those do that can be the name of a folder (directory/mailbox_name.h). */
enum recipients_answer recipients_find(const struct recipients *r, struct span key);
/* The domain alone: KNOWN when every local part exists there, UNKNOWN when it is served and names decide, else NOT_SERVED. */
enum recipients_answer recipients_domain(const struct recipients *r, struct span domain);
/* Exactly this name is in the map: no subaddress, no role, no `any`. */
bool recipients_listed(const struct recipients *r, struct span key);
/* The parts of a key: false without an '@'. The last '@' divides (an earlier one is inside quotes). */
bool recipients_split(struct span key, struct span *local, struct span *domain);
/* local without its subaddress "+detail": unchanged when there is none, when it begins with '+' or is quoted. */
struct span recipients_base(struct span local);
/* The two names that exist in every served domain. */
bool recipients_role_name(struct span local);

#endif
