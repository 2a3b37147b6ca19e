#include "service/login_reason.h"

#define ROW(r, name, answer, guess) [LOGIN_REASON_##r] = {name, LOGIN_##answer, GUESS_##guess}

const struct login_reason_row login_reason_table[LOGIN_REASON_COUNT] = {
    ROW(NONE, NULL, REFUSED, MALFORMED), /* so that a reason which was forgotten is no success */
    ROW(UNKNOWN_USER, "unknown-user", REFUSED, UNKNOWN_USER),
    ROW(WRONG_SECRET, "wrong-secret", REFUSED, WRONG_SECRET),
    ROW(NO_SECRET, "no-secret", REFUSED, WRONG_SECRET), /* else a ban would tell who has none */
    ROW(LOCKED, "locked", REFUSED, NONE),
    ROW(NO_RIGHT, "no-right", REFUSED, NONE),
    ROW(APP_EXPIRED, "app-expired", REFUSED, NONE), /* both are said of a proof that fits alone */
    ROW(APP_NETWORK, "app-network", REFUSED, NONE),
    ROW(AUTHZID, "authzid", REFUSED, MALFORMED),
    ROW(MALFORMED, "malformed", MALFORMED, MALFORMED),
    ROW(CLEAR, "clear", REFUSED, MALFORMED),
    ROW(UNAVAILABLE, "unavailable", LATER, NONE),

    ROW(ANONYMOUS, "anonymous", REFUSED, MALFORMED),
    ROW(GUEST, "guest", REFUSED, MALFORMED),
    ROW(NTLMV1, "ntlmv1", REFUSED, MALFORMED),
    ROW(MIC, "mic", REFUSED, MALFORMED),
    ROW(BINDING, "binding", REFUSED, MALFORMED),
    ROW(NO_BINDING, "no-binding", REFUSED, MALFORMED),
    ROW(CLOCK, "clock", REFUSED, MALFORMED),
    ROW(TICKET, "ticket", REFUSED, MALFORMED),
    ROW(REPLAY, "replay", REFUSED, MALFORMED),
    ROW(REALM, "realm", REFUSED, NONE), /* these three: a ticket that is good, and whose it is */
    ROW(PRINCIPAL, "principal", REFUSED, NONE),
    ROW(SERVICE_PRINCIPAL, "service-principal", REFUSED, NONE),
    ROW(LAYER, "layer", REFUSED, MALFORMED),
    ROW(MECHANISM, "mechanism", REFUSED, NONE), /* Windows falls back to NTLM by itself */

    /* what a domain controller says of a password that fits, or before it looks at one */
    ROW(DISABLED, "disabled", REFUSED, NONE),
    ROW(EXPIRED, "expired", REFUSED, NONE),
    ROW(MUST_CHANGE, "must-change", REFUSED, NONE),
    ROW(RESTRICTED, "restricted", REFUSED, NONE),
    ROW(DOMAIN_LOCKED, "domain-locked", REFUSED, NONE),
    ROW(DOMAIN_REFUSED, "domain-refused", REFUSED, MALFORMED),
    ROW(FOREIGN_ACCOUNT, "foreign-account", REFUSED, MALFORMED),
    ROW(DOVECOT_AWAY, "dovecot-away", LATER, NONE),
    ROW(DOVECOT_SILENT, "dovecot-silent", LATER, NONE),
    ROW(DOVECOT_BUSY, "dovecot-busy", LATER, NONE),
    ROW(DOVECOT_FAILED, "dovecot-failed", LATER, NONE),
    ROW(DOVECOT_NONSENSE, "dovecot-nonsense", LATER, NONE),
    ROW(DOVECOT_MECHANISM, "dovecot-mechanism", LATER, NONE),

    ROW(NO_CERTIFICATE, "no-certificate", REFUSED, MALFORMED),
    ROW(CERTIFICATE_AUTHORITY, "certificate-authority", REFUSED, MALFORMED),
    ROW(CERTIFICATE_EXPIRED, "certificate-expired", REFUSED, MALFORMED),
    ROW(CERTIFICATE_EARLY, "certificate-early", REFUSED, MALFORMED),
    ROW(CERTIFICATE_PURPOSE, "certificate-purpose", REFUSED, MALFORMED),
    ROW(CERTIFICATE_WEAK, "certificate-weak", REFUSED, MALFORMED),
    ROW(CERTIFICATE_REVOKED, "certificate-revoked", REFUSED, MALFORMED),
    ROW(CERTIFICATE_LIST, "certificate-list", REFUSED, NONE), /* the fault is not the client's */
    ROW(CERTIFICATE_NAMES, "certificate-names", REFUSED, MALFORMED),
    ROW(AMBIGUOUS, "ambiguous", REFUSED, MALFORMED),

    ROW(TOKEN_MALFORMED, "token-malformed", REFUSED, MALFORMED),
    ROW(TOKEN_ALGORITHM, "token-algorithm", REFUSED, MALFORMED),
    ROW(TOKEN_KEY, "token-key", REFUSED, MALFORMED),
    ROW(TOKEN_SIGNATURE, "token-signature", REFUSED, MALFORMED),
    /* its signature is good: nobody guessed it, and clients show an old token again and again */
    ROW(TOKEN_ISSUER, "token-issuer", REFUSED, NONE),
    ROW(TOKEN_AUDIENCE, "token-audience", REFUSED, NONE),
    ROW(TOKEN_EXPIRED, "token-expired", REFUSED, NONE),
    ROW(TOKEN_NO_EXPIRY, "token-no-expiry", REFUSED, NONE),
    ROW(TOKEN_EARLY, "token-early", REFUSED, NONE),
    ROW(TOKEN_SCOPE, "token-scope", REFUSED, NONE),
    ROW(TOKEN_ACCOUNT, "token-account", REFUSED, NONE),
};
