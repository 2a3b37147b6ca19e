/* ntlm: the acceptor of NTLM (MS-NLMP 3.2, MS-SMTPNTLM): NTLMv2 only. It never takes LM or NTLMv1, and what calls itself anonymous or a
 * guest is named so and never proven: in 2002 a null session passed for a login (MS02-011). Octets in, octets out; who the account
 * is and what it may do is the caller's business.
 *
 *     NEGOTIATE  -> ntlm_challenge() -> CHALLENGE
 *     AUTHENTICATE -> ntlm_read() -> whose hash? -> ntlm_verify(), or ask a domain controller, then ntlm_verify_key()
 *
 * Of the three messages nothing is kept but what the MIC covers. */
#ifndef SASL_NTLM_H
#define SASL_NTLM_H

#include "sasl/ntlm_av.h"
#include "sasl/ntlm_message.h"
#include "sasl/ntlm_proof.h"

struct ntlm { /* one exchange */
    uint8_t server_challenge[8];
    uint64_t filetime; /* that the challenge told */
    size_t n_negotiate, n_challenge;
    uint8_t negotiate[LIMIT_NTLM_NEGOTIATE_OCTETS];
    uint8_t challenge[NTLM_CHALLENGE_OCTETS];
};

/* random: 8 octets that nobody can foresee, never used twice. False: no NEGOTIATE (501), or names that are too long. Else
 * *challenge is what goes back; it lies in *ret. */
MUST_USE bool ntlm_challenge(struct ntlm *ret, const struct ntlm_target *t, struct span negotiate,
                             const uint8_t random[8], uint64_t unix_ms, struct span *challenge);

enum ntlm_kind {
    NTLM_MALFORMED, /* no AUTHENTICATE; 501 */
    NTLM_ANONYMOUS, /* a null session: no user, no response, or the flag that says so; a security event */
    NTLM_GUEST, /* the account that Windows makes for those who have none, in any of its languages; a security event */
    NTLM_OLD, /* NTLMv1, or LM alone; refused whatever it proves */
    NTLM_USER /* an NTLMv2 response: verify it. Nothing is proven yet */
};

/* What a client claims. Points into itself and into the message: not to be copied. */
struct ntlm_login {
    enum ntlm_kind kind;
    struct span user; /* as the client wrote it, UTF-8, no controls: "user", "user@domain" or "DOMAIN\user" */
    struct span domain;      /* what the client takes for the domain; any, or empty. It proves nothing */
    struct span workstation; /* for the log; empty when it cannot be read */
    /* of USER only */
    struct ntlm_authenticate message;
    struct ntlm_response response;
    struct ntlm_av av;
    size_t n_user_units, n_domain_units;                 /* octets of: */
    uint8_t user_units[2 * LIMIT_PRINCIPAL_NAME_OCTETS]; /* UTF-16, upper case */
    uint8_t domain_units[2 * LIMIT_DOMAIN_OCTETS];       /* UTF-16 */
    uint8_t text[LIMIT_PRINCIPAL_NAME_OCTETS + 2 * LIMIT_DOMAIN_OCTETS];
};

/* authenticate: hostile; must outlive *ret. Returns ret->kind; of MALFORMED nothing else is set. Text that is not Unicode is taken as
 * ASCII, anything else in it is malformed: nobody says which code page it is. */
enum ntlm_kind ntlm_read(struct span authenticate, struct ntlm_login *ret);

enum ntlm_bindings {                        /* what is asked of the channel binding in MsvAvChannelBindings */
                     NTLM_BINDINGS_ALLOWED, /* none or zero passes; one that is there must be ours */
                     NTLM_BINDINGS_IGNORED,
                     NTLM_BINDINGS_REQUIRED
};
struct ntlm_policy {
    enum ntlm_bindings bindings;
    /* tls-server-end-point of this session (RFC 5929 4), at most LIMIT_END_POINT_OCTETS; empty: none */
    struct span end_point;
};

enum ntlm_verdict {
    NTLM_PROVEN,
    NTLM_WRONG_PROOF,    /* wrong password or unknown user */
    NTLM_WRONG_MIC,      /* the messages were changed on their way */
    NTLM_WRONG_BINDINGS, /* it was made for another TLS session: relayed */
    NTLM_NO_BINDINGS,    /* required, and the client gives none */
    NTLM_WRONG_TIME,     /* the client's clock is too far off, or it answers another challenge */
    NTLM_FAILED          /* the library */
};

/* l: of kind USER. nt_hash: MD4 of the password; null: there is no such account, and the answer is never PROVEN, with the same work as for
 * a wrong password. The client's domain may be missing from what it proves (3.2.5.1.2: "SHOULD support NTLM clients which
 * incorrectly use NIL for the UserDom"). */
enum ntlm_verdict ntlm_verify(const struct ntlm *n, const struct ntlm_login *l, const struct ntlm_policy *p,
                              const struct ntlm_crypto *c, const uint8_t *nt_hash);
/* The same without the proof, which a domain controller has checked: session_key is the one it gave (SessionBaseKey). */
enum ntlm_verdict ntlm_verify_key(const struct ntlm *n, const struct ntlm_login *l,
                                  const struct ntlm_policy *p, const struct ntlm_crypto *c,
                                  const uint8_t session_key[16]);

#endif
