#include "identity_fixture.h"

static struct identity_principal p;

static enum identity_found find(const char *login, const char *home, const char *client, uint64_t now)
{
    struct address from;
    bool has = client && address_parse(span_str(client), &from);
    memset(&p, 0, sizeof p);
    return identity_find(fixture, span_str(login), span_str(home), has ? &from : NULL, now, fixture_arena,
                         &p);
}

static uint32_t rights(void)
{
    uint32_t all = 0;
    for (uint32_t i = 0; i < p.n_grants; i++)
        all |= p.grants[i].rights;
    return all;
}

static void a_user_is_found_by_its_names(void **state)
{
    (void)state;
    uint32_t joe = fixture_user("joe@example.org", "pencil");
    assert_int_equal(find("joe@example.org", "", NULL, 1), IDENTITY_FOUND);
    assert_int_equal(p.number, joe);
    assert_int_equal(p.kind, PRINCIPAL_USER);
    assert_span(p.name, "joe@example.org");
    assert_int_equal(p.scram_256.iterations, 4096);
    assert_int_equal(p.scram_256.stored_key.n, 32);
    assert_int_equal(p.scram_1.iterations, 0);
    assert_int_equal(p.crypt.n, 0);
    assert_false(p.locked || p.has_nt || p.has_cram);
    assert_int_equal(rights(), 0); /* proof is not permission */
    assert_int_equal(find("JOE@Example.ORG", "", NULL, 1), IDENTITY_FOUND);
    assert_int_equal(find("\"joe\"@example.org", "", NULL, 1), IDENTITY_FOUND);
    assert_int_equal(find("joe", "example.org", NULL, 1), IDENTITY_FOUND);
    assert_int_equal(find("joe", "example.net", NULL, 1), IDENTITY_UNKNOWN);
}

static void what_is_no_name_is_nobody(void **state)
{
    static const char *const names[] = {"",
                                        "@",
                                        "joe",
                                        "joe@",
                                        "@example.org",
                                        "joe@example.org ",
                                        "joe@example.org\n",
                                        "joe@@example.org",
                                        "<joe@example.org>",
                                        "joe@example.org>",
                                        "joe'--@example.org",
                                        "joe@example.org/",
                                        "joe@example.org/x",
                                        "\xff@example.org",
                                        "%",
                                        "*"};
    char memory[5000];
    (void)state;
    fixture_user("joe@example.org", "pencil");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_int_equal(find(names[i], "", NULL, 1), IDENTITY_UNKNOWN);
    assert_int_equal(find("", "example.org", NULL, 1), IDENTITY_UNKNOWN);
    memset(memory, 'a', sizeof memory - 1);
    memory[sizeof memory - 1] = 0;
    assert_int_equal(find(memory, "", NULL, 1), IDENTITY_UNKNOWN);
    assert_int_equal(find(memory, "example.org", NULL, 1), IDENTITY_UNKNOWN);
    struct span nul = SPAN("joe@example.org\0x");
    assert_int_equal(identity_find(fixture, nul, SPAN(""), NULL, 1, fixture_arena, &p), IDENTITY_UNKNOWN);
}

