/* sandbox: the cage of a process. Entered once, after everything it needs was opened, before it hears from a stranger. */
#ifndef SYSTEM_SANDBOX_H
#define SYSTEM_SANDBOX_H

#include "base/span.h"

enum { /* what a process still may do beyond reading, writing, epoll, clocks and its own descriptors; a set */
       SANDBOX_ACCEPT = 1,      /* accept4 on sockets it was given */
       SANDBOX_RECEIVE_FDS = 2, /* recvmsg with descriptors, mmap of them read-only */
       SANDBOX_SEND_FDS = 4,
       SANDBOX_FILES_AT =
           8, /* openat, renameat2, unlinkat, mkdirat, fsync below directory descriptors it holds */
       SANDBOX_FILES_READ = 16, /* openat read-only below directory descriptors it holds */
       SANDBOX_CONNECT = 32,    /* socket + connect (connector, later) */
       SANDBOX_THREADS = 64,    /* clone3 for threads, futex (spooler's helper thread) */
       SANDBOX_MEMORY =
           128, /* mmap/munmap/brk of anonymous memory, never executable; without it maps are made at start */
       SANDBOX_PROCESSES = 256, /* clone, execve, wait, kill: the supervisor */
       SANDBOX_MEMFD = 512,     /* memfd_create, fcntl seals: directory */
};

struct sandbox {
    const char *process;    /* for messages */
    unsigned abilities;     /* SANDBOX_* */
    const int *directories; /* Landlock: descriptors below which files may be touched */
    unsigned n_directories;
    uint64_t max_fds; /* RLIMIT_NOFILE */
    uint64_t
        max_data_octets; /* RLIMIT_DATA; 0: leave. Without SANDBOX_MEMORY it is set so that nothing more is given */
    bool debug;          /* a forbidden system call prints its name before it ends the process */
};

enum sandbox_result {
    SANDBOX_CAGED,             /* seccomp, Landlock, no-new-privs, rlimits, not dumpable */
    SANDBOX_CAGED_NO_LANDLOCK, /* the kernel has none (or an old one): one warning, shown in status */
    SANDBOX_FAILED, /* *error says what; the process must not go on unless insecure was asked for */
};
enum sandbox_result sandbox_enter(const struct sandbox *s, const char **error);

/* no-new-privs, and if root or given CAP_SETUID and CAP_SETGID: groups dropped, setresgid/setresuid to the account, no capability
 * left, checked that it cannot be undone. */
bool sandbox_drop_user(const char *process, uint32_t uid, uint32_t gid, const char **error);
/* Account "sallyport-PROCESS" when it exists, else a uid of a reserved block (base + index). */
void sandbox_account(const char *process, unsigned index, uint32_t *uid, uint32_t *gid);

#endif
