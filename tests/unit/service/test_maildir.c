#include "service/maildir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/crc32c.h"
#include "spool/message_id.h"

static char folder[64];
static int root = -1;
static int segment = -1;
static const uint64_t id = (uint64_t)1795620600123 << 20 | 7;

static int setup(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/maildir-test-XXXXXX");
    if (!mkdtemp(folder)) return -1;
    root = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    segment = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    return root < 0 || segment < 0 ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    char command[100];
    close(root);
    close(segment);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

static struct maildir_target target(uint32_t recipient)
{
    return (struct maildir_target){.root = root,
                                   .domain = SPAN("example.org"),
                                   .local = SPAN("bob"),
                                   .reverse_path = SPAN("alice@example.com"),
                                   .delivered_to = SPAN("Bob+x@example.org"),
                                   .host = SPAN("mail.example.org"),
                                   .id = id,
                                   .recipient = recipient};
}

/* The content goes to the segment, cut into extents of at most `piece` octets; then all steps up to `steps`. */
static struct maildir deliver(const struct maildir_target *t, struct span content, size_t piece, int steps)
{
    struct maildir d;
    if (content.n) assert_int_equal(pwrite(segment, content.p, content.n, 100), content.n);
    maildir_begin(&d, t);
    for (size_t at = 0; steps > 0 && at < content.n; at += piece) {
        size_t n = content.n - at < piece ? content.n - at : piece;
        struct extent e = {1, (uint32_t)n, 100 + at, crc32c(0, content.p + at, n)};
        maildir_append(&d, segment, &e);
    }
    if (steps > 1) maildir_sync(&d);
    if (steps > 2) maildir_publish(&d);
    if (steps > 3) maildir_sync_folder(&d);
    if (steps > 4) maildir_end(&d);
    return d;
}

/* A crash: descriptors are gone, nothing is cleaned up. */
static void crash(struct maildir *d)
{
    if (d->file >= 0) close(d->file);
    if (d->tmp >= 0) close(d->tmp);
    if (d->new >= 0) close(d->new);
}

/* Number of files in FOLDER/NAME; *last: the name of one. */
static unsigned files(const char *name, char *last)
{
    char path[200];
    struct dirent *e;
    unsigned n = 0;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    DIR *d = opendir(path);
    if (!d) return 0;
    while ((e = readdir(d)) != NULL)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) {
            n++;
            if (last) snprintf(last, 256, "%s", e->d_name);
        }
    closedir(d);
    return n;
}

static struct span read_new(const char *box)
{
    static char text[400000];
    char path[600], name[256];
    char dir[200];
    snprintf(dir, sizeof dir, "%s/new", box);
    assert_int_equal(files(dir, name), 1);
    snprintf(path, sizeof path, "%s/%s/new/%s", folder, box, name);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    size_t n = fread(text, 1, sizeof text, f);
    fclose(f);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    const char *size = strstr(name, ",S=");
    assert_non_null(size);
    assert_int_equal(atoi(size + 3), n);
    return span_of(text, n);
}

#define BOX "example.org/bob"

static void a_message(void **state)
{
    (void)state;
    struct maildir_target t = target(3);
    struct maildir d = deliver(&t, SPAN("Subject: hi\r\n\r\nbody\r\n"), 1000, 5);
    assert_int_equal(d.status, JOB_DELIVERED);
    assert_string_equal(d.enhanced, "2.0.0");
    assert_true(
        span_eq(read_new(BOX), SPAN("Return-Path: <alice@example.com>\nDelivered-To: Bob+x@example.org\n"
                                    "Subject: hi\n\nbody\n")));
    char name[256], path[200];
    files(BOX "/new", name);
    assert_memory_equal(name, "1795620600.M123000I", 19);
    assert_non_null(strstr(name, "R3.mail.example.org,S="));
    assert_int_equal(files(BOX "/tmp", NULL), 0);
    assert_int_equal(files(BOX, NULL), 3);
    struct stat st;
    snprintf(path, sizeof path, "%s/" BOX "/cur", folder);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
}

