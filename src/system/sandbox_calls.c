/* The system calls a caged process may still make: an allow-list from the abilities of its role; everything else ends the
 * process (KILL_PROCESS; the kernel's audit log has the number). Where a call is allowed in part, the filter looks at its
 * arguments. Calls of the hot path have no argument rules, so that the kernel answers them from its cache. */
#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/buf.h"
#include "system/sandbox_private.h"

enum { ALL = 0, WRITES = O_WRONLY | O_RDWR | O_CREAT | O_TRUNC, ARGUMENTS = 2 };

struct call {
    int number;
    unsigned abilities; /* any of them; ALL: every process */
    int answer;         /* 0: allowed; else this error number */
    unsigned n;
    struct scmp_arg_cmp arguments[ARGUMENTS];
};

/* clang-format off */
/* Argument rules: int arguments are compared by their low 32 bits, whatever stands above. */
#define LOW(arg, value)        {arg, SCMP_CMP_MASKED_EQ, 0xffffffff, (uint32_t)(value)}
#define BITS(arg, mask, value) {arg, SCMP_CMP_MASKED_EQ, (mask), (value)}
#define IS_FD(arg)             {arg, SCMP_CMP_MASKED_EQ, 0x80000000, 0} /* not AT_FDCWD */
#define NULL_POINTER(arg)      {arg, SCMP_CMP_EQ, 0, 0}

#define ANY(name, abilities)                 {SCMP_SYS(name), abilities, 0, 0, {{0}}}
#define IF(name, abilities, one)             {SCMP_SYS(name), abilities, 0, 1, {one}}
#define IF2(name, abilities, one, two)       {SCMP_SYS(name), abilities, 0, 2, {one, two}}
#define FAIL(name, abilities, error)         {SCMP_SYS(name), abilities, error, 0, {{0}}}
#define FAIL_IF(name, abilities, error, one) {SCMP_SYS(name), abilities, error, 1, {one}}
#define FAIL_IF2(name, abilities, error, one, two) {SCMP_SYS(name), abilities, error, 2, {one, two}}
/* clang-format on */

