/* Each set of abilities, in a child process: what is allowed works, what is not ends it by SIGSYS (or fails, where libc may
 * ask and must be told no). */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "in_cage.h"

static char folder[] = "/tmp/sallyport-sandbox-XXXXXX";
static int folder_fd, memfd, listener, pair[2];

/* Nothing is left in it from the case before. */
static void fresh_pair(void)
{
    close(pair[0]);
    close(pair[1]);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
}

static int in_cage(unsigned abilities, action_fn *action)
{
    fresh_pair();
    return caged(abilities, &folder_fd, action);
}

#define EVERY_DAY                                                                                            \
    (SANDBOX_ACCEPT | SANDBOX_RECEIVE_FDS | SANDBOX_SEND_FDS | SANDBOX_FILES_AT | SANDBOX_FILES_READ |       \
     SANDBOX_THREADS | SANDBOX_MEMORY | SANDBOX_MEMFD) /* all that a role of this issue may have at once */

/* ---- what no process may do */

static bool open_absolute(void)
{
    return open("/etc/hostname", O_RDONLY) >= 0;
}
static bool make_socket(void)
{
    return socket(AF_INET, SOCK_STREAM, 0) >= 0;
}
static bool make_unix_socket(void)
{
    return socket(AF_UNIX, SOCK_DGRAM, 0) >= 0;
}
static bool make_netlink(void)
{
    return socket(AF_NETLINK, SOCK_RAW, 0) >= 0;
}
static bool connect_out(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(25)};
    return connect(pair[0], (struct sockaddr *)&a, sizeof a) == 0 || errno != 0;
}
static bool bind_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    return bind(pair[0], (struct sockaddr *)&a, sizeof a) == 0 || errno != 0;
}
static bool listen_anew(void)
{
    return listen(listener, 1) == 0;
}
static bool send_to_address(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(53)};
    return sendto(pair[0], "x", 1, 0, (struct sockaddr *)&a, sizeof a) == 1 || errno != 0;
}
static bool execute(void)
{
    char *none[] = {NULL};
    return execve("/bin/true", none, none) == 0 || errno != 0;
}
static bool fork_away(void)
{
    return fork() >= 0;
}
static bool trace(void)
{
    return ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0;
}
static bool read_others(void)
{
    char c;
    struct iovec v = {&c, 1};
    return process_vm_readv(getppid(), &v, 1, &v, 1, 0) >= 0 || errno != 0;
}
static bool map_executable(void)
{
    return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
}
static bool map_writable_executable(void)
{
    return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
           MAP_FAILED;
}
static bool make_executable(void)
{
    return mprotect((void *)((uintptr_t)environ & ~(uintptr_t)4095), 4096, PROT_READ | PROT_EXEC) == 0;
}
static bool signal_parent(void)
{
    return kill(getppid(), 0) == 0;
}
static bool type_into_terminal(void)
{
    return ioctl(0, TIOCSTI, "x") == 0 || errno != 0;
}
static bool own_signals(void)
{
    return fcntl(pair[0], F_SETOWN, getppid()) == 0;
}
static bool become_dumpable(void)
{
    return prctl(PR_SET_DUMPABLE, 1) == 0;
}
static bool new_namespace(void)
{
    return unshare(CLONE_NEWUSER) == 0 || errno != 0;
}
static bool clone_namespace(void)
{
    return syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0) >= 0 || errno != 0;
}
static bool raise_limit(void)
{
    struct rlimit l = {1 << 20, 1 << 20};
    return setrlimit(RLIMIT_NOFILE, &l) == 0 || errno != 0;
}
static bool uring(void)
{
    return syscall(SYS_io_uring_setup, 1, NULL) >= 0 || errno != 0;
}
static bool call_bpf(void)
{
    return syscall(SYS_bpf, 0, NULL, 0) >= 0 || errno != 0;
}
static bool open_by_handle(void)
{
    return syscall(SYS_open_by_handle_at, folder_fd, NULL, O_RDONLY) >= 0 || errno != 0;
}
static bool make_symlink(void)
{
    return symlinkat("/etc/shadow", folder_fd, "link") == 0 || errno != 0;
}
static bool make_device(void)
{
    return mknodat(folder_fd, "dev", S_IFIFO | 0600, 0) == 0 || errno != 0;
}
static bool attach_filter(void)
{
    return setsockopt(pair[0], SOL_SOCKET, SO_ATTACH_FILTER, NULL, 0) == 0 || errno != 0;
}
static bool kernel_tls(void)
{
    return setsockopt(listener, IPPROTO_TCP, TCP_ULP, "tls", 3) == 0 || errno != 0;
}

