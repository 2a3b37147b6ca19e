/* bench_queue: a long queue on a real disk. bench_queue FOLDER [MESSAGES [OCTETS]]: fills an empty folder with a million messages of
 * 1 KB (a tenth of them deferred), then tells how long a start takes with a checkpoint, after a kill and without one; how much memory it
 * takes; how long the first page of a list, a summary page and the whole of it take; and what the queues of next hops add. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "policy/next_hop.h"
#include "spool/listing.h"
#include "spool/message_id.h"

enum { BATCH = 500, DOMAINS = 1000 };

static uint8_t content[262144], envelope[512];
static int folder = -1;

static double wall(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static uint64_t unix_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Anonymous memory in use, in MB: what the process takes for itself. */
static unsigned long memory_mb(void)
{
    char line[256];
    unsigned long kb = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, "RssAnon:", 8) == 0) {
            uint64_t n = 0;
            struct span s = span_str(line + 8);
            while (s.n && (s.p[0] == ' ' || s.p[0] == '\t'))
                s = span_skip(s, 1);
            size_t end = span_find(s, ' ');
            if (end != SPAN_NPOS && span_u64(span_head(s, end), &n)) kb = (unsigned long)n;
        }
    if (f) fclose(f);
    return kb / 1024;
}

static void on_committed(void *context, uint64_t token, const struct message *m, uint64_t id,
                         enum store_status status)
{
    (void)context, (void)token, (void)m, (void)id;
    if (status != STORE_DURABLE) abort();
}

static enum store_place on_place(void *context, const struct message *m, const struct recipient *r)
{
    (void)context, (void)m, (void)r;
    return PLACE_DELIVER;
}

static void on_alarm(void *context, enum store_alarm what, uint32_t segment, uint64_t offset, uint64_t id,
                     int error, const char *text)
{
    (void)context, (void)offset, (void)id;
    fprintf(stderr, "alarm %d segment %u error %d: %s\n", (int)what, segment, error, text);
}

static struct store *open_store(void)
{
    const char *error;
    struct store_options o = {.disk = disk_on_directory(&folder),
                              .seed = 1,
                              .salt = 2,
                              .thread = true,
                              .checkpoint = true,
                              .retry_first_seconds = 300,
                              .retry_max_seconds = 4200,
                              .queue_seconds = 432000,
                              .delay_seconds = 14400,
                              .committed = on_committed,
                              .place = on_place,
                              .alarm = on_alarm};
    struct store *s = store_open(&o, unix_ms(), &error);
    if (!s) {
        fprintf(stderr, "%s: %s\n", error, strerror(errno));
        exit(1);
    }
    return s;
}

static void put_domain(struct buf *b, uint64_t n)
{
    buf_str(b, "d");
    buf_u64(b, n % DOMAINS);
    buf_str(b, ".example.net");
}

static size_t make_envelope(uint64_t n)
{
    uint8_t to[64], from[64];
    struct buf b = buf_on(envelope, sizeof envelope), t = buf_on(to, sizeof to),
               f = buf_on(from, sizeof from);
    buf_str(&t, "recipient-");
    buf_u64(&t, n);
    buf_str(&t, "@");
    put_domain(&t, n);
    buf_str(&f, "sender-");
    buf_u64(&f, n % 977);
    buf_str(&f, "@example.org");
    struct envelope_head head = {.arrival_ms = unix_ms(),
                                 .server = SPAN("mx"),
                                 .client_address = SPAN("192.0.2.7"),
                                 .helo = SPAN("client.example"),
                                 .reverse_path = buf_span(&f)};
    envelope_put_head(&b, &head);
    envelope_put_recipient(&b, &(struct envelope_recipient){.path = buf_span(&t)});
    return b.n;
}

static void fill(uint64_t messages, size_t octets)
{
    struct store *s = open_store();
    uint64_t id = 0;
    double begin = wall();
    for (uint64_t n = 0; n < messages; n++) {
        id = message_id_next(id, 0, unix_ms());
        struct span parts[2] = {span_of(envelope, make_envelope(n)), span_of(content, octets)};
        if (store_commit(s, id, 1, n, parts, 1, 2, octets, unix_ms()) != STORE_PENDING) abort();
        if (n % BATCH == BATCH - 1 || n + 1 == messages) {
            if (!store_flush(s, unix_ms())) abort();
            store_maintain(s, unix_ms());
        }
    }
    struct attempt later = {
        .state = RECIPIENT_DEFERRED,
        .enhanced = SPAN("4.2.1"),
        .text = SPAN("450 4.2.1 try again in 300 seconds"),
        .trace = {.host = SPAN("mx.example.net[192.0.2.1]:25"), .code = 450, .session_ms = 30}};
    uint64_t cursor = 0, n = 0;
    for (const struct message *m; (m = store_after(s, cursor)); n++) {
        cursor = m->id;
        if (n % 10 == 0 && !store_attempt(s, m->id, 0, &later, unix_ms())) abort();
        if (n % BATCH == 0 && !store_flush(s, unix_ms())) abort();
    }
    (void)store_flush(s, unix_ms());
    printf("filled: %llu messages of %zu octets, a tenth deferred: %.1f s\n", (unsigned long long)messages,
           octets, wall() - begin);
    printf("checkpoints written meanwhile: %llu, the last one of %llu MB\n",
           (unsigned long long)store_counters(s).checkpoints,
           (unsigned long long)(store_counters(s).checkpoint_octets >> 20));
    store_close(&s); /* as a kill leaves it */
}

