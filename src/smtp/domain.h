/* domain: names, RFC 5321 4.1.2, RFC 6531 3.3. Grammar only: nothing is looked up. */
#ifndef SMTP_DOMAIN_H
#define SMTP_DOMAIN_H

#include "base/span.h"

/* Domain grammar alone: EHLO argument and domains in the config: sub-domains of letters, digits, hyphen (not at the
 * edge), U-labels with allow_utf8; no trailing dot. An underscore is taken in EHLO only (allow_underscore). At most
 * LIMIT_DOMAIN_OCTETS, 63 octets a label (59 characters a U-label: its A-label would not fit in 63). */
bool domain_valid(struct span d, bool allow_utf8, bool allow_underscore);

enum domain_fault { DOMAIN_OK, DOMAIN_SYNTAX, DOMAIN_LONG, DOMAIN_UTF8, DOMAIN_UTF8_BROKEN };
/* The longest domain at the start of in; *octets is its length when DOMAIN_OK. DOMAIN_UTF8: an octet above 127 without
 * allow_utf8. */
enum domain_fault domain_take(struct span in, bool allow_utf8, bool allow_underscore, size_t *octets);

#endif