static void rights_come_from_grants_and_groups(void **state)
{
    uint32_t staff, senders, ann;
    (void)state;
    uint32_t joe = fixture_user("joe@example.org", "pencil");
    ann = fixture_user("ann@example.org", "pencil");
    assert_true(change_begin(fixture));
    assert_int_equal(change_team(fixture, SPAN("staff"), true, &staff), CHANGE_DONE);
    assert_int_equal(change_team(fixture, SPAN("senders"), true, &senders), CHANGE_DONE);
    assert_int_equal(change_member(fixture, staff, joe, true), CHANGE_DONE);
    assert_int_equal(change_member(fixture, senders, joe, true), CHANGE_DONE);
    assert_int_equal(change_member(fixture, senders, ann, true), CHANGE_DONE);
    assert_int_equal(change_grant(fixture, (struct change_subject){.number = joe}, RIGHT_SUBMIT, true),
                     CHANGE_DONE);
    assert_int_equal(change_grant(fixture, (struct change_subject){true, staff}, RIGHT_RELAY, true),
                     CHANGE_DONE);
    assert_int_equal(change_grant(fixture, (struct change_subject){true, senders}, RIGHT_ANY_SENDER, true),
                     CHANGE_DONE);
    fixture_commit("rights");
    assert_int_equal(find("joe@example.org", "", NULL, 1), IDENTITY_FOUND);
    assert_int_equal(rights(), RIGHT_SUBMIT | RIGHT_RELAY | RIGHT_ANY_SENDER);
    assert_int_equal(p.n_grants, 3);
    assert_span(p.grants[0].group, "");
    assert_int_equal(p.grants[0].rights, RIGHT_SUBMIT);
    assert_span(p.grants[1].group, "senders");
    assert_span(p.grants[2].group, "staff");
    assert_int_equal(p.grants[2].rights, RIGHT_RELAY);
    assert_int_equal(p.n_groups, 2);
    assert_span(p.groups[0], "senders");
    assert_span(p.groups[1], "staff");
    assert_int_equal(find("ann@example.org", "", NULL, 1), IDENTITY_FOUND);
    assert_int_equal(rights(), RIGHT_ANY_SENDER);
    /* a group that goes takes its grants with it */
    assert_true(change_begin(fixture));
    assert_int_equal(change_team(fixture, SPAN("senders"), false, NULL), CHANGE_DONE);
    assert_int_equal(change_grant(fixture, (struct change_subject){.number = joe}, RIGHT_SUBMIT, false),
                     CHANGE_DONE);
    fixture_commit("fewer");
    assert_int_equal(find("joe@example.org", "", NULL, 1), IDENTITY_FOUND);
    assert_int_equal(rights(), RIGHT_RELAY);
    assert_int_equal(p.n_groups, 1);
}

static void an_outsider_has_nothing_but_a_name(void **state)
{
    struct identity_principal o, same, other;
    (void)state;
    identity_outsider(SPAN("joe@example.org"), &o);
    identity_outsider(SPAN("joe@example.org"), &same);
    identity_outsider(SPAN("ann@example.org"), &other);
    assert_true(o.number & IDENTITY_OUTSIDE);
    assert_int_equal(o.number, same.number);
    assert_int_not_equal(o.number, other.number);
    assert_int_equal(o.kind, PRINCIPAL_USER);
    assert_int_equal(o.n_grants, 0);
    assert_false(o.locked || o.has_nt || o.has_cram || o.crypt.n || o.scram_256.salt.n);
    assert_true(identity_own_address(SPAN("joe@example.org"), SPAN("joe@example.org")));
    assert_true(identity_own_address(SPAN("joe@example.org"), SPAN("joe+list@example.org")));
    assert_false(identity_own_address(SPAN("joe@example.org"), SPAN("\"joe+list\"@example.org")));
    assert_false(identity_own_address(SPAN("joe@example.org"), SPAN("joe@example.net")));
    assert_false(identity_own_address(SPAN("joe@example.org"), SPAN("joe")));
    /* and no number of the database is one of theirs */
    assert_int_equal(identity_sender(fixture, o.number, SPAN("joe@example.org"), NULL), IDENTITY_UNKNOWN);
}

static void named_finds_a_kind_alone(void **state)
{
    struct identity_principal q;
    (void)state;
    uint32_t joe = fixture_user("joe@example.org", "pencil");
    assert_int_equal(identity_named(fixture, PRINCIPAL_USER, SPAN("joe@example.org"), fixture_arena, &q),
                     IDENTITY_FOUND);
    assert_int_equal(q.number, joe);
    assert_int_equal(
        identity_named(fixture, PRINCIPAL_USER, SPAN("joe@example.org/phone"), fixture_arena, &q),
        IDENTITY_UNKNOWN);
    assert_int_equal(identity_named(fixture, PRINCIPAL_USER, SPAN("Joe@example.org"), fixture_arena, &q),
                     IDENTITY_UNKNOWN);
    assert_int_equal(identity_named(fixture, PRINCIPAL_HOST, SPAN("joe@example.org"), fixture_arena, &q),
                     IDENTITY_UNKNOWN);
    uint32_t fax = 0;
    assert_true(change_begin(fixture));
    assert_int_equal(change_add(fixture, PRINCIPAL_HOST, SPAN("fax.example.org"), false, 1, &fax),
                     CHANGE_DONE);
    fixture_commit("host");
    assert_int_equal(identity_named(fixture, PRINCIPAL_HOST, SPAN("fax.example.org"), fixture_arena, &q),
                     IDENTITY_FOUND);
    assert_int_equal(q.number, fax);
    assert_int_equal(identity_named(fixture, PRINCIPAL_USER, SPAN("fax.example.org"), fixture_arena, &q),
                     IDENTITY_UNKNOWN);
}