static void nobody_may(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        action_fn *action;
    } cases[] = {
#define CASE(f) {#f, f}
        CASE(open_absolute),
        CASE(make_socket),
        CASE(make_unix_socket),
        CASE(make_netlink),
        CASE(connect_out),
        CASE(bind_port),
        CASE(listen_anew),
        CASE(send_to_address),
        CASE(execute),
        CASE(trace),
        CASE(read_others),
        CASE(map_executable),
        CASE(map_writable_executable),
        CASE(make_executable),
        CASE(signal_parent),
        CASE(type_into_terminal),
        CASE(own_signals),
        CASE(become_dumpable),
        CASE(new_namespace),
        CASE(clone_namespace),
        CASE(raise_limit),
        CASE(uring),
        CASE(call_bpf),
        CASE(open_by_handle),
        CASE(make_symlink),
        CASE(make_device),
        CASE(attach_filter),
        CASE(kernel_tls),
        CASE(fork_away),
#undef CASE
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (int all = 0; all < 2; all++) {
            int r = in_cage(all ? EVERY_DAY : 0, cases[i].action);
            if (r != KILLED)
                print_error("%s with %s: %d\n", cases[i].name, all ? "every ability" : "none", r);
            assert_int_equal(r, KILLED);
        }
}

/* ---- what everybody may do */

static bool daily_work(void)
{
    char c = 0;
    struct stat st;
    int e = epoll_create1(0); /* made before the cage by the skeleton; here it must not be */
    return e < 0 && write(pair[0], "x", 1) == 1 && read(pair[1], &c, 1) == 1 && c == 'x' &&
           fstat(memfd, &st) == 0 && send(pair[0], "y", 1, 0) == 1;
}
static bool plain_work(void)
{
    char c = 0;
    struct stat st;
    struct timespec t;
    void *p = malloc(100000);
    bool ok = p && write(pair[0], "x", 1) == 1 && read(pair[1], &c, 1) == 1 && c == 'x' &&
              fstat(memfd, &st) == 0 && send(pair[0], "y", 1, MSG_DONTWAIT) == 1 &&
              syscall(SYS_clock_gettime, CLOCK_REALTIME, &t) == 0 &&
              fcntl(pair[0], F_DUPFD_CLOEXEC, 3) >= 0 && fcntl(pair[0], F_GETFL) >= 0 && !isatty(0) &&
              close(pair[0]) == 0;
    free(p);
    return ok;
}
static bool abort_works(void)
{
    abort();
}

static int by_octet(const void *a, const void *b)
{
    return *(const uint8_t *)a - *(const uint8_t *)b;
}
static bool sort_much(void)
{
    uint8_t all[4096];
    for (size_t i = 0; i < sizeof all; i++)
        all[i] = (uint8_t)(i * 167);
    qsort(all, sizeof all, 1, by_octet);
    return all[0] == 0 && all[sizeof all - 1] == 255;
}

static void everybody_may(void **state)
{
    (void)state;
    assert_int_equal(in_cage(0, sort_much), WORKED);
    assert_int_equal(in_cage(SANDBOX_MEMORY, sort_much), WORKED);
    assert_int_equal(in_cage(0, plain_work), WORKED);
    assert_int_equal(in_cage(EVERY_DAY, plain_work), WORKED);
    assert_int_equal(in_cage(0, daily_work), KILLED); /* a new epoll */
    assert_int_equal(in_cage(0, abort_works), -SIGABRT);
}

/* ---- memory */

static bool map_anonymous(void)
{
    return mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
}
static bool map_shared_writable(void)
{
    return mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0) != MAP_FAILED;
}
static bool map_shared_readable(void)
{
    return mmap(NULL, 4096, PROT_READ, MAP_SHARED, memfd, 0) != MAP_FAILED;
}
static bool much_memory(void)
{
    void *volatile p = malloc(256 << 20);
    return p != NULL;
}
static bool grow_heap(void)
{
    return sbrk(64 << 20) != (void *)-1;
}
/* Refused, and the heap is whole afterwards. */
static bool lives_on_without(void)
{
    if (much_memory() || grow_heap()) return false;
    for (int i = 0; i < 1000; i++) {
        char *volatile p = malloc(500);
        if (!p) return false;
        p[499] = 1;
        free(p);
    }
    return true;
}

