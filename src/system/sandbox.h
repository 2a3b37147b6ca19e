/* sandbox: the cage of a process. Entered once, after everything it needs was opened, before it hears from a stranger. */
#ifndef SYSTEM_SANDBOX_H
#define SYSTEM_SANDBOX_H

#include "base/span.h"

/* What a process still may do beyond reading, writing, epoll, clocks and its own descriptors; a set. */
enum sandbox_ability {
    SANDBOX_ACCEPT = 1,      /* accept4 on sockets it was given */
    SANDBOX_RECEIVE_FDS = 2, /* recvmsg with descriptors, mmap of them read-only */
    SANDBOX_SEND_FDS = 4,
    SANDBOX_FILES_AT = 8,    /* openat, renameat2, unlinkat, fsync ... below folders it holds */
    SANDBOX_FILES_READ = 16, /* openat read-only below folders it holds */
    SANDBOX_CONNECT = 32,    /* socket + connect of stream sockets: connector */
    SANDBOX_THREADS = 64,    /* clone for threads only (spooler's helper thread) */
    SANDBOX_MEMORY = 128,    /* mmap and brk, never executable; without it maps are made at start */
    SANDBOX_MEMFD = 256,     /* memfd_create, fcntl seals: directory */
    SANDBOX_DNS = 512,       /* UDP and TCP sockets, bind of a source port, no listen: resolver */
    SANDBOX_UNIX = 1024,     /* socket + connect of UNIX sockets, and stat of a name (no open): winbind */
    SANDBOX_NO_PLUGINS =
        2048, /* nothing more: a folder opened by its name is not found (libkrb5), else that is the end */
};

struct sandbox {
    const char *process;    /* for messages */
    unsigned abilities;     /* SANDBOX_* */
    const int *directories; /* Landlock: folders below which files may be touched */
    unsigned n_directories;
    const int *read_only; /* Landlock: folders below which files may be read, whatever the abilities */
    unsigned n_read_only;
    uint64_t max_fds; /* RLIMIT_NOFILE */
    bool debug;       /* a forbidden system call prints its name before it ends the process */
};

enum sandbox_result {
    SANDBOX_CAGED,             /* seccomp, Landlock, no-new-privs, rlimits, not dumpable */
    SANDBOX_CAGED_NO_LANDLOCK, /* the kernel has none (or an old one): one warning, shown in status */
    SANDBOX_FAILED, /* *error says what; the process must not go on unless insecure was asked for */
};
enum sandbox_result sandbox_enter(const struct sandbox *s, const char **error);

/* no-new-privs, and if root or given CAP_SETUID and CAP_SETGID: groups dropped but `group` (0: all of them), setresgid/setresuid to the account, no capability
 * left, checked that it cannot be undone. */
bool sandbox_drop_user(const char *process, uint32_t uid, uint32_t gid, uint32_t group, const char **error);
/* sandbox_drop_user will change the user: root, or an account with CAP_SETUID and CAP_SETGID. */
bool sandbox_may_change_user(void);
/* Account "sallyport-PROCESS" when it exists, else a uid of a reserved block (base + index). */
void sandbox_account(const char *process, unsigned index, uint32_t *uid, uint32_t *gid);
uint32_t sandbox_group(const char *name); /* 0: there is none, or it is root's */

#endif
