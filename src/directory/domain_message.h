/* domain_message: directory and winbind about a login that a domain controller of Active Directory is to check: an NTLMv2 response and our
 * challenge in, who that is out (MS-NRPC 3.5.4.5.1: a network logon). */
#ifndef DIRECTORY_DOMAIN_MESSAGE_H
#define DIRECTORY_DOMAIN_MESSAGE_H

#include "base/limits.h"
#include "base/wire.h"

struct domain_question { /* directory -> winbind. Texts are UTF-8 without control characters */
    uint64_t tag;
    struct span user; /* as the client wrote it, for the response was made of it; never empty */
    struct span domain;
    struct span workstation; /* may be empty */
    uint8_t challenge[8];
    struct span response; /* NTLMv2, longer than the 24 octets of older ones */
};

enum domain_status {
    DOMAIN_PROVEN,
    DOMAIN_WRONG_SECRET,
    DOMAIN_UNKNOWN_USER, /* or a domain that winbind does not know */
    DOMAIN_LOCKED,       /* too many wrong passwords */
    DOMAIN_DISABLED,
    DOMAIN_EXPIRED,     /* the account or its password */
    DOMAIN_MUST_CHANGE, /* its password, before anything else */
    DOMAIN_RESTRICTED,  /* not at this hour, not from here, not for a network logon, not for a machine */
    DOMAIN_GUEST,       /* let in as somebody who has no account: never proven */
    DOMAIN_REFUSED,     /* for another reason; winbind's log has it */
    DOMAIN_UNAVAILABLE, /* nobody could check it */
    DOMAIN_STATUS_COUNT
};

struct domain_answer { /* winbind -> directory */
    uint64_t tag;
    uint8_t status; /* enum domain_status */
    /* of PROVEN only */
    uint8_t session_key[16];     /* SessionBaseKey: a secret of this login */
    struct span account, domain; /* sAMAccountName and NetBIOS name, as the domain writes them; never empty */
    uint16_t n_groups;           /* of those that the configuration names, as it names them */
    struct span groups[LIMIT_IDENTITY_GROUPS];
};

#define DOMAIN_QUESTION_OCTETS (8 + 3 * (2 + LIMIT_DOMAIN_NAME_OCTETS) + 8 + 2 + LIMIT_SASL_RESPONSE_OCTETS)
#define DOMAIN_QUESTION_LEAST  (8 + 3 * 2 + 1 + 8 + 2 + 25)
#define DOMAIN_ANSWER_OCTETS                                                                                 \
    (8 + 1 + 16 + 2 * (2 + LIMIT_DOMAIN_NAME_OCTETS) + 2 +                                                   \
     LIMIT_IDENTITY_GROUPS * (2 + LIMIT_GROUP_NAME_OCTETS))

/* read: hostile; true only when every octet was consumed and in range. */
void domain_question_put(struct buf *b, const struct domain_question *m);
bool domain_question_read(struct span payload, struct domain_question *ret);
void domain_answer_put(struct buf *b, const struct domain_answer *m);
bool domain_answer_read(struct span payload, struct domain_answer *ret);

#endif
