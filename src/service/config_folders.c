/* The folders that a configuration names: there, of the right kind, and open to the process that uses them and to no stranger. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "identity/identity.h"
#include "service/config_files_private.h"

/* Spool and mail folders are made by the server where only its own folder can be meant. */
static bool is_makeable(const struct config *c, struct span path)
{
    struct span file = c->file;
    size_t of_file = span_rfind(file, '/'), of_path = span_rfind(path, '/');
    return of_file != SPAN_NPOS && of_path != SPAN_NPOS && of_path + 1 < path.n &&
           span_eq(span_head(file, of_file), span_head(path, of_path));
}

/* By the mode alone; lists of rights (acl(5)) may say otherwise, and then the process itself finds out at its start. */
bool config_files_permitted(const char *path, const struct stat *st, const struct config_files_owner *o,
                            unsigned want)
{
    if (o->uid == geteuid())
        return faccessat(AT_FDCWD, path, (int)want, AT_EACCESS) == 0; /* R_OK is 4, W_OK 2, X_OK 1 */
    mode_t bits = st->st_uid == o->uid   ? st->st_mode >> 6
                  : st->st_gid == o->gid ? st->st_mode >> 3
                                         : st->st_mode;
    return (bits & (mode_t)want) == want || getxattr(path, "system.posix_acl_access", NULL, 0) > 0;
}

static void check_owner(const struct config_files *f, struct config_place place, const char *what,
                        const char *path, const struct stat *st, const struct config_files_owner *o)
{
    uint8_t memory[24];
    struct buf uid = buf_on(memory, sizeof memory - 1);

    if (config_files_permitted(path, st, o, S_ISDIR(st->st_mode) ? 7 : 6)) return;
    buf_u64(&uid, o->uid);
    memory[uid.n] = 0;
    bool certain = f->who->starts || geteuid() == 0;
    config_report_add(
        f->report, certain ? CONFIG_ERROR : CONFIG_WARNING, place,
        CONFIG_FILES_SAY(what, " ", path, " cannot be used by the ", o->process,
                         " process, whose user id is ", (const char *)memory),
        certain ? CONFIG_FILES_ADVISE("chown -R ", (const char *)memory, " ", path, " && chmod u+rwX ", path)
                : "run sallyport check as root");
}

static void missing(const struct config_files *f, struct config_place place, const char *what,
                    struct span path, bool makeable)
{
    const char *p = config_files_text(path);

    if (errno == ENOENT && makeable && is_makeable(f->config, path))
        config_report_add(f->report, CONFIG_WARNING, place,
                          CONFIG_FILES_SAY(what, " ", p, " does not exist yet"),
                          "sallyportd makes it when it starts");
    else if (errno == EACCES && geteuid() != 0)
        config_files_unreadable(f, place, what, path, strerrordesc_np(errno));
    else
        config_report_add(f->report, CONFIG_ERROR, place,
                          CONFIG_FILES_SAY(what, " ", p, " cannot be used: ", strerrordesc_np(errno)),
                          errno == ENOENT ? CONFIG_FILES_ADVISE("mkdir -m 750 ", p) : NULL);
}

/* Nothing can be taken without a spool; mail for a folder that cannot be written waits in it. */
static bool check_writable(const struct config_files *f, struct config_place place, const char *what,
                           const char *path, bool needed)
{
    struct statvfs st;
    if (statvfs(path, &st) != 0 || !(st.f_flag & ST_RDONLY)) return true;
    config_report_add(f->report, needed ? CONFIG_ERROR : CONFIG_WARNING, place,
                      CONFIG_FILES_SAY(what, " ", path, " is on a read-only file system"),
                      "mount it writable; the kernel's log says whether it found errors");
    return false;
}

/* owner: who will write there; null: the supervisor itself does. */
static void check_folder(const struct config_files *f, struct config_place place, const char *what,
                         struct span path, const struct config_files_owner *owner)
{
    struct stat st;
    const char *p = config_files_text(path);

    if (stat(p, &st) != 0) {
        missing(f, place, what, path, owner != NULL);
        return;
    }
    bool shared = !owner && (st.st_mode & S_ISVTX); /* as /tmp: a name in it is its maker's */
    if (!S_ISDIR(st.st_mode))
        config_report_add(f->report, CONFIG_ERROR, place, CONFIG_FILES_SAY(what, " ", p, " is no folder"),
                          NULL);
    else if ((st.st_mode & S_IWOTH) && !shared)
        config_report_add(f->report, CONFIG_ERROR, place,
                          CONFIG_FILES_SAY(what, " ", p, " may be written by everyone"),
                          CONFIG_FILES_ADVISE("chmod o-w ", p));
    else if (owner && check_writable(f, place, what, p, owner == &f->who->spooler))
        check_owner(f, place, what, p, &st, owner);
}