/* I6: CRLF becomes LF and nothing else changes, wherever the content is cut. */
static void i6_exactly_the_octets(void **state)
{
    (void)state;
    static const char *const pieces[] = {"\r\n", "\r", "\n", "a", "\r\r\n", "From x", "\xff", "."};
    srandom(11);
    for (unsigned round = 0; round < 150; round++) {
        char in[400], want[600];
        struct buf b = buf_on(in, sizeof in), w = buf_on(want, sizeof want);
        for (long k = random() % 40; k > 0; k--)
            buf_str(&b, pieces[(size_t)random() % 8]);
        buf_str(&w, "Return-Path: <>\nDelivered-To: postmaster\n");
        for (size_t i = 0; i < b.n; i++)
            if (!(in[i] == '\r' && i + 1 < b.n && in[i + 1] == '\n')) buf_byte(&w, (uint8_t)in[i]);
        struct maildir_target t = target(round);
        char local[20];
        snprintf(local, sizeof local, "u%u", round);
        t.local = span_str(local);
        t.reverse_path = SPAN("");
        t.delivered_to = SPAN("postmaster");
        struct maildir d = deliver(&t, buf_span(&b), 1 + (size_t)random() % 9, 5);
        assert_int_equal(d.status, JOB_DELIVERED);
        char box[60];
        snprintf(box, sizeof box, "example.org/%s", local);
        assert_true(span_eq(read_new(box), buf_span(&w)));
    }
    static char big[300000]; /* pieces larger than one read */
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = "0123456789\r\n"[i % 12];
    struct maildir_target t = target(9999);
    t.local = SPAN("big");
    struct maildir d = deliver(&t, span_of(big, sizeof big), sizeof big, 5);
    assert_int_equal(d.status, JOB_DELIVERED);
    assert_int_equal(read_new("example.org/big").n, sizeof big / 12 * 11 + 65);
}

/* Whatever a crash leaves, the second attempt ends with exactly one file. */
static void a_crash_after_each_step(void **state)
{
    (void)state;
    for (int steps = 0; steps <= 4; steps++)
        for (int again = 0; again < 2; again++) {
            char local[20], box[60], dir[80];
            snprintf(local, sizeof local, "c%d%d", steps, again);
            snprintf(box, sizeof box, "example.org/%s", local);
            struct maildir_target t = target(1);
            t.local = span_str(local);
            struct maildir d = deliver(&t, SPAN("A: b\r\n\r\nbody\r\n"), 4, steps);
            crash(&d);
            t.again = again;
            d = deliver(&t, SPAN("A: b\r\n\r\nbody\r\n"), 5, 5);
            assert_int_equal(d.status, JOB_DELIVERED);
            assert_true(span_starts_nocase(read_new(box), SPAN("Return-Path: <alice@example.com>\n")));
            snprintf(dir, sizeof dir, "%s/tmp", box);
            assert_int_equal(files(dir, NULL), 0);
        }
}

/* The reader's program moved it to cur meanwhile. */
static void found_in_cur(void **state)
{
    (void)state;
    char name[256], from[700], to[700];
    struct maildir_target t = target(1);
    t.local = SPAN("reader");
    deliver(&t, SPAN("A: b\r\n\r\n"), 4, 5);
    assert_int_equal(files("example.org/reader/new", name), 1);
    snprintf(from, sizeof from, "%s/example.org/reader/new/%s", folder, name);
    snprintf(to, sizeof to, "%s/example.org/reader/cur/%s:2,S", folder, name);
    assert_int_equal(rename(from, to), 0);
    t.again = true;
    struct maildir d = deliver(&t, SPAN("A: b\r\n\r\n"), 4, 5);
    assert_int_equal(d.status, JOB_DELIVERED);
    assert_int_equal(files("example.org/reader/new", NULL), 0);
    t.recipient = 11; /* R1 is no prefix of R11 that counts */
    d = deliver(&t, SPAN("A: b\r\n\r\n"), 4, 5);
    assert_int_equal(files("example.org/reader/new", NULL), 1);
    t.recipient = 1;
    t.id++;
    d = deliver(&t, SPAN("A: b\r\n\r\n"), 4, 5);
    assert_int_equal(files("example.org/reader/new", NULL), 2);
}

