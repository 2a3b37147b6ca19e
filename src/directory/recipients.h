/* recipients: the sealed, read-only map of who exists, made by the directory process and mapped by every edge. Built
 * into flat memory (no pointers, only offsets) and checked against hostile content whenever it is opened or read. */
#ifndef DIRECTORY_RECIPIENTS_H
#define DIRECTORY_RECIPIENTS_H

#include "base/buf.h"

enum recipients_answer { RECIPIENTS_NOT_SERVED, RECIPIENTS_UNKNOWN, RECIPIENTS_KNOWN };

/* Building: two passes over the same names, the first with memory null to learn the size. */
struct recipients_builder {
    void *memory;        /* null in the first pass */
    size_t octets;       /* of memory */
    uint32_t entries;    /* counted in the first pass; sizes the table in the second */
    size_t text;         /* octets of keys */
    bool over;
};
void recipients_begin(struct recipients_builder *b, void *memory, size_t octets); /* keeps entries/text of pass one */
void recipients_add_domain(struct recipients_builder *b, struct span domain, bool any); /* any: every local part exists */
void recipients_add_mailbox(struct recipients_builder *b, struct span key);             /* canonical local@domain, lower case */
size_t recipients_needed(const struct recipients_builder *b);
bool recipients_finish(struct recipients_builder *b);

struct recipients { /* an opened map; trusts nothing in memory */
    const uint8_t *memory;
    size_t octets;
};
bool recipients_open(struct recipients *r, const void *memory, size_t octets);
/* key: canonical local@domain in lower case (smtp/path path_key makes it). A local part with '+' is looked up whole,
 * then without its subaddress. postmaster@ a served domain always exists. */
enum recipients_answer recipients_find(const struct recipients *r, struct span key);

#endif
