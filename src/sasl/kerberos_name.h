/* kerberos_name: a principal as MIT's library writes it (NAME/INSTANCE@REALM, with "\" before what is meant otherwise): whether a
 * person is meant, and who. */
#ifndef SASL_KERBEROS_NAME_H
#define SASL_KERBEROS_NAME_H

#include "sasl/authzid.h"

enum kerberos_name_kind {
    KERBEROS_NAME_USER,
    KERBEROS_NAME_ANONYMOUS, /* RFC 8062 3: WELLKNOWN/ANONYMOUS, or anybody of the realm WELLKNOWN:ANONYMOUS */
    KERBEROS_NAME_SERVICE,   /* with an instance (host/..., alice/admin), or a machine (NAME$) */
    KERBEROS_NAME_ODD, /* what is nobody's address here: with "\" or a quotation mark, an empty part, controls, too long */
};

struct
    kerberos_name { /* point into what was read; of a USER neither is empty, and neither has "/", "@", "\" or a quotation mark in it */
    struct span local, realm;
};

enum kerberos_name_kind kerberos_name_read(struct span principal, struct kerberos_name *ret);

#endif
