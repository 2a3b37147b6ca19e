#include "inbound_fixture.h"

/* An inbound lives as long as its process: nothing of it is ever freed. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}

/* The clock of this process, which the tests move on: deadlines are minutes away. */
time_t later_seconds;

int clock_gettime(clockid_t id, struct timespec *ret)
{
    long r = syscall(SYS_clock_gettime, id, ret);
    ret->tv_sec += later_seconds;
    return (int)r;
}

struct fixture t;

static void store(uint64_t id, const struct block_ref *refs, uint32_t n)
{
    if (id != t.id) t.n_content = 0;
    t.id = id;
    for (uint32_t i = 0; i < n; i++) {
        size_t offset = 0;
        uint32_t octets = 0;
        assert_true(pool_offset(t.pool.geometry, refs[i].block, &offset, &octets));
        assert_true(refs[i].length <= octets);
        assert_true(t.n_content + refs[i].length <= sizeof t.content);
        memcpy(t.content + t.n_content, t.pool.memory + offset, refs[i].length);
        t.n_content += refs[i].length;
    }
}

static bool submit(void *context, enum inbound_submit kind, struct span payload)
{
    static struct submit_commit commit;
    static struct submit_chunk chunk;
    (void)context;
    if (t.deaf || t.n_queue == 256) return false;
    if (kind == INBOUND_ABORT) {
        t.aborts++;
        return true;
    }
    if (kind == INBOUND_CHUNK) {
        assert_true(submit_chunk_read(payload, &chunk));
        store(chunk.id, chunk.blocks, chunk.count);
        t.queue[t.n_queue++] =
            (struct submit_result){.id = chunk.id, .status = SUBMIT_WRITTEN, .blocks = chunk.count};
        return true;
    }
    assert_true(submit_commit_read(payload, &commit));
    uint32_t recipients;
    uint8_t envelope[65536];
    struct buf e = buf_on(envelope, sizeof envelope);
    for (uint32_t i = 0; i < commit.envelope_count; i++) {
        size_t offset = 0;
        uint32_t octets = 0;
        assert_true(pool_offset(t.pool.geometry, commit.blocks[i].block, &offset, &octets));
        buf_put(&e, span_of(t.pool.memory + offset, commit.blocks[i].length));
    }

    assert_true(envelope_valid(buf_span(&e), 1000, &recipients));
    store(commit.id, commit.blocks + commit.envelope_count, commit.count - commit.envelope_count);
    assert_int_equal(t.n_content, commit.content_octets);
    t.commits++;
    t.queue[t.n_queue++] =
        (struct submit_result){.id = commit.id, .status = (uint8_t)t.status, .blocks = commit.count};
    return true;
}

void answer_all(void)
{
    unsigned n = t.n_queue;
    t.n_queue = 0;
    for (unsigned i = 0; i < n; i++)
        inbound_result(t.in, &t.queue[i]);
}

static void tick(struct timer *timer)
{
    loop_timer_set(t.loop, timer, loop_now_ms(t.loop) + 1, tick);
}

static void after_turn(void *context)
{
    (void)context;
    inbound_after_turn(t.in);
    if (!t.hold) answer_all();
    loop_stop(t.loop);
}

void turns(unsigned n)
{
    while (n--)
        loop_run(t.loop, after_turn, NULL);
}

static int listener(unsigned which)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t n = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(fd, 64), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
    t.port[which] = ntohs(a.sin_port);
    return fd;
}

static const char config_text[] = "hostname mx.test.example\n"
                                  "server mx {\n"
                                  " listen 127.0.0.1:2525\n"
                                  " listen 127.0.0.1:2526 proxy from 127.0.0.0/8\n"
                                  " limits { sessions 64 sessions-per-source 4 message-size 4M }\n"
                                  " relay-networks 192.0.2.0/24\n"
                                  "}\n"
                                  "recipients dest.example any\n";

inbound_resolve_fn *resolver;

