#include "cmd/users_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/complain.h"
#include "cmd/write_all.h"
#include "process/role.h"
#include "service/names.h"
#include "system/sandbox.h"

enum { LINE_OCTETS = 2048 /* of a line that is added */ };

static bool cannot(const struct users_file *f, const char *what)
{
    complain(1, "cannot %s %s: %s", what, f->real, strerrordesc_np(errno));
    return false;
}

/* The file that is meant, not a symbolic link to it, which would be replaced. */
static char *resolve(const char *path)
{
    char *real = realpath(path, NULL);
    if (real || errno != ENOENT) return real;
    return strdup(path);
}

/* Opens and locks the file that has the name once the lock is held. -1 with errno: ENOENT there is none. */
static int open_locked(const char *path)
{
    for (;;) {
        struct stat mine, now;
        int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (fd < 0) return -1;
        if (flock(fd, LOCK_EX) == 0 && fstat(fd, &mine) == 0 && S_ISREG(mine.st_mode) &&
            stat(path, &now) == 0 && mine.st_dev == now.st_dev && mine.st_ino == now.st_ino)
            return fd;
        int error = errno;
        bool other = fstat(fd, &mine) == 0 && !S_ISREG(mine.st_mode);
        close(fd);
        errno = other ? EINVAL : error;
        if (other) return -1;
    }
}

static bool read_all(struct users_file *f, size_t size)
{
    while (f->n < size) {
        ssize_t n = pread(f->lock, f->p + f->n, size - f->n, (off_t)f->n);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return cannot(f, "read");
        if (n == 0) break;
        f->n += (size_t)n;
    }
    return true;
}

bool users_file_open(struct users_file *f, const char *path)
{
    struct stat st = {.st_size = 0};
    *f = (struct users_file){.lock = -1, .real = resolve(path)};
    if (!f->real) {
        complain(1, "cannot find %s: %s", path, strerrordesc_np(errno));
        return false;
    }
    f->lock = open_locked(f->real);
    if (f->lock < 0 && errno != ENOENT) return cannot(f, "read");
    if (f->lock >= 0 && fstat(f->lock, &st) != 0) return cannot(f, "read");
    if (st.st_size > LIMIT_DIRECTORY_FILE_OCTETS) {
        complain(1, "%s is too large", f->real);
        return false;
    }
    f->room = (size_t)st.st_size + LINE_OCTETS;
    f->p = malloc(f->room);
    if (!f->p) return cannot(f, "hold");
    return f->lock < 0 || read_all(f, (size_t)st.st_size);
}

/* --- lines */

static struct span line_at(const struct users_file *f, size_t at)
{
    struct span rest = {f->p + at, f->n - at};
    size_t end = span_find(rest, '\n');
    return end == SPAN_NPOS ? rest : span_head(rest, end + 1);
}

/* The field at the start of a line, up to its TAB or end. */
static struct span field_of(struct span line)
{
    size_t n = 0;
    while (n < line.n && line.p[n] != '\t' && line.p[n] != '\n' && line.p[n] != '\r')
        n++;
    return span_head(line, n);
}

static bool is_mailbox(struct span line)
{
    return line.n > 0 && line.p[0] != '#' && span_find(line, '\t') != SPAN_NPOS;
}

/* The field names this mailbox, whichever way its domain is written. */
static bool names(struct span field, struct span key)
{
    uint8_t memory[LIMIT_LOCAL_PART_OCTETS + 1 + LIMIT_DOMAIN_OCTETS];
    struct buf b = buf_on(memory, sizeof memory);
    return names_canonical(field, &b) && span_eq(buf_span(&b), key);
}

static bool is_of(struct span line, struct span key)
{
    return is_mailbox(line) && names(field_of(line), key);
}

bool users_file_next(const struct users_file *f, size_t *at, struct span *mailbox, struct span *verifier)
{
    while (*at < f->n) {
        struct span line = line_at(f, *at);
        *at += line.n;
        if (!is_mailbox(line)) continue;
        *mailbox = field_of(line);
        *verifier = field_of(span_skip(line, mailbox->n + 1));
        return true;
    }
    return false;
}

bool users_file_has(const struct users_file *f, struct span key)
{
    struct span mailbox, verifier;
    for (size_t at = 0; users_file_next(f, &at, &mailbox, &verifier);)
        if (names(mailbox, key)) return true;
    return false;
}

/* --- changes */

