#include "policy/decide.h"

static enum decision decided(enum decision d, const char **rule, const char *id)
{
    if (rule) *rule = id;
    return d;
}

enum decision submit_decide(enum access a, uint32_t rights, bool relay_network, bool device,
                            const char **rule)
{
    if (a == ACCESS_ANONYMOUS) return decided(DECISION_LOCAL, rule, "access.anonymous");
    if (a == ACCESS_BOTH) return decided(DECISION_LOCAL, rule, "access.both");
    /* ACCESS_AUTHENTICATED, and any value that is none of the three: default is deny. */
    if (rights & RIGHT_SUBMIT) return decided(DECISION_LOCAL, rule, "right.submit");
    if (relay_network) return decided(DECISION_LOCAL, rule, "relay-network");
    if (device) return decided(DECISION_LOCAL, rule, "sender.device");
    if (rights) return decided(DECISION_NO_SUBMIT, rule, "access.no-submit-right");
    return decided(DECISION_AUTH_FIRST, rule, "access.authenticated");
}

enum decision relay_decide(const struct relay_facts *f, const char **rule)
{
    enum decision d = submit_decide(f->access, f->rights, f->relay_network, f->device, rule);
    if (d != DECISION_LOCAL) {
        /* MS02-011: a proven identity without the right gets a refusal, not a second chance to prove it. */
        if (f->principal != PRINCIPAL_ANONYMOUS)
            return decided(DECISION_NO_SUBMIT, rule, "access.no-submit-right");
        return d;
    }
    /* RFC 5321 4.5.1: postmaster is always accepted, with or without a domain of ours. */
    if (f->postmaster) return decided(DECISION_LOCAL, rule, "recipient.postmaster");
    if (f->served == SERVED_KNOWN) return decided(DECISION_LOCAL, rule, "recipient.known");
    if (f->served == SERVED_UNKNOWN) return decided(DECISION_NO_MAILBOX, rule, "recipient.unknown");
    if (f->rights & RIGHT_RELAY) return decided(DECISION_RELAY, rule, "right.relay");
    if (f->relay_network) return decided(DECISION_RELAY, rule, "relay-network");
    return decided(DECISION_NO_RELAY, rule, "relay.denied");
}

const char *decision_text(enum decision d)
{
    switch (d) {
    case DECISION_LOCAL: return "Recipient ok";
    case DECISION_RELAY: return "Recipient ok, will relay";
    case DECISION_AUTH_FIRST: return "Authentication required: log in before you send mail here";
    case DECISION_NO_SUBMIT:
        return "You may not submit mail here: ask the postmaster for the right to submit";
    case DECISION_NO_RELAY:
        return "Relaying denied: the domain is not served here and you have no right to relay";
    case DECISION_NO_MAILBOX: return "No such mailbox here: check the address";
    }
    return "Refused";
}

unsigned decision_code(enum decision d, const char **enhanced)
{
    switch (d) {
    case DECISION_LOCAL:
    case DECISION_RELAY: *enhanced = "2.1.5"; return 250;
    case DECISION_AUTH_FIRST: *enhanced = "5.7.0"; return 530;
    case DECISION_NO_MAILBOX: *enhanced = "5.1.1"; return 550;
    case DECISION_NO_SUBMIT:
    case DECISION_NO_RELAY: break;
    }
    *enhanced = "5.7.1";
    return 550;
}