static int set_up_with(struct pool_geometry g, const char *text, inbound_ask_fn *ask)
{
    memset(&t, 0, sizeof t);
    struct arena *arena = arena_create(64 << 20);
    struct config_source source = {.name = SPAN("/t.conf"), .text = span_str(text)};
    struct config_problem *problems = NULL;
    struct span missing;
    const struct config *config = config_parse(arena, &source, 1, &problems, &missing);
    if (!config && problems) fprintf(stderr, "%.*s\n", SPAN_ARG(problems->text));
    assert_non_null(config);
    int fd = pool_create(g);
    assert_true(pool_map(&t.pool, fd, g));
    close(fd);
    static struct sources sources;
    static uint8_t table[1 << 20] __attribute__((aligned(64)));
    memset(table, 0, sizeof table);
    sources_init(table, 1024, 7);
    assert_true(sources_open(&sources, table, sources_octets(1024)));
    struct recipients_builder b = {0};
    recipients_begin(&b, NULL, 0);
    recipients_add_domain(&b, SPAN("dest.example"), true);
    size_t n = recipients_needed(&b);
    void *memory = calloc(1, n);
    recipients_begin(&b, memory, n);
    recipients_add_domain(&b, SPAN("dest.example"), true);
    assert_true(recipients_finish(&b));
    static struct tls_context *none[4];
    t.loop = loop_create(64);
    t.config = config;
    struct inbound_setup setup = {.loop = t.loop,
                                  .config = config,
                                  .pool = &t.pool,
                                  .sources = &sources,
                                  .tls = none,
                                  .submit = submit,
                                  .ask = ask,
                                  .resolve = resolver};
    assert_true(recipients_open(&setup.recipients, memory, n));
    log_open(open("/dev/null", O_WRONLY | O_CLOEXEC), "test", LOG_LEVEL_INFO);
    t.in = inbound_create(&setup);
    assert_non_null(t.in);
    for (unsigned i = 0; i < PORTS; i++)
        assert_true(inbound_listen(t.in, 0, i, listener(i), false));
    tick(&t.tick);
    t.small = t.pool.free_small_n;
    t.large = t.pool.free_large_n;
    return 0;
}

int set_up(void **state)
{
    (void)state;
    return set_up_with((struct pool_geometry){256, 96}, config_text, NULL);
}

int set_up_small(void **state)
{
    (void)state;
    return set_up_with((struct pool_geometry){64, 16}, config_text,
                       NULL); /* as few as a configuration may say */
}

int set_up_config(const char *text, inbound_ask_fn *ask)
{
    return set_up_with((struct pool_geometry){256, 96}, text, ask);
}

int client(unsigned which)
{
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons(t.port[which]), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    turns(3);
    return fd;
}

int narrow_client(int *server_side)
{
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons(t.port[PLAIN_PORT]), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct sockaddr_in own = {0}, peer;
    socklen_t n = sizeof own;
    int fd = socket(AF_INET, SOCK_STREAM, 0), small = 4096;
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&own, &n), 0);
    turns(3);
    *server_side = -1;
    for (int other = 0; other < 1024 && *server_side < 0; other++) {
        n = sizeof peer;
        if (getpeername(other, (struct sockaddr *)&peer, &n) == 0 && n == sizeof peer &&
            peer.sin_port == own.sin_port)
            *server_side = other;
    }
    assert_true(*server_side >= 0);
    int no_delay = 0;
    n = sizeof no_delay;
    assert_int_equal(getsockopt(*server_side, IPPROTO_TCP, TCP_NODELAY, &no_delay, &n), 0);
    assert_true(no_delay);
    assert_int_equal(setsockopt(*server_side, SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
    return fd;
}

/* Turns without anything sent or heard, a millisecond each, after which nothing more will come: many while octets are on their way,
 * whom a busy kernel may let wait. */
static unsigned patience(int fd, size_t unsent)
{
    int on_their_way = 0;
    (void)ioctl(fd, SIOCOUTQ, &on_their_way); /* a closed one has none */
    return unsent || on_their_way > 0 ? 500 : 30;
}

const char *say(int fd, const char *octets, size_t n)
{
    static char reply[65536];
    size_t sent = 0, got = 0;
    for (unsigned idle = 0; idle < patience(fd, n - sent);) {
        ssize_t w = sent < n ? send(fd, octets + sent, n - sent, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
        if (w > 0) sent += (size_t)w;
        if (w < 0 && errno != EAGAIN) n = sent; /* it was closed */
        turns(1);
        ssize_t r = recv(fd, reply + got, sizeof reply - 1 - got, MSG_DONTWAIT);
        if (r > 0) got += (size_t)r;
        idle = w > 0 || r > 0 ? 0 : idle + 1;
    }
    reply[got] = 0;
    return reply;
}

const char *line(int fd, const char *text)
{
    return say(fd, text, strlen(text));
}

bool closed(int fd)
{
    char c;
    turns(3);
    return recv(fd, &c, 1, MSG_DONTWAIT) == 0;
}

/* RST: both directions are dead at once. */
void reset(int fd)
{
    struct linger now = {1, 0};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
    close(fd);
}

void greeted(int fd)
{
    assert_non_null(strstr(line(fd, "EHLO client.example\r\n"), "250 "));
}

void assert_at_rest(void)
{
    turns(4);
    assert_int_equal(t.pool.free_small_n, t.small);
    assert_int_equal(t.pool.free_large_n, t.large);
    assert_int_equal(inbound_sessions(t.in), 0);
}