static void damaged_content(void **state)
{
    (void)state;
    struct maildir_target t = target(1);
    struct extent e = {1, 5, 100, 12345};
    for (int kind = 0; kind < 3; kind++) {
        struct maildir d;
        t.local = SPAN("damaged");
        assert_int_equal(pwrite(segment, "hello", 5, 100), 5);
        e.crc = kind ? crc32c(0, "hello", 5) : 12345;
        e.offset = kind == 1 ? 1 << 30 : 100; /* beyond the end of the segment */
        maildir_begin(&d, &t);
        maildir_append(&d, kind == 2 ? -1 : segment, &e);
        maildir_append(&d, segment, &e); /* idle */
        maildir_sync(&d);
        maildir_publish(&d);
        maildir_sync_folder(&d);
        maildir_end(&d);
        assert_int_equal(d.status, JOB_DEFERRED);
        assert_string_equal(d.enhanced, "4.3.0");
        assert_int_equal(d.damaged, kind != 2);
        assert_int_equal(files("example.org/damaged/new", NULL), 0);
        assert_int_equal(files("example.org/damaged/tmp", NULL), 0);
    }
}

static void hostile_names(void **state)
{
    (void)state;
    static const char *const names[] = {"..", ".", "", "../x", "a/b", "/etc", ".x", "a\n", "\"a b\"", "x@y"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        for (int part = 0; part < 2; part++) {
            struct maildir_target t = target(1);
            if (part)
                t.local = span_str(names[i]);
            else
                t.domain = span_str(names[i]);
            unsigned before = files(".", NULL);
            struct maildir d = deliver(&t, SPAN("A: b\r\n"), 9, 5);
            if (d.status != JOB_FAILED) fail_msg("%s", names[i]);
            assert_string_equal(d.enhanced, "5.1.1");
            assert_int_equal(files(".", NULL), before);
        }
    struct maildir_target t = target(1);
    t.local = span_of("a\0b", 3);
    assert_int_equal(deliver(&t, SPAN("x"), 9, 5).status, JOB_FAILED);
}

/* Links are never followed, whoever made them. */
static void links(void **state)
{
    (void)state;
    char path[400], outside[64];
    snprintf(outside, sizeof outside, "/tmp/maildir-out-XXXXXX");
    assert_non_null(mkdtemp(outside));
    static const char *const places[] = {"links.org", "example.org/linked", "example.org/inner/tmp",
                                         "example.org/inner2/new"};
    static const char *const locals[] = {"bob", "linked", "inner", "inner2"};
    snprintf(path, sizeof path, "mkdir -p %s/example.org/inner %s/example.org/inner2", folder, folder);
    assert_int_equal(system(path), 0);
    for (int i = 0; i < 4; i++) {
        struct maildir_target t = target(1);
        snprintf(path, sizeof path, "%s/%s", folder, places[i]);
        assert_int_equal(symlink(outside, path), 0);
        if (i == 0) t.domain = SPAN("links.org");
        t.local = span_str(locals[i]);
        struct maildir d = deliver(&t, SPAN("A: b\r\n"), 9, 5);
        assert_int_equal(d.status, JOB_DEFERRED);
        assert_string_equal(d.enhanced, "4.3.5");
    }
    assert_int_equal(rmdir(outside), 0); /* still empty */
    /* a link where the file of tmp would be: it goes, what it points to stays */
    struct maildir_target t = target(77);
    t.local = SPAN("trap");
    struct maildir d = deliver(&t, SPAN("A: b\r\n"), 9, 0);
    crash(&d);
    snprintf(path, sizeof path, "%s/example.org/trap/tmp/%s", folder, d.name);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    d = deliver(&t, SPAN("A: b\r\n"), 9, 5);
    assert_int_equal(d.status, JOB_DELIVERED);
    assert_true(span_starts_nocase(read_new("example.org/trap"), SPAN("Return-Path")));
}

static void no_field_is_injected(void **state)
{
    (void)state;
    struct maildir_target t = target(1);
    t.local = SPAN("inject");
    t.reverse_path = SPAN("a\r\nBcc: x@y");
    t.delivered_to = SPAN("b\nX: \x7f");
    deliver(&t, SPAN("A: b\r\n"), 9, 5);
    assert_true(span_eq(read_new("example.org/inject"),
                        SPAN("Return-Path: <a??Bcc: x@y>\nDelivered-To: b?X: ?\nA: b\n")));
}

static void no_room(void **state)
{
    (void)state;
    struct rlimit old, small = {20, RLIM_INFINITY};
    struct maildir_target t = target(1);
    t.local = SPAN("full");
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(pwrite(segment, "x", 1, 5000), 1);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small.rlim_max = old.rlim_max;
    struct maildir d;
    maildir_begin(&d, &t);
    assert_int_equal(d.status, JOB_DELIVERED);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    struct extent e = {1, 5, 100, crc32c(0, "hello", 5)};
    maildir_append(&d, segment, &e);
    maildir_sync(&d);
    maildir_publish(&d);
    maildir_end(&d);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(d.status, JOB_FAILED);
    assert_string_equal(d.enhanced, "5.2.3");
    assert_int_equal(files("example.org/full/new", NULL), 0);
    assert_int_equal(files("example.org/full/tmp", NULL), 0);
    /* out of descriptors: a matter of now, not of the message */
    struct rlimit fds, none = {3, RLIM_INFINITY};
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &fds), 0);
    none.rlim_max = fds.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    d = deliver(&t, SPAN(""), 9, 5);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &fds), 0);
    assert_int_equal(d.status, JOB_DEFERRED);
    assert_string_equal(d.enhanced, "4.3.2");
}