static const struct call calls[] = {
    /* descriptors it holds */
    ANY(read, ALL),
    ANY(write, ALL),
    ANY(readv, ALL),
    ANY(writev, ALL),
    ANY(pread64, ALL),
    ANY(preadv, ALL),
    ANY(lseek, ALL),
    ANY(close, ALL),
    ANY(fstat, ALL),
    IF(newfstatat, ALL, BITS(3, AT_EMPTY_PATH, AT_EMPTY_PATH)), /* fstat of glibc */
    ANY(epoll_wait, ALL),
    ANY(epoll_pwait, ALL),
    ANY(epoll_ctl, ALL),
    ANY(poll, ALL),
    ANY(ppoll, ALL),
    ANY(sendmsg, ALL),
    ANY(sendmmsg, ALL),
    ANY(recvmsg, ALL),
    ANY(recvmmsg, ALL),
    IF(sendto, ALL, NULL_POINTER(4)), /* send(): no address */
    IF(recvfrom, ALL, NULL_POINTER(4)),
    ANY(shutdown, ALL),
    IF(fcntl, ALL, LOW(1, F_GETFD)),
    IF(fcntl, ALL, LOW(1, F_SETFD)),
    IF(fcntl, ALL, LOW(1, F_GETFL)),
    IF(fcntl, ALL, LOW(1, F_SETFL)),
    IF(fcntl, ALL, LOW(1, F_DUPFD_CLOEXEC)),
    IF(fcntl, ALL, LOW(1, F_GET_SEALS)),
    IF(ioctl, ALL, LOW(1, FIONREAD)),
    FAIL_IF(ioctl, ALL, ENOTTY, LOW(1, TCGETS)), /* isatty */

    /* itself: time, chance, signals to itself, the end */
    ANY(clock_gettime, ALL),
    ANY(clock_getres, ALL),
    ANY(clock_nanosleep, ALL),
    ANY(gettimeofday, ALL),
    ANY(time, ALL),
    ANY(getrandom, ALL),
    ANY(getpid, ALL),
    ANY(gettid, ALL),
    ANY(getuid, ALL),
    ANY(geteuid, ALL),
    ANY(getgid, ALL),
    ANY(getegid, ALL),
    ANY(getrusage, ALL),
    ANY(futex, ALL),
    ANY(rseq, ALL),
    ANY(set_robust_list, ALL),
    ANY(restart_syscall, ALL),
    ANY(rt_sigaction, ALL),
    ANY(rt_sigprocmask, ALL),
    ANY(rt_sigreturn, ALL),
    IF(tgkill, ALL, LOW(2, SIGABRT)), /* abort() */
    ANY(exit, ALL),
    ANY(exit_group, ALL),

    /* memory. Never executable: PROT_EXEC matches no rule */
    ANY(brk, ALL), /* bounded by RLIMIT_DATA, see sandbox.c */
    ANY(munmap, ALL),
    ANY(madvise, ALL),
    IF(mmap, ALL, BITS(2, PROT_EXEC | PROT_WRITE, 0)),
    IF(mmap, SANDBOX_MEMORY, BITS(2, PROT_EXEC | PROT_WRITE, PROT_WRITE)),
    IF(mprotect, SANDBOX_MEMORY | SANDBOX_THREADS, BITS(2, PROT_EXEC, 0)),
    IF(mremap, SANDBOX_MEMORY, BITS(3, ~(scmp_datum_t)MREMAP_MAYMOVE, 0)),

    /* sessions */
    ANY(accept4, SANDBOX_ACCEPT),
    ANY(getsockname, SANDBOX_ACCEPT | SANDBOX_CONNECT),
    ANY(getpeername, SANDBOX_ACCEPT | SANDBOX_CONNECT),
    ANY(getsockopt, SANDBOX_ACCEPT | SANDBOX_CONNECT),
    IF2(setsockopt, SANDBOX_ACCEPT | SANDBOX_CONNECT, LOW(1, IPPROTO_TCP), LOW(2, TCP_NODELAY)),
    IF2(setsockopt, SANDBOX_ACCEPT | SANDBOX_CONNECT, LOW(1, IPPROTO_TCP), LOW(2, TCP_CORK)),
    IF2(setsockopt, SANDBOX_ACCEPT | SANDBOX_CONNECT, LOW(1, IPPROTO_TCP), LOW(2, TCP_QUICKACK)),
    IF2(setsockopt, SANDBOX_ACCEPT | SANDBOX_CONNECT, LOW(1, IPPROTO_TCP), LOW(2, TCP_USER_TIMEOUT)),
    IF2(setsockopt, SANDBOX_ACCEPT | SANDBOX_CONNECT, LOW(1, SOL_SOCKET), LOW(2, SO_LINGER)),
    IF2(setsockopt, SANDBOX_ACCEPT | SANDBOX_CONNECT, LOW(1, SOL_SOCKET), LOW(2, SO_KEEPALIVE)),
    IF2(setsockopt, SANDBOX_ACCEPT | SANDBOX_CONNECT, LOW(1, SOL_SOCKET), LOW(2, SO_RCVBUF)),
    IF2(setsockopt, SANDBOX_ACCEPT | SANDBOX_CONNECT, LOW(1, SOL_SOCKET), LOW(2, SO_SNDBUF)),
    IF2(socket, SANDBOX_CONNECT, LOW(0, AF_INET), BITS(1, 0xf, SOCK_STREAM)),
    IF2(socket, SANDBOX_CONNECT, LOW(0, AF_INET6), BITS(1, 0xf, SOCK_STREAM)),
    IF2(socket, SANDBOX_CONNECT, LOW(0, AF_UNIX), BITS(1, 0xf, SOCK_STREAM)),
    ANY(connect, SANDBOX_CONNECT | SANDBOX_DNS | SANDBOX_UNIX),

    /* libwbclient: it looks whether the socket and its folder are what they should be */
    IF2(socket, SANDBOX_UNIX, LOW(0, AF_UNIX), BITS(1, 0xf, SOCK_STREAM)),
    IF2(getsockopt, SANDBOX_UNIX, LOW(1, SOL_SOCKET), LOW(2, SO_ERROR)),
    IF2(newfstatat, SANDBOX_UNIX, LOW(0, AT_FDCWD), LOW(3, AT_SYMLINK_NOFOLLOW)),

    /* questions to name servers. A bound TCP socket hears nobody without listen() */
    IF2(socket, SANDBOX_DNS, LOW(0, AF_INET), BITS(1, 0xf, SOCK_DGRAM)),
    IF2(socket, SANDBOX_DNS, LOW(0, AF_INET6), BITS(1, 0xf, SOCK_DGRAM)),
    IF2(socket, SANDBOX_DNS, LOW(0, AF_INET), BITS(1, 0xf, SOCK_STREAM)),
    IF2(socket, SANDBOX_DNS, LOW(0, AF_INET6), BITS(1, 0xf, SOCK_STREAM)),
    ANY(bind, SANDBOX_DNS),
    ANY(sendto, SANDBOX_DNS),
    ANY(recvfrom, SANDBOX_DNS),
    ANY(getsockopt, SANDBOX_DNS),
    IF2(setsockopt, SANDBOX_DNS, LOW(1, IPPROTO_IP), LOW(2, IP_MTU_DISCOVER)),
    IF2(setsockopt, SANDBOX_DNS, LOW(1, IPPROTO_IP), LOW(2, IP_BIND_ADDRESS_NO_PORT)), /* TCP */
    IF2(setsockopt, SANDBOX_DNS, LOW(1, IPPROTO_TCP), LOW(2, TCP_MAXSEG)),
    IF2(setsockopt, SANDBOX_DNS, LOW(1, IPPROTO_TCP), LOW(2, TCP_NODELAY)),
    IF2(setsockopt, SANDBOX_DNS, LOW(1, IPPROTO_IPV6), LOW(2, IPV6_V6ONLY)),
    IF2(setsockopt, SANDBOX_DNS, LOW(1, IPPROTO_IPV6), LOW(2, IPV6_MTU)),
    IF2(setsockopt, SANDBOX_DNS, LOW(1, IPPROTO_IPV6), LOW(2, IPV6_MTU_DISCOVER)),
    IF2(setsockopt, SANDBOX_DNS, LOW(1, SOL_SOCKET), LOW(2, SO_REUSEADDR)),
    IF2(setsockopt, SANDBOX_DNS, LOW(1, SOL_SOCKET), LOW(2, SO_RCVBUF)),
    IF2(setsockopt, SANDBOX_DNS, LOW(1, SOL_SOCKET), LOW(2, SO_SNDBUF)),

    /* files below folders it holds. Absolute names are kept out by Landlock and by the uid */
    IF2(openat, SANDBOX_FILES_READ, IS_FD(0), BITS(2, WRITES, 0)),
    IF(openat, SANDBOX_FILES_AT, IS_FD(0)),
    FAIL_IF2(openat, SANDBOX_NO_PLUGINS, ENOENT, LOW(0, AT_FDCWD), BITS(2, O_DIRECTORY, O_DIRECTORY)),
    IF(newfstatat, SANDBOX_FILES_AT | SANDBOX_FILES_READ, IS_FD(0)),
    IF(statx, SANDBOX_FILES_AT | SANDBOX_FILES_READ, IS_FD(0)),
    IF(faccessat, SANDBOX_FILES_AT | SANDBOX_FILES_READ, IS_FD(0)),
    ANY(getdents64, SANDBOX_FILES_AT | SANDBOX_FILES_READ),
    ANY(fstatfs, SANDBOX_FILES_AT | SANDBOX_FILES_READ),
    ANY(fadvise64, SANDBOX_FILES_AT | SANDBOX_FILES_READ),
    IF2(renameat, SANDBOX_FILES_AT, IS_FD(0), IS_FD(2)),
    IF2(renameat2, SANDBOX_FILES_AT, IS_FD(0), IS_FD(2)),
    IF2(linkat, SANDBOX_FILES_AT, IS_FD(0), IS_FD(2)),
    IF(unlinkat, SANDBOX_FILES_AT, IS_FD(0)),
    IF(mkdirat, SANDBOX_FILES_AT, IS_FD(0)),
    IF(utimensat, SANDBOX_FILES_AT, IS_FD(0)),
    ANY(fchmod, SANDBOX_FILES_AT),
    ANY(pwrite64, SANDBOX_FILES_AT),
    ANY(pwritev, SANDBOX_FILES_AT),
    ANY(pwritev2, SANDBOX_FILES_AT),
    ANY(preadv2, SANDBOX_FILES_AT),
    ANY(copy_file_range, SANDBOX_FILES_AT),
    ANY(sendfile, SANDBOX_FILES_AT),
    ANY(fsync, SANDBOX_FILES_AT),
    ANY(fdatasync, SANDBOX_FILES_AT),
    ANY(sync_file_range, SANDBOX_FILES_AT),
    ANY(fallocate, SANDBOX_FILES_AT),
    ANY(ftruncate, SANDBOX_FILES_AT | SANDBOX_MEMFD),
    IF(fcntl, SANDBOX_FILES_AT, LOW(1, F_SETLK)),
    IF(fcntl, SANDBOX_FILES_AT, LOW(1, F_GETLK)),
    IF(fcntl, SANDBOX_FILES_AT, LOW(1, F_OFD_SETLK)),
    IF(fcntl, SANDBOX_FILES_AT, LOW(1, F_OFD_GETLK)),

    ANY(memfd_create, SANDBOX_MEMFD),
    IF(fcntl, SANDBOX_MEMFD, LOW(1, F_ADD_SEALS)),

    /* Threads only: clone3 hides its flags behind a pointer, so glibc is sent back to clone, whose flags can be seen. */
    FAIL(clone3, SANDBOX_THREADS, ENOSYS),
    IF(clone, SANDBOX_THREADS,
       BITS(0,
            CLONE_VM | CLONE_SIGHAND | CLONE_THREAD | CLONE_NEWNS | CLONE_NEWUSER | CLONE_NEWPID |
                CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP,
            CLONE_VM | CLONE_SIGHAND | CLONE_THREAD)),
    IF(prctl, SANDBOX_THREADS, LOW(0, PR_SET_NAME)),
    /* of the calling thread; without a capability it can only give way */
    IF(sched_setattr, SANDBOX_THREADS, LOW(0, 0)),
};

