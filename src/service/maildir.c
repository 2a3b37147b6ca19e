#include "service/maildir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "directory/mailbox_name.h"
#include "spool/message_id.h"

enum { PIECE_OCTETS = 65536, FOLDER_FLAGS = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC };

static void fail(struct maildir *d, enum job_status status, const char *enhanced, const char *text)
{
    if (d->status != JOB_DELIVERED) return; /* the first reason counts */
    d->status = status;
    d->enhanced = enhanced;
    d->text = text;
}

/* What the file system says, as an answer (RFC 3463). Nearly all of it can be mended by somebody: mail waits for that. */
static void fail_errno(struct maildir *d, int error)
{
    switch (error) {
    case ENOSPC: fail(d, JOB_DEFERRED, "4.3.1", "no space left where mailboxes are stored"); break;
    case EDQUOT: fail(d, JOB_DEFERRED, "4.2.2", "the mailbox is over its quota"); break;
    case EROFS: fail(d, JOB_DEFERRED, "4.3.1", "the mailbox folder is read-only"); break;
    case EACCES:
    case EPERM: fail(d, JOB_DEFERRED, "4.3.5", "the mailbox folder may not be written"); break;
    case ELOOP:
    case ENOTDIR:
        fail(d, JOB_DEFERRED, "4.3.5", "a folder of the mailbox is no folder but a file or a link");
        break;
    case EMFILE:
    case ENFILE:
    case ENOMEM: fail(d, JOB_DEFERRED, "4.3.2", "out of descriptors or memory"); break;
    case EFBIG:
        fail(d, JOB_FAILED, "5.2.3", "the message is larger than a file may be where mailboxes are stored");
        break;
    case EILSEQ:
    case EINVAL:
    case ENAMETOOLONG:
        fail(d, JOB_FAILED, "5.1.1", "the name of the mailbox is no possible name of a folder");
        break;
    default: fail(d, JOB_DEFERRED, "4.3.0", "the mailbox cannot be written"); break;
    }
}

/* --- folders --- */

/* A folder below `at`, made if it is missing; its name is then made durable. -1: failed. */
static int open_folder(struct maildir *d, int at, const char *name, bool *made)
{
    int fd = openat(at, name, FOLDER_FLAGS);
    if (fd < 0 && errno == ENOENT) {
        if (mkdirat(at, name, 0700) == 0)
            *made = true;
        else if (errno != EEXIST) {
            fail_errno(d, errno);
            return -1;
        }
        fd = openat(at, name, FOLDER_FLAGS);
    }
    if (fd < 0) fail_errno(d, errno);
    return fd;
}

static int open_child(struct maildir *d, int at, struct span name)
{
    char z[LIMIT_DOMAIN_OCTETS + 1];
    bool made = false;
    struct buf b = buf_on(z, sizeof z - 1);
    buf_put(&b, name);
    z[b.n] = '\0';
    int fd = open_folder(d, at, z, &made);
    if (fd >= 0 && made && fsync(at) != 0) {
        fail_errno(d, errno);
        close(fd);
        return -1;
    }
    return fd;
}

/* tmp and new stay open; cur is only made, for the reader's program. */
static void open_mailbox(struct maildir *d, const struct maildir_target *t, int *box)
{
    bool made = false;
    int domain = open_child(d, t->root, t->domain);
    *box = domain < 0 ? -1 : open_child(d, domain, t->local);
    if (domain >= 0) close(domain);
    if (*box < 0) return;
    int cur = open_folder(d, *box, "cur", &made);
    if (cur >= 0) close(cur);
    d->new = open_folder(d, *box, "new", &made);
    d->tmp = open_folder(d, *box, "tmp", &made);
    if (made && d->status == JOB_DELIVERED && fsync(*box) != 0) fail_errno(d, errno);
}

/* --- names --- */

