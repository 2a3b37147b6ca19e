/* What a configuration means: the examples of the design, defaults, and what one line says about another. */
#include "config_check.h"

static const char design_11[] =
    "hostname mail.example.org\n"
    "server mx {\n"
    "    listen 0.0.0.0:25 [::]:25\n"
    "    tls starttls certificate /etc/sallyport/tls/chain.pem key /etc/sallyport/tls/key.pem\n"
    "    access anonymous\n"
    "    recipients example.org example.net              # domains we serve (who exists there: the "
    "directory)\n"
    "    limits { message-size 50M  recipients 1000  sessions 10000  sessions-per-source 50 }\n"
    "}\n"
    "server submission {\n"
    "    listen 0.0.0.0:465 tls implicit\n"
    "    access authenticated mechanisms SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN\n"
    "    right submit to group staff;  right relay to group staff\n"
    "}\n"
    "server exchange-front { role gate  listen 192.0.2.1:25  backend 10.0.0.5:25 tls verify  verbs default "
    "}\n"
    "deliver example.org to maildir /var/mail/vhosts\n"
    "deliver example.net to lmtp unix:/run/dovecot/lmtp\n"
    "relay * via mx                                       # or: via smarthost smtp.provider.example:587 "
    "user-file /etc/x\n";

static const struct config *good(struct parsed *p, const char *text)
{
    parse(p, text);
    if (!p->config) print_message("%s", p->problems);
    assert_non_null(p->config);
    return p->config;
}

/* Only this and no other problem. */
static const struct config *silent(struct parsed *p, const char *text)
{
    const struct config *c = good(p, text);

    assert_string_equal(p->problems, "");
    return c;
}

static void check_listener(const struct config_listener *l, const char *address, uint16_t port,
                           enum config_tls tls)
{
    struct address a;

    assert_true(address_parse(span_str(address), &a));
    assert_memory_equal(&l->address, &a, sizeof a);
    assert_int_equal(l->port, port);
    assert_int_equal(l->tls, tls);
}

static void example_of_the_design(void **state)
{
    struct parsed p;
    const struct config *c = good(&p, design_11);
    const struct config_server *mx = &c->servers[0], *submission = &c->servers[1], *gate = &c->servers[2];

    (void)state;
    assert_span(c->hostname, "mail.example.org");
    assert_int_equal(c->n_servers, 3);
    assert_span(mx->name, "mx");
    assert_span(mx->hostname, "mail.example.org");
    assert_int_equal(mx->role, ROLE_MX);
    assert_int_equal(mx->access, ACCESS_ANONYMOUS);
    assert_int_equal(mx->n_listeners, 2);
    check_listener(&mx->listeners[0], "0.0.0.0", 25, TLS_STARTTLS);
    check_listener(&mx->listeners[1], "::", 25, TLS_STARTTLS);
    assert_int_equal(mx->n_certificates, 1);
    assert_span(mx->certificates[0].chain_file, "/etc/sallyport/tls/chain.pem");
    assert_span(mx->certificates[0].key_file, "/etc/sallyport/tls/key.pem");
    assert_int_equal(mx->n_domains, 2);
    assert_true(config_domain_served(mx, SPAN("Example.ORG")));
    assert_int_equal(mx->limits.message_octets, 50 << 20);
    assert_int_equal(mx->limits.recipients, 1000);
    assert_int_equal(mx->limits.sessions, 10000);
    assert_int_equal(mx->limits.sessions_per_source, 50);
    assert_true(mx->early_talker_refuse);
    assert_int_equal(submission->role, ROLE_SUBMISSION);
    assert_int_equal(submission->access, ACCESS_AUTHENTICATED);
    check_listener(&submission->listeners[0], "0.0.0.0", 465, TLS_IMPLICIT);
    assert_ptr_equal(submission->certificates, mx->certificates);
    assert_true(config_domain_served(submission, SPAN("example.net")));
    assert_false(submission->early_talker_refuse);
    assert_int_equal(gate->role, ROLE_GATE);
    assert_span(gate->backend, "10.0.0.5:25");
    check_listener(&gate->listeners[0], "192.0.2.1", 25, TLS_STARTTLS); /* with the certificate of mx */
    assert_int_equal(gate->n_domains, 0);
    assert_span(config_deliver_find(c, SPAN("EXAMPLE.org"))->target, "/var/mail/vhosts");
    assert_int_equal(config_deliver_find(c, SPAN("example.net"))->how, DELIVER_LMTP);
    assert_null(config_deliver_find(c, SPAN("example.com")));
    assert_int_equal(config_route_find(c, SPAN("anything.example"))->hop.kind, NEXT_HOP_MX);
    parsed_free(&p);
}

