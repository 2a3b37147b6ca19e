/* connect-try CONFIG ADDRESS@PORT ANCHORS: asks the connector's engine for next hops, all at once, with real DNS and real sockets, in one
 * process. Standard input: lines "mx|smtp|lmtp NAME POLICY [ADDRESS-TRIED ...]", NAME with "," for blanks. Standard output: one JSON
 * object for each answer, as they come. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "service/config_load.h"
#include "service/connect.h"
#include "system/dns.h"

static struct loop *loop;
static struct dns *dns;
static struct connect *engine;
static unsigned open_questions;
static char names[65536][96];

static void on_dns(void *asker, const struct dns_answer *a)
{
    (void)asker;
    static uint8_t memory[LIMIT_IPC_MESSAGE_OCTETS];
    struct buf b = buf_on(memory, sizeof memory);
    struct dns_answer again;
    dns_answer_put(&b, a); /* as between the processes */
    if (!dns_answer_read(buf_span(&b), &again)) abort();
    connect_dns_answer(engine, &again);
}

static bool on_ask(void *context, const struct dns_question *q)
{
    (void)context;
    return dns_ask(dns, q, &dns, on_dns);
}

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void on_answer(void *context, const void *asker, const struct connect_answer *a, int fd)
{
    static const char *const status[] = {"open", "defer", "fail"}, *const dane[] = {"none", "records",
                                                                                    "unusable"};
    static uint8_t memory[65536];
    struct buf b = buf_on(memory, sizeof memory);
    struct connect_answer again;
    (void)context, (void)asker;
    connect_answer_put(&b, a);
    if (!connect_answer_read(buf_span(&b), &again) || (fd >= 0) != (a->status == CONNECT_OPEN)) abort();
    b = buf_on(memory, sizeof memory);
    address_put(&b, &a->address);
    printf("{\"name\":\"%s\",\"status\":\"%s\",\"dane\":\"%s\",\"secure\":%s,\"enhanced\":\"%s\",\"text\":\"",
           names[a->tag], status[a->status], dane[a->dane], a->dns_secure ? "true" : "false", a->enhanced);
    struct buf text = buf_on(memory + 1024, sizeof memory - 1024);
    buf_json(&text, a->text, a->text.n);
    printf("%.*s\",\"host\":\"%.*s\",\"also\":\"%.*s\",\"address\":\"%.*s\",\"port\":%u,\"tlsa\":%u,\"dns_"
           "ms\":%u,\"connect_ms\":%u,"
           "\"at_ms\":%llu}\n",
           (int)text.n, text.p, SPAN_ARG(a->host), SPAN_ARG(a->also), (int)b.n, b.p, a->port, a->n_tlsa,
           a->dns_ms, a->connect_ms, (unsigned long long)now_ms());
    open_questions--;
}

static void after_turn(void *context)
{
    (void)context;
    if (open_questions == 0) loop_stop(loop);
}

static bool read_line(char *line, struct connect_question *q)
{
    static const char *const policies[] = {"none", "may", "dane", "encrypt", "verify", "dane-only"};
    char *rest = NULL, *kind = strtok_r(line, " \n", &rest), *name = strtok_r(NULL, " \n", &rest),
         *policy = strtok_r(NULL, " \n", &rest);
    if (!kind || !name || !policy || q->tag >= 65536) return false;
    snprintf(names[q->tag], sizeof names[0], "%s", name);
    for (char *c = name; *c; c++)
        if (*c == ',') *c = ' ';
    q->hop.kind = strcmp(kind, "mx") == 0 ? NEXT_HOP_MX : name[0] == '/' ? NEXT_HOP_UNIX : NEXT_HOP_HOST;
    q->hop.protocol = strcmp(kind, "lmtp") == 0 ? NEXT_HOP_LMTP : NEXT_HOP_SMTP;
    q->hop.name = span_str(name);
    while (q->hop.tls < TLS_POLICY_COUNT && strcmp(policies[q->hop.tls], policy) != 0)
        q->hop.tls++;
    for (char *tried; (tried = strtok_r(NULL, " \n", &rest)) && q->n_tried < CONNECT_TRIED;) {
        struct connect_tried *t = &q->tried[q->n_tried++];
        t->port = 25;
        if (!address_parse(span_str(tried), &t->address)) return false;
    }
    return next_hop_valid(&q->hop);
}

int main(int n, char **arguments)
{
    static const struct connect_hooks hooks = {on_ask, on_answer, NULL};
    static char anchors[LIMIT_TRUST_ANCHOR_OCTETS], line[2048];
    struct config_load load;
    const char *error;
    if (n != 4 || !config_load(&load, arguments[1]) || !load.config) return 2;
    FILE *f = fopen(arguments[3], "r");
    if (!f) return 2;
    size_t octets = fread(anchors, 1, sizeof anchors, f);
    fclose(f);
    const char *servers[] = {arguments[2]};
    struct dns_conf conf = {servers, 1, span_of(anchors, octets)};
    loop = loop_create(256);
    dns = dns_create(loop, &conf, &error);
    if (!dns) {
        fprintf(stderr, "%s\n", error);
        return 2;
    }
    engine = connect_create(loop, load.config, &hooks, NULL, now_ms());
    uint64_t begun = now_ms();
    for (uint64_t tag = 0; fgets(line, sizeof line, stdin); tag++) {
        struct connect_question q = {.tag = tag};
        if (!read_line(line, &q)) return 2;
        open_questions++;
        connect_ask(engine, &dns, &q);
    }
    setvbuf(stdout, NULL, _IOLBF, 1024);
    if (open_questions) loop_run(loop, after_turn, NULL);
    fprintf(stderr, "%llu ms\n", (unsigned long long)(now_ms() - begun));
    connect_free(&engine);
    dns_free(&dns);
    config_load_free(&load);
    loop_destroy(&loop);
    return 0;
}
