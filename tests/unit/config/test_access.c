/* Who proves what, and what that permits: access, right, allow-cleartext-auth. */
#include "config_check.h"
#include "sasl/mechanism.h"
#include "sasl/ntlm.h"

#define SERVER(text) "server s {\n listen 127.0.0.1:587; tls certificate c key k\n" text "\n}\n"
enum {
    SCRAM = MECHANISM_BIT(MECHANISM_SCRAM_SHA_256_PLUS) | MECHANISM_BIT(MECHANISM_SCRAM_SHA_256),
    CLEAR = MECHANISM_BIT(MECHANISM_PLAIN) | MECHANISM_BIT(MECHANISM_LOGIN),
};

static void mechanisms(void **state)
{
    static const struct {
        const char *text;
        uint32_t offered;
    } t[] = {
        {SERVER(""), 0},
        {SERVER("access anonymous"), 0},
        {SERVER("access both"), SCRAM | CLEAR},
        {SERVER("role submission"), SCRAM | CLEAR},
        {SERVER("access authenticated mechanisms PLAIN"), MECHANISM_BIT(MECHANISM_PLAIN)},
        {SERVER("access authenticated mechanisms scram-sha-256 SCRAM-SHA-1"),
         MECHANISM_BIT(MECHANISM_SCRAM_SHA_256) | MECHANISM_BIT(MECHANISM_SCRAM_SHA_1)},
    };
    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        struct parsed p;
        parse(&p, t[i].text);
        assert_non_null(p.config);
        assert_int_equal(p.config->servers[0].mechanisms, t[i].offered);
        parsed_free(&p);
    }
}

static void bindings_of_ntlm(void **state)
{
    static const struct {
        const char *text;
        uint8_t bindings;
    } t[] = {
        {SERVER(""), NTLM_BINDINGS_ALLOWED},
        {SERVER("ntlm-channel-binding allow"), NTLM_BINDINGS_ALLOWED},
        {SERVER("ntlm-channel-binding none"), NTLM_BINDINGS_IGNORED},
        {SERVER("ntlm-channel-binding require"), NTLM_BINDINGS_REQUIRED},
    };
    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        struct parsed p;
        parse(&p, t[i].text);
        assert_non_null(p.config);
        assert_int_equal(p.config->servers[0].ntlm_bindings, t[i].bindings);
        parsed_free(&p);
    }
}

#define TOKENS "tokens { issuer https://id.example.org/x; audience mail; keys id.json }\n"
static void tokens(void **state)
{
    enum { TOKENS_SET = MECHANISM_BIT(MECHANISM_OAUTHBEARER) | MECHANISM_BIT(MECHANISM_XOAUTH2) };
    static const struct {
        const char *text;
        uint32_t offered;
    } t[] = {
        {SERVER("access both") TOKENS, SCRAM | CLEAR | TOKENS_SET},
        {TOKENS SERVER("access anonymous"), 0},
        {TOKENS SERVER("access authenticated mechanisms PLAIN"), MECHANISM_BIT(MECHANISM_PLAIN)},
        {SERVER("access authenticated mechanisms XOAUTH2") TOKENS, MECHANISM_BIT(MECHANISM_XOAUTH2)},
    };
    struct parsed p;
    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        parse(&p, t[i].text);
        assert_non_null(p.config);
        assert_int_equal(p.config->servers[0].mechanisms, t[i].offered);
        parsed_free(&p);
    }
    parse(&p, TOKENS);
    assert_true(p.config->tokens.given);
    assert_span(p.config->tokens.issuer, "https://id.example.org/x");
    assert_span(p.config->tokens.audience, "mail");
    assert_span(p.config->tokens.keys_file, "/d/id.json");
    assert_span(p.config->tokens.scope, "smtp");
    assert_int_equal(p.config->tokens.account.n + p.config->tokens.configuration.n, 0);
    parsed_free(&p);
    parse(&p, "tokens {\n issuer a\n audience b\n keys /c\n account upn\n scope https://d/SMTP.Send\n"
              " openid-configuration https://e\n}");
    assert_string_equal(p.problems, "");
    assert_span(p.config->tokens.account, "upn");
    assert_span(p.config->tokens.scope, "https://d/SMTP.Send");
    assert_span(p.config->tokens.configuration, "https://e");
    parsed_free(&p);
    parse(&p, "");
    assert_false(p.config->tokens.given);
    parsed_free(&p);
}