/* What is not in this version is said, once for each thing, and nothing else is complained about. */
static void example_is_honest(void **state)
{
    struct parsed p;

    (void)state;
    parse(&p, design_11);
    assert_string_equal(
        p.problems,
        "14:30 warning: role gate is not in this version | this server is checked and not started\n"
        "14:43 warning: this listener overlaps the one of server mx at /d/sallyport.conf:3:12 | connections "
        "to the single address go to its listener, all others to the wildcard's\n");
    parsed_free(&p);
}

static void empty(void **state)
{
    static const char *const texts[] = {"", "\n", "# nothing\n", "\xef\xbb\xbf", ";;;\n"};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct parsed p;
        const struct config *c = silent(&p, texts[i]);
        assert_int_equal(c->n_servers, 1);
        assert_int_equal(c->servers[0].n_listeners, 1);
        check_listener(&c->servers[0].listeners[0], "127.0.0.1", 2525, TLS_NONE);
        assert_int_equal(c->servers[0].n_domains, 0);
        assert_int_equal(c->servers[0].n_relay_networks, 0);
        assert_span(c->hostname, "localhost");
        assert_span(c->servers[0].hostname, "localhost");
        assert_int_equal(c->queue_seconds, LIMIT_QUEUE_SECONDS_DEFAULT);
        assert_int_equal(c->pool_small_blocks, LIMIT_POOL_SMALL_BLOCKS_DEFAULT);
        assert_int_equal(c->servers[0].limits.message_octets, LIMIT_MESSAGE_OCTETS_DEFAULT);
        assert_int_equal(c->servers[0].limits.minimum_rate, LIMIT_MINIMUM_RATE_OCTETS_PER_SECOND_DEFAULT);
        assert_int_equal(c->log_level, 1);
        assert_int_equal(c->edges, 0);
        parsed_free(&p);
    }
}

static void no_source_at_all(void **state)
{
    struct parsed p;

    (void)state;
    parse_sources(&p, NULL, 0);
    assert_non_null(p.config);
    parsed_free(&p);
}

/* The lines that scripts append, behind what `init` writes. */
static void appended_lines(void **state)
{
    struct parsed p;
    const struct config *c =
        good(&p, "hostname a.example\n"
                 "server mx { listen 127.0.0.1:2525 recipients a.example }\n"
                 "server submission { access authenticated listen 127.0.0.1:2587 }\n"
                 "deliver a.example to maildir mail\n"
                 "recipients d.example any\n"
                 "hold *\n"
                 "relay d.example via mx\n"
                 "relay d.example via smarthost 127.0.0.1:2526\n"
                 "deliver d.example to maildir other\n"
                 "server front { role gate listen 127.0.0.1:2527 backend 127.0.0.1:2525 }");
    const struct config_domain *d = config_domain_find(&c->servers[0], SPAN("d.example"));

    (void)state;
    assert_non_null(d);
    assert_true(d->any);
    assert_false(config_domain_find(&c->servers[0], SPAN("a.example"))->any);
    assert_true(config_domain_served(&c->servers[1], SPAN("d.example")));
    assert_false(config_domain_served(&c->servers[2], SPAN("d.example")));
    assert_true(config_held(c, SPAN("whatever.example")));
    assert_int_equal(config_route_find(c, SPAN("D.example"))->hop.kind, NEXT_HOP_HOST);
    assert_span(config_route_find(c, SPAN("d.example"))->hop.name, "127.0.0.1:2526");
    assert_null(config_route_find(c, SPAN("e.example")));
    assert_span(config_deliver_find(c, SPAN("d.example"))->target, "/d/other");
    assert_int_equal(c->n_servers, 3);
    parsed_free(&p);
}

/* A route says where, only recipients say who: no route or deliver line widens what is served. */
static void routes_serve_nobody(void **state)
{
    struct parsed p;
    const struct config *c =
        good(&p, "server mx { listen 127.0.0.1:25 recipients a.example }\n"
                 "relay b.example via mx\ndeliver b.example to maildir m\ndeliver * to maildir m\n");

    (void)state;
    assert_false(config_domain_served(&c->servers[0], SPAN("b.example")));
    assert_int_equal(c->servers[0].n_domains, 1);
    parsed_free(&p);
}

