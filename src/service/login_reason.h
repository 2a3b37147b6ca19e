/* login_reason: why a login did not succeed: the stable names of sallyportd(8), what the client is told, and whether it counts as a guess.
 * One table: the mechanisms, the log, the bans (process/directory_guard.h) and what fail2ban passes over all go by it. */
#ifndef SERVICE_LOGIN_REASON_H
#define SERVICE_LOGIN_REASON_H

#include "directory/login_message.h"
#include "policy/guess.h"

enum login_reason {
    LOGIN_REASON_NONE, /* nothing to report */
    /* of every mechanism */
    LOGIN_REASON_UNKNOWN_USER,
    LOGIN_REASON_WRONG_SECRET,
    LOGIN_REASON_NO_SECRET, /* it has none that this mechanism could use */
    LOGIN_REASON_LOCKED,
    LOGIN_REASON_NO_RIGHT,
    LOGIN_REASON_APP_EXPIRED,
    LOGIN_REASON_APP_NETWORK,
    LOGIN_REASON_AUTHZID, /* somebody wants to act as another one */
    LOGIN_REASON_MALFORMED,
    LOGIN_REASON_CLEAR, /* it is spoken under TLS only */
    LOGIN_REASON_UNAVAILABLE,
    /* of NTLM and Kerberos */
    LOGIN_REASON_ANONYMOUS,
    LOGIN_REASON_GUEST,
    LOGIN_REASON_NTLMV1,
    LOGIN_REASON_MIC,
    LOGIN_REASON_BINDING,
    LOGIN_REASON_NO_BINDING,
    LOGIN_REASON_CLOCK,
    LOGIN_REASON_TICKET,
    LOGIN_REASON_REPLAY,
    LOGIN_REASON_REALM,
    LOGIN_REASON_PRINCIPAL,
    LOGIN_REASON_SERVICE_PRINCIPAL,
    LOGIN_REASON_LAYER,
    LOGIN_REASON_MECHANISM,
    /* where a domain controller or Dovecot is asked */
    LOGIN_REASON_DISABLED,
    LOGIN_REASON_EXPIRED,
    LOGIN_REASON_MUST_CHANGE,
    LOGIN_REASON_RESTRICTED,
    LOGIN_REASON_DOMAIN_LOCKED,
    LOGIN_REASON_DOMAIN_REFUSED,
    LOGIN_REASON_FOREIGN_ACCOUNT,
    LOGIN_REASON_DOVECOT_AWAY,
    LOGIN_REASON_DOVECOT_SILENT,
    LOGIN_REASON_DOVECOT_BUSY,
    LOGIN_REASON_DOVECOT_FAILED,
    LOGIN_REASON_DOVECOT_NONSENSE,
    LOGIN_REASON_DOVECOT_MECHANISM,
    /* of EXTERNAL */
    LOGIN_REASON_NO_CERTIFICATE,
    LOGIN_REASON_CERTIFICATE_AUTHORITY,
    LOGIN_REASON_CERTIFICATE_EXPIRED,
    LOGIN_REASON_CERTIFICATE_EARLY,
    LOGIN_REASON_CERTIFICATE_PURPOSE,
    LOGIN_REASON_CERTIFICATE_WEAK,
    LOGIN_REASON_CERTIFICATE_NAMES,
    LOGIN_REASON_CERTIFICATE_REVOKED,
    LOGIN_REASON_CERTIFICATE_LIST, /* an authority has none that counts today */
    LOGIN_REASON_AMBIGUOUS,
    /* of tokens */
    LOGIN_REASON_TOKEN_MALFORMED,
    LOGIN_REASON_TOKEN_ALGORITHM,
    LOGIN_REASON_TOKEN_KEY,
    LOGIN_REASON_TOKEN_SIGNATURE,
    LOGIN_REASON_TOKEN_ISSUER,
    LOGIN_REASON_TOKEN_AUDIENCE,
    LOGIN_REASON_TOKEN_EXPIRED,
    LOGIN_REASON_TOKEN_NO_EXPIRY,
    LOGIN_REASON_TOKEN_EARLY,
    LOGIN_REASON_TOKEN_SCOPE,
    LOGIN_REASON_TOKEN_ACCOUNT,
    LOGIN_REASON_COUNT
};

struct login_reason_row {
    const char *name;         /* in the log, stable; null: of NONE */
    enum login_kind answer;   /* LOGIN_REFUSED, LOGIN_MALFORMED or LOGIN_LATER */
    enum guess_failure guess; /* NONE: a proof that fits, whatever it does not permit; or nobody could say */
};
extern const struct login_reason_row login_reason_table[LOGIN_REASON_COUNT];

#endif