/* Authorities of clients are of use where clients are asked for a certificate. */
static void client_authorities(void **state)
{
    struct parsed p;
    (void)state;
    parse(&p, "client-authorities ca.pem\n" SERVER("access authenticated mechanisms EXTERNAL PLAIN"));
    assert_string_equal(p.problems, "");
    assert_span(p.config->client_authorities, "/d/ca.pem");
    parsed_free(&p);
    parse(&p, "client-authorities ca.pem\n" SERVER("access authenticated"));
    assert_string_equal(p.problems, "1:1 warning: no server asks its clients for a certificate | access "
                                    "authenticated mechanisms EXTERNAL PLAIN\n");
    parsed_free(&p);
    parse(&p, "client-authorities ca.pem\nclient-revocations lists.pem\n" SERVER(
                  "access authenticated mechanisms EXTERNAL PLAIN"));
    assert_string_equal(p.problems, "");
    assert_span(p.config->client_revocations, "/d/lists.pem");
    parsed_free(&p);
    parse(&p, SERVER("access authenticated mechanisms EXTERNAL PLAIN name-authorities yes"));
    assert_false(config_names_authorities(p.config));
    assert_string_equal(p.problems,
                        "3:48 warning: there are no authorities to be named | client-authorities FILE\n");
    parsed_free(&p);
    parse(&p, SERVER("access authenticated name-authorities yes"));
    assert_non_null(strstr(p.problems, "3:22 warning: this server asks its clients for no certificate"));
    parsed_free(&p);
    parse(&p, "client-authorities ca.pem\n" SERVER("access authenticated mechanisms EXTERNAL PLAIN "
                                                   "name-authorities yes"));
    assert_true(config_names_authorities(p.config));
    assert_string_equal(p.problems, "");
    parsed_free(&p);
    parse(&p, "client-revocations lists.pem\n" SERVER("access authenticated mechanisms EXTERNAL PLAIN"));
    assert_string_equal(p.problems,
                        "1:1 warning: no authority vouches for clients | client-authorities FILE\n");
    parsed_free(&p);
    parse(&p, "");
    assert_int_equal(p.config->client_authorities.n, 0);
    parsed_free(&p);
}

#define DOVECOT "dovecot { socket unix:/run/dovecot/auth-client }\n"
static void dovecot(void **state)
{
    struct parsed p;
    (void)state;
    parse(&p, "dovecot { socket unix:/run/dovecot/auth-client; domain Example.ORG }");
    assert_string_equal(p.problems, "");
    assert_span(p.config->dovecot.socket, "/run/dovecot/auth-client");
    assert_span(p.config->dovecot.domain, "example.org");
    parsed_free(&p);
    parse(&p, "");
    assert_int_equal(p.config->dovecot.socket.n + p.config->dovecot.domain.n, 0);
    parsed_free(&p);
    parse(&p, DOVECOT TOKENS "tls certificate c key k\n"
                             "server a { listen 127.0.0.1:587; access authenticated }\n"
                             "server b { listen 127.0.0.1:588; access authenticated; login dovecot }\n"
                             "server c { listen 127.0.0.1:589; login dovecot; role submission }\n"
                             "server d { listen 127.0.0.1:590; access authenticated; login database }\n");
    assert_string_equal(p.problems, "");
    for (unsigned i = 0; i < 4; i++) {
        bool asks = i == 1 || i == 2;
        assert_int_equal(p.config->servers[i].login, asks ? CONFIG_LOGIN_DOVECOT : CONFIG_LOGIN_DATABASE);
        assert_int_equal(p.config->servers[i].mechanisms, asks ? CLEAR : SCRAM | CLEAR | MECHANISM_TOKENS);
    }
    parsed_free(&p);
    /* tokens are Dovecot's to judge */
    parse(&p, DOVECOT SERVER(
                  "login dovecot\n access authenticated mechanisms SCRAM-SHA-256 SCRAM-SHA-1 XOAUTH2"));
    assert_string_equal(p.problems, "");
    parsed_free(&p);
}