void config_files_folders(const struct config_files *f)
{
    const struct config *c = f->config;
    struct span control = c->control_socket;

    check_folder(f, config_said(c, "spool"), "the spool", c->spool_folder, &f->who->spooler);
    for (uint32_t i = 0; i < c->n_deliver; i++)
        if (c->deliver[i].how == DELIVER_MAILDIR)
            check_folder(f, c->deliver[i].place, "the mail folder", c->deliver[i].target, &f->who->mailbox);
    size_t slash = span_rfind(control, '/');
    char folder[LIMIT_SOCKET_PATH_OCTETS + 1];
    if (slash == SPAN_NPOS || slash == 0 || slash >= sizeof folder) return;
    memcpy(folder, control.p, slash);
    folder[slash] = 0;
    check_folder(f, config_said(c, "control"), "the folder of the control socket", span_of(folder, slash),
                 NULL);
}

/* SQLite, run by root, makes a journal and gives it to the database's owner a moment later: one that is not the owner's is looked
   at again. False: there is none, or it may be the supervisor, who cannot look into the folder. */
static bool look_at_users_file(const char *path, const struct config_files_owner *o, struct stat *st)
{
    static const struct timespec moment = {.tv_nsec = 5000000};

    for (int looks = 0; looks < 10; looks++) {
        if (looks > 0) nanosleep(&moment, NULL);
        if (stat(path, st) != 0) return false;
        if (config_files_permitted(path, st, o, 6)) break;
    }
    return true;
}

/* What root copied there is root's, and the directory process would not start. */
static void check_users_files(const struct config_files *f)
{
    static const char *const names[] = {"/" IDENTITY_FILE, "/" IDENTITY_FILE "-wal",
                                        "/" IDENTITY_FILE "-shm"};
    const struct config_place place = config_said(f->config, "users");
    char memory[LIMIT_CONFIG_PATH_OCTETS + 32];
    struct stat st;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct buf path = buf_on(memory, sizeof memory - 1);
        buf_put(&path, f->config->users_folder);
        buf_str(&path, names[i]);
        memory[path.n] = 0;
        if (path.over || !look_at_users_file(memory, &f->who->directory, &st)) continue;
        check_owner(f, place, "the file of users", memory, &st, &f->who->directory);
        config_files_secret_mode(f, place, "users", buf_span(&path));
    }
}

/* One that is missing, or is no folder, is no matter here. */
void config_files_users(const struct config_files *f)
{
    struct span path = f->config->users_folder;
    struct stat st;

    if (stat(config_files_text(path), &st) != 0 || !S_ISDIR(st.st_mode)) return;
    check_folder(f, config_said(f->config, "users"), "the folder of users", path, &f->who->directory);
    check_users_files(f);
}

/* ---- what can be made */

/* Null, or what failed; errno says why. */
static const char *make(const char *path, const struct config_files_owner *o)
{
    if (mkdir(path, 0700) != 0) return errno == EEXIST ? NULL : "made";
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    /* the supervisor opens what it hands out, perhaps without the right to pass over modes: its group may always read */
    bool good = fd >= 0 && (o->uid == geteuid() || fchown(fd, o->uid, (gid_t)-1) == 0) &&
                fchmod(fd, 0750) == 0 && fsync(fd) == 0;
    int why = errno;
    if (fd >= 0) close(fd);
    if (!good) rmdir(path); /* made a moment ago, and empty */
    errno = why;
    return good ? NULL : "given to its owner";
}

static bool make_one(const struct config *c, struct config_report *r, struct config_place place,
                     struct span path, const struct config_files_owner *o)
{
    struct stat st;
    const char *p = config_files_text(path);

    if (stat(p, &st) == 0 || errno != ENOENT || !is_makeable(c, path)) return true;
    const char *what = make(p, o);
    if (!what) return true;
    const char *why = strerrordesc_np(errno);
    config_report_add(r, CONFIG_ERROR, place,
                      CONFIG_FILES_SAY("the folder ", p, " cannot be ", what, ": ", why), NULL);
    return false;
}

bool config_files_make(const struct config *c, const struct config_files_who *who, struct config_report *r)
{
    bool ok = make_one(c, r, config_said(c, "spool"), c->spool_folder, &who->spooler);

    for (uint32_t i = 0; i < c->n_deliver; i++)
        if (c->deliver[i].how == DELIVER_MAILDIR)
            ok &= make_one(c, r, c->deliver[i].place, c->deliver[i].target, &who->mailbox);
    return ok;
}