static void a_locked_one_says_so(void **state)
{
    (void)state;
    uint32_t joe = fixture_user("joe@example.org", "pencil");
    assert_true(change_begin(fixture));
    assert_int_equal(change_lock(fixture, joe, true), CHANGE_DONE);
    assert_int_equal(change_lock(fixture, joe, true), CHANGE_NONE);
    fixture_commit("lock");
    assert_int_equal(find("joe@example.org", "", NULL, 1), IDENTITY_FOUND);
    assert_true(p.locked);
}

static uint32_t add_app(uint32_t to, const char *label, const char *password, const char *network,
                        uint64_t expires)
{
    struct span networks[] = {span_str(network)};
    struct change_app app = {
        .label = span_str(label), .networks = networks, .n_networks = network != NULL, .expires = expires};
    assert_true(secret_digest(span_str(password), app.digest));
    app.secrets.scram_256 = (struct secret_scram){.iterations = 5000, .salt_octets = 16};
    assert_true(secret_scram_keys(span_str(password), SECRET_SHA_256, &app.secrets.scram_256));
    assert_true(change_begin(fixture));
    assert_int_equal(change_app_add(fixture, to, &app, 1000), CHANGE_DONE);
    fixture_commit("app");
    assert_int_equal(find("joe@example.org", "", NULL, 1), IDENTITY_FOUND);
    return p.number;
}

static void an_app_password_has_a_place_and_a_time(void **state)
{
    uint32_t number = 0;
    uint64_t expires = 0;
    struct address inside, outside;
    (void)state;
    assert_true(address_parse(SPAN("192.0.2.9"), &inside) && address_parse(SPAN("198.51.100.1"), &outside));
    uint32_t joe = fixture_user("joe@example.org", "pencil"), ann = fixture_user("ann@example.org", "pen");
    add_app(joe, "phone", "phone-secret", NULL, 5000);
    add_app(joe, "printer", "printer-secret", "192.0.2.0/24", 0);

    assert_int_equal(find("joe@example.org/phone", "", NULL, 4999), IDENTITY_FOUND);
    assert_int_equal(p.number, joe);
    assert_int_not_equal(p.app_password, 0);
    assert_int_equal(p.scram_256.iterations, 5000);
    assert_true(secret_fits(SPAN("phone-secret"), p.crypt));
    assert_false(secret_fits(SPAN("pencil"), p.crypt));
    uint32_t phone = p.app_password;
    assert_int_equal(find("joe/phone", "example.org", NULL, 4999), IDENTITY_FOUND);
    assert_int_equal(p.expires, 5000);
    assert_int_equal(find("joe@example.org/phone", "", NULL, 5000), IDENTITY_EXPIRED);
    assert_int_equal(p.app_password, phone); /* a proof against it can be looked at */
    assert_int_equal(p.scram_256.iterations, 5000);
    assert_int_equal(find("joe@example.org/tablet", "", NULL, 1), IDENTITY_UNKNOWN);
    assert_int_equal(find("ann@example.org/phone", "", NULL, 1), IDENTITY_UNKNOWN);
    assert_int_equal(find("joe@example.org/printer", "", "192.0.2.9", 9999), IDENTITY_FOUND);
    assert_int_equal(find("joe@example.org/printer", "", "198.51.100.1", 9999), IDENTITY_ELSEWHERE);
    assert_int_equal(find("joe@example.org/printer", "", NULL, 9999), IDENTITY_ELSEWHERE);

    /* without its label */
    assert_int_equal(
        identity_app_password(fixture, joe, SPAN("phone-secret"), &outside, 4999, &number, &expires),
        IDENTITY_FOUND);
    assert_int_equal(number, phone);
    assert_int_equal(expires, 5000);
    assert_int_equal(
        identity_app_password(fixture, joe, SPAN("phone-secret"), &outside, 5000, &number, &expires),
        IDENTITY_EXPIRED);
    assert_int_equal(
        identity_app_password(fixture, ann, SPAN("phone-secret"), &outside, 1, &number, &expires),
        IDENTITY_UNKNOWN);
    assert_int_equal(identity_app_password(fixture, joe, SPAN("phone"), &outside, 1, &number, &expires),
                     IDENTITY_UNKNOWN);
    assert_int_equal(
        identity_app_password(fixture, joe, SPAN("printer-secret"), &inside, 1, &number, &expires),
        IDENTITY_FOUND);
    assert_int_equal(expires, UINT64_MAX);
    assert_int_equal(
        identity_app_password(fixture, joe, SPAN("printer-secret"), &outside, 1, &number, &expires),
        IDENTITY_ELSEWHERE);
}