static void wrong_dovecot(void **state)
{
    static const struct {
        const char *text, *problem;
    } t[] = {
        {"dovecot { domain example.org }",
         "1:1 error: dovecot needs a socket | socket unix:/run/dovecot/auth-client\n"},
        {"dovecot { socket /run/dovecot/auth-client }",
         "1:18 error: \"/run/dovecot/auth-client\" is no path of a socket | write unix: and an absolute path "
         "of at most 107 octets: "
         "unix:/run/dovecot/auth-client\n"},
        {"dovecot { socket unix:run }",
         "1:18 error: \"unix:run\" is no path of a socket | write unix: and an absolute path of at most 107 "
         "octets: unix:/run/dovecot/auth-client\n"},
        {SERVER("access authenticated\n login dovecot"),
         "1:1 error: server s has login dovecot, and nothing says where Dovecot is | dovecot { socket "
         "unix:/run/dovecot/auth-client } "
         "at the top level\n"},
        {DOVECOT SERVER(
             "login dovecot\n access authenticated mechanisms PLAIN EXTERNAL NTLM SCRAM-SHA-256-PLUS"),
         "2:1 error: server s has login dovecot, with which there is no SCRAM-SHA-256-PLUS EXTERNAL NTLM | "
         "of SCRAM-SHA-256 SCRAM-SHA-1 "
         "OAUTHBEARER XOAUTH2 CRAM-MD5 PLAIN LOGIN\n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        struct parsed p;
        parse(&p, t[i].text);
        assert_null(p.config);
        assert_string_equal(p.problems, t[i].problem);
        parsed_free(&p);
    }
}

#define KERBEROS "kerberos { keytab smtp.keytab; realm CORP.EXAMPLE domain Example.ORG }\n"
static void kerberos(void **state)
{
    enum { SET = MECHANISM_BIT(MECHANISM_GSSAPI) | MECHANISM_BIT(MECHANISM_GSS_SPNEGO) };
    static const struct {
        const char *text;
        uint32_t offered;
    } t[] = {
        {SERVER("access both") KERBEROS, SCRAM | CLEAR | SET},
        {KERBEROS SERVER("access anonymous"), 0},
        {KERBEROS SERVER("access authenticated mechanisms PLAIN"), MECHANISM_BIT(MECHANISM_PLAIN)},
        {SERVER("access authenticated mechanisms GSSAPI") KERBEROS, MECHANISM_BIT(MECHANISM_GSSAPI)},
        {SERVER("access authenticated"), SCRAM | CLEAR},
    };
    struct parsed p;
    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        parse(&p, t[i].text);
        assert_non_null(p.config);
        assert_int_equal(p.config->servers[0].mechanisms, t[i].offered);
        parsed_free(&p);
    }
    parse(&p, KERBEROS);
    const struct config_kerberos *k = &p.config->kerberos;
    assert_true(k->given);
    assert_span(k->keytab_file, "/d/smtp.keytab");
    assert_int_equal(k->n_realms, 1);
    assert_span(k->realms[0].name, "CORP.EXAMPLE");
    assert_span(k->realms[0].domain, "example.org");
    assert_int_equal(k->n_services, 2);
    assert_span(k->services[0], "smtp");
    assert_span(k->services[1], "smtpsvc");
    assert_int_equal(k->bindings, KERBEROS_BINDINGS_ALLOWED);
    parsed_free(&p);
    parse(&p, "kerberos {\n keytab /k\n realm A domain a.example\n realm B domain b.example\n service mail\n"
              " channel-binding require\n}");
    assert_string_equal(p.problems, "");
    k = &p.config->kerberos;
    assert_int_equal(k->n_realms, 2);
    assert_span(k->realms[1].domain, "b.example");
    assert_int_equal(k->n_services, 1);
    assert_span(k->services[0], "mail");
    assert_int_equal(k->bindings, KERBEROS_BINDINGS_REQUIRED);
    parsed_free(&p);
    parse(&p, "");
    assert_false(p.config->kerberos.given);
    parsed_free(&p);
}