static void keywords_end_lists(void **state)
{
    struct parsed p;
    const struct config *c = good(
        &p, "hostname h.example log-level debug edges 2 drain 5s\n"
            "queue { expire 2d retry-first 1m retry-max 1h } pool { small-blocks 64 large-blocks 16 }\n"
            "server a\n{ listen 127.0.0.1:25 recipients a.example b.example limits { recipients 5 errors 3 } "
            "normalize-bare-lf yes early-talkers allow hostname \"x.example\" }\n"
            "hold a.example b.example relay c.example d.example via mx\n");

    (void)state;
    assert_int_equal(c->log_level, 0);
    assert_int_equal(c->edges, 2);
    assert_int_equal(c->drain_seconds, 5);
    assert_int_equal(c->queue_seconds, 172800);
    assert_int_equal(c->retry_first_seconds, 60);
    assert_int_equal(c->retry_max_seconds, 3600);
    assert_int_equal(c->pool_small_blocks, 64);
    assert_int_equal(c->pool_large_blocks, 16);
    assert_int_equal(c->servers[0].n_domains, 2);
    assert_int_equal(c->servers[0].limits.recipients, 5);
    assert_int_equal(c->servers[0].limits.errors, 3);
    assert_true(c->servers[0].normalize_bare_lf);
    assert_false(c->servers[0].early_talker_refuse);
    assert_span(c->servers[0].hostname, "x.example");
    assert_int_equal(c->n_hold, 2);
    assert_true(config_held(c, SPAN("b.example")));
    assert_false(config_held(c, SPAN("c.example")));
    assert_non_null(config_route_find(c, SPAN("d.example")));
    parsed_free(&p);
}

static void listeners(void **state)
{
    struct parsed p;
    const struct config *c =
        good(&p, "server a { listen 127.0.0.1:25 tls starttls certificate c key k recipients a.example any\n"
                 "listen 127.0.0.1:26 127.0.0.1:27 tls implicit proxy from 192.0.2.1 2001:db8::/48\n"
                 "listen 127.0.0.1:28 proxy from 192.0.2.0/24 tls none\n"
                 "tls certificate \"d e\" key ./f }\ndeliver * to maildir /m\n");
    const struct config_server *s = &c->servers[0];

    (void)state;
    assert_string_equal(p.problems, "");
    assert_int_equal(s->n_listeners, 4);
    check_listener(&s->listeners[0], "127.0.0.1", 25, TLS_STARTTLS);
    check_listener(&s->listeners[1], "127.0.0.1", 26, TLS_IMPLICIT);
    check_listener(&s->listeners[2], "127.0.0.1", 27, TLS_IMPLICIT);
    check_listener(&s->listeners[3], "127.0.0.1", 28, TLS_NONE);
    assert_int_equal(s->listeners[0].n_proxy_from, 0);
    assert_int_equal(s->listeners[1].n_proxy_from, 2);
    assert_int_equal(s->listeners[2].n_proxy_from, 2);
    assert_int_equal(s->listeners[3].n_proxy_from, 1);
    assert_int_equal(s->listeners[3].proxy_from[0].bits, 120);
    assert_int_equal(s->n_certificates, 2);
    assert_span(s->certificates[0].chain_file, "/d/c");
    assert_span(s->certificates[1].chain_file, "/d/d e");
    assert_span(s->certificates[1].key_file, "/d/f");
    parsed_free(&p);
}

static void a_certificate_of_another_server(void **state)
{
    struct parsed p;
    const struct config *c = good(&p, "server a { listen 127.0.0.1:25 recipients a.example any }\n"
                                      "server b { listen 127.0.0.1:26 tls implicit certificate c key k }\n"
                                      "server c { listen 127.0.0.1:27 tls none; access authenticated }\n"
                                      "server d { listen 127.0.0.1:28; tls none }\n"
                                      "deliver * to maildir /m\n");
    (void)state;
    check_listener(&c->servers[0].listeners[0], "127.0.0.1", 25, TLS_STARTTLS);
    assert_int_equal(c->servers[0].n_certificates, 1);
    check_listener(&c->servers[2].listeners[0], "127.0.0.1", 27, TLS_NONE);
    check_listener(&c->servers[3].listeners[0], "127.0.0.1", 28, TLS_NONE);
    assert_int_equal(c->servers[2].n_certificates + c->servers[3].n_certificates, 0);
    assert_true(config_tls_modes(&c->servers[1]) == 1u << TLS_IMPLICIT);
    assert_int_equal(config_logins(&c->servers[2]), 0);
    parsed_free(&p);
}