/* "SECONDS.MmicrosecondsIidRrecipient.host": the same for the same message and recipient, whatever happens between. */
static void make_name(struct maildir *d, const struct maildir_target *t)
{
    uint64_t ms = message_id_unix_ms(t->id);
    struct buf b = buf_on(d->name, sizeof d->name - 24); /* room for ",S=" and a size */
    buf_u64(&b, ms / 1000);
    buf_str(&b, ".M");
    buf_u64_pad(&b, ms % 1000 * 1000, 6);
    buf_byte(&b, 'I');
    message_id_put(&b, t->id);
    buf_byte(&b, 'R');
    buf_u64(&b, t->recipient);
    buf_byte(&b, '.');
    for (size_t i = 0; i < t->host.n && buf_room(&b); i++) {
        uint8_t c = t->host.p[i];
        bool plain = (c >= '0' && c <= '9') || (octet_lower(c) >= 'a' && octet_lower(c) <= 'z') || c == '-' ||
                     c == '.';
        buf_byte(&b, plain ? c : '_');
    }
    d->name[b.n] = '\0';
}

/* Is a file in the folder that begins with our name, up to ',' (its size) or ':' (flags of the reader's program)? */
static bool holds(int folder, const char *name)
{
    size_t n = strlen(name);
    bool found = false;
    struct dirent *e;
    int copy = openat(folder, ".", FOLDER_FLAGS); /* a position of its own */
    DIR *list = copy < 0 ? NULL : fdopendir(copy);
    if (!list) {
        if (copy >= 0) close(copy);
        return false;
    }
    while (!found && (e = readdir(list)) != NULL)
        found =
            strncmp(e->d_name, name, n) == 0 && (e->d_name[n] == ',' || e->d_name[n] == ':' || !e->d_name[n]);
    closedir(list);
    return found;
}

static bool delivered_before(const struct maildir *d, int box)
{
    int cur = openat(box, "cur", FOLDER_FLAGS);
    bool found = holds(d->new, d->name) || (cur >= 0 && holds(cur, d->name));
    if (cur >= 0) close(cur);
    return found;
}

/* --- content --- */

static void write_all(struct maildir *d, struct span s)
{
    d->octets += s.n;
    while (s.n) {
        ssize_t n = write(d->file, s.p, s.n);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            fail_errno(d, errno);
            return;
        }
        s = span_skip(s, (size_t)n);
    }
}

/* A line of our own: nothing in the value can end it. */
static void put_field(struct buf *b, const char *name, struct span value, bool brackets)
{
    buf_str(b, name);
    if (brackets) buf_byte(b, '<');
    for (size_t i = 0; i < value.n; i++)
        buf_byte(b, value.p[i] < 32 || value.p[i] == 127 ? '?' : value.p[i]);
    if (brackets) buf_byte(b, '>');
    buf_byte(b, '\n');
}

static void open_file(struct maildir *d, const struct maildir_target *t)
{
    uint8_t memory[2048];
    struct buf b = buf_on(memory, sizeof memory);
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    d->file = openat(d->tmp, d->name, flags, 0600);
    if (d->file < 0 && errno == EEXIST) { /* left behind by a delivery of ours that did not end */
        unlinkat(d->tmp, d->name, 0);
        d->file = openat(d->tmp, d->name, flags, 0600);
    }
    if (d->file < 0) {
        fail_errno(d, errno);
        return;
    }
    put_field(&b, "Return-Path: ", t->reverse_path, true); /* RFC 5321 4.4: final delivery adds it */
    put_field(&b, "Delivered-To: ", t->delivered_to, false);
    if (b.over)
        fail(d, JOB_FAILED, "5.1.3", "the address is too long");
    else
        write_all(d, buf_span(&b));
}

void maildir_begin(struct maildir *d, const struct maildir_target *t)
{
    int box = -1;
    *d = (struct maildir){.tmp = -1,
                          .new = -1,
                          .file = -1,
                          .status = JOB_DELIVERED,
                          .enhanced = "2.0.0",
                          .text = "delivered to the mailbox"};
    if (!mailbox_name_local(t->local) || !mailbox_name_domain(t->domain)) {
        fail(d, JOB_FAILED, "5.1.1", "the name of the mailbox is no possible name of a folder");
        return;
    }
    make_name(d, t);
    open_mailbox(d, t, &box);
    if (d->status == JOB_DELIVERED && t->again) d->present = delivered_before(d, box);
    if (box >= 0) close(box);
    if (d->present) d->text = "was in the mailbox already";
    if (d->status == JOB_DELIVERED && !d->present) open_file(d, t);
}