static void kerberos_problems(void **state)
{
    static const struct {
        const char *text, *problem;
    } t[] = {
        {"kerberos { realm A domain a.example }", "1:1 error: kerberos needs a keytab"},
        {"kerberos { keytab k }", "1:1 error: kerberos needs a realm"},
        {"kerberos { keytab k; realm A }", "1:22 error: a realm needs the domain of its accounts"},
        {"kerberos { keytab k; realm A domain }", "1:"},
        {"kerberos { keytab k; realm smtp/host domain a.example }", "is no realm of Kerberos"},
        {"kerberos { keytab k; realm WELLKNOWN:ANONYMOUS domain a.example }", "is no realm of Kerberos"},
        {"kerberos { keytab k; realm a@B domain a.example }", "is no realm of Kerberos"},
        {"kerberos { keytab k; realm A domain a.example; realm A domain b.example }",
         "realm A was said already"},
        {"kerberos { keytab k; realm A domain a.example; realm B domain a.example }",
         "1:48 warning: realm A has the same domain: a name in both is one account"},
        {SERVER("access authenticated mechanisms PLAIN GSSAPI"),
         "error: nothing says which tickets are good"},
        {"kerberos { keytab k; realm A domain a.example; service smtp/host }", "1:"},
    };
    struct parsed p;
    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        parse(&p, t[i].text);
        if (!strstr(p.problems, t[i].problem)) fail_msg("%s: %s", t[i].text, p.problems);
        parsed_free(&p);
    }
}

static void never_ban(void **state)
{
    struct parsed p;
    struct address loopback, named;
    (void)state;
    assert_true(address_parse(SPAN("127.66.1.1"), &loopback) && address_parse(SPAN("192.0.2.1"), &named));
    parse(&p, "");
    assert_int_equal(p.config->n_never_ban, 2);
    assert_true(network_holds(&p.config->never_ban[0], &loopback));
    parsed_free(&p);
    parse(&p, "never-ban 192.0.2.0/24\nnever-ban 2001:db8::/32\n");
    assert_string_equal(p.problems, "");
    assert_int_equal(p.config->n_never_ban, 2); /* the loopback only when it is named */
    assert_true(network_holds(&p.config->never_ban[0], &named));
    assert_int_equal(p.config->never_ban[1].bits, 32);
    parsed_free(&p);
}

static void rights(void **state)
{
    struct parsed p;
    (void)state;
    parse(&p,
          SERVER("access authenticated\n right submit to group staff; right relay to user Alice@Example.ORG\n"
                 " right submit to domain Example.NET; right relay to host GW.example.ORG\n"
                 " allow-cleartext-auth 192.0.2.0/28 2001:db8::1"));
    assert_string_equal(p.problems, "");
    const struct config_server *s = &p.config->servers[0];
    assert_int_equal(s->n_grants, 4);
    assert_true(s->grants[0].to == GRANT_TO_GROUP && s->grants[0].right == RIGHT_SUBMIT);
    assert_span(s->grants[0].name, "staff");
    assert_true(s->grants[1].to == GRANT_TO_USER && s->grants[1].right == RIGHT_RELAY);
    assert_span(s->grants[1].name, "alice@example.org");
    assert_true(s->grants[2].to == GRANT_TO_DOMAIN);
    assert_span(s->grants[2].name, "example.net");
    assert_true(s->grants[3].to == GRANT_TO_HOST && s->grants[3].right == RIGHT_RELAY);
    assert_span(s->grants[3].name, "gw.example.org");
    assert_int_equal(s->n_clear_auth, 2);
    assert_int_equal(s->clear_auth[0].bits, 124);
    parsed_free(&p);
}

