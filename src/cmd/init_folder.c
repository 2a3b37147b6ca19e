#include "cmd/init_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/complain.h"
#include "cmd/write_all.h"
#include "process/role.h"
#include "system/sandbox.h"

struct access_row {
    mode_t folder, file; /* when root makes it; otherwise group and others have nothing */
    const char *process; /* null: root's */
    enum role role;
    bool owns; /* else its group may read */
};
/* The supervisor opens what it hands out, perhaps without the right to pass over modes: root's group may always read. */
static const struct access_row rows[] = {
    [INIT_PUBLIC] = {0755, 0644, NULL, PROC_SUPERVISOR, false},
    [INIT_SECRET] = {0700, 0600, NULL, PROC_SUPERVISOR, false},
    [INIT_SPOOLER] = {0750, 0640, "spooler", PROC_SPOOLER, true},
    [INIT_MAILBOX] = {0750, 0640, "mailbox", PROC_MAILBOX, true},
    [INIT_DIRECTORY] = {0750, 0640, "directory", PROC_DIRECTORY, false},
    [INIT_USERS] = {0700, 0600, "directory", PROC_DIRECTORY, true},
};

static bool cannot(const struct init_folder *f, const char *name, const char *what)
{
    complain(1, "cannot %s %s/%s: %s", what, f->path, name, strerrordesc_np(errno));
    return false;
}

static bool give(const struct init_folder *f, int fd, enum init_owner owner, mode_t mode)
{
    const struct access_row *row = &rows[owner];
    uint32_t uid = 0, gid = 0;

    if (!f->root) return fchmod(fd, mode & 0700) == 0;
    if (row->process) {
        sandbox_account(row->process, row->role, &uid, &gid);
        if (row->owns)
            gid = 0;
        else
            uid = 0;
    }
    return fchown(fd, uid, gid) == 0 && fchmod(fd, mode) == 0;
}

bool init_folder_open(struct init_folder *f, const char *path, const char **why)
{
    char part[PATH_MAX];
    size_t n = strlen(path);

    *why = "the name is empty or too long";
    if (n == 0 || n >= sizeof part) return false;
    memcpy(part, path, n + 1);
    for (size_t i = 1; i <= n; i++) {
        if (part[i] != '/' && part[i]) continue;
        part[i] = 0;
        if (mkdir(part, 0755) != 0 && errno != EEXIST) {
            *why = strerrordesc_np(errno);
            return false;
        }
        part[i] = i < n ? '/' : 0;
    }
    f->path = path;
    f->root = geteuid() == 0;
    f->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (f->fd < 0) *why = strerrordesc_np(errno);
    return f->fd >= 0;
}

bool init_folder_has(const struct init_folder *f, const char *name)
{
    struct stat st;

    return fstatat(f->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT;
}

bool init_folder_make(const struct init_folder *f, const char *name, enum init_owner owner)
{
    if (mkdirat(f->fd, name, 0700) != 0) return cannot(f, name, "make");
    int fd = openat(f->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return cannot(f, name, "open");
    bool good = give(f, fd, owner, rows[owner].folder);
    if (!good) cannot(f, name, "give away");
    close(fd);
    return good;
}

bool init_folder_write(const struct init_folder *f, const char *name, struct span content,
                       enum init_owner owner)
{
    int fd = openat(f->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0) return cannot(f, name, "create");
    bool good = give(f, fd, owner, rows[owner].file) && write_all(fd, content);
    if (close(fd) != 0 || !good) return cannot(f, name, "write");
    return true;
}

bool init_folder_sync(const struct init_folder *f)
{
    return syncfs(f->fd) == 0 || cannot(f, "", "sync");
}
