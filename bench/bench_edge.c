/* bench_edge: the edge's code alone behind a listening socket: every message is answered 250 at the end of the turn, nothing is
 * stored. What is left between this and the do-nothing sink is the price of parsing, policy and the block pool.
 *
 *   bench_edge PORT        then: smtpload -c 100 -m 100 -n 0 -D 2 127.0.0.1:PORT */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "service/inbound.h"
#include "system/log.h"

static struct inbound *inbound;
static struct submit_result pending[65536];
static unsigned n_pending;

static bool submit(void *context, enum inbound_submit kind, struct span payload)
{
    (void)context;
    struct submit_commit commit;
    struct submit_chunk chunk;
    struct submit_result *r = &pending[n_pending];
    if (n_pending == sizeof pending / sizeof pending[0]) return false;
    if (kind == INBOUND_COMMIT && submit_commit_read(payload, &commit))
        *r = (struct submit_result){.id = commit.id, .status = SUBMIT_DURABLE, .blocks = commit.count};
    else if (kind == INBOUND_CHUNK && submit_chunk_read(payload, &chunk))
        *r = (struct submit_result){.id = chunk.id, .status = SUBMIT_WRITTEN, .blocks = chunk.count};
    else
        return true;
    n_pending++;
    return true;
}

static void after_turn(void *context)
{
    (void)context;
    inbound_after_turn(inbound);
    for (unsigned i = 0; i < n_pending; i++)
        inbound_result(inbound, &pending[i]);
    n_pending = 0;
    log_flush();
}

static int listener(unsigned port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) < 0 ||
        bind(fd, (struct sockaddr *)&a, sizeof a) < 0 || listen(fd, 4096) < 0) {
        perror("listen");
        exit(1);
    }
    return fd;
}

static struct recipients map(void)
{
    struct recipients_builder b = {0};
    struct recipients r;
    recipients_begin(&b, NULL, 0);
    recipients_add_domain(&b, SPAN("rcpt.example"), true);
    size_t n = recipients_needed(&b);
    void *memory = calloc(1, n);
    recipients_begin(&b, memory, n);
    recipients_add_domain(&b, SPAN("rcpt.example"), true);
    if (!memory || !recipients_finish(&b) || !recipients_open(&r, memory, n)) exit(1);
    return r;
}

int main(int argc, char **argv)
{
    unsigned port = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 2800;
    static const char text[] = "hostname bench.example\nserver mx {\n listen 127.0.0.1:2800\n limits { "
                               "sessions 20000 sessions-per-source 20000 }\n}\n"
                               "recipients rcpt.example any\nhold *\n";
    struct arena *arena = arena_create(LIMIT_CONFIG_OCTETS * 4);
    struct config_source source = {.name = SPAN("/bench.conf"), .text = span_str(text)};
    struct config_problem *problems = NULL;
    struct span missing;
    const struct config *config = config_parse(arena, &source, 1, &problems, &missing);
    if (!config) {
        for (; problems; problems = problems->next)
            fprintf(stderr, "%u: %.*s\n", problems->place.line, SPAN_ARG(problems->text));
        return 1;
    }
    log_open(argc > 2 ? 2 : -1, "bench-edge", LOG_LEVEL_INFO);
    struct pool_geometry g = {16384, 1024};
    struct pool pool;
    int fd = pool_create(g);
    struct sources sources;
    void *memory = aligned_alloc(4096, (sources_octets(131072) + 4095) & ~(size_t)4095);
    if (fd < 0 || !pool_map(&pool, fd, g) || !memory) return 1;
    memset(memory, 0, sources_octets(131072));
    sources_init(memory, 131072, 1);
    if (!sources_open(&sources, memory, sources_octets(131072))) return 1;
    struct tls_context *none[LIMIT_SERVERS] = {0};
    struct inbound_setup setup = {.loop = loop_create(512),
                                  .config = config,
                                  .pool = &pool,
                                  .sources = &sources,
                                  .recipients = map(),
                                  .tls = none,
                                  .submit = submit};
    inbound = inbound_create(&setup);
    if (!inbound || !inbound_listen(inbound, 0, 0, listener(port), false)) return 1;
    loop_run(setup.loop, after_turn, NULL);
    return 0;
}