static void connections(void **state)
{
    struct parsed p;
    const struct admission_rule *rule;
    struct address a;
    (void)state;
    parse(&p, SERVER(" connections deny 192.0.2.0/24 2001:db8::/32\n connections allow 192.0.2.7\n banner "
                     "\"ESMTP \\\"x\\\"\""));
    const struct config_server *s = &p.config->servers[0];
    assert_int_equal(s->admission.n, 3);
    assert_true(s->admission.others);
    assert_true(address_parse(SPAN("192.0.2.8"), &a));
    assert_false(admission_permits(&s->admission, &a, &rule));
    assert_true(address_parse(SPAN("192.0.2.7"), &a));
    assert_true(admission_permits(&s->admission, &a, &rule));
    assert_span(s->banner, "ESMTP \"x\"");
    parsed_free(&p);
    parse(&p, SERVER(""));
    assert_true(p.config->servers[0].admission.others);
    assert_false(config_asks_names(p.config));
    parsed_free(&p);
    parse(&p, SERVER(" connections allow name *.Example.org mail.example.net\n connections deny name "
                     ".b\xc3\xbcro.example"));
    const struct admission *named = &p.config->servers[0].admission;
    assert_true(config_asks_names(p.config));
    assert_int_equal(named->n_names, 3);
    assert_span(named->names[0].name, "example.org");
    assert_span(named->names[1].name, "mail.example.net");
    assert_span(named->names[2].name, "xn--bro-hoa.example");
    assert_true(named->names[0].below && !named->names[1].below && named->names[2].below);
    assert_true(named->names[0].allow && named->names[1].allow && !named->names[2].allow);
    parsed_free(&p);
}

static struct config_limits limits_of(const char *text)
{
    struct parsed p;
    parse(&p, text);
    assert_non_null(p.config);
    struct config_limits l = p.config->servers[0].limits;
    parsed_free(&p);
    return l;
}

static void assert_rate(const struct config_rate *r, uint32_t count, uint32_t seconds)
{
    assert_true(r->limited);
    assert_int_equal(r->count, count);
    assert_int_equal(r->seconds, seconds);
}

static void rates(void **state)
{
    (void)state;
    struct config_limits l = limits_of("");
    assert_rate(&l.connections_rate, 1000, 60); /* as the reference says */
    assert_rate(&l.messages_per_source, 50000, 3600);
    assert_rate(&l.recipients_per_source, 200000, 3600);
    assert_rate(&l.messages_per_principal, 5000, 3600);
    assert_rate(&l.recipients_per_principal, 20000, 3600);
    assert_int_equal(l.rates_on_loopback, CONFIG_NO);
    assert_int_equal(l.session_octets, 1 << 30);
    l = limits_of(SERVER(
        "limits { messages-per-principal 7 per 1d rates-on-loopback yes }") "limits { messages-per-principal "
                                                                            "9 per 1h connections-rate 3 per "
                                                                            "1s session-size 60M }");
    assert_rate(&l.messages_per_principal, 7, 86400);
    assert_rate(&l.connections_rate, 3, 1);
    assert_rate(&l.recipients_per_principal, 20000, 3600);
    assert_int_equal(l.rates_on_loopback, CONFIG_YES);
    assert_int_equal(l.session_octets, 60 << 20);
    l = limits_of(SERVER("limits { message-size 2000M }"));
    assert_int_equal(l.session_octets, 2000ll << 20);
    l = limits_of(SERVER("limits { rates-on-loopback no }") "limits { rates-on-loopback yes }");
    assert_int_equal(l.rates_on_loopback, CONFIG_NO);
}

static void wrong_connections(void **state)
{
    static const struct sample samples[] = {
        {"no list", SERVER(" connections permit 192.0.2.1"),
         "3:14 error: \"permit\" is none of: allow deny\n"},
        {"a domain", SERVER(" connections deny .example.org"),
         "3:19 error: \".example.org\" is a domain | connections deny name *.example.net, if the names of "
         "clients are meant\n"},
        {"a network for a name", SERVER(" connections deny name 192.0.2.0/24"),
         "3:24 error: \"192.0.2.0/24\" is a network, and no name | a line of its own, without the word "
         "name\n"},
        {"no name", SERVER(" connections deny name"), "3:2 error: connections needs a NAME\n"},
        {"no such name", SERVER(" connections deny name *.a*"),
         "3:24 error: \"a*\" is no domain name | a domain like example.org\n"},
        {"both names",
         SERVER(
             " role organisation connections deny name *.example.org\n connections allow name .Example.org"),
         "3:20 error: the connections lines of server s allow and deny *.example.org | say one of the two; "
         "what "
         "is narrower and inside is an exception\n"},
        {"names of devices",
         "server d {\n listen 127.0.0.1:587\n profile legacy-device\n connections allow 192.0.2.0/28\n "
         "connections deny "
         "name x.example\n}\n",
         "4:2 error: profile legacy-device knows its devices by their networks, never by a name | "
         "connections "
         "allow 192.0.2.0/28\n"},
        {"both",
         SERVER(" role organisation connections deny 192.0.2.0/24\n connections allow 192.0.2.0/24 10.0.0.1"),
         "3:20 error: the connections lines of server s allow and deny 192.0.2.0/24 | say one of the two; "
         "what "
         "is narrower and inside is an exception\n"},
    };
    (void)state;
    check_samples(samples, sizeof samples / sizeof samples[0], false);
}