static bool write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0) close(fd);
    return ok;
}

/* A file system of 64 KiB of our own, in a mount namespace. False: none can be had. */
static bool small_disk(const char *where)
{
    char uids[40], gids[40];
    uid_t uid = getuid();
    snprintf(uids, sizeof uids, "0 %u 1", uid);
    snprintf(gids, sizeof gids, "0 %u 1", getgid());
    if (unshare(uid ? CLONE_NEWUSER | CLONE_NEWNS : CLONE_NEWNS) != 0) return false;
    if (uid && (!write_text("/proc/self/setgroups", "deny") || !write_text("/proc/self/uid_map", uids) ||
                !write_text("/proc/self/gid_map", gids)))
        return false;
    return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("tmpfs", where, "tmpfs", 0, "size=64k") == 0;
}

/* In a process of its own. 77: no small disk can be made here. */
static int on_a_small_disk(void)
{
    static char big[100000];
    memset(big, 'x', sizeof big);
    if (!small_disk(folder)) return 77;
    root = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct maildir_target t = target(1);
    struct maildir d = deliver(&t, span_of(big, sizeof big), sizeof big, 5);
    if (d.status != JOB_DEFERRED || strcmp(d.enhanced, "4.3.1") != 0) return 1;
    if (files(BOX "/new", NULL) || files(BOX "/tmp", NULL)) return 2; /* and the space is free again */
    d = deliver(&t, span_of(big, 20000), 20000, 5);
    if (d.status != JOB_DELIVERED || files(BOX "/new", NULL) != 1) return 3;
    if (mount(NULL, folder, NULL, MS_REMOUNT | MS_RDONLY, NULL) != 0) return 4;
    t.id++;
    d = deliver(&t, SPAN("A: b"), 9, 5);
    if (d.status != JOB_DEFERRED || strcmp(d.enhanced, "4.3.1") != 0) return 5;
    return files(BOX "/new", NULL) == 1 ? 0 : 6;
}

static void full_and_read_only_disk(void **state)
{
    (void)state;
    int status;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) _exit(on_a_small_disk());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77) {
        print_message("a mount namespace is needed for this test and not to be had here\n");
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_message, setup, teardown),
        cmocka_unit_test_setup_teardown(i6_exactly_the_octets, setup, teardown),
        cmocka_unit_test_setup_teardown(a_crash_after_each_step, setup, teardown),
        cmocka_unit_test_setup_teardown(found_in_cur, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged_content, setup, teardown),
        cmocka_unit_test_setup_teardown(hostile_names, setup, teardown),
        cmocka_unit_test_setup_teardown(links, setup, teardown),
        cmocka_unit_test_setup_teardown(no_field_is_injected, setup, teardown),
        cmocka_unit_test_setup_teardown(no_room, setup, teardown),
        cmocka_unit_test_setup_teardown(full_and_read_only_disk, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
