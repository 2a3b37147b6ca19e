/* mailbox_list: the addresses of a From or Sender field (RFC 5322 3.4, groups as in RFC 6854). Hostile text: what is not understood is not
 * guessed at. Display names may be anything: words, quoted strings, comments, octets above 127, bare dots as many programs write them. */
#ifndef MAIL_MAILBOX_LIST_H
#define MAIL_MAILBOX_LIST_H

#include "base/span.h"

enum mailbox_list_answer {
    MAILBOX_LIST_ADDRESS, /* *address is the next one: local-part@domain as written, quotes included */
    MAILBOX_LIST_END,
    MAILBOX_LIST_BROKEN, /* no list of addresses: nothing behind it can be trusted either */
};

/* rest: the value of the field, folds included; moved on. A route ("<@a:b@c>"), folds and comments inside an address (all obsolete, 4.4)
 * and an address literal are BROKEN or not understood: an address is one piece with an '@' that has something on both sides. */
enum mailbox_list_answer mailbox_list_next(struct span *rest, struct span *address);

#endif
