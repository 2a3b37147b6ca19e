/* path: reverse-path and forward-path, RFC 5321 4.1.2, RFC 6531 3.3. Exact grammar. */
#ifndef SMTP_PATH_H
#define SMTP_PATH_H

#include "base/buf.h"
#include "smtp/address.h"
#include "smtp/domain.h"

struct path {
    struct span local;  /* local-part as written, quotes included; empty for <> and for <postmaster> */
    struct span domain; /* domain or [address literal] as written; empty for <> and <postmaster> */
    bool null;          /* <> */
    bool postmaster;    /* <postmaster> without a domain, any case */
    bool utf8;          /* holds octets above 127 */
    bool literal;       /* the domain is an address literal */
};

enum path_error {
    PATH_OK,
    PATH_SYNTAX,      /* 501 5.1.3 (recipient) / 5.1.7 (sender) */
    PATH_NO_BRACKETS, /* 501 5.5.2: <...> is needed */
    PATH_ROUTE,       /* source route @a,@b:c@d. RFC 5321 F.2: refused, 550 5.1.3 */
    PATH_LOCAL_LONG,  /* 501 5.1.3: local-part above LIMIT_LOCAL_PART_OCTETS */
    PATH_DOMAIN_LONG, /* 501 5.1.2: domain above LIMIT_DOMAIN_OCTETS, a label above 63, or the path (its domain in A-labels, too) above LIMIT_PATH_OCTETS */
    PATH_UTF8,        /* 553 5.6.7: octets above 127 without SMTPUTF8 */
    PATH_UTF8_BROKEN, /* 501 5.5.2: not well-formed UTF-8 */
    PATH_IDN,         /* 501 5.1.2: a domain beyond ASCII that has no A-labels (base/idn.h) */
};

enum { PATH_ALLOW_NULL = 1, PATH_ALLOW_POSTMASTER = 2, PATH_ALLOW_UTF8 = 4 };

/* Parses "<...>" at the start of in; *rest is what follows '>' (parameters). No blank is allowed between ':' and '<'
 * by the grammar; one SP there is accepted by the engine before it calls. Spans in *ret point into in; *ret and *rest are
 * untouched unless PATH_OK. */
enum path_error path_parse(struct span in, unsigned flags, struct path *ret, struct span *rest);

/* Canonical key "local@domain" for look-ups: quoting undone where the content is a dot-string, the domain in A-labels and lower case
 * (a U-label and its A-label are one domain, RFC 5890 2.3.2.4), ASCII case folded in the local part for look-up (mailbox names
 * are case-insensitive here); sets b->over when it does not fit. p: of path_parse; its key fits where it did. The separator '+' is not touched. */
void path_key(const struct path *p, struct buf *b);

/* The key of an address as people write it, without brackets (flags as above). False when it is none, or the key does not fit. */
MUST_USE bool path_canonical(struct span address, unsigned flags, struct buf *key);

/* local-part with its quoting removed (content of a quoted-string, backslashes undone). */
void path_local_unquoted(const struct path *p, struct buf *b);

/* As written: "local@domain", "" for <>, "postmaster". */
void path_put(const struct path *p, struct buf *b);

#endif
