#include "cmd/user_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/complain.h"
#include "process/role.h"

static int open_folder(const char *path)
{
    return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static bool make_folder(const char *path)
{
    struct config_files_owner owner;
    role_account(PROC_DIRECTORY, &owner);
    if (mkdir(path, 0700) != 0) return false;
    /* by its descriptor: whoever may write beside it could have put a link in its place */
    int fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    bool given = fd >= 0 && (owner.uid == geteuid() || fchownat(fd, "", owner.uid, owner.gid,
                                                                AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) == 0);
    int error = errno;
    if (fd >= 0) close(fd);
    if (given) return true;
    rmdir(path); /* made a moment ago, and empty */
    errno = error;
    return false;
}

int user_folder_open(const char *path, bool make)
{
    int fd = open_folder(path);
    if (fd < 0 && errno == ENOENT && make && make_folder(path)) fd = open_folder(path);
    if (fd >= 0) return fd;
    if (errno == ENOTDIR)
        complain(1,
                 "%s is a file; users are kept in a folder of that name: move it away, then: sallyport user "
                 "import FILE",
                 path);
    else if (errno == ENOENT && !make)
        complain(1, "nobody was ever added: there is no %s", path);
    else
        complain(1, "cannot open %s: %s", path, strerrordesc_np(errno));
    return -1;
}
