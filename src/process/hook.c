#include "process/hook.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/buf.h"

enum { FDS = 1024 };

/* Each tries one thing and returns what the kernel said: negative with errno, or a success that must not be. *seen: how many things
 * it was tried on, where that is not one. */
typedef long hook_fn(unsigned *seen);

static long open_file(unsigned *seen)
{
    (void)seen;
    return open("/etc/passwd", O_RDONLY | O_CLOEXEC);
}

static long create_file(unsigned *seen)
{
    (void)seen;
    return open("/tmp/sallyport-hook-was-here", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
}

/* Beyond the folders it holds, by "..". */
static long leave_folder(unsigned *seen)
{
    struct stat st;
    long result = -1;
    for (int fd = 0; fd < FDS; fd++) {
        if (fstat(fd, &st) != 0 || !S_ISDIR(st.st_mode)) continue;
        ++*seen;
        int up = openat(fd, "../sallyport.conf", O_RDONLY | O_CLOEXEC);
        if (up >= 0) result = up;
    }
    if (*seen == 0) errno = ENOTDIR;
    return result;
}

static long delete_outside(unsigned *seen)
{
    struct stat st;
    long result = -1;
    for (int fd = 0; fd < FDS; fd++) {
        if (fstat(fd, &st) != 0 || !S_ISDIR(st.st_mode)) continue;
        ++*seen;
        if (unlinkat(fd, "../sallyport.conf", 0) == 0) result = 0;
    }
    if (*seen == 0) errno = ENOTDIR;
    return result;
}

static long connect_out(unsigned *seen)
{
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    (void)seen;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    return connect(fd, (struct sockaddr *)&a, sizeof a) == 0 || errno == ECONNREFUSED ? fd : -1;
}

static long unix_socket(unsigned *seen)
{
    (void)seen;
    return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static long listen_here(unsigned *seen)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    (void)seen;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) != 0 ? -1 : listen(fd, 1);
}

static long execute(unsigned *seen)
{
    static char program[] = "/bin/true";
    char *arguments[] = {program, NULL}, *environment[] = {NULL};
    (void)seen;
    return execve(program, arguments, environment);
}

static long fork_child(unsigned *seen)
{
    (void)seen;
    long pid = fork();
    if (pid == 0) _exit(0);
    return pid;
}

static long signal_others(unsigned *seen)
{
    (void)seen;
    return kill(getppid(), SIGTERM);
}

static long trace_parent(unsigned *seen)
{
    (void)seen;
    return ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
}

static long read_parent(unsigned *seen)
{
    char here[8];
    struct iovec to = {here, sizeof here}, from = {here, sizeof here};
    (void)seen;
    return process_vm_readv(getppid(), &to, 1, &from, 1, 0);
}

static long map_executable(unsigned *seen)
{
    (void)seen;
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? -1 : 1;
}

static long make_executable(unsigned *seen)
{
    static _Alignas(4096) char page[4096];
    (void)seen;
    return mprotect(page, sizeof page, PROT_READ | PROT_EXEC);
}

/* Under the feet of those who map the same memory. */
static long shrink_shared(unsigned *seen)
{
    long result = -1;
    for (int fd = 0; fd < FDS; fd++) {
        if (fcntl(fd, F_GET_SEALS) < 0) continue;
        ++*seen;
        if (ftruncate(fd, 0) == 0) result = fd;
    }
    return result;
}

static long write_sealed(unsigned *seen)
{
    long result = -1;
    for (int fd = 0; fd < FDS; fd++) {
        int seals = fcntl(fd, F_GET_SEALS);
        if (seals < 0 || !(seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))) continue;
        ++*seen;
        if (write(fd, "x", 1) == 1) result = fd;
    }
    return result;
}

static long become_root(unsigned *seen)
{
    (void)seen;
    return setuid(0);
}

static long use_io_uring(unsigned *seen)
{
    char parameters[256] = {0};
    (void)seen;
    return syscall(SYS_io_uring_setup, 4, parameters);
}

static long new_namespace(unsigned *seen)
{
    (void)seen;
    return unshare(CLONE_NEWUSER | CLONE_NEWNET);
}

static const struct {
    const char *name;
    hook_fn *try;
} actions[] = {
    {"open-file", open_file},           {"create-file", create_file},
    {"leave-folder", leave_folder},     {"delete-outside", delete_outside},
    {"connect-out", connect_out},       {"unix-socket", unix_socket},
    {"listen-here", listen_here},       {"execute", execute},
    {"fork-child", fork_child},         {"signal-others", signal_others},
    {"trace-parent", trace_parent},     {"read-parent", read_parent},
    {"map-executable", map_executable}, {"make-executable", make_executable},
    {"shrink-shared", shrink_shared},   {"write-sealed", write_sealed},
    {"become-root", become_root},       {"use-io-uring", use_io_uring},
    {"new-namespace", new_namespace},
};

static void on_signal(int number, siginfo_t *info, void *context)
{
    char memory[256];
    struct buf b = buf_on(memory, sizeof memory);
    unsigned seen = 0, i = (unsigned)info->si_value.sival_int;
    (void)number;
    (void)context;
    if (i >= sizeof actions / sizeof actions[0]) return;
    errno = 0;
    long result = actions[i].try(&seen);
    unsigned error = (unsigned)errno;
    buf_str(&b, "{\"event\":\"hook\",\"action\":\"");
    buf_str(&b, actions[i].name);
    buf_str(&b, result < 0 ? "\",\"done\":false,\"errno\":" : "\",\"done\":true,\"errno\":");
    buf_u64(&b, error);
    buf_str(&b, ",\"seen\":");
    buf_u64(&b, seen);
    buf_str(&b, ",\"pid\":");
    buf_u64(&b, (uint64_t)getpid());
    buf_str(&b, "}\n");
    /* a line that is lost fails the test that waits for it */
    ssize_t n = write(STDERR_FILENO, b.p, b.n);
    (void)n;
}

void hook_install(void)
{
    struct sigaction a = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigaction(SIGRTMIN, &a, NULL);
}