static void memory_is_promised_at_start(void **state)
{
    (void)state;
    assert_int_equal(in_cage(0, map_anonymous), FAILED);
    assert_int_equal(in_cage(0, map_shared_writable), FAILED);
    assert_int_equal(in_cage(0, map_shared_readable), WORKED);
    assert_int_equal(in_cage(0, much_memory), FAILED);
    assert_int_equal(in_cage(0, grow_heap), FAILED);
    assert_int_equal(in_cage(0, lives_on_without), WORKED);
    assert_int_equal(in_cage(SANDBOX_MEMORY, map_anonymous), WORKED);
    assert_int_equal(in_cage(SANDBOX_MEMORY, much_memory), WORKED);
    assert_int_equal(in_cage(SANDBOX_MEMORY, grow_heap), WORKED);
}

/* ---- files */

static bool open_below(void)
{
    return openat(folder_fd, "file", O_RDONLY) >= 0;
}
static bool write_below(void)
{
    int fd = openat(folder_fd, "made", O_WRONLY | O_CREAT, 0600);
    return fd >= 0 && write(fd, "x", 1) == 1 && fdatasync(fd) == 0 &&
           renameat(folder_fd, "made", folder_fd, "moved") == 0 && fsync(folder_fd) == 0 &&
           unlinkat(folder_fd, "moved", 0) == 0 && mkdirat(folder_fd, "sub", 0700) == 0 &&
           unlinkat(folder_fd, "sub", AT_REMOVEDIR) == 0;
}
static bool open_to_write(void)
{
    return openat(folder_fd, "file", O_WRONLY) >= 0;
}
/* Past the folder: kept out by Landlock (and by the uid in the service). */
static bool climb_out(void)
{
    return openat(folder_fd, "../../etc/hostname", O_RDONLY) >= 0;
}
static bool climb_out_to_write(void)
{
    return openat(folder_fd, "../sallyport-sandbox-escape", O_WRONLY | O_CREAT, 0600) >= 0;
}
static bool absolute_at(void)
{
    return openat(folder_fd, "/etc/hostname", O_RDONLY) >= 0;
}

static void files_below_its_folders_only(void **state)
{
    (void)state;
    assert_int_equal(in_cage(0, open_below), KILLED);
    assert_int_equal(in_cage(SANDBOX_FILES_READ, open_below), WORKED);
    assert_int_equal(in_cage(SANDBOX_FILES_READ, open_to_write), KILLED);
    assert_int_equal(in_cage(SANDBOX_FILES_READ, write_below), KILLED);
    assert_int_equal(in_cage(SANDBOX_FILES_AT, open_below), WORKED);
    assert_int_equal(in_cage(SANDBOX_FILES_AT, write_below), WORKED);
    if (syscall(444 /* landlock_create_ruleset */, NULL, 0, 1) < 1) return; /* such a kernel: the uid alone */
    assert_int_equal(in_cage(SANDBOX_FILES_AT, climb_out), FAILED);
    assert_int_equal(in_cage(SANDBOX_FILES_AT, climb_out_to_write), FAILED);
    assert_int_equal(in_cage(SANDBOX_FILES_AT, absolute_at), FAILED);
    assert_int_equal(in_cage(SANDBOX_FILES_READ, climb_out), FAILED);
}

/* ---- the others */