/* What fails instead of ending the process where an ability is missing: memory that libc would like to have. */
static const struct call no_memory[] = {
    FAIL_IF(mmap, ALL, ENOMEM, BITS(2, PROT_EXEC | PROT_WRITE, PROT_WRITE)),
    FAIL(mremap, ALL, ENOMEM),
};

static bool add(scmp_filter_ctx filter, const struct call *c)
{
    uint32_t action = c->answer ? SCMP_ACT_ERRNO((uint32_t)c->answer) : SCMP_ACT_ALLOW;
    return seccomp_rule_add_array(filter, action, c->number, c->n, c->arguments) == 0;
}

static bool add_all(const struct sandbox *s, scmp_filter_ctx filter)
{
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
        if ((calls[i].abilities == ALL || (calls[i].abilities & s->abilities)) && !add(filter, &calls[i]))
            return false;
    for (size_t i = 0; !(s->abilities & SANDBOX_MEMORY) && i < sizeof no_memory / sizeof no_memory[0]; i++)
        if (!add(filter, &no_memory[i])) return false;
    return true;
}

static const char *process_name; /* for on_trap */

static void say(const char *text)
{
    if (write(STDERR_FILENO, text, strlen(text)) < 0) return; /* nobody left to tell */
}

/* --debug-sandbox only: says which call it was, then ends the process as the release would. */
static void on_trap(int signal, siginfo_t *info, void *context)
{
    (void)context;
    char number[24];
    struct buf b = buf_on(number, sizeof number - 1);
    buf_u64(&b, (uint64_t)(unsigned)info->si_syscall);
    number[b.n] = 0;
    char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, info->si_syscall);
    say("sallyportd: ");
    say(process_name);
    say(" was stopped by its sandbox at system call ");
    say(number);
    say(" (");
    say(name ? name : "unknown");
    say(")\n");
    _exit(128 + signal);
}

bool sandbox_calls(const struct sandbox *s, const char **error)
{
    *error = "seccomp cannot be had (--insecure-no-sandbox would start without it)";
    uint32_t otherwise = SCMP_ACT_KILL_PROCESS;
    if (s->debug) {
        struct sigaction trap = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};
        process_name = s->process;
        otherwise = SCMP_ACT_TRAP;
        if (sigaction(SIGSYS, &trap, NULL) != 0) return false;
    }
    scmp_filter_ctx filter = seccomp_init(otherwise);
    if (!filter) return false;
    bool ok = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) == 0 &&
              seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1) == 0 && add_all(s, filter) &&
              seccomp_load(filter) == 0;
    seccomp_release(filter);
    return ok;
}