/* Octets [at, at + old) become text. False: no room. */
static bool replace(struct users_file *f, size_t at, size_t old, struct span text)
{
    if (text.n > old && text.n - old > f->room - f->n) {
        size_t room = f->room + text.n + LINE_OCTETS;
        uint8_t *p = malloc(room);
        if (!p) return false;
        memcpy(p, f->p, f->n);
        explicit_bzero(f->p, f->n);
        free(f->p);
        f->p = p;
        f->room = room;
    }
    memmove(f->p + at + text.n, f->p + at + old, f->n - at - old);
    if (text.n) memcpy(f->p + at, text.p, text.n);
    f->n = f->n - old + text.n;
    return true;
}

bool users_file_add(struct users_file *f, struct span key, struct span verifier)
{
    char memory[LINE_OCTETS];
    struct buf b = buf_on(memory, sizeof memory);
    if (f->n && f->p[f->n - 1] != '\n') buf_byte(&b, '\n');
    buf_put(&b, key);
    buf_byte(&b, '\t');
    buf_put(&b, verifier);
    buf_str(&b, "\t\n");
    bool ok = !b.over && replace(f, f->n, 0, buf_span(&b));
    explicit_bzero(memory, sizeof memory);
    return ok;
}

bool users_file_set(struct users_file *f, struct span key, struct span verifier)
{
    for (size_t at = 0; at < f->n;) {
        struct span line = line_at(f, at);
        if (is_of(line, key)) {
            struct span mailbox = field_of(line), old = field_of(span_skip(line, mailbox.n + 1));
            if (!replace(f, at + mailbox.n + 1, old.n, verifier)) return false;
            line = line_at(f, at);
        }
        at += line.n;
    }
    return true;
}

void users_file_remove(struct users_file *f, struct span key)
{
    for (size_t at = 0; at < f->n;) {
        struct span line = line_at(f, at);
        if (is_of(line, key))
            (void)replace(f, at, line.n, SPAN("")); /* needs no room */
        else
            at += line.n;
    }
}

/* --- the new file */

/* Owner and mode of the old file. A new one of root's is for the supervisor to read, which is the account sallyport where that exists (the
 * systemd unit); else as `sallyport init` gives one. */
static bool give(const struct users_file *f, int fd)
{
    struct stat st = {.st_mode = 0600, .st_uid = geteuid(), .st_gid = getegid()};
    uint32_t uid = 0, gid = 0;
    if (f->lock >= 0 && fstat(f->lock, &st) != 0) return false;
    if (f->lock < 0 && geteuid() == 0) {
        const struct passwd *service = getpwnam("sallyport");
        sandbox_account("directory", PROC_DIRECTORY, &uid, &gid);
        if (service) gid = service->pw_gid;
        st.st_uid = 0;
        st.st_gid = gid;
        st.st_mode = 0640;
    }
    return fchown(fd, st.st_uid, st.st_gid) == 0 && fchmod(fd, st.st_mode & 07777) == 0;
}

static bool sync_folder(const char *path)
{
    char folder[PATH_MAX] = ".";
    size_t slash = span_rfind(span_str(path), '/');
    if (slash != SPAN_NPOS) snprintf(folder, sizeof folder, "%.*s", slash ? (int)slash : 1, path);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return false;
    bool ok = fsync(fd) == 0;
    close(fd);
    return ok;
}

bool users_file_save(struct users_file *f)
{
    char temporary[PATH_MAX + 16];
    int n = snprintf(temporary, sizeof temporary, "%s.XXXXXX", f->real);
    int fd = n < (int)sizeof temporary ? mkostemp(temporary, O_CLOEXEC) : -1;
    if (fd < 0) return cannot(f, "write beside");
    bool ok = give(f, fd) && write_all(fd, (struct span){f->p, f->n}) && fsync(fd) == 0;
    int error = errno;
    if (close(fd) != 0 && ok) {
        error = errno;
        ok = false;
    }
    if (ok) {
        /* one that somebody made meanwhile is not lost */
        ok = renameat2(AT_FDCWD, temporary, AT_FDCWD, f->real, f->lock < 0 ? RENAME_NOREPLACE : 0) == 0;
        error = errno;
    }
    if (!ok) {
        unlink(temporary);
        errno = error;
        return cannot(f, "replace");
    }
    return sync_folder(f->real) || cannot(f, "sync the folder of");
}

void users_file_close(struct users_file *f)
{
    if (f->p) explicit_bzero(f->p, f->n);
    free(f->p);
    free(f->real);
    if (f->lock >= 0) close(f->lock);
    *f = (struct users_file){.lock = -1};
}
