/* decide: the relay decision, one pure function of a small struct of facts (invariants I1 and I2). Who may relay is
 * decided here and nowhere else: the server, `explain`, the gate and the tests all call this. MS02-011: proof of an
 * identity is not a permission, so the facts carry rights, never "is authenticated". */
#ifndef POLICY_DECIDE_H
#define POLICY_DECIDE_H

#include "base/span.h"

enum principal { PRINCIPAL_ANONYMOUS, PRINCIPAL_USER, PRINCIPAL_HOST };

/* A set: what the principal may do, granted by the directory only. */
enum right {
    RIGHT_SUBMIT = 1,
    RIGHT_RELAY = 2,
    RIGHT_ANY_SENDER = 4,
    RIGHT_BYPASS_SIZE = 8,
    RIGHT_ORG_PROPS = 16,
    RIGHT_ORG_STATUS = 32,
    RIGHT_XCLIENT = 64,
    RIGHT_XFORWARD = 128,
};

enum access { ACCESS_ANONYMOUS, ACCESS_AUTHENTICATED, ACCESS_BOTH }; /* of the virtual server */

/* What the recipient map says of the recipient. */
enum served {
    SERVED_NOT,     /* the domain is not ours */
    SERVED_UNKNOWN, /* our domain, nobody of that name */
    SERVED_KNOWN,   /* our domain and a mailbox or alias of that name, or every local part exists */
};

struct relay_facts {
    enum access access;
    enum principal principal; /* proven identity: of no weight by itself */
    uint32_t rights;          /* RIGHT_* */
    bool relay_network;       /* the client's own address (never a proxy's) is in a listed relay network */
    bool device;              /* it is that of a device that has a sender (policy/pin.h) */
    enum served served;
    bool postmaster; /* <postmaster>, or postmaster at a served domain (RFC 5321 4.5.1) */
};

enum decision {
    DECISION_LOCAL,      /* accept: for a mailbox of ours */
    DECISION_RELAY,      /* accept: to be relayed */
    DECISION_AUTH_FIRST, /* 530 5.7.0 */
    DECISION_NO_SUBMIT,  /* 550 5.7.1: proven, but without the right to submit here */
    DECISION_NO_RELAY,   /* 550 5.7.1 */
    DECISION_NO_MAILBOX, /* 550 5.1.1 */
};

/* rule: set to a constant string, the id of the rule that decided, for the log and for `explain`. */
enum decision relay_decide(const struct relay_facts *f, const char **rule);
/* May this session begin a transaction at all? DECISION_LOCAL means yes. On an authenticated server the right `submit`
 * opens the door, or a relay network or a device that was listed for that very server; without either AUTH_FIRST, or NO_SUBMIT when
 * the principal has other rights. relay_decide begins with the same question. */
enum decision submit_decide(enum access a, uint32_t rights, bool relay_network, bool device,
                            const char **rule);
/* One sentence in printable ASCII: why, and what to do. Never null. */
const char *decision_text(enum decision d);
/* The reply code to MAIL or RCPT; its enhanced code, a constant string, goes to *enhanced. */
unsigned decision_code(enum decision d, const char **enhanced);

#endif
