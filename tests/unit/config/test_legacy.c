/* profile legacy-device: what it needs, what it means, and what is said nowhere else. */
#include "config/rights.h"
#include "config_check.h"
#include "sasl/mechanism.h"

#define SERVER(text) "server s {\n listen 192.0.2.1:25\n" text "\n}\n"
#define LEGACY(text) SERVER(" profile legacy-device\n" text)

static bool connects(const struct config_server *s, const char *client)
{
    const struct admission_rule *rule;
    struct address a;
    assert_true(address_parse(span_str(client), &a));
    return admission_permits(&s->admission, &a, &rule);
}

static bool in(const struct network *n, uint32_t count, const char *client)
{
    struct address a;
    assert_true(address_parse(span_str(client), &a));
    for (uint32_t i = 0; i < count; i++)
        if (network_holds(&n[i], &a)) return true;
    return false;
}

static bool may_send(const struct config_server *s, const char *client, const char *sender)
{
    struct address a;
    assert_true(address_parse(span_str(client), &a));
    bool permitted = pin_permits(s->pins, s->n_pins, &a, span_str(sender));
    if (permitted) assert_true(pin_holds(s->pins, s->n_pins, &a));
    return permitted;
}

static void what_it_means(void **state)
{
    struct parsed p;
    (void)state;
    parse(&p, LEGACY(" sender Scanner@EXAMPLE.org fax@example.org from 192.0.2.10 192.0.2.12/31\n"
                     " sender \"\\\"a b\\\"@example.org\" from 2001:db8::7\n"
                     " connections allow 192.0.2.32/28\n connections deny 192.0.2.33\n"
                     " access authenticated mechanisms CRAM-MD5 LOGIN"));
    assert_string_equal(p.problems, "");
    const struct config_server *s = &p.config->servers[0];
    assert_int_equal(s->role, ROLE_SUBMISSION);
    assert_int_equal(s->access, ACCESS_AUTHENTICATED);
    assert_int_equal(s->tls_minimum, TLS_MINIMUM_1_0);
    assert_int_equal(s->mechanisms, MECHANISM_BIT(MECHANISM_CRAM_MD5) | MECHANISM_BIT(MECHANISM_LOGIN));

    assert_true(connects(s, "192.0.2.10") && connects(s, "192.0.2.13") && connects(s, "2001:db8::7") &&
                connects(s, "192.0.2.40"));
    assert_false(connects(s, "192.0.2.11") || connects(s, "192.0.2.33") || connects(s, "127.0.0.1") ||
                 connects(s, "2001:db8::8"));
    assert_true(in(s->clear_auth, s->n_clear_auth, "192.0.2.40") &&
                in(s->clear_auth, s->n_clear_auth, "192.0.2.10"));
    assert_false(in(s->clear_auth, s->n_clear_auth, "192.0.2.11"));

    assert_int_equal(s->n_pins, 5);
    assert_true(may_send(s, "192.0.2.10", "scanner@example.org") &&
                may_send(s, "192.0.2.13", "fax@example.org"));
    assert_true(may_send(s, "2001:db8::7", "\"a b\"@example.org"));
    assert_false(may_send(s, "192.0.2.10", "\"a b\"@example.org") ||
                 may_send(s, "192.0.2.11", "scanner@example.org") || may_send(s, "192.0.2.10", "") ||
                 may_send(s, "192.0.2.40", "scanner@example.org"));
    parsed_free(&p);
}

static void what_can_be_said_otherwise(void **state)
{
    struct parsed p;
    (void)state;
    parse(&p, "tls certificate a key b\n" LEGACY(
                  " connections allow 10.1.2.0/24\n allow-cleartext-auth 10.1.2.3\n tls-minimum 1.1"));
    assert_string_equal(p.problems, "");
    const struct config_server *s = &p.config->servers[0];
    assert_int_equal(s->tls_minimum, TLS_MINIMUM_1_1);
    assert_int_equal(s->n_clear_auth, 1);
    assert_int_equal(s->mechanisms, MECHANISM_DEFAULT); /* CRAM-MD5 and NTLM only when they are named */
    parsed_free(&p);
    parse(&p, "tls certificate a key b\n" LEGACY(" connections allow 10.1.2.0/24\n require-tls yes"));
    assert_int_equal(p.config->servers[0].n_clear_auth, 0);
    parsed_free(&p);
}

