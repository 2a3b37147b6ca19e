#include "service/config_files.h"

#include "../span_check.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "identity/change.h"
#include "service/config_load.h"
#include "system/tls_selfsigned.h"

static char folder[64];
static struct config_load load;
static struct config_report report;

static void put(const char *name, const char *text)
{
    FILE *f = fopen(name, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static int begin(void **state)
{
    (void)state;
    memcpy(folder, "/tmp/sallyport-files-XXXXXX", sizeof "/tmp/sallyport-files-XXXXXX");
    return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}

static int end(void **state)
{
    (void)state;
    config_load_free(&load);
    return chdir("/") == 0 ? nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS) : -1;
}

static struct config_files_who who(bool starts)
{
    const struct config_files_owner me = {"spooler", geteuid(), getegid()};
    struct config_files_who w = {me, me, me, me, starts};
    w.mailbox.process = "mailbox";
    return w;
}

static void look_as(const char *text, struct config_files_who w)
{
    put("a.conf", text);
    config_load_free(&load);
    assert_true(config_load(&load, "a.conf"));
    assert_non_null(load.config);
    config_report_begin(&report, load.arena);
    config_files_check(load.config, &w, &report);
}

static void look(const char *text)
{
    look_as(text, who(true));
}

/* The first problem with that text. */
static const struct config_problem *said(const char *text)
{
    for (const struct config_problem *p = report.first; p; p = p->next)
        if (strstr((const char *)p->text.p, text)) return p;
    return NULL;
}

#define NOBODY "recipients example.org any\nhold *\n"

static void missing_folders_beside_the_file_are_made(void **state)
{
    struct stat st;
    struct config_files_who w = who(true);
    (void)state;
    look(NOBODY "deliver example.org to maildir mail\n");
    assert_int_equal(report.errors, 0);
    assert_non_null(said("the spool "));
    assert_non_null(said("/mail does not exist yet"));
    assert_int_not_equal(stat("spool", &st), 0); /* a look changes nothing */
    umask(077);
    assert_true(config_files_make(load.config, &w, &report));
    assert_int_equal(stat("spool", &st), 0);
    assert_int_equal(st.st_mode & 07777, 0750);
    assert_int_equal(stat("mail", &st), 0);
    assert_true(config_files_make(load.config, &w, &report));
    look(NOBODY "deliver example.org to maildir mail\n");
    assert_int_equal(report.errors, 0);
    assert_null(said("does not exist yet"));
}

/* Passwords for smarthosts: they must be there, and nobody else's to read. Each file is looked at once. */
static void user_files(void **state)
{
    static const char routes[] =
        NOBODY "relay a b via smarthost h:25 user-file u\nrelay from c via smarthost i:25 user-file u\n";
    const struct config_problem *p;
    unsigned n = 0;

    (void)state;
    look(routes);
    p = said("cannot read the user-file ");
    assert_non_null(p);
    assert_int_equal(p->severity, CONFIG_ERROR);
    assert_int_equal(p->place.line, 3);
    for (const struct config_problem *q = report.first; q; q = q->next)
        n += strstr((const char *)q->text.p, "user-file") != NULL;
    assert_int_equal(n, 1);
    put("u", "name password\n");
    assert_int_equal(chmod("u", 0600), 0);
    look(routes);
    assert_int_equal(report.errors, 1);
    assert_non_null(report.first);
    assert_int_equal(report.first->severity, CONFIG_ERROR);
    assert_true(span_starts_nocase(report.first->suggestion, SPAN("two lines")));
    assert_int_equal(report.first->place.line, 2);
    assert_null(strstr((const char *)report.first->text.p, "name password")); /* nothing of it is shown */
    put("u", "name\npassword\n");
    assert_int_equal(chmod("u", 0644), 0);
    look(routes);
    p = said("others may read or write the user-file ");
    assert_non_null(p);
    assert_int_equal(p->severity, CONFIG_WARNING);
    assert_true(span_starts_nocase(p->suggestion, SPAN("chmod 600 ")));
    assert_int_equal(report.errors, 0);
    assert_int_equal(chmod("u", 0600), 0);
    look(routes);
    assert_null(said("user-file"));
    assert_int_equal(unlink("u"), 0);
    assert_int_equal(mkdir("u", 0700), 0);
    look(routes);
    assert_non_null(said("cannot read the user-file "));
}

/* Tokens: something else writes them, so an absent one is no error; the folder has to be there, and open to the directory process. */
static void token_files(void **state)
{
    static const char routes[] = NOBODY "relay a via smarthost h:25 token-file t/token user joe\n";
    struct config_files_who w = who(true);
    const struct config_problem *p;
    (void)state;
    look(routes);
    assert_int_equal(report.errors, 1);
    assert_non_null(said("cannot read the folder of the token-file "));
    assert_int_equal(mkdir("t", 0700), 0);
    look(routes);
    assert_int_equal(report.errors, 0);
    p = said("/t/token does not exist: mail for its smarthost waits");
    assert_non_null(p);
    assert_int_equal(p->severity, CONFIG_WARNING);
    assert_int_equal(p->place.line, 3);
    put("t/token", "not one token\n");
    assert_int_equal(chmod("t/token", 0600), 0);
    look(routes);
    assert_non_null(said("/t/token holds something else than one token, written "));
    assert_null(said("not one"));
    put("t/token", "ya29.x-y_z\n");
    look(routes);
    assert_null(said("token-file"));
    assert_int_equal(chmod("t/token", 0644), 0);
    look(routes);
    assert_non_null(said("others may read or write the token-file "));
    assert_int_equal(chmod("t/token", 0600), 0);
    w.directory = (struct config_files_owner){"directory", geteuid() + 1, getegid() + 1};
    look_as(routes, w);
    assert_int_equal(report.errors, 1);
    p = said("the folder of the token-file ");
    assert_non_null(p);
    assert_int_equal(p->severity, CONFIG_ERROR);
    assert_int_equal(chmod("t", 0711), 0);
    look_as(routes, w);
    assert_int_equal(report.errors, 0);
    assert_non_null(said("/t/token is not open to the directory process, whose user id is "));
    assert_int_equal(chmod("t/token", 0644), 0);
    look_as(routes, w);
    assert_null(said("is not open to"));
}

static void folders_elsewhere_are_not_made(void **state)
{
    struct stat st;
    struct config_files_who w = who(true);
    (void)state;
    look(NOBODY "spool deep/spool\n");
    const struct config_problem *p = said("deep/spool cannot be used: No such file");
    assert_non_null(p);
    assert_int_equal(p->severity, CONFIG_ERROR);
    assert_true(config_files_make(load.config, &w, &report));
    assert_int_not_equal(stat("deep", &st), 0);
}

static void folders_of_the_wrong_kind(void **state)
{
    (void)state;
    put("spool", "");
    look(NOBODY);
    assert_non_null(said("is no folder"));
    assert_int_equal(unlink("spool"), 0);
    assert_int_equal(mkdir("spool", 0700), 0);
    assert_int_equal(chmod("spool", 01777), 0);
    look(NOBODY);
    const struct config_problem *p = said("may be written by everyone");
    assert_non_null(p);
    assert_int_equal(p->severity, CONFIG_ERROR);
    assert_true(span_starts_nocase(p->suggestion, SPAN("chmod o-w ")));
}

static void folders_of_somebody_else(void **state)
{
    struct config_files_who w = who(true);
    char words[64];
    (void)state;
    assert_int_equal(mkdir("spool", 0700), 0);
    w.spooler.uid += 17;
    w.spooler.gid += 17;
    look_as(NOBODY, w);
    snprintf(words, sizeof words, "spooler process, whose user id is %u", w.spooler.uid);
    const struct config_problem *p = said(words);
    assert_non_null(p);
    assert_int_equal(p->severity, CONFIG_ERROR);
    assert_non_null(strstr((const char *)p->suggestion.p, "chown -R "));
    assert_int_equal(chmod("spool", 0070), 0); /* its group's */
    w.spooler.gid = getegid();
    look_as(NOBODY, w);
    assert_int_equal(report.errors, 0);
    assert_int_equal(chmod("spool", 0050), 0); /* which may not write */
    look_as(NOBODY, w);
    assert_int_equal(report.errors, 1);
    w.starts = false; /* somebody asks who cannot know who will start it, unless it is root */
    look_as(NOBODY, w);
    assert_int_equal(report.errors, geteuid() == 0);
    assert_int_equal(chmod("spool", 0700), 0);
}

/* As `sallyport user add` would. */
static void add_mailbox(const char *name)
{
    const char *why;
    uint32_t number;
    const struct change_caller caller = {.uid = 0, .name = SPAN("test"), .unix_seconds = 1};
    int fd = open("users", O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct identity *i = identity_open(fd, true, &why);
    assert_non_null(i);
    if (name) {
        assert_true(change_begin(i));
        assert_int_equal(change_add(i, PRINCIPAL_USER, span_str(name), true, 1, &number), CHANGE_DONE);
        assert_true(change_commit(i, &caller, SPAN("test")));
    }
    identity_close(&i);
    close(fd);
}

static void users(void **state)
{
    static const char listed[] = "server mx {\n recipients example.org\n listen 127.0.0.1:2525\n}\nhold *\n";
    (void)state;
    for (int starts = 0; starts < 2; starts++) {
        look_as(listed, who(starts));
        const struct config_problem *p = said("nobody was ever added");
        assert_non_null(p);
        assert_int_equal(p->severity, CONFIG_ERROR);
        assert_int_equal(p->place.line, 2);
        look_as(NOBODY, who(starts));
        assert_null(said("users"));
        look_as(NOBODY "users people\n", who(starts));
        assert_non_null(said("nobody was ever added"));
    }
    put("users", "you@example.org\t!\t\n"); /* of an earlier version */
    for (int starts = 0; starts < 2; starts++) {
        look_as(listed, who(starts));
        assert_int_equal(report.errors, 1);
        assert_non_null(strstr((const char *)said("users is a file")->suggestion.p, "user import"));
    }
    assert_int_equal(unlink("users"), 0);
    assert_int_equal(mkdir("users", 0700), 0);
    look_as(listed, who(false));
    assert_non_null(said("nobody was ever added")); /* no database in it */
    add_mailbox(NULL);
    look_as(listed, who(false));
    assert_int_equal(report.errors, 0);
    assert_non_null(said("nobody has a mailbox"));
    add_mailbox("you@example.org");
    look_as(listed, who(false));
    assert_int_equal(report.errors, 0);
    assert_null(said("nobody"));
    assert_int_equal(truncate("users/identity.db", 20000), 0);
    look_as(listed, who(false));
    assert_int_equal(report.errors, 1);
    assert_non_null(said("cannot read the users in"));
    assert_int_equal(chmod("users", 0707), 0);
    look_as(listed, who(true));
    assert_non_null(said("may be written by everyone"));
}

static void certificates(void **state)
{
    (void)state;
    put("chain", "no certificate");
    put("key", "");
    look("server mx {\n listen 127.0.0.1:2525 tls starttls\n tls starttls certificate chain key key\n "
         "recipients example.org any\n}\nhold *\n");
    assert_int_equal(report.errors, 2);
    assert_non_null(said("/key: it is empty"));
    const struct config_problem *p = said("/chain: no certificate");
    assert_non_null(p);
    assert_int_equal(p->place.line, 3);
}

/* They are looked at when they are named, or when something cannot be sent without them. */
static void authorities(void **state)
{
    static const char named[] = NOBODY "authorities ca\n",
                      needed[] = NOBODY "authorities ca\nrelay a via smarthost h:25 tls verify\n";
    uint8_t key[2048], certificate[2048 + 1] = {0};
    struct buf k = buf_on(key, sizeof key), x = buf_on(certificate, sizeof certificate - 1);

    (void)state;
    assert_true(tls_selfsigned(SPAN("ca.example"), 1700000000, &k, &x));
    look(named);
    assert_int_equal(report.errors, 1);
    assert_non_null(said("cannot read the certificate authorities "));
    put("ca", "");
    look(named); /* nobody is trusted, and nobody has to be */
    assert_int_equal(report.errors, 0);
    look(needed);
    assert_int_equal(report.errors, 1);
    const struct config_problem *p = said("/ca: it holds no certificate");
    assert_non_null(p);
    assert_int_equal(p->place.line, 4);
    put("ca", "no PEM at all\n");
    look(named);
    assert_non_null(said("/ca: no certificate in the file of authorities"));
    put("ca", (const char *)certificate);
    look(named);
    assert_int_equal(report.errors, 0);
    look(needed);
    assert_int_equal(report.errors, 0);
    certificate[x.n / 2] = '*';
    put("ca", (const char *)certificate);
    look(named);
    assert_non_null(said("/ca: a certificate of the authorities is broken"));
    look(NOBODY "deliver example.net to lmtp h:24 tls verify\nauthorities none\n");
    assert_non_null(said("cannot read the certificate authorities "));
}

/* Those that vouch for clients: each must be an authority, one a root. */
static void client_authorities(void **state)
{
    static const char named[] = NOBODY "client-authorities ca\n";
    uint8_t key[2048], certificate[2048 + 1] = {0};
    struct buf k = buf_on(key, sizeof key), x = buf_on(certificate, sizeof certificate - 1);

    (void)state;
    assert_true(tls_selfsigned(SPAN("mx.example"), 1700000000, &k, &x));
    look(named);
    assert_int_equal(report.errors, 1);
    const struct config_problem *p = said("cannot read the authorities of clients ");
    assert_non_null(p);
    assert_int_equal(p->place.line, 3);
    put("ca", (const char *)certificate);
    look(named);
    assert_int_equal(report.errors, 1);
    assert_non_null(said("/ca: a certificate in it is not an authority's"));
}

/* Each problem stands where the file or folder is named: by its directive, or (line 0) by nobody. */
static void places(void **state)
{
    static const struct {
        const char *text;
        uint32_t line, column;
    } t[] = {{"nobody was ever added to the users", 2, 1},
             {"cannot read the aliases file", 3, 3},
             {"the spool ", 4, 11},
             {"the folder of the control socket", 5, 1},
             {"cannot read the certificate authorities", 6, 1},
             {"cannot read the trust anchor", 7, 1},
             {"the mail folder", 8, 9}};
    (void)state;
    put("other.conf", "server mx { listen 127.0.0.1:2525 }\n");
    look("include other.conf; recipients example.org\nusers none\n  aliases none2\n hold * ; spool "
         "gone/spool\n"
         "control gone/x/c.sock\nauthorities gone/ca\ntrust-anchor gone/key\ndeliver example.org to maildir "
         "gone/mail\n");
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        const struct config_problem *p = said(t[i].text);
        if (!p) fail_msg("%s", t[i].text);
        if (p->place.line != t[i].line || p->place.column != t[i].column)
            fail_msg("%s: %u:%u", t[i].text, p->place.line, p->place.column);
        assert_true(span_eq(p->place.file, load.sources[0].name));
    }
    look("include other.conf\n" NOBODY);
    const struct config_problem *p = said("the spool ");
    assert_non_null(p);
    assert_int_equal(p->place.line, 0); /* nobody named it */
    assert_true(span_eq(p->place.file, load.sources[0].name));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(missing_folders_beside_the_file_are_made, begin, end),
        cmocka_unit_test_setup_teardown(user_files, begin, end),
        cmocka_unit_test_setup_teardown(token_files, begin, end),
        cmocka_unit_test_setup_teardown(folders_elsewhere_are_not_made, begin, end),
        cmocka_unit_test_setup_teardown(folders_of_the_wrong_kind, begin, end),
        cmocka_unit_test_setup_teardown(folders_of_somebody_else, begin, end),
        cmocka_unit_test_setup_teardown(users, begin, end),
        cmocka_unit_test_setup_teardown(places, begin, end),
        cmocka_unit_test_setup_teardown(certificates, begin, end),
        cmocka_unit_test_setup_teardown(authorities, begin, end),
        cmocka_unit_test_setup_teardown(client_authorities, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
