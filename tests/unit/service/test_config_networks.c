/* Where this host stands, and what is said of networks that relay or whose proxies are believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../span_check.h"
#include "service/config_files_private.h"
#include "service/config_load.h"

static struct address address(const char *text)
{
    struct address a;
    assert_true(address_parse(span_str(text), &a));
    return a;
}

static void gateways_of_default_routes(void **state)
{
    static const char v4[] =
        "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
        "eth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n"
        "eth0\t0001A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n"
        "eth0\t00000A0A\t0201A8C0\t0003\t0\t0\t0\t0000FFFF\t0\t0\t0\n"
        "tun0\t00000000\t00000000\t0001\t0\t0\t50\t00000000\t0\t0\t0\n"
        "cut\t00000000\t01";
    static const char v6[] =
        "00000000000000000000000000000000 00 00000000000000000000000000000000 00 "
        "20010db8000000000000000000000001 00000400 00000001 00000000 00000003     eth0\n"
        "20010db8000000000000000000000000 40 00000000000000000000000000000000 00 "
        "00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0\n"
        "00000000000000000000000000000000 00 00000000000000000000000000000000 00 "
        "00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo\n";
    static struct host_networks h;
    struct address a = address("192.168.1.1"), b = address("2001:db8::1");

    (void)state;
    host_networks_routes(&h, SPAN(""), false);
    assert_int_equal(h.n_gateways, 0);
    host_networks_routes(&h, span_str(v4), false);
    host_networks_routes(&h, span_str(v6), true);
    assert_int_equal(h.n_gateways, 2);
    assert_memory_equal(&h.gateways[0], &a, sizeof a);
    assert_memory_equal(&h.gateways[1], &b, sizeof b);
    for (int i = 0; i < 2 * HOST_GATEWAYS; i++)
        host_networks_routes(&h, span_str(v4), false);
    assert_int_equal(h.n_gateways, HOST_GATEWAYS);
}

/* "LINE: what", one a line. */
static void told(const char *text, const struct host_networks *h, const char *wanted)
{
    static char memory[4096];
    struct buf b = buf_on(memory, sizeof memory - 1);
    struct config_files_who who = {.starts = false};
    struct config_report report;
    struct config_load l;

    assert_true(config_load_text(&l, "/d/sallyport.conf", span_str(text)));
    assert_non_null(l.config);
    config_report_begin(&report, l.arena);
    const struct config_files f = {.config = l.config, .who = &who, .report = &report};
    config_files_networks(&f, h);
    assert_int_equal(report.errors, 0);
    for (const struct config_problem *p = report.first; p; p = p->next) {
        buf_u64(&b, p->place.line);
        buf_str(&b, ": ");
        buf_put(&b, p->text);
        buf_byte(&b, '\n');
        assert_true(p->suggestion.n > 0);
    }
    memory[b.n] = '\0';
    assert_string_equal(memory, wanted);
    config_load_free(&l);
}

static void networks(void **state)
{
    static struct host_networks h, nothing;
    (void)state;
    h.gateways[h.n_gateways++] = address("192.168.1.1");
    h.gateways[h.n_gateways++] = address("fe80::1");
    h.interfaces[h.n_interfaces++] = (struct host_interface){"eth0", address("192.168.1.20"), false};
    h.interfaces[h.n_interfaces++] = (struct host_interface){"eth0", address("203.0.113.5"), false};
    h.interfaces[h.n_interfaces++] = (struct host_interface){"docker0", address("172.20.0.1"), true};

    told("server a { listen 127.0.0.1:25\nrelay-networks 192.168.1.0/24 192.168.1.7 }", &h,
         "2: relay network 192.168.1.0/24 holds 192.168.1.1, the gateway of this host\n");
    told("server a { listen 127.0.0.1:25\nrelay-networks 192.168.1.1 }", &h,
         "2: relay network 192.168.1.1/32 holds 192.168.1.1, the gateway of this host\n");
    told("server a { listen 127.0.0.1:25\n\nrelay-networks 172.20.0.0/16 172.20.0.9 }", &h,
         "3: relay network 172.20.0.0/16 holds 172.20.0.1, this host's address on the bridge docker0\n");
    told("server a { listen 127.0.0.1:25 relay-networks 203.0.113.0/29 203.0.113.9 }", &h,
         "1: relay network 203.0.113.0/29 holds 203.0.113.5, this host's address on eth0\n");
    told("server a { listen 127.0.0.1:25 relay-networks fe80::/64 }\nserver b { listen "
         "127.0.0.1:26\nrelay-networks "
         "192.168.1.0/24 }",
         &h,
         "1: relay network fe80::/64 holds fe80::1, the gateway of this host\n"
         "3: relay network 192.168.1.0/24 holds 192.168.1.1, the gateway of this host\n");
    /* a proxy on this host is no stranger, what comes in by a gateway or a bridge may be one */
    told("server a { listen 127.0.0.1:25 127.0.0.1:26 proxy from 192.168.1.0/24 203.0.113.5\n"
         "listen 127.0.0.1:27 proxy from 172.20.0.1 192.168.1.20\n}",
         &h,
         "1: proxy network 192.168.1.0/24 holds 192.168.1.1, the gateway of this host\n"
         "2: proxy network 172.20.0.1/32 holds 172.20.0.1, this host's address on the bridge docker0\n");
    told("server a { listen 127.0.0.1:25 proxy from 192.168.1.0/24 relay-networks 172.20.0.0/16 }", &nothing,
         "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gateways_of_default_routes),
        cmocka_unit_test(networks),
    };
    return cmocka_run_group_tests_name("config_networks", tests, NULL, NULL);
}