static void limits(void **state)
{
    struct parsed p;
    (void)state;
    parse(&p, LEGACY(" connections allow 10.1.2.0/24"));
    struct config_limits l = p.config->servers[0].limits;
    assert_int_equal(l.sessions, LIMIT_LEGACY_SESSIONS_DEFAULT);
    assert_int_equal(l.sessions_per_source, LIMIT_LEGACY_SESSIONS_PER_SOURCE_DEFAULT);
    assert_int_equal(l.sessions_per_loopback_source, LIMIT_LEGACY_SESSIONS_PER_SOURCE_DEFAULT);
    assert_int_equal(l.messages_per_session, LIMIT_LEGACY_MESSAGES_PER_SESSION_DEFAULT);
    assert_int_equal(l.recipients, LIMIT_LEGACY_RECIPIENTS_DEFAULT);
    assert_int_equal(l.message_octets, LIMIT_LEGACY_MESSAGE_OCTETS_DEFAULT);
    assert_int_equal(l.connections_rate.count, LIMIT_LEGACY_CONNECTIONS_PER_MINUTE_DEFAULT);
    assert_int_equal(l.messages_per_source.count, LIMIT_LEGACY_MESSAGES_PER_HOUR_DEFAULT);
    assert_int_equal(l.messages_per_principal.count, LIMIT_LEGACY_MESSAGES_PER_HOUR_DEFAULT);
    assert_int_equal(l.recipients_per_source.seconds, 3600);
    parsed_free(&p);

    /* the top level lowers them and does not lift them; its own words do both */
    parse(&p, "limits { sessions 10000  messages 5  message-size 1G  connections-rate 1000 per 1m  "
              "messages-per-source 1 per 1m }\n" LEGACY(
                  " connections allow 10.1.2.0/24\n limits { recipients 500  sessions-per-source 9 }"));
    l = p.config->servers[0].limits;
    assert_int_equal(l.sessions, LIMIT_LEGACY_SESSIONS_DEFAULT);
    assert_int_equal(l.messages_per_session, 5);
    assert_int_equal(l.message_octets, LIMIT_LEGACY_MESSAGE_OCTETS_DEFAULT);
    assert_int_equal(l.connections_rate.count, LIMIT_LEGACY_CONNECTIONS_PER_MINUTE_DEFAULT);
    assert_int_equal(l.messages_per_source.count, 1); /* 60 in 1h */
    assert_int_equal(l.recipients, 500);
    assert_int_equal(l.sessions_per_source, 9);
    assert_int_equal(l.sessions_per_loopback_source, 9);
    parsed_free(&p);
}

static void count_origin(void *context, const struct rights_origin *o)
{
    *(uint32_t *)context |= o->rights;
}

static void rights(void **state)
{
    static const struct right_grant all[] = {{.rights = 255}};
    static const struct rights_subject who = {
        .name = {(const uint8_t *)"a@b", 3}, .grants = all, .n_grants = 1};
    struct parsed p;
    (void)state;
    parse(&p, LEGACY(" connections allow 10.1.2.0/24") "server t { listen 127.0.0.1:26 }");
    assert_int_equal(rights_of(&p.config->servers[0], &who, NULL, NULL), RIGHT_SUBMIT | RIGHT_RELAY);
    assert_int_equal(rights_of(&p.config->servers[1], &who, NULL, NULL), 255);
    uint32_t told = 0;
    (void)rights_of(&p.config->servers[0], &who, count_origin, &told);
    assert_int_equal(told, RIGHT_SUBMIT | RIGHT_RELAY); /* explain names no other */
    assert_int_equal(p.config->servers[1].tls_minimum, TLS_MINIMUM_1_2);
    parsed_free(&p);
}

