/* Invariants I1 (no borrowed relay) and I2 (proof is not permission): the whole space of facts is enumerated. */
#include "policy/decide.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define RIGHTS_ALL 255u

typedef void fact_fn(const struct relay_facts *f);

/* Every combination of access (and two values that are none), principal (and one that is none), the 256 sets of rights, relay network,
 * device, served (and one that is none), postmaster. */
static unsigned each_fact(fact_fn *fn)
{
    unsigned n = 0;
    for (int access = 0; access <= ACCESS_BOTH + 2; access++)
        for (int principal = 0; principal <= PRINCIPAL_HOST + 1; principal++)
            for (uint32_t rights = 0; rights <= RIGHTS_ALL; rights++)
                for (int listed = 0; listed < 4; listed++)
                    for (int served = 0; served <= SERVED_KNOWN + 1; served++)
                        for (int postmaster = 0; postmaster < 2; postmaster++) {
                            struct relay_facts f = {
                                (enum access)access, (enum principal)principal, rights,
                                (listed & 1) != 0,   (listed & 2) != 0,         (enum served)served,
                                postmaster == 1};
                            fn(&f);
                            n++;
                        }
    return n;
}

static unsigned relayed, local, refused;

static void check_i1(const struct relay_facts *f)
{
    const char *rule = NULL;
    enum decision d = relay_decide(f, &rule);
    assert_non_null(rule);
    assert_true(rule[0] != 0);
    bool accepted = d == DECISION_LOCAL || d == DECISION_RELAY;
    bool ours = f->served == SERVED_KNOWN || f->postmaster;
    /* I1: whatever is accepted for another's domain was allowed by a right or a listed network */
    if (accepted && !ours) assert_true((f->rights & RIGHT_RELAY) || f->relay_network);
    if (d == DECISION_RELAY) {
        assert_true(!ours && f->served != SERVED_UNKNOWN);
        relayed++;
    }
    if (d == DECISION_LOCAL) {
        assert_true(ours);
        local++;
    }
    if (f->access == ACCESS_AUTHENTICATED && accepted)
        assert_true((f->rights & RIGHT_SUBMIT) || f->relay_network || f->device);
    if (!accepted) refused++;
}

static void i1_no_borrowed_relay_over_all_facts(void **state)
{
    (void)state;
    relayed = local = refused = 0;
    unsigned n = each_fact(check_i1);
    assert_int_equal(n, 5 * 4 * 256 * 4 * 4 * 2);
    assert_int_equal(n, relayed + local + refused);
    /* the property is not true for want of cases: each kind of answer happens */
    assert_true(relayed > 1000);
    assert_true(local > 1000);
    assert_true(refused > 1000);
}

/* I2: of two sets of facts that differ in the proven identity alone, both are accepted or neither. */
static void check_i2(const struct relay_facts *f)
{
    struct relay_facts g = *f;
    g.principal = PRINCIPAL_ANONYMOUS;
    enum decision a = relay_decide(f, NULL), b = relay_decide(&g, NULL);
    bool a_in = a == DECISION_LOCAL || a == DECISION_RELAY, b_in = b == DECISION_LOCAL || b == DECISION_RELAY;
    assert_int_equal(a_in, b_in);
    if (a_in) assert_int_equal(a, b);
    /* rights that are not submit or relay open nothing */
    g = *f;
    g.rights &= RIGHT_SUBMIT | RIGHT_RELAY;
    b = relay_decide(&g, NULL);
    b_in = b == DECISION_LOCAL || b == DECISION_RELAY;
    assert_int_equal(a_in, b_in);
}

static void i2_proof_alone_changes_nothing(void **state)
{
    (void)state;
    each_fact(check_i2);
}

static void i2_principals_without_rights_get_nothing(void **state)
{
    (void)state;
    for (int p = PRINCIPAL_ANONYMOUS; p <= PRINCIPAL_HOST; p++) {
        struct relay_facts f = {.access = ACCESS_BOTH, .principal = (enum principal)p, .served = SERVED_NOT};
        assert_int_equal(relay_decide(&f, NULL), DECISION_NO_RELAY);
        f.access = ACCESS_AUTHENTICATED;
        for (int served = 0; served <= SERVED_KNOWN; served++) {
            f.served = (enum served)served;
            assert_int_equal(relay_decide(&f, NULL),
                             p == PRINCIPAL_ANONYMOUS ? DECISION_AUTH_FIRST : DECISION_NO_SUBMIT);
        }
        f.postmaster = true; /* an authenticated server owes strangers no postmaster */
        assert_int_not_equal(relay_decide(&f, NULL), DECISION_LOCAL);
    }
}