static bool accept_one(void)
{
    return accept4(listener, NULL, NULL, SOCK_NONBLOCK) >= 0 || errno == EAGAIN;
}
static bool no_delay(void)
{
    int on = 1;
    return setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0;
}
static bool make_memfd(void)
{
    int fd = memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    return fd >= 0 && ftruncate(fd, 4096) == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) == 0;
}
static bool unseal(void)
{
    return fcntl(memfd, F_ADD_SEALS, F_SEAL_WRITE) == 0 || errno != 0;
}
static bool shrink(void)
{
    return ftruncate(memfd, 0) == 0;
}
static bool pass_fd(void)
{
    char c = 0;
    union {
        struct cmsghdr h;
        char octets[CMSG_SPACE(sizeof(int))];
    } control = {.h = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
    memcpy(CMSG_DATA(&control.h), &memfd, sizeof memfd);
    struct iovec v = {&c, 1};
    struct msghdr m = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    return sendmsg(pair[0], &m, 0) == 1 && recvmsg(pair[1], &m, MSG_CMSG_CLOEXEC) == 1 &&
           m.msg_controllen > 0;
}
static void *in_thread(void *arg)
{
    return arg;
}
static bool start_thread(void)
{
    pthread_t t;
    void *r = NULL;
    return pthread_create(&t, NULL, in_thread, pair) == 0 && pthread_join(t, &r) == 0 && r == pair;
}
static void abilities_give_what_they_say(void **state)
{
    (void)state;
    assert_int_equal(in_cage(0, accept_one), KILLED);
    assert_int_equal(in_cage(SANDBOX_ACCEPT, accept_one), WORKED);
    assert_int_equal(in_cage(0, no_delay), KILLED);
    assert_int_equal(in_cage(SANDBOX_ACCEPT, no_delay), WORKED);
    assert_int_equal(in_cage(0, make_memfd), KILLED);
    assert_int_equal(in_cage(SANDBOX_MEMFD | SANDBOX_MEMORY, make_memfd), WORKED);
    assert_int_equal(in_cage(0, unseal), KILLED);
    assert_int_equal(in_cage(SANDBOX_ACCEPT | SANDBOX_RECEIVE_FDS, shrink),
                     KILLED); /* an edge and its pool */
    assert_int_equal(in_cage(SANDBOX_RECEIVE_FDS | SANDBOX_SEND_FDS, pass_fd), WORKED);
    assert_int_equal(in_cage(SANDBOX_MEMORY | SANDBOX_THREADS, start_thread), WORKED);
    assert_int_equal(in_cage(SANDBOX_CONNECT, make_socket), WORKED);
    assert_int_equal(in_cage(SANDBOX_CONNECT, make_netlink), KILLED);
}

static void read_text(const char *path, char *text, size_t max)
{
    int fd = open(path, O_RDONLY);
    ssize_t n = read(fd, text, max - 1);
    text[n > 0 ? n : 0] = 0;
    close(fd);
}

/* Read from outside: /proc says what the cage did. */
static void the_kernel_agrees(void **state)
{
    (void)state;
    char c, path[64], status[4096] = "", limits[4096] = "";
    fresh_pair();
    pid_t pid = fork();
    if (pid == 0) {
        struct sandbox s = {.process = "test", .abilities = SANDBOX_MEMORY, .max_fds = 64};
        const char *error;
        if (sandbox_enter(&s, &error) == SANDBOX_FAILED) _exit(1);
        if (write(pair[0], "r", 1) == 1 && read(pair[0], &c, 1) == 1) _exit(0);
        _exit(1);
    }
    assert_int_equal(read(pair[1], &c, 1), 1);
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    read_text(path, status, sizeof status);
    snprintf(path, sizeof path, "/proc/%d/limits", (int)pid);
    read_text(path, limits, sizeof limits);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    assert_non_null(strstr(status, "NoNewPrivs:\t1"));
    assert_non_null(strstr(status, "Seccomp:\t2"));
    assert_non_null(strstr(limits, "Max core file size        0                    0"));
    assert_non_null(strstr(limits, "Max open files            64                   64"));
    assert_non_null(strstr(limits, "Max processes             0                    0"));
}

static bool drop(uint32_t uid, uint32_t gid)
{
    const char *error;
    return sandbox_drop_user("test", uid, gid, 0, &error);
}

static void the_user_cannot_come_back(void **state)
{
    (void)state;
    uint32_t uid, gid, other, unused;
    sandbox_account("no-such-role", 1, &uid, &gid);
    sandbox_account("no-such-role", 2, &other, &unused);
    assert_true(uid != 0 && gid != 0 && uid != other);
    if (geteuid() != 0) {
        assert_true(drop(uid, gid)); /* nothing to drop */
        return;
    }
    pid_t pid = fork();
    if (pid == 0) {
        if (drop(0, gid) || drop(uid, 0) || geteuid() != 0) _exit(1);
        if (!drop(uid, gid)) _exit(2);
        if (getuid() != uid || getegid() != gid || setuid(0) == 0 || getgroups(0, NULL) != 0) _exit(3);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(folder)) return -1;
    folder_fd = open(folder, O_RDONLY | O_DIRECTORY);
    memfd = memfd_create("test", MFD_ALLOW_SEALING);
    listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    close(openat(folder_fd, "file", O_WRONLY | O_CREAT, 0600));
    if (ftruncate(memfd, 4096) != 0 || listen(listener, 1) != 0) return -1;
    int null = open("/dev/null", O_RDWR);
    dup2(null, 0);
    return socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
}

static int tear_down(void **state)
{
    (void)state;
    unlinkat(folder_fd, "file", 0);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_may),
        cmocka_unit_test(everybody_may),
        cmocka_unit_test(memory_is_promised_at_start),
        cmocka_unit_test(files_below_its_folders_only),
        cmocka_unit_test(abilities_give_what_they_say),
        cmocka_unit_test(the_kernel_agrees),
        cmocka_unit_test(the_user_cannot_come_back),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