static struct store *timed_open(const char *what)
{
    double begin = wall();
    struct store *s = open_store();
    struct store_counters c = store_counters(s);
    printf("start %-32s %6.2f s  %s, %llu messages, %lu MB of memory\n", what, wall() - begin,
           c.from_checkpoint ? "from a checkpoint" : "from the log", (unsigned long long)c.messages,
           memory_mb());
    return s;
}

static bool next_hop_of(void *context, const struct message *m, const struct recipient *r, struct buf *key)
{
    struct span path = message_path(m, r);
    (void)context;
    next_hop_put(key, &(struct next_hop){.kind = NEXT_HOP_MX,
                                         .tls = TLS_POLICY_MAY,
                                         .name = span_skip(path, span_rfind(path, '@') + 1)});
    return true;
}

/* Pages until the end; how long the longest took. */
static void ask(struct store *s, struct destinations *d, const char *what, struct question q, bool first_only)
{
    static uint8_t text[LISTING_TEXT_OCTETS];
    struct listing_verified v = {0};
    struct listing l = {
        .store = s, .destinations = d, .unix_ms = unix_ms(), .verified = &v, .next_hop = next_hop_of};
    double begin = wall(), longest = 0;
    uint64_t lines = 0, pages = 0;
    bool last = false;
    while (!last && !(first_only && pages == 1)) {
        struct buf b = buf_on(text, sizeof text);
        double before = wall();
        (void)listing_answer(&l, &q, &b, &q.cursor, &last);
        if (wall() - before > longest) longest = wall() - before;
        for (size_t i = 0; i < b.n; i++)
            lines += b.p[i] == '\n';
        pages++;
    }
    printf("%-38s %8.1f ms, %llu lines in %llu pages, the longest %.1f ms\n", what, (wall() - begin) * 1e3,
           (unsigned long long)lines, (unsigned long long)pages, longest * 1e3);
}

static void questions(struct store *s, struct destinations *d)
{
    struct question_filter any = QUESTION_FILTER_ANY, one = any, none = any;
    one.to = SPAN("recipient-777777@");
    none.reason = SPAN("no such reason");
    ask(s, d, "list: first page", (struct question){.kind = QUESTION_LIST, .page = 1000, .filter = any},
        true);
    ask(s, d, "list --to, one in all", (struct question){.kind = QUESTION_LIST, .page = 1000, .filter = one},
        false);
    ask(s, d, "list --reason, none", (struct question){.kind = QUESTION_LIST, .page = 1000, .filter = none},
        false);
    ask(s, d, "list: all", (struct question){.kind = QUESTION_LIST, .page = 1000, .filter = any}, false);
    ask(s, d, "summary by reason",
        (struct question){.kind = QUESTION_SUMMARY, .what = GROUP_REASON, .filter = any}, false);
    ask(s, d, "summary by destination",
        (struct question){.kind = QUESTION_SUMMARY, .what = GROUP_DESTINATION, .filter = any}, false);
    ask(s, d, "counts", (struct question){.kind = QUESTION_COUNTS, .filter = any}, false);
}

/* Everything that is due goes to the queue of its next hop, as the spooler does it. */
static struct destinations *fill_destinations(struct store *s)
{
    struct destinations *d = destinations_create(1, 1000);
    uint8_t memory[NEXT_HOP_KEY_OCTETS];
    uint64_t id, n = 0;
    uint32_t i;
    enum store_due why;
    double begin = wall();
    while (store_due(s, STORE_ANY, unix_ms() + 14000000, &id, &i, &why)) {
        struct buf key = buf_on(memory, sizeof memory);
        const struct message *m = store_find(s, id);
        (void)next_hop_of(NULL, m, &message_recipients(m)[i], &key);
        uint32_t ticket = destinations_add(d, buf_span(&key), &destination_limits_default, id, i, 0, 1);
        if (ticket == READY_NONE) abort();
        store_ready(s, id, i, ticket, unix_ms());
        n++;
    }
    printf("%llu recipients into %u queues: %.2f s, %lu MB of memory\n", (unsigned long long)n,
           destinations_counters(d).destinations, wall() - begin, memory_mb());
    return d;
}

int main(int argc, char **argv)
{
    uint64_t messages = 1000000, octets = 1024;
    if (argc < 2 || (argc > 2 && !span_u64(span_str(argv[2]), &messages)) ||
        (argc > 3 && !span_u64(span_str(argv[3]), &octets)) || octets > sizeof content) {
        fprintf(stderr, "usage: bench_queue FOLDER [MESSAGES [OCTETS]]\n");
        return 64;
    }
    (void)mkdir(argv[1], 0700);
    folder = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return 1;
    memset(content, 'x', sizeof content);
    setvbuf(stdout, NULL, _IOLBF, 0);
    bool filled = faccessat(folder, "salt", F_OK, 0) == 0;
    if (!filled) {
        fill(messages, octets);
        return 0; /* what is measured begins in a fresh process: call it again */
    }
    struct store *s = timed_open("after a kill");
    struct destinations *d = fill_destinations(s);
    questions(s, d);
    destinations_destroy(&d);
    double begin = wall();
    if (!store_stop(&s, unix_ms())) return 1;
    printf("stop in order: %.2f s\n", wall() - begin);
    s = timed_open("after a stop in order");
    store_close(&s);
    if (unlinkat(folder, "checkpoint", 0) != 0) return 1;
    s = timed_open("without a checkpoint");
    (void)store_stop(&s, unix_ms());
    return 0;
}