#define ELSEWHERE " | give old devices a server of their own with profile legacy-device\n"
static const struct sample bad[] = {
    {"no network", LEGACY(""),
     "3:10 error: server s with profile legacy-device names no network of its devices | connections allow "
     "192.0.2.0/28, or sender "
     "scanner@example.org from 192.0.2.10\n"},
    {"only who may not", LEGACY(" connections deny 10.0.0.0/8"),
     "3:10 error: server s with profile legacy-device names no network of its devices | connections allow "
     "192.0.2.0/28, or sender "
     "scanner@example.org from 192.0.2.10\n"},
    {"too wide",
     LEGACY(" connections allow 10.0.0.0/19 2001:db8::/63 0.0.0.0/0\n sender a@example.org from 10.0.0.0/8"),
     "4:20 error: 10.0.0.0/19 is too wide for a network of old devices | at most a /20 of IPv4 or a /64 of "
     "IPv6: list the devices, or their own network\n"
     "4:32 error: 2001:db8::/63 is too wide for a network of old devices | at most a /20 of IPv4 or a /64 of "
     "IPv6: list the devices, or their own network\n"
     "4:46 error: 0.0.0.0/0 is too wide for a network of old devices | at most a /20 of IPv4 or a /64 of "
     "IPv6: list the devices, or their own network\n"
     "5:28 error: 10.0.0.0/8 is too wide for a network of old devices | at most a /20 of IPv4 or a /64 of "
     "IPv6: list the devices, or their own network\n"},
    {"another role",
     LEGACY(" role mx\n connections allow 10.1.2.0/24\n recipients example.org any") "deliver example.org to "
                                                                                     "maildir /m",
     "3:10 error: profile legacy-device is for role submission only | leave role out, or give these devices "
     "a server of their own\n"},
    {"another access", LEGACY(" access both\n connections allow 10.1.2.0/24"),
     "3:10 error: profile legacy-device lets nobody in unnamed: it has access authenticated only | devices "
     "that cannot log in: sender "
     "scanner@example.org from 192.0.2.10\n"},
    {"behind a proxy",
     "server s { listen 192.0.2.1:25 proxy from 192.0.2.2; profile legacy-device; connections allow "
     "10.1.2.0/24 }",
     "1:19 error: a listener with profile legacy-device has no proxy: it knows devices by their own address "
     "| let the devices connect to it directly\n"},
    {"rights",
     LEGACY(" connections allow 10.1.2.0/24\n right submit to group g\n right any-sender to group g\n right "
            "bypass-size to group g"),
     "6:2 error: on a server with profile legacy-device the only rights are submit and relay: senders are "
     "pinned, sizes capped | sallyport user sender "
     "add lists addresses that an account may send from\n"
     "7:2 error: on a server with profile legacy-device the only rights are submit and relay: senders are "
     "pinned, sizes capped | sallyport user sender "
     "add lists addresses that an account may send from\n"},
    {"senders",
     LEGACY(" sender scanner from 10.1.2.3\n sender a@b\n sender a@b from\n sender a@b from x\n sender <> "
            "from 10.1.2.3"),
     "4:9 error: \"scanner\" is no address | sender scanner@example.org from 192.0.2.10\n"
     "5:2 error: sender needs from and the NETWORK of the device | sender scanner@example.org from "
     "192.0.2.10\n"
     "6:2 error: sender needs a NETWORK behind from\n"
     "7:18 error: \"x\" is no network | write ADDRESS/BITS, like 192.0.2.0/24 or 2001:db8::/32, or a lone "
     "address\n"
     "8:9 error: \"<>\" is no address | sender scanner@example.org from 192.0.2.10\n"},
    {"a sender that is denied", LEGACY(" sender a@example.org from 10.1.2.3\n connections deny 10.1.2.3"),
     "5:2 error: the connections lines of server s allow and deny 10.1.2.3/32 | say one of the two; what "
     "is narrower and inside is an exception\n"},
    {"elsewhere",
     SERVER(" role submission; access authenticated mechanisms PLAIN CRAM-MD5\n tls-minimum 1.1\n sender "
            "a@example.org from 10.1.2.3\n"
            " allow-cleartext-auth 10.1.2.3 0.0.0.0/1"),
     "3:57 error: CRAM-MD5 is spoken with profile legacy-device only" ELSEWHERE
     "4:14 error: TLS 1.0 and 1.1 are spoken with profile legacy-device only" ELSEWHERE
     "5:2 error: who does not log in has a sender with profile legacy-device only" ELSEWHERE
     "6:2 error: the networks of allow-cleartext-auth are too wide: passwords would cross the Internet "
     "unprotected | at most a /8 of IPv4 and a /32 "
     "of IPv6 in union: list the devices\n"},
    {"said on the standard profile",
     SERVER(" profile standard; role submission; access authenticated mechanisms cram-md5; tls certificate c "
            "key k"),
     "3:69 error: CRAM-MD5 is spoken with profile legacy-device only" ELSEWHERE},
    {"no such profile", SERVER(" profile legacy\n tls-minimum 1.4"),
     "3:10 error: \"legacy\" is none of: standard legacy-device\n"
     "4:14 error: \"1.4\" is none of: 1.0 1.1 1.2 1.3\n"},
};