static void examples(void **state)
{
    (void)state;
    static const struct {
        struct relay_facts f;
        enum decision d;
        const char *rule;
    } t[] = {
        {{.access = ACCESS_ANONYMOUS, .served = SERVED_KNOWN}, DECISION_LOCAL, "recipient.known"},
        {{.access = ACCESS_ANONYMOUS, .served = SERVED_UNKNOWN}, DECISION_NO_MAILBOX, "recipient.unknown"},
        {{.access = ACCESS_ANONYMOUS, .served = SERVED_NOT}, DECISION_NO_RELAY, "relay.denied"},
        {{.access = ACCESS_ANONYMOUS, .served = SERVED_NOT, .postmaster = true},
         DECISION_LOCAL,
         "recipient.postmaster"},
        {{.access = ACCESS_ANONYMOUS, .served = SERVED_UNKNOWN, .relay_network = true},
         DECISION_NO_MAILBOX,
         "recipient.unknown"},
        {{.access = ACCESS_ANONYMOUS, .served = SERVED_NOT, .relay_network = true},
         DECISION_RELAY,
         "relay-network"},
        {{.access = ACCESS_BOTH, .rights = RIGHT_SUBMIT, .served = SERVED_NOT},
         DECISION_NO_RELAY,
         "relay.denied"},
        {{.access = ACCESS_BOTH, .rights = RIGHT_RELAY, .served = SERVED_NOT}, DECISION_RELAY, "right.relay"},
        {{.access = ACCESS_AUTHENTICATED,
          .rights = RIGHT_RELAY,
          .served = SERVED_NOT,
          .principal = PRINCIPAL_USER},
         DECISION_NO_SUBMIT,
         "access.no-submit-right"},
        {{.access = ACCESS_AUTHENTICATED, .rights = RIGHT_RELAY | RIGHT_SUBMIT, .served = SERVED_NOT},
         DECISION_RELAY,
         "right.relay"},
        {{.access = ACCESS_AUTHENTICATED, .device = true, .served = SERVED_KNOWN},
         DECISION_LOCAL,
         "recipient.known"},
        {{.access = ACCESS_AUTHENTICATED, .device = true, .served = SERVED_NOT},
         DECISION_NO_RELAY,
         "relay.denied"},
        {{.access = ACCESS_AUTHENTICATED, .device = true, .relay_network = true, .served = SERVED_NOT},
         DECISION_RELAY,
         "relay-network"},
    };
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        const char *rule;
        assert_int_equal(relay_decide(&t[i].f, &rule), t[i].d);
        assert_string_equal(rule, t[i].rule);
    }
}

static void submit(void **state)
{
    (void)state;
    assert_int_equal(submit_decide(ACCESS_ANONYMOUS, 0, false, false, NULL), DECISION_LOCAL);
    assert_int_equal(submit_decide(ACCESS_BOTH, 0, false, false, NULL), DECISION_LOCAL);
    assert_int_equal(submit_decide(ACCESS_AUTHENTICATED, 0, false, false, NULL), DECISION_AUTH_FIRST);
    assert_int_equal(submit_decide(ACCESS_AUTHENTICATED, RIGHT_SUBMIT, false, false, NULL), DECISION_LOCAL);
    assert_int_equal(submit_decide(ACCESS_AUTHENTICATED, RIGHT_RELAY, false, false, NULL),
                     DECISION_NO_SUBMIT);
    assert_int_equal(submit_decide(ACCESS_AUTHENTICATED, 0, true, false, NULL), DECISION_LOCAL);
    assert_int_equal(submit_decide(ACCESS_AUTHENTICATED, 0, false, true, NULL), DECISION_LOCAL);
    assert_int_equal(submit_decide((enum access)77, 0, false, false, NULL), DECISION_AUTH_FIRST);
}

static void texts(void **state)
{
    (void)state;
    for (int d = 0; d <= DECISION_NO_MAILBOX + 1; d++) {
        const char *t = decision_text((enum decision)d);
        assert_non_null(t);
        for (; *t; t++)
            assert_true(*t >= 32 && *t < 127);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(i1_no_borrowed_relay_over_all_facts),
        cmocka_unit_test(i2_proof_alone_changes_nothing),
        cmocka_unit_test(i2_principals_without_rights_get_nothing),
        cmocka_unit_test(examples),
        cmocka_unit_test(submit),
        cmocka_unit_test(texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
