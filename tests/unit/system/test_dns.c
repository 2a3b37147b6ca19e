/* dns: what is open moves from one configuration to the next. The test is both name servers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "system/dns.h"

struct server {
    int fd;
    char name[32]; /* as dns_conf wants it */
};

struct heard {
    unsigned n;
    uint64_t tag;
    uint8_t status;
    uint32_t records;
};

static struct loop *loop;
static struct timer tick;

static struct server serve(void)
{
    struct server s = {.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t octets = sizeof a;
    assert_int_equal(bind(s.fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(getsockname(s.fd, (struct sockaddr *)&a, &octets), 0);
    snprintf(s.name, sizeof s.name, "127.0.0.1@%u", ntohs(a.sin_port));
    return s;
}

static struct dns *ask_of(const struct server *s)
{
    const char *names[] = {s->name}, *error = NULL;
    struct dns_conf conf = {.servers = names, .n_servers = 1};
    struct dns *d = dns_create(loop, &conf, &error);
    if (!d) fail_msg("%s", error);
    return d;
}

static void on_answer(void *asker, const struct dns_answer *a)
{
    struct heard *h = asker;
    h->n++;
    h->tag = a->tag;
    h->status = a->status;
    h->records = a->count;
}

static void stop(struct timer *t)
{
    (void)t;
    loop_stop(loop);
}

static void nothing(void *context)
{
    (void)context;
}

static void turns(unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        loop_timer_set(loop, &tick, loop_now_ms(loop) + 2, stop);
        loop_run(loop, nothing, NULL);
    }
}

/* The next question that came there, answered with an address when asked to. */
static bool asked(const struct server *s, bool answers)
{
    uint8_t packet[1500];
    struct sockaddr_in from;
    socklen_t octets = sizeof from;
    for (unsigned i = 0; i < 1000; i++, turns(1)) {
        ssize_t n =
            recvfrom(s->fd, packet, sizeof packet - 16, MSG_DONTWAIT, (struct sockaddr *)&from, &octets);
        if (n < 0) continue;
        static const uint8_t record[16] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1};
        size_t end = 12;
        while (packet[end])
            end += 1u + packet[end];
        end += 5; /* the question's end */
        packet[2] |= 0x80;
        packet[3] = 0x80;
        packet[7] = 1; /* one answer, and nothing behind it */
        packet[11] = 0;
        memcpy(packet + end, record, sizeof record);
        if (answers) sendto(s->fd, packet, end + sizeof record, 0, (struct sockaddr *)&from, octets);
        return true;
    }
    return false;
}

static void they_move(void **state)
{
    (void)state;
    loop = loop_create(64);
    struct server silent = serve(), other = serve();
    struct dns *before = ask_of(&silent), *now = ask_of(&other);
    struct heard one = {0}, gone = {0};
    assert_true(dns_ask(before, &(struct dns_question){.tag = 7, .type = DNS_A, .name = SPAN("a.example")},
                        &one, on_answer));
    assert_true(dns_ask(before, &(struct dns_question){.tag = 8, .type = DNS_A, .name = SPAN("b.example")},
                        &gone, on_answer));
    assert_true(asked(&silent, false));
    dns_forget(before, &gone);
    dns_move(before, now);
    dns_free(&before);
    assert_int_equal(one.n, 0); /* it waits */
    assert_int_equal(dns_open(now), 1);
    assert_true(asked(&other, true));
    for (unsigned i = 0; i < 1000 && one.n == 0; i++)
        turns(1);
    assert_int_equal(one.n, 1);
    assert_int_equal(one.tag, 7);
    assert_int_equal(one.status, DNS_OK);
    assert_int_equal(one.records, 1);
    assert_int_equal(gone.n, 0);
    dns_free(&now);
    loop_timer_stop(loop, &tick);
    loop_destroy(&loop);
    close(silent.fd);
    close(other.fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(they_move)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