static void top_level_is_for_every_server(void **state)
{
    struct parsed p;
    const struct config *c =
        good(&p, "tls certificate c key k\nlimits { errors 7 recipients 8 }\nrecipients z.example\nhold *\n"
                 "server a { listen 127.0.0.1:25 limits { errors 9 sessions-per-loopback-source 60 } }\n"
                 "server b { listen 127.0.0.1:26 tls none recipients b.example }\n");
    struct address loopback, other, v6;

    (void)state;
    assert_int_equal(c->servers[0].limits.errors, 9);
    assert_int_equal(c->servers[0].limits.recipients, 8);
    assert_int_equal(c->servers[1].limits.errors, 7);
    assert_int_equal(c->servers[0].listeners[0].tls, TLS_STARTTLS);
    assert_int_equal(c->servers[0].n_certificates, 1);
    assert_int_equal(c->servers[1].listeners[0].tls, TLS_NONE);
    assert_int_equal(c->servers[1].n_certificates, 0);
    assert_int_equal(c->servers[0].n_domains, 1);
    assert_int_equal(c->servers[1].n_domains, 2);
    assert_true(address_parse(SPAN("127.66.1.2"), &loopback) && address_parse(SPAN("192.0.2.1"), &other) &&
                address_parse(SPAN("::1"), &v6));
    assert_int_equal(config_sessions_per_source(&c->servers[0].limits, &loopback), 60);
    assert_int_equal(config_sessions_per_source(&c->servers[0].limits, &v6), 60);
    assert_int_equal(config_sessions_per_source(&c->servers[0].limits, &other),
                     LIMIT_SESSIONS_PER_SOURCE_DEFAULT);
    assert_int_equal(config_sessions_per_source(&c->servers[1].limits, &loopback),
                     LIMIT_SESSIONS_PER_SOURCE_DEFAULT);
    parsed_free(&p);
}

static void places_of_files(void **state)
{
    struct config_source fhs = {.name = SPAN("/etc/sallyport/sallyport.conf")},
                         root = {.name = SPAN("/x.conf")};
    struct parsed p;

    (void)state;
    parse(&p, "users people\ncontrol ./c.sock\n");
    assert_span(p.config->spool_folder, "/d/spool");
    assert_span(p.config->users_folder, "/d/people");
    assert_true(p.config->users_given);
    assert_span(p.config->aliases_file, "/d/aliases");
    assert_false(p.config->aliases_given);
    assert_span(p.config->control_socket, "/d/c.sock");
    parsed_free(&p);
    parse_sources(&p, &fhs, 1);
    assert_span(p.config->spool_folder, "/var/spool/sallyport");
    assert_span(p.config->users_folder, "/var/lib/sallyport/users");
    assert_span(p.config->aliases_file, "/etc/aliases");
    assert_span(p.config->control_socket, "/run/sallyport/control.sock");
    parsed_free(&p);
    parse_sources(&p, &root, 1);
    assert_span(p.config->spool_folder, "/spool");
    parsed_free(&p);
}

static void many_domains_are_found(void **state)
{
    static char text[400000];
    struct buf b = buf_on(text, sizeof text - 1);
    struct parsed p;
    struct config_source s = {.name = SPAN("/d/sallyport.conf")};

    (void)state;
    for (unsigned i = 0; i < 20000; i++) {
        buf_str(&b, "hold d");
        buf_u64(&b, (uint64_t)i * 7919 % 20000);
        buf_str(&b, ".e\n");
    }
    assert_false(b.over);
    s.text = buf_span(&b);
    parse_sources(&p, &s, 1);
    assert_non_null(p.config);
    assert_int_equal(p.config->n_hold, 20000);
    assert_true(config_held(p.config, SPAN("D0.e")));
    assert_true(config_held(p.config, SPAN("d19999.e")));
    assert_false(config_held(p.config, SPAN("d20000.e")));
    assert_false(config_held(p.config, SPAN("")));
    parsed_free(&p);
}

/* The arena may end anywhere: null, never a half-made configuration. */
static void every_shortage_of_memory(void **state)
{
    struct config_source s = {.name = SPAN("/d/sallyport.conf"), .text = span_str(design_11)};
    unsigned failed = 0;

    (void)state;
    for (size_t octets = 16; octets < 200000; octets += 488) {
        struct arena *a = arena_create(octets);
        struct config_problem *problems;
        struct span missing;
        const struct config *c = config_parse(a, &s, 1, &problems, &missing);
        failed += !c;
        if (c) assert_int_equal(c->n_servers, 3);
        arena_destroy(&a);
    }
    assert_in_range(failed, 10, 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(example_of_the_design),
        cmocka_unit_test(example_is_honest),
        cmocka_unit_test(empty),
        cmocka_unit_test(no_source_at_all),
        cmocka_unit_test(appended_lines),
        cmocka_unit_test(routes_serve_nobody),
        cmocka_unit_test(keywords_end_lists),
        cmocka_unit_test(listeners),
        cmocka_unit_test(a_certificate_of_another_server),
        cmocka_unit_test(top_level_is_for_every_server),
        cmocka_unit_test(places_of_files),
        cmocka_unit_test(many_domains_are_found),
        cmocka_unit_test(every_shortage_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