static const struct sample odd[] = {
    {"whose network is it",
     LEGACY(" connections allow 8.8.8.8 2001:4860::/64 127.0.0.1 ::1 100.64.1.2 10.1.2.1 10.1.2.254 fd00::1 "
            "10.1.2.0/24 fd00::fe 192.0.2.9"),
     "4:20 warning: 8.8.8.8/32 is public: if these devices are elsewhere, their passwords and mail cross the "
     "Internet unprotected "
     "| let them come through a VPN, or log in on "
     "a server without profile legacy-device\n"
     "4:28 warning: 2001:4860::/64 is public: if these devices are elsewhere, their passwords and mail cross "
     "the Internet "
     "unprotected | let them come through a VPN, or log in "
     "on a server without profile legacy-device\n"
     "4:43 warning: 127.0.0.1/32 is the loopback: whatever a proxy or tunnel on this host forwards counts as "
     "a device | list the devices by their own addresses\n"
     "4:53 warning: ::1/128 is the loopback: whatever a proxy or tunnel on this host forwards counts as a "
     "device | list the devices by their own addresses\n"
     "4:57 warning: 100.64.1.2/32 is in a carrier's NAT network: strangers share its addresses | list the "
     "devices by their own addresses\n"
     "4:68 warning: 10.1.2.1/32 looks like a gateway: whoever it does NAT for counts as this device | list "
     "the device by its own address, on this side of the gateway\n"
     "4:77 warning: 10.1.2.254/32 looks like a gateway: whoever it does NAT for counts as this device | list "
     "the device by its own address, on this side of the gateway\n"
     "4:88 warning: fd00::1/128 looks like a gateway: whoever it does NAT for counts as this device | list "
     "the device by its own address, on this side of the gateway\n"},
    {"nothing to report", LEGACY(" connections allow 10.1.2.0/24") "log-level warning",
     "3:10 warning: log-level leaves out the sessions of old devices: sallyport report legacy would know of "
     "none | log-level info\n"},
    {"nothing odd", LEGACY(" connections allow 10.1.2.0/24") "log-level debug", ""},
    {"a relay without a sender",
     LEGACY(" relay-networks 192.0.2.10 192.0.2.11 192.0.2.16/28\n sender a@example.org from 192.0.2.10\n "
            "sender b@example.org from 192.0.2.20"),
     "4:2 warning: relay network 192.0.2.11/32 has no sender on this server: who does not log in cannot send "
     "from it | sender scanner@example.org from NETWORK\n"},
};

static void wrong(void **state)
{
    (void)state;
    check_samples(bad, sizeof bad / sizeof bad[0], false);
}

static void warned_of(void **state)
{
    (void)state;
    check_samples(odd, sizeof odd / sizeof odd[0], true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_it_means), cmocka_unit_test(what_can_be_said_otherwise),
        cmocka_unit_test(limits),        cmocka_unit_test(rights),
        cmocka_unit_test(wrong),         cmocka_unit_test(warned_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