static void wrong(void **state)
{
    static const struct sample samples[] = {
        {"anonymous clients", SERVER(" access anonymous mechanisms PLAIN"),
         "3:19 error: anonymous clients prove nothing | access both mechanisms ... (or authenticated), or "
         "leave "
         "mechanisms out\n"},
        {"unknown", SERVER(" access both mechanisms PLAIN DIGEST-MD5"),
         "3:31 error: \"DIGEST-MD5\" is no mechanism that is known here | one of SCRAM-SHA-256-PLUS "
         "SCRAM-SHA-256 "
         "SCRAM-SHA-1-PLUS SCRAM-SHA-1 EXTERNAL GSSAPI GSS-SPNEGO NTLM OAUTHBEARER XOAUTH2 CRAM-MD5 PLAIN "
         "LOGIN\n"},
        {"tokens of nobody", SERVER(" role submission; access both mechanisms XOAUTH2 OAUTHBEARER"),
         "3:42 error: nothing says which tokens are good | tokens { issuer URL  audience NAME  keys FILE } "
         "at "
         "the top level\n"},
        {"tokens without all that is needed", "\ntokens { scope smtp }",
         "2:1 error: tokens needs an issuer | issuer https://login.example.org\n"
         "2:1 error: tokens needs an audience | audience mail.example.org\n"
         "2:1 error: tokens needs keys | keys FILE, the JWK set of the issuer\n"},
        {"a text with a blank", "tokens {\n issuer \"a b\"\n}",
         "2:9 error: \"a b\" cannot stand here | 1 to 256 characters of ASCII, without blanks\n"},
        {"a user without a domain", SERVER(" right submit to user example.org"),
         "3:23 error: \"example.org\" is no user: a user has a domain | right submit to user "
         "alice@example.org\n"},
        {"no rate", SERVER(" limits { connections-rate 0 per 1m }"),
         "3:28 error: connections-rate is 0, outside its range | from 1 to 1000000 is allowed\n"},
        {"no time", SERVER(" limits { messages-per-source 5 }"),
         "3:11 error: messages-per-source needs a time behind its count | messages-per-source 5 per 1m\n"},
        {"banner", SERVER(" banner \"caf\xc3\xa9\""),
         "3:9 error: the banner is not printable ASCII of 1 to 160 octets | banner \"ESMTP ready\"\n"},
        {"tokens and tickets of nobody", SERVER(" access authenticated mechanisms PLAIN GSSAPI XOAUTH2"),
         "3:40 error: nothing says which tickets are good | kerberos { keytab FILE  realm REALM domain "
         "DOMAIN } at "
         "the top level\n"
         "3:47 error: nothing says which tokens are good | tokens { issuer URL  audience NAME  keys FILE } "
         "at the "
         "top level\n"},
        {"a host without a name", SERVER(" right submit to host gw_1"),
         "3:23 error: \"gw_1\" is no domain name | a domain like example.org\n"},
        {"nobody is ever banned", "never-ban 10.0.0.0/8 0.0.0.0/7",
         "1:22 error: network 0.0.0.0/7 is too wide: whoever guesses passwords there would never be banned | "
         "at most "
         "a /8 of IPv4 or a /32 of IPv6: list single hosts\n"},
        {"a login before what is needed",
         SERVER(" access authenticated\n require-tls yes\n allow-cleartext-auth 192.0.2.7"),
         "5:2 error: server s has require-tls: nobody may log in without TLS there | leave out one of "
         "require-tls and allow-cleartext-auth\n"},
        {"no network", SERVER(" allow-cleartext-auth printers"),
         "3:23 error: \"printers\" is no network | write ADDRESS/BITS, like 192.0.2.0/24 or 2001:db8::/32, "
         "or a lone address\n"},
    };
    (void)state;
    check_samples(samples, sizeof samples / sizeof samples[0], false);
}

