/* bench_spool: what the spool alone costs, on a real disk. bench_spool FOLDER [SECONDS]: messages of 2 KB in batches of 1, 8 and 64,
 * of 200 KB and 2 MB streamed as an edge streams them, and deliveries; then the time to open it again. The folder is emptied. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "spool/envelope.h"
#include "spool/message_id.h"
#include "spool/store.h"

#define CHUNK 65536

static uint8_t content[2097152];
static uint8_t envelope[256];
static size_t envelope_n;

static double wall(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double cpu(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6;
}

static uint64_t unix_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void on_committed(void *context, uint64_t token, const struct message *m, uint64_t id,
                         enum store_status status)
{
    (void)token, (void)m, (void)id;
    if (status == STORE_DURABLE) ++*(uint64_t *)context;
}

static enum store_place on_place(void *context, const struct message *m, const struct recipient *r)
{
    (void)context, (void)m, (void)r;
    return PLACE_HOLD;
}

static void on_alarm(void *context, enum store_alarm what, uint32_t segment, uint64_t offset, uint64_t id,
                     int error, const char *text)
{
    (void)context, (void)segment, (void)offset, (void)id;
    fprintf(stderr, "alarm %d: %s (%s)\n", (int)what, text, strerror(error));
}

static void empty(int folder)
{
    DIR *d = fdopendir(dup(folder));
    for (struct dirent *e; d && (e = readdir(d));)
        if (strncmp(e->d_name, "log-", 4) == 0 || strncmp(e->d_name, "big-", 4) == 0 ||
            strncmp(e->d_name, "new-", 4) == 0)
            unlinkat(folder, e->d_name, 0);
    if (d) closedir(d);
}

static void submit(struct store *s, uint64_t id, size_t octets)
{
    struct span parts[2] = {span_of(envelope, envelope_n), {0}};
    size_t sent = 0;
    for (; octets - sent > CHUNK; sent += CHUNK) {
        struct span part = span_of(content + sent, CHUNK);
        if (store_chunk(s, id, 1, &part, 1) != STORE_PENDING) abort();
    }
    parts[1] = span_of(content + sent, octets - sent);
    if (store_commit(s, id, 1, 0, parts, 1, 2, octets, unix_ms()) != STORE_PENDING) abort();
}

static void measure(struct store *s, const uint64_t *durable, size_t octets, unsigned batch, double seconds,
                    uint64_t *last)
{
    double begin = wall(), begin_cpu = cpu(), worst = 0;
    uint64_t before = *durable;
    while (wall() - begin < seconds) {
        double flush = wall();
        for (unsigned i = 0; i < batch; i++)
            submit(s, *last = message_id_next(*last, 0, unix_ms()), octets);
        if (!store_flush(s, unix_ms())) abort();
        store_maintain(s, unix_ms());
        if (wall() - flush > worst) worst = wall() - flush;
    }
    double took = wall() - begin, used = cpu() - begin_cpu, n = (double)(*durable - before);
    printf(
        "%8zu octets, batches of %2u: %9.0f messages/s %7.1f MB/s %8.2f us CPU each, longest batch %.1f ms\n",
        octets, batch, n / took, n / took * (double)octets / 1e6, used / n * 1e6, worst * 1e3);
    fflush(stdout);
}

static void deliver_all(struct store *s)
{
    struct attempt a = {.state = RECIPIENT_DELIVERED, .enhanced = SPAN("2.0.0"), .text = SPAN("delivered")};
    double begin = wall(), begin_cpu = cpu();
    uint64_t n = 0;
    for (const struct message *m; (m = store_after(s, 0)); n++) {
        if (!store_attempt(s, m->id, 0, &a, unix_ms())) abort();
        if (n % 64 == 0) (void)store_flush(s, unix_ms());
        if (n % 256 == 0) store_maintain(s, unix_ms());
    }
    (void)store_flush(s, unix_ms());
    printf("%8lu delivered:             %9.0f messages/s %26.2f us CPU each\n", (unsigned long)n,
           (double)n / (wall() - begin), (cpu() - begin_cpu) / (double)n * 1e6);
}

int main(int argc, char **argv)
{
    uint64_t durable = 0, last = 0;
    double seconds = argc > 2 ? strtod(argv[2], NULL) : 2;
    int folder = argc > 1 ? open(argv[1], O_RDONLY | O_DIRECTORY) : -1;
    if (folder < 0) {
        fprintf(stderr, "usage: bench_spool FOLDER [SECONDS]\n");
        return 2;
    }
    for (size_t i = 0; i < sizeof content; i++)
        content[i] = (uint8_t)(i * 31 + i / 77);
    struct buf b = buf_on(envelope, sizeof envelope);
    envelope_put_head(&b, &(struct envelope_head){.server = SPAN("mx"),
                                                  .client_address = SPAN("192.0.2.1"),
                                                  .helo = SPAN("client.example"),
                                                  .reverse_path = SPAN("sender@example.net")});
    envelope_put_recipient(&b,
                           &(struct envelope_recipient){.local = 1, .path = SPAN("recipient@example.org")});
    envelope_n = b.n;
    struct store_options o = {.disk = disk_on_directory(&folder),
                              .salt = 1,
                              .thread = true,
                              .retry_first_seconds = 300,
                              .retry_max_seconds = 4200,
                              .queue_seconds = 432000,
                              .delay_seconds = UINT32_MAX,
                              .context = &durable,
                              .committed = on_committed,
                              .place = on_place,
                              .alarm = on_alarm};
    static const struct {
        size_t octets;
        unsigned batch;
    } cases[] = {{2048, 1}, {2048, 8}, {2048, 64}, {204800, 1}, {204800, 16}, {2097152, 1}, {2097152, 16}};
    const char *error;
    empty(folder);
    struct store *s = store_open(&o, unix_ms(), &error);
    for (size_t i = 0; s && i < sizeof cases / sizeof cases[0]; i++) {
        measure(s, &durable, cases[i].octets, cases[i].batch, seconds, &last);
        if (cases[i].octets > 2048) continue;
        if (i < 2) continue;
        struct store_counters c = store_counters(s);
        store_close(&s);
        double begin = wall();
        s = store_open(&o, unix_ms(), &error);
        printf("%8lu messages opened again in %.0f ms, %.0f octets of index each\n",
               (unsigned long)c.messages, (wall() - begin) * 1e3,
               (double)c.memory_octets / (double)c.messages);
    }
    if (!s) {
        fprintf(stderr, "%s\n", error);
        return 1;
    }
    deliver_all(s);
    store_close(&s);
    empty(folder);
    return 0;
}