/* CRLF to LF. A CR is held back until the octet behind it is known. */
static size_t to_lf(struct maildir *d, const uint8_t *in, size_t n, uint8_t *out)
{
    size_t used = 0;
    for (size_t i = 0; i < n; i++) {
        if (d->last_cr && in[i] != '\n') out[used++] = '\r';
        d->last_cr = in[i] == '\r';
        if (!d->last_cr) out[used++] = in[i];
    }
    return used;
}

void maildir_append(struct maildir *d, int segment, const struct extent *e)
{
    static uint8_t in[PIECE_OCTETS], out[2 * PIECE_OCTETS];
    uint32_t crc = 0, done = 0;
    if (d->status != JOB_DELIVERED || d->present) return;
    if (segment < 0) {
        fail(d, JOB_DEFERRED, "4.3.0", "the spool segment of the message is not at hand");
        return;
    }
    while (done < e->length && d->status == JOB_DELIVERED) {
        size_t want = e->length - done < PIECE_OCTETS ? e->length - done : PIECE_OCTETS;
        ssize_t n = pread(segment, in, want, (off_t)(e->offset + done));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        crc = crc32c(crc, in, (size_t)n);
        write_all(d, span_of(out, to_lf(d, in, (size_t)n, out)));
        done += (uint32_t)n;
    }
    if (d->status == JOB_DELIVERED && (done < e->length || crc != e->crc)) {
        d->damaged = true;
        fail(d, JOB_DEFERRED, "4.3.0", "the stored message is damaged");
    }
}

/* --- the end --- */

void maildir_sync(struct maildir *d)
{
    if (d->status != JOB_DELIVERED || d->present) return;
    if (d->last_cr) write_all(d, SPAN("\r"));
    d->last_cr = false;
    if (d->status == JOB_DELIVERED && fsync(d->file) != 0) fail_errno(d, errno);
    /* close reports what a network file system could not write */
    if (close(d->file) != 0) fail_errno(d, errno);
    d->file = -1;
}

/* Never over a file that is there: that is the same message, delivered before. */
static int rename_new(int from, const char *old, int to, const char *name)
{
    struct stat st;
    if (renameat2(from, old, to, name, RENAME_NOREPLACE) == 0) return 0;
    if (errno != EINVAL && errno != ENOSYS) return errno;
    if (fstatat(to, name, &st, AT_SYMLINK_NOFOLLOW) == 0) return EEXIST; /* a file system without the flag */
    return renameat(from, old, to, name) == 0 ? 0 : errno;
}

void maildir_publish(struct maildir *d)
{
    char name[MAILDIR_NAME_OCTETS];
    if (d->status != JOB_DELIVERED || d->present) return;
    struct buf b = buf_on(name, sizeof name - 1);
    buf_str(&b, d->name);
    buf_str(&b, ",S="); /* Maildir++: the size, so that nobody has to ask for it */
    buf_u64(&b, d->octets);
    name[b.n] = '\0';
    int error = b.over ? ENAMETOOLONG : rename_new(d->tmp, d->name, d->new, name);
    if (error == EEXIST) {
        unlinkat(d->tmp, d->name, 0);
        d->text = "was in the mailbox already";
    } else if (error) {
        fail_errno(d, error);
        return;
    }
    d->present = true;
}

void maildir_sync_folder(struct maildir *d)
{
    if (d->status == JOB_DELIVERED && d->present && fsync(d->new) != 0) fail_errno(d, errno);
}

void maildir_end(struct maildir *d)
{
    if (d->file >= 0) close(d->file);
    /* The name is ours alone; after a crash the next attempt removes it. */
    if (d->tmp >= 0 && !d->present && d->name[0]) unlinkat(d->tmp, d->name, 0);
    if (d->tmp >= 0) close(d->tmp);
    if (d->new >= 0) close(d->new);
    d->tmp = d->new = d->file = -1;
}