static void a_key_is_pinned_to_one(void **state)
{
    uint8_t key[32] = {1, 2, 3};
    uint32_t host = 0;
    (void)state;
    assert_int_equal(identity_by_key(fixture, key, fixture_arena, &p), IDENTITY_UNKNOWN);
    assert_true(change_begin(fixture));
    assert_int_equal(change_add(fixture, PRINCIPAL_HOST, SPAN("relay.example.org"), false, 1, &host),
                     CHANGE_DONE);
    assert_int_equal(change_pin(fixture, host, key, SPAN("2026"), 1), CHANGE_DONE);
    assert_int_equal(change_pin(fixture, host, key, SPAN("again"), 1), CHANGE_NONE);
    fixture_commit("pin");
    assert_int_equal(identity_by_key(fixture, key, fixture_arena, &p), IDENTITY_FOUND);
    assert_span(p.name, "relay.example.org");
    assert_int_equal(p.kind, PRINCIPAL_HOST);
    assert_int_equal(find("Relay.Example.org", "", NULL, 1), IDENTITY_FOUND);
    assert_int_equal(p.kind, PRINCIPAL_HOST);
    assert_int_equal(find("relay.example.org", "example.org", NULL, 1), IDENTITY_UNKNOWN);
    assert_true(change_begin(fixture));
    assert_int_equal(change_unpin(fixture, host, key), CHANGE_DONE);
    fixture_commit("unpin");
    assert_int_equal(identity_by_key(fixture, key, fixture_arena, &p), IDENTITY_UNKNOWN);
}

/* What counts after a proof, whatever was read before it. */
static void a_number_is_read_anew(void **state)
{
    struct change_subject to = {.number = fixture_user("joe@example.org", "pencil")};
    (void)state;
    assert_int_equal(identity_by_number(fixture, 0, fixture_arena, &p), IDENTITY_UNKNOWN);
    assert_int_equal(identity_by_number(fixture, to.number + 1, fixture_arena, &p), IDENTITY_UNKNOWN);
    assert_int_equal(identity_by_number(fixture, to.number, fixture_arena, &p), IDENTITY_FOUND);
    assert_span(p.name, "joe@example.org");
    assert_int_equal(p.n_grants, 0);
    assert_false(p.locked);
    assert_true(change_begin(fixture));
    assert_int_equal(change_grant(fixture, to, RIGHT_SUBMIT, true), CHANGE_DONE);
    assert_int_equal(change_lock(fixture, to.number, true), CHANGE_DONE);
    fixture_commit("grant, lock");
    assert_int_equal(identity_by_number(fixture, to.number, fixture_arena, &p), IDENTITY_FOUND);
    assert_int_equal(p.n_grants, 1);
    assert_int_equal(p.grants[0].rights, RIGHT_SUBMIT);
    assert_true(p.locked);
}

