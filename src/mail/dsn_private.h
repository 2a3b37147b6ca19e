/* dsn_private: the parts of a notification (dsn.c puts them together). */
#ifndef MAIL_DSN_PRIVATE_H
#define MAIL_DSN_PRIVATE_H

#include "mail/dsn.h"

/* The part for people: what happened, why, and what to do. */
void dsn_put_text(struct buf *b, const struct dsn *d);
/* The part for programs: RFC 3464 2. utf8: raw addresses are allowed (RFC 6533). */
void dsn_put_status(struct buf *b, const struct dsn *d, bool utf8);
/* "5.1.1", or what fits the action when status is no status code. */
struct span dsn_status(const struct dsn_recipient *r);

#endif
