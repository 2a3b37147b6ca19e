/* plain: name and password as they are: PLAIN (RFC 4616), and LOGIN's two answers (MS-XLOGIN). Passwords are UTF-8 and taken as they come;
 * what is read points into the message, which the caller wipes. */
#ifndef SASL_PLAIN_H
#define SASL_PLAIN_H

#include "sasl/authzid.h"

struct plain_message {
    struct span authzid; /* whom to act as; empty: authcid itself */
    struct span authcid; /* who has the password */
    struct span password;
};

/* "[authzid] NUL authcid NUL passwd" (2). False: no such message. */
MUST_USE bool plain_read(struct span message, struct plain_message *ret);

/* 1 to LIMIT_PASSWORD_OCTETS octets of UTF-8 without NUL (1*SAFE). */
bool plain_is_password(struct span s);

/* LOGIN: what is asked first and second, not encoded. Clients do not read it, but some want these very words. The first answer, or the
 * initial response, is authzid_is_name(), the second plain_is_password(); anything else is malformed. */
#define PLAIN_LOGIN_NAME     "Username:"
#define PLAIN_LOGIN_PASSWORD "Password:"

#endif
