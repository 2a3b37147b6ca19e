#include "identity/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

void folder_name(int folder, char ret[FOLDER_NAME_OCTETS])
{
    snprintf(ret, FOLDER_NAME_OCTETS, "/%d/%s", folder, IDENTITY_FILE);
}

/* "/12/identity.db-wal": 12 and "identity.db-wal". False, with errno: any other name. */
static bool below(const char *path, int *folder, const char **name)
{
    static const char *const ends[] = {"", "-wal", "-shm", "-journal"};
    const size_t n = sizeof IDENTITY_FILE - 1;
    struct span digits = span_skip(span_str(path), 1);
    size_t slash = span_find(digits, '/');
    uint64_t number;

    errno = ENOENT;
    if (path[0] != '/' || slash == SPAN_NPOS || !span_u64(span_head(digits, slash), &number) ||
        number > INT32_MAX)
        return false;
    const char *file = path + 1 + slash + 1;
    if (strncmp(file, IDENTITY_FILE, n) != 0) return false;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        if (strcmp(file + n, ends[i]) != 0) continue;
        *folder = (int)number;
        *name = file;
        return true;
    }
    return false;
}

/* --- what SQLite calls: the same as the system calls of these names */

/* A link, a FIFO or a device that somebody put there is no database. */
static int open_file(const char *path, int flags, int mode)
{
    int folder;
    const char *name;
    struct stat st;

    if (!below(path, &folder, &name)) return -1;
    int fd = openat(folder, name, flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, mode);
    if (fd >= 0 && (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))) {
        close(fd);
        errno = EINVAL;
        return -1;
    }
    return fd;
}

static int access_file(const char *path, int mode)
{
    int folder;
    const char *name;
    struct stat st;
    (void)mode; /* the open will say */
    return below(path, &folder, &name) ? fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) : -1;
}

static int stat_file(const char *path, struct stat *st)
{
    int folder;
    const char *name;
    return below(path, &folder, &name) ? fstatat(folder, name, st, AT_SYMLINK_NOFOLLOW) : -1;
}

static int unlink_file(const char *path)
{
    int folder;
    const char *name;
    return below(path, &folder, &name) ? unlinkat(folder, name, 0) : -1;
}

/* The folder of a file, to be synced. */
static int open_directory(const char *path, int *ret)
{
    int folder;
    const char *name;

    *ret = below(path, &folder, &name) ? openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    return *ret >= 0 ? SQLITE_OK : SQLITE_CANTOPEN;
}

static char *no_getcwd(char *memory, size_t octets)
{
    (void)memory, (void)octets;
    errno = EACCES;
    return NULL;
}

static ssize_t no_readlink(const char *path, char *memory, size_t octets)
{
    (void)path, (void)memory, (void)octets;
    errno = EINVAL;
    return -1;
}

static int no_mkdir(const char *path, mode_t mode)
{
    (void)path, (void)mode;
    errno = EACCES;
    return -1;
}

static int no_rmdir(const char *path)
{
    (void)path;
    errno = EACCES;
    return -1;
}

/* --- */

static bool installed;

static void install(void)
{
    const struct {
        const char *name;
        sqlite3_syscall_ptr call;
    } calls[] = {
        {"open", (sqlite3_syscall_ptr)open_file},     {"access", (sqlite3_syscall_ptr)access_file},
        {"stat", (sqlite3_syscall_ptr)stat_file},     {"lstat", (sqlite3_syscall_ptr)stat_file},
        {"unlink", (sqlite3_syscall_ptr)unlink_file}, {"openDirectory", (sqlite3_syscall_ptr)open_directory},
        {"getcwd", (sqlite3_syscall_ptr)no_getcwd},   {"readlink", (sqlite3_syscall_ptr)no_readlink},
        {"mkdir", (sqlite3_syscall_ptr)no_mkdir},     {"rmdir", (sqlite3_syscall_ptr)no_rmdir},
    };
    sqlite3_vfs *unix_files = sqlite3_initialize() == SQLITE_OK ? sqlite3_vfs_find("unix") : NULL;

    if (!unix_files || unix_files->iVersion < 3) return;
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
        if (unix_files->xSetSystemCall(unix_files, calls[i].name, calls[i].call) != SQLITE_OK) return;
    installed = sqlite3_vfs_register(unix_files, 1) == SQLITE_OK;
}

bool folder_install(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    return pthread_once(&once, install) == 0 && installed;
}

bool folder_has_regular(int folder)
{
    struct stat st;
    return fstatat(folder, IDENTITY_FILE, &st, AT_SYMLINK_NOFOLLOW) != 0 || S_ISREG(st.st_mode);
}

/* Never opened when it is there: closing a file gives up every lock that this process has on it. */
bool folder_make_file(int folder)
{
    struct stat st, above;

    if (fstatat(folder, IDENTITY_FILE, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno != ENOENT) return false;
        int fd = openat(folder, IDENTITY_FILE, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0 && errno != EEXIST) return false;
        if (fd >= 0) close(fd);
        if (fstatat(folder, IDENTITY_FILE, &st, AT_SYMLINK_NOFOLLOW) != 0) return false;
    }
    if (geteuid() != 0) return true;
    if (fstat(folder, &above) != 0) return false;
    return st.st_uid == above.st_uid ||
           fchownat(folder, IDENTITY_FILE, above.st_uid, above.st_gid, AT_SYMLINK_NOFOLLOW) == 0;
}
