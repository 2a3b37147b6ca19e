/* address: address literals, RFC 5321 4.1.3. */
#ifndef SMTP_ADDRESS_H
#define SMTP_ADDRESS_H

#include "base/span.h"

/* [1.2.3.4], [IPv6:...] and nothing else. Leading zeros in a decimal number are refused: some readers take them as
 * octal. */
bool address_literal_valid(struct span d);

#endif