static void senders_are_what_was_listed(void **state)
{
    static const struct {
        const char *path;
        bool joe, ann;
    } rows[] = {
        {"joe@example.org", true, false},
        {"joe+list@example.org", true, false},
        {"ann@example.org", false, true},
        {"info@example.org", true, false},
        {"info+x@example.org", true, false},
        {"other@example.org", false, false},
        {"anyone@example.net", true, false},
        {"anyone@sub.example.net", false, false},
        {"@example.net", true, false},
        {"*", false, false},
        {"", false, false},
        {"+x@example.org", false, false},
        {"\"joe+x\"@example.org", false, false},
    };
    (void)state;
    uint32_t joe = fixture_user("joe@example.org", "pencil"), ann = fixture_user("ann@example.org", "pencil");
    assert_true(change_begin(fixture));
    assert_int_equal(change_sender(fixture, joe, SPAN("info@example.org"), true), CHANGE_DONE);
    assert_int_equal(change_sender(fixture, joe, SPAN("info@example.org"), true), CHANGE_NONE);
    assert_int_equal(change_sender(fixture, joe, SPAN("@example.net"), true), CHANGE_DONE);
    fixture_commit("senders");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct span path = span_str(rows[i].path);
        assert_int_equal(identity_sender(fixture, joe, path, NULL),
                         rows[i].joe ? IDENTITY_FOUND : IDENTITY_UNKNOWN);
        assert_int_equal(identity_sender(fixture, ann, path, NULL),
                         rows[i].ann ? IDENTITY_FOUND : IDENTITY_UNKNOWN);
    }
    assert_true(change_begin(fixture));
    assert_int_equal(change_sender(fixture, ann, SPAN("*"), true), CHANGE_DONE);
    fixture_commit("any");
    char memory[64];
    struct buf by = buf_on(memory, sizeof memory);
    assert_int_equal(identity_sender(fixture, ann, SPAN("who@ever.example"), &by), IDENTITY_FOUND);
    assert_int_equal(identity_sender(fixture, joe, SPAN("joe+x@example.org"), &by), IDENTITY_FOUND);
    assert_int_equal(identity_sender(fixture, joe, SPAN("who@example.net"), &by), IDENTITY_FOUND);
    assert_int_equal(identity_sender(fixture, joe, SPAN("who@example.com"), &by), IDENTITY_UNKNOWN);
    assert_span(buf_span(&by), "*joe@example.org@example.net"); /* which row it was */
}

static void mailboxes_come_in_their_order(void **state)
{
    uint32_t after = 0, number;
    struct span name;
    const char *why;
    (void)state;
    fixture_user("zoe@example.org", "pencil");
    uint32_t mid = fixture_user("mid@example.org", "pencil");
    fixture_user("ann@example.org", "pencil");
    assert_true(change_begin(fixture));
    assert_int_equal(change_remove(fixture, mid), CHANGE_DONE);
    assert_int_equal(change_add(fixture, PRINCIPAL_USER, SPAN("device@example.org"), false, 1, &number),
                     CHANGE_DONE);
    assert_int_equal(change_add(fixture, PRINCIPAL_HOST, SPAN("host.example.org"), false, 1, &number),
                     CHANGE_DONE);
    fixture_commit("more");
    assert_true(identity_next_mailbox(fixture, &after, fixture_arena, &name, &why));
    assert_span(name, "zoe@example.org");
    assert_true(identity_next_mailbox(fixture, &after, fixture_arena, &name, &why));
    assert_span(name, "ann@example.org");
    assert_false(identity_next_mailbox(fixture, &after, fixture_arena, &name, &why));
    assert_null(why);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_begin, fixture_end)
    const struct CMUnitTest tests[] = {
        CASE(a_user_is_found_by_its_names),
        CASE(what_is_no_name_is_nobody),
        CASE(rights_come_from_grants_and_groups),
        CASE(an_outsider_has_nothing_but_a_name),
        CASE(named_finds_a_kind_alone),
        CASE(a_locked_one_says_so),
        CASE(an_app_password_has_a_place_and_a_time),
        CASE(a_key_is_pinned_to_one),
        CASE(a_number_is_read_anew),
        CASE(senders_are_what_was_listed),
        CASE(mailboxes_come_in_their_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
