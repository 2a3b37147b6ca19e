/* The files behind user-file and token-file: what we show to smarthosts. They are read, and wiped. */
#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "config/user_file.h"
#include "directory/credential.h"
#include "service/config_files_private.h"
#include "service/config_load.h"
#include "service/token_file.h"

static void check_content(const struct config_files *f, const struct config_user_file *u, struct span text)
{
    struct credential credential;
    uint32_t line;
    const char *wrong = credential_parse(text, &credential, &line);
    if (!wrong) return;
    config_report_add(f->report, CONFIG_ERROR, (struct config_place){u->path, line, 0}, wrong,
                      "two lines: the user name, the password");
}

static void check_user_file(const struct config_files *f, const struct config_user_file *u)
{
    struct arena *arena = arena_create(64 * LIMIT_CREDENTIAL_FILE_OCTETS);
    struct span text = {NULL, 0};
    const char *why =
        arena ? config_load_file(arena, config_files_text(u->path), 2 * LIMIT_CREDENTIAL_FILE_OCTETS, &text)
              : "no memory";
    if (!why) check_content(f, u, text);
    if (!why) config_files_wipe(text);
    if (why)
        config_files_unreadable(f, *u->place, "the user-file", u->path, why);
    else
        config_files_secret_mode(f, *u->place, "user-file", u->path);
    arena_destroy(&arena);
}

/* --- a token-file: the directory process opens it, again and again; nobody else has to */

static void not_open(const struct config_files *f, const struct config_user_file *u, const char *what,
                     const char *path, const struct stat *st, unsigned want)
{
    uint8_t memory[24];
    struct buf uid = buf_on(memory, sizeof memory - 1);
    if (config_files_permitted(path, st, &f->who->directory, want)) return;
    buf_u64(&uid, f->who->directory.uid);
    memory[uid.n] = 0;
    bool certain = f->who->starts || geteuid() == 0;
    config_report_add(
        f->report, certain && want == 1 ? CONFIG_ERROR : CONFIG_WARNING, *u->place,
        CONFIG_FILES_SAY(what, " ", path, " is not open to the directory process, whose user id is ",
                         (const char *)memory),
        certain ? CONFIG_FILES_ADVISE("setfacl -m u:", (const char *)memory, want == 1 ? ":x " : ":r ", path)
                : "run sallyport check as root");
}

static void check_token(const struct config_files *f, const struct config_user_file *u, int folder,
                        const char *name)
{
    uint8_t memory[TOKEN_FILE_OCTETS + 1];
    struct token_file_state state;
    struct span token;
    struct stat st;
    const char *path = config_files_text(u->path);
    bool good = token_file_read(folder, name, (uint64_t)time(NULL), memory, &token, &state);
    explicit_bzero(memory, sizeof memory);
    if (!good)
        config_report_add(
            f->report, CONFIG_WARNING, *u->place,
            CONFIG_FILES_SAY("the token-file ", path, " ", state.text, ": mail for its smarthost waits"),
            "one token, and nothing else; see TOKEN-FILE in sallyport.conf(5)");
    if (fstatat(folder, name, &st, 0) == 0) not_open(f, u, "the token-file", path, &st, 4);
    config_files_secret_mode(f, *u->place, "token-file", u->path);
}

static void check_token_file(const struct config_files *f, const struct config_user_file *u)
{
    char memory[LIMIT_CONFIG_PATH_OCTETS + 1];
    struct buf b = buf_on(memory, sizeof memory - 1);
    struct span before;
    struct stat st;
    const char *name;
    token_file_split(u->path, &before, &name);
    buf_put(&b, before);
    memory[b.n] = 0;
    int folder = open(memory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) {
        config_files_unreadable(f, *u->place, "the folder of the token-file", buf_span(&b),
                                strerrordesc_np(errno));
        return;
    }
    if (fstat(folder, &st) == 0) not_open(f, u, "the folder of the token-file", memory, &st, 1);
    check_token(f, u, folder, name);
    close(folder);
}

void config_files_credentials(const struct config_files *f)
{
    static struct config_user_file files[LIMIT_CREDENTIAL_FILES];
    uint32_t n = config_user_files(f->config, files);
    if (n > LIMIT_CREDENTIAL_FILES) {
        n = LIMIT_CREDENTIAL_FILES;
        config_report_add(f->report, CONFIG_ERROR, *files[n - 1].place, "the routes name too many user-files",
                          "at most 256 different ones");
    }
    for (uint32_t i = 0; i < n; i++)
        (files[i].secret.token ? check_token_file : check_user_file)(f, &files[i]);
}