#define BARE(text)                                                                                           \
    "server s {\n listen 127.0.0.1:587 127.0.0.1:588\n" text                                                 \
    "\n}\nrecipients a.example any\ndeliver * to maildir /m\n"
#define NOBODY                                                                                               \
    " warning: nobody can log in to server s: no listener has TLS, and allow-cleartext-auth names nobody | " \
    "listen ADDRESS:PORT tls starttls, with: tls certificate FILE key FILE\n"
static void nobody_can_log_in(void **state)
{
    static const struct sample samples[] = {
        {"where access is said", BARE(" access authenticated"), "3:2" NOBODY},
        {"where it follows from", BARE(" hostname a\n role submission"), "4:2" NOBODY},
        {"both", BARE(" access both"), "3:2" NOBODY},
        {"nothing else without TLS",
         BARE(" access both mechanisms EXTERNAL\n allow-cleartext-auth 192.0.2.1"),
         "3:2 warning: nobody can log in to server s: no listener has TLS, and none without it: EXTERNAL | "
         "listen ADDRESS:PORT tls starttls, with: tls certificate FILE key FILE\n"},
        {"in clear", BARE(" access both\n allow-cleartext-auth 192.0.2.1"), ""},
        {"one has TLS",
         BARE(" access both\n listen 127.0.0.1:465 tls implicit\n tls none certificate c key k"), ""},
        {"anonymous", BARE(""), ""},
        {"passwords for a whole range",
         BARE(" access both\n allow-cleartext-auth 192.168.0.0/16 10.1.0.0/16 127.0.0.1 172.17.0.1"),
         "4:23 warning: network 192.168.0.0/16 holds all of 192.168.0.0/16, a private network: whoever "
         "listens "
         "anywhere in it has the passwords | list the hosts that cannot speak TLS, or their own network\n"},
        {"no network of these may connect",
         BARE(" relay-networks 11.0.0.7 11.0.1.0/24 11.0.2.0/24\n connections deny 11.0.0.0/16 11.0.2.0\n"
              " connections allow 11.0.1.5\n access both\n allow-cleartext-auth 11.0.9.9"),
         "3:2 warning: 11.0.0.7/32 of relay-networks may not connect to server s (connections) | connections "
         "allow, or leave it out\n"
         "3:2 warning: 11.0.2.0/24 of relay-networks may not connect to server s (connections) | connections "
         "allow, or leave it out\n"
         "7:2 warning: 11.0.9.9/32 of allow-cleartext-auth may not connect to server s (connections) | "
         "connections allow, or leave it out\n"},
        {"not the first one only",
         BARE(" relay-networks 11.0.0.0/24 11.0.2.0/24\n connections deny 11.0.0.0\n connections allow name "
              "a.example"),
         ""},
        {"TLS where there is none", BARE(" tls none certificate c key k\n tls-minimum 1.3"),
         "3:2 warning: no listener of server s has TLS: this certificate has no effect | listen ADDRESS:PORT "
         "tls "
         "starttls, or leave it out\n"
         "4:2 warning: no listener of server s has TLS: tls-minimum has no effect | listen ADDRESS:PORT tls "
         "starttls, or leave it out\n"},
        {"a certificate that another one has, too",
         BARE(" tls none certificate c key k") "server t { listen 127.0.0.1:589 }\n", ""},
        {"a right of nobody", BARE(" right submit to group staff"),
         "3:2 warning: nobody can log in to server s, which has access anonymous: nobody has this right | "
         "access both, or leave the line out\n"},
    };
    (void)state;
    check_samples(samples, sizeof samples / sizeof samples[0], true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mechanisms),
        cmocka_unit_test(bindings_of_ntlm),
        cmocka_unit_test(never_ban),
        cmocka_unit_test(rights),
        cmocka_unit_test(connections),
        cmocka_unit_test(rates),
        cmocka_unit_test(wrong),
        cmocka_unit_test(nobody_can_log_in),
        cmocka_unit_test(tokens),
        cmocka_unit_test(client_authorities),
        cmocka_unit_test(dovecot),
        cmocka_unit_test(wrong_dovecot),
        cmocka_unit_test(wrong_connections),
        cmocka_unit_test(kerberos),
        cmocka_unit_test(kerberos_problems),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
