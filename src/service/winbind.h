/* winbind: asks Samba's winbindd whether a domain controller takes a response, through libwbclient, which opens winbindd's sockets itself and
 * waits for as long as they do: in the threads of the process winbind only. The library is loaded there and nowhere else. */
#ifndef SERVICE_WINBIND_H
#define SERVICE_WINBIND_H

#include "config/config.h"
#include "directory/domain_message.h"

/* Once, before the cage. Null: good; else why it cannot be used. */
const char *winbind_load(void);

struct winbind; /* what one thread has for itself: a connection to winbindd, made when it is needed */
struct winbind *
winbind_create(const struct config *c); /* c: whose groups are named; borrowed. Null: no memory */
void winbind_free(struct winbind **w);  /* accepts null */

struct winbind_report { /* for the log */
    uint8_t status;     /* enum domain_status */
    char text[64];      /* what winbind called it: NT_STATUS_... ; printable */
    /* it is a member of more groups than LIMIT_DOMAIN_SIDS or LIMIT_IDENTITY_GROUPS: some do not count */
    bool groups_cut;
};
/* Blocks. The answer, whole, is written to b, which has room for DOMAIN_ANSWER_OCTETS. */
void winbind_ask(struct winbind *w, const struct domain_question *q, struct buf *b,
                 struct winbind_report *report);

#endif
