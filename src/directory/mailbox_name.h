/* mailbox_name: which local parts and domains may be names of folders. Asked when names are read, when a recipient is looked
 * up, and once more by the process that makes the folder. */
#ifndef DIRECTORY_MAILBOX_NAME_H
#define DIRECTORY_MAILBOX_NAME_H

#include "base/span.h"

/* 1 to LIMIT_LOCAL_PART_OCTETS octets of a dot-string without '/' (RFC 5321 atext has it) and without a first dot; well-formed
 * UTF-8, no control characters. A quoted local part that needs its quotes is no mailbox here. */
bool mailbox_name_local(struct span local);
/* 1 to LIMIT_DOMAIN_OCTETS octets: labels of letters, digits, hyphens, UTF-8, parted by single dots. */
bool mailbox_name_domain(struct span domain);

#endif
