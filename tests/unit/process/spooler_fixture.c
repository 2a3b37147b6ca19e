/* The spooler process with the test as its peers: real channels, a real spool in a temporary folder. */
#include "spooler_fixture.h"

#include "spool/message_id.h"
#include "system/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* A spooler lives as long as its process: what it has is never freed. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}

struct spooler_fixture t;

/* What the spooler needs of the skeleton. */
void child_exit(struct child *c, int status)
{
    (void)status;
    loop_stop(c->loop);
}

void child_peer_lost(struct child *c, enum role role, unsigned index, const char *reason)
{
    (void)c, (void)role, (void)index;
    t.lost++;
    snprintf(t.reason, sizeof t.reason, "%s", reason);
}

static const char config_text[] = "hostname mx.test.example\n"
                                  "server mx {\n listen 127.0.0.1:2525\n}\n"
                                  "recipients dest.example any\nqueue {\n delay-warning 10m\n}\n";

static void tick(struct timer *timer)
{
    loop_timer_set(t.child.loop, timer, loop_now_ms(t.child.loop) + 1, tick);
}

static void after_turn(void *context)
{
    spooler_hooks.after_turn(context);
    loop_stop(t.child.loop);
}

void turns(unsigned n)
{
    while (n--)
        loop_run(t.child.loop, after_turn, &t.child);
}

int set_up(void **state)
{
    (void)state;
    memset(&t, 0, sizeof t);
    snprintf(t.folder, sizeof t.folder, "/tmp/sallyport-spooler-XXXXXX");
    assert_non_null(mkdtemp(t.folder));
    struct config_source source = {.name = SPAN("/t.conf"), .text = span_str(config_text)};
    struct config_problem *problems = NULL;
    struct span missing;
    const char *error = "";
    log_open(open("/dev/null", O_WRONLY | O_CLOEXEC), "spooler", LOG_LEVEL_INFO);
    t.child = (struct child){.role = PROC_SPOOLER,
                             .generation = GENERATION,
                             .loop = loop_create(64),
                             .config = config_parse(arena_create(64 << 20), &source, 1, &problems, &missing)};
    assert_non_null(t.child.config);
    spooler_hooks.grant(&t.child, GRANT_SPOOL, 0, 0, open(t.folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    assert_true(spooler_hooks.prepare(&t.child, &error));
    assert_true(spooler_hooks.start(&t.child, &error));
    tick(&t.tick);
    return 0;
}

int tear_down(void **state)
{
    (void)state;
    char command[128];
    struct spooler *s = t.child.state;
    store_close(&s->store);
    snprintf(command, sizeof command, "rm -r %s", t.folder);
    return system(command);
}

/* --- an edge --- */

void flush(struct edge *e)
{
    if (e->n) assert_int_equal(send(e->channel, e->packet, e->n, MSG_NOSIGNAL), e->n);
    e->n = 0;
    turns(1);
}

void say(struct edge *e, uint16_t type, const struct buf *payload)
{
    uint16_t length = (uint16_t)payload->n;
    assert_false(payload->over);
    if (e->n + 4 + length > sizeof e->packet) flush(e);
    memcpy(e->packet + e->n, &type, 2);
    memcpy(e->packet + e->n + 2, &length, 2);
    memcpy(e->packet + e->n + 4, payload->p, length);
    e->n += 4u + length;
}

struct edge *begin(unsigned index, struct pool_geometry real, struct pool_geometry said)
{
    static struct edge edges[4];
    struct edge *e = &edges[index];
    uint8_t memory[SUBMIT_POOL_OCTETS];
    struct buf b = buf_on(memory, sizeof memory);
    int pair[2], fd = pool_create(real);
    assert_true(fd >= 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    *e = (struct edge){.index = index, .channel = pair[0]};
    assert_true(pool_map(&e->pool, fd, real));
    spooler_hooks.grant(&t.child, GRANT_POOL, index, GENERATION, fd);
    spooler_hooks.peer(&t.child, PROC_EDGE, index, GENERATION, pair[1]);
    submit_pool_put(&b, &(struct submit_pool){said.small, said.large});
    say(e, MSG_SUBMIT_POOL, &b);
    flush(e);
    return e;
}

void end(struct edge *e)
{
    close(e->channel);
    pool_unmap(&e->pool);
    turns(2);
}

const struct pool_geometry cut = {64, 4};

uint64_t next_id(struct edge *e)
{
    e->id = message_id_next(e->id, message_id_edge(GENERATION, e->index), loop_unix_ms(t.child.loop));
    return e->id;
}

uint32_t fill_for(struct edge *e, const char *text, const struct envelope_recipient *to, unsigned n)
{
    uint8_t *p = e->pool.memory;
    struct buf b = buf_on(p, LIMIT_BLOCK_SMALL_OCTETS);
    struct envelope_head h = {
        .server = SPAN("mx"), .reverse_path = SPAN("a@b.example"), .arrival_ms = t.arrival_ms};
    envelope_put_head(&b, &h);
    for (unsigned i = 0; i < n; i++)
        envelope_put_recipient(&b, &to[i]);
    memcpy(p + LIMIT_BLOCK_SMALL_OCTETS, text, strlen(text));
    return (uint32_t)b.n;
}

uint32_t fill(struct edge *e, const char *text)
{
    struct envelope_recipient r = {.local = 1, .path = SPAN("u@dest.example")};
    return fill_for(e, text, &r, 1);
}

void chunk(struct edge *e, uint64_t id, uint32_t length)
{
    static struct submit_chunk m;
    uint8_t memory[64];
    struct buf b = buf_on(memory, sizeof memory);
    m = (struct submit_chunk){.id = id, .count = 1, .blocks = {{1, length}}};
    submit_chunk_put(&b, &m);
    say(e, MSG_SUBMIT_CHUNK, &b);
}

void commit(struct edge *e, uint64_t id, uint32_t envelope, uint32_t length, uint64_t content)
{
    static struct submit_commit m;
    uint8_t memory[64];
    struct buf b = buf_on(memory, sizeof memory);
    m = (struct submit_commit){.id = id,
                               .content_octets = content,
                               .envelope_count = 1,
                               .count = length ? 2 : 1,
                               .blocks = {{0, envelope}, {1, length}}};
    submit_commit_put(&b, &m);
    say(e, MSG_SUBMIT_COMMIT, &b);
}

/* The next answer for that edge; false: none. */
bool heard(struct edge *e, struct submit_result *r)
{
    static uint8_t packet[LIMIT_IPC_MESSAGE_OCTETS];
    static size_t n, at;
    if (at == n) {
        ssize_t got = recv(e->channel, packet, sizeof packet, MSG_DONTWAIT);
        if (got <= 0) return false;
        n = (size_t)got;
        at = 0;
    }
    assert_true(n - at >= 20);
    assert_true(submit_result_read(span_of(packet + at + 4, 16), r));
    at += 20;
    return true;
}

const struct message *stored(uint64_t id)
{
    const struct spooler *s = t.child.state;
    return store_find(s->store, id);
}
