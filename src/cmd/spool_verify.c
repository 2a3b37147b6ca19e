#include "cmd/spool_verify.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "cmd/complain.h"
#include "spool/message_id.h"
#include "spool/store.h"

/* The folder as the store sees it, write-guarded: what recovery creates lives in memory, what it would write to a file that exists,
 * rename or delete is dropped. Recovery never reads back what it wrote to an old file. */
struct guarded {
    struct disk real;
};

static int guarded_list(void *disk, disk_name_fn *fn, void *context)
{
    const struct disk *real = &((struct guarded *)disk)->real;
    return real->ops->list(real->context, fn, context);
}

static int guarded_open(void *disk, const char *name, enum disk_open how)
{
    const struct disk *real = &((struct guarded *)disk)->real;
    if (how != DISK_CREATE) return real->ops->open(real->context, name, how == DISK_WRITE ? DISK_READ : how);
    int fd = memfd_create(name, MFD_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static void guarded_close(void *disk, int file)
{
    const struct disk *real = &((struct guarded *)disk)->real;
    real->ops->close(real->context, file);
}

static int64_t guarded_size(void *disk, int file)
{
    const struct disk *real = &((struct guarded *)disk)->real;
    return real->ops->size(real->context, file);
}

static bool is_writable(int file)
{
    int flags = fcntl(file, F_GETFL);
    return flags >= 0 && (flags & O_ACCMODE) == O_RDWR;
}

static int guarded_write(void *disk, int file, const struct iovec *iov, int n, uint64_t offset)
{
    const struct disk *real = &((struct guarded *)disk)->real;
    return is_writable(file) ? real->ops->write(real->context, file, iov, n, offset) : 0;
}

static int64_t guarded_read(void *disk, int file, void *to, size_t n, uint64_t offset)
{
    const struct disk *real = &((struct guarded *)disk)->real;
    return real->ops->read(real->context, file, to, n, offset);
}

static int guarded_allocate(void *disk, int file, uint64_t octets)
{
    (void)disk;
    if (!is_writable(file)) return 0;
    return ftruncate(file, (off_t)octets) == 0 ? 0 : -errno;
}

static int guarded_sync(void *disk, int file)
{
    (void)disk;
    (void)file;
    return 0;
}

static int guarded_sync_directory(void *disk)
{
    (void)disk;
    return 0;
}

static int guarded_rename(void *disk, const char *from, const char *to)
{
    (void)disk;
    (void)from;
    (void)to;
    return 0;
}

static int guarded_unlink(void *disk, const char *name)
{
    (void)disk;
    (void)name;
    return 0;
}

static const struct disk_ops guarded_ops = {
    .list = guarded_list,
    .open = guarded_open,
    .close = guarded_close,
    .size = guarded_size,
    .write = guarded_write,
    .read = guarded_read,
    .allocate = guarded_allocate,
    .sync = guarded_sync,
    .sync_directory = guarded_sync_directory,
    .rename = guarded_rename,
    .unlink = guarded_unlink,
};

struct verifying {
    control_client_line_fn *line;
    void *context;
};

static void put_number(struct buf *b, const char *before, uint64_t value)
{
    buf_str(b, before);
    buf_u64(b, value);
}

static void on_problem(void *context, uint32_t segment, uint64_t offset, uint64_t id, const char *text)
{
    struct verifying *v = context;
    char memory[512];
    struct buf b = buf_on(memory, sizeof memory);
    put_number(&b, "{\"segment\":", segment);
    put_number(&b, ",\"offset\":", offset);
    buf_str(&b, ",\"problem\":\"");
    buf_json(&b, span_str(text), 256);
    buf_byte(&b, '"');
    if (id != 0) {
        buf_str(&b, ",\"id\":\"");
        message_id_put(&b, id);
        buf_byte(&b, '"');
    }
    buf_byte(&b, '}');
    if (!b.over) v->line(v->context, buf_span(&b));
}

static enum store_place hold_everything(void *context, const struct message *m, const struct recipient *r)
{
    (void)context;
    (void)m;
    (void)r;
    return PLACE_HOLD;
}

static void on_committed(void *context, uint64_t token, const struct message *m, uint64_t id,
                         enum store_status status)
{
    (void)context;
    (void)token;
    (void)m;
    (void)id;
    (void)status; /* nothing is submitted here */
}

static void verify_all(struct store *s, struct verifying *v)
{
    char memory[256];
    struct buf b = buf_on(memory, sizeof memory);
    struct verify_report sum = {.problem = on_problem, .context = v};
    uint64_t cursor = 0;
    bool more = true;
    while (more) {
        struct verify_report step = {.problem = on_problem, .context = v};
        more = store_verify(s, &cursor, &step);
        sum.segments += step.segments;
        sum.records += step.records;
        sum.messages += step.messages;
        sum.damaged += step.damaged;
    }
    put_number(&b, "{\"event\":\"verified\",\"segments\":", sum.segments);
    put_number(&b, ",\"records\":", sum.records);
    put_number(&b, ",\"messages\":", sum.messages);
    put_number(&b, ",\"damaged\":", sum.damaged);
    buf_str(&b, "}");
    v->line(v->context, buf_span(&b));
}

bool spool_verify(const char *folder, control_client_line_fn *line, void *context)
{
    struct verifying v = {line, context};
    const char *error = NULL;
    int directory = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) {
        complain(1, "%s: %s", folder, strerror(errno));
        return false;
    }
    struct guarded guarded = {disk_on_directory(&directory)};
    struct store_options o = {.disk = {&guarded_ops, &guarded},
                              .seed = 1,
                              .salt = 1,
                              .retry_first_seconds = LIMIT_RETRY_SECONDS_FIRST,
                              .retry_max_seconds = LIMIT_RETRY_SECONDS_MAX,
                              .queue_seconds = LIMIT_QUEUE_SECONDS_DEFAULT,
                              .context = &v,
                              .committed = on_committed,
                              .place = hold_everything}; /* what recovery finds, store_verify reports */
    struct store *s = store_open(&o, (uint64_t)time(NULL) * 1000, &error);
    bool opened = s != NULL;
    if (opened)
        verify_all(s, &v);
    else
        complain(1, "%s: %s: %s", folder, error, strerror(errno));
    store_close(&s);
    close(directory);
    return opened;
}
