#include "cmd/command.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cmd/ban.h"
#include "cmd/complain.h"
#include "cmd/queue.h"
#include "cmd/report.h"
#include "cmd/send.h"
#include "cmd/server.h"
#include "cmd/user.h"
#include "policy/right.h"

const struct command command_table[] = {
    {"init", "--dir DIR --domain DOMAIN --smtp-port PORT [options]",
     "make a complete folder for a new server",
     "Writes DIR with a configuration, a certificate, one user and an empty spool. The password of the "
     "user\n"
     "is read from standard input. Nothing is overwritten.\n"
     "\n"
     "  --submission-port PORT    a submission listener with STARTTLS\n"
     "  --submissions-port PORT   a submission listener with implicit TLS\n"
     "  --user NAME               the first user, who may submit and relay (default: the login name)\n",
     command_init},
    {"check", "[FILE]", "find every error of a configuration",
     "Reads the configuration and all files it names. Prints FILE:LINE:COLUMN, what is wrong and what to "
     "write instead.\n"
     "Exit code 0: it can be used (there may be warnings); 78: it cannot.\n",
     command_check},
    {"explain", "--client ADDRESS --from SENDER --to RECIPIENT [options] | route RECIPIENT [--from SENDER]",
     "why a recipient would be accepted or refused, and where its mail goes",
     "Prints each rule that decides, and the reply. Exit code 0: accepted, 1: refused.\n"
     "explain route prints where mail for RECIPIENT goes next: the line that decides, the next hop, its TLS\n"
     "policy and its limits; and, when the service runs, what it finds in DNS (hosts, addresses, DNSSEC, "
     "TLSA\n"
     "records and what follows) and what the queue knows of it. It connects to nothing. Exit code 0: it "
     "goes\n"
     "somewhere or is held, 1: it does not.\n"
     "\n"
     "  --helo NAME     what the client calls itself\n"
     "  --server NAME   the virtual server it speaks to (default: the first)\n"
     "  --tls           under TLS\n"
     "  --user NAME     logged in as that account (NAME/LABEL: by that app password): which mechanisms are "
     "offered,\n"
     "                  what it may do and where each right comes from, its senders; reads the identity "
     "database\n"
     "  --outside       an outside authority vouches for NAME: Dovecot, Active Directory, Kerberos; "
     "[--groups A,B] says\n"
     "                  which groups it has there\n"
     "  --certificate   the client shows a TLS certificate\n"
     "  --name NAME     the client's name, as DNS confirms it (connections ... name)\n",
     command_explain},
    {"user",
     "add | passwd | remove | lock | unlock | list | show | grant | revoke | group | sender | app | "
     "certificate\n"
     "       | import | audit  ...",
     "who exists, how they prove it, and what they may do",
     "Passwords are read from standard input, or asked for on a terminal; never given as an argument.\n"
     "\n"
     "  add NAME@DOMAIN [--grant RIGHT,...] [--no-password] [--no-mailbox], add --host NAME\n"
     "  passwd NAME@DOMAIN [--no-password]\n"
     "  remove | lock | unlock | show NAME@DOMAIN\n"
     "  list            all of them\n"
     "  grant | revoke  NAME@DOMAIN RIGHT ..., or --group GROUP RIGHT ...: " RIGHT_NAMES "\n"
     "  group add | remove GROUP [NAME@DOMAIN ...], group list [GROUP]\n"
     "  sender add | remove NAME@DOMAIN ADDRESS|@DOMAIN|* ..., sender list [NAME@DOMAIN]\n"
     "  app add NAME@DOMAIN LABEL [--from NETWORK,...] [--expires TIME]: a password for one device\n"
     "  app remove NAME@DOMAIN LABEL, app list [NAME@DOMAIN]\n"
     "  certificate add NAME@DOMAIN FILE [--label LABEL], certificate remove NAME@DOMAIN FILE|KEY,\n"
     "  certificate list [NAME@DOMAIN]\n"
     "  import FILE [--domain DOMAIN] [--grant RIGHT,...] [--no-mailbox] [--dry-run]\n"
     "  audit           who changed what, and when\n"
     "\n"
     "  --no-password   mail is delivered, nobody can log in\n"
     "  --no-mailbox    it can log in, and receives no mail\n"
     "  --nt, --cram, --scram-sha-1   add, passwd, app add: what NTLM, CRAM-MD5, SCRAM-SHA-1 need, for old "
     "devices\n"
     "  --host          NAME is a host\n"
     "  --no-reload     add, remove, import: the running server is not told of mailboxes\n",
     command_user},
    {"ban", "list | show ADDRESS | lift ADDRESS|NETWORK | add NETWORK [--for TIME] --reason TEXT",
     "who may not log in, after too many failed logins or by hand",
     "  list            networks that are banned: since when, until when, why, which accounts were tried\n"
     "  show ADDRESS    the bans that it is in. Exit code 0: there is one, 1: there is none\n"
     "  lift            ends bans: every one that ADDRESS is in, or that of NETWORK\n"
     "  add NETWORK     bans it, for TIME (30m, 12h, 90d) or for good\n"
     "\n"
     "The running server knows a change within seconds. sallyport user audit has who made it.\n",
     command_ban},
    {"firewall", "SERVER", "nftables rules that close a server's ports to who is banned",
     "Prints what nft -f - takes: a table of its own, made anew each time; bans end by themselves.\n",
     command_firewall},
    {"server",
     "list | NAME show | NAME set access ACCESS [mechanisms NAME ...] [--dry-run [--log FILE] ...] [--yes]\n"
     "       | NAME history",
     "who may speak to which server, and changes of it",
     "  list            all virtual servers: access, listeners, logins, relay networks\n"
     "  NAME show       everything of one, with the line that says it\n"
     "  NAME set access anonymous | authenticated | both\n"
     "                  writes it into the configuration, in its place, and has the running server reload;\n"
     "                  what the server does not take is taken back\n"
     "  NAME history    who changed it, and when\n"
     "\n"
     "  --dry-run       change nothing: how many sessions of a log it would have refused, and whose\n"
     "  --log FILE      that log (default: standard input); again for more files\n"
     "  --since TIME    of the log what is newer: 4h, 7d, 2026-11-25\n"
     "  --yes           also when it opens the server, or nobody could log in any more\n"
     "\n"
     "Exit code: 0 done, or so already; 1 nothing was changed; 75 written, not known to be served; 77 you "
     "may not;\n"
     "78 the configuration has errors, or would have. --dry-run: 0 nobody would be refused, 1 somebody "
     "would.\n",
     command_server},
    {"status", "", "what the running server does", "", command_status},
    {"reload", "", "read the configuration and certificates anew, without dropping a session",
     "Returns when the new generation serves, or says why the old one stays.\n", command_reload},
    {"stop", "", "end the running server: no new sessions, open transactions may end", "", command_stop},
    {"queue",
     "list | summary [--by destination|reason] | show ID | counts | verify [--spool DIR]\n"
     "       | flush | hold | release | requeue | remove | bounce  [ID ...] [filters] [--all] [--yes]",
     "what waits and why, one message's life, and what an operator may do about it",
     "  list            messages that wait, with what each recipient waits for\n"
     "  summary         how many recipients wait, by destination and by reason\n"
     "  show ID         a message's whole life: every attempt, where, how protected, the reply, how long\n"
     "  flush           try now; the back-off of their next hops is forgotten\n"
     "  hold, release   keep, let go on\n"
     "  requeue         as if just arrived: routes are looked up anew, attempts are forgotten\n"
     "  remove          take out of the queue, telling nobody\n"
     "  bounce          return to the senders\n"
     "\n"
     "Filters, all of which must fit:\n"
     "  --state STATES  of queued, deferred, held, with commas between\n"
     "  --from TEXT     the sender contains TEXT\n"
     "  --to TEXT       a recipient contains TEXT\n"
     "  --domain NAME   the recipient's domain\n"
     "  --reason TEXT   why it waits contains TEXT\n"
     "  --destination TEXT   its next hop contains TEXT\n"
     "  --larger SIZE, --smaller SIZE   like 200K, 10M\n"
     "  --older TIME, --newer TIME      in the queue for: like 30m, 4h, 5d\n"
     "\n"
     "  --all           flush, hold ...: every message\n"
     "  --yes           remove, bounce: do not ask\n"
     "  --spool DIR     verify: this folder, while no server runs on it\n"
     "\n"
     "Exit code of verify: 0 sound, 1 damaged.\n",
     command_queue},
    {"report", "legacy [--since TIME] [FILE ...]", "what the log says, summed up: old devices that are left",
     "report legacy     each device that a server with profile legacy-device spoke to: when, how often, with "
     "which\n"
     "                  account or sender, what it lacks for a server of today, and what to do about it\n"
     "\n"
     "The log is read from FILE, or from standard input (-):\n"
     "  journalctl -u sallyport -o cat | sallyport report legacy --since 30d\n"
     "\n"
     "  --since TIME    only sessions that ended since: 12h or 30d ago, or 2026-11-25, "
     "2026-11-25T15:30:00Z\n",
     command_report},
    {"send", "--server HOST:PORT --from ADDRESS --to ADDRESS ... [options]", "send one message by SMTP",
     "The message is read from standard input; a text that does not begin with a header gets one.\n"
     "\n"
     "  --file FILE     read it from FILE\n"
     "  --tls MODE      starttls, implicit or none (default)\n"
     "  --insecure      take any certificate\n"
     "  --ca FILE       trust the certificates in FILE instead of the system's\n"
     "  --name NAME     the name that the certificate must have (default: HOST)\n"
     "  --helo NAME     what to say in EHLO (default: the host name)\n"
     "  --chunking      BDAT instead of DATA\n"
     "  -v, --verbose   show the dialogue\n"
     "\n"
     "Exit code: 0 sent; 69 refused (for one recipient at least), or no server; 75 the server says: later;\n"
     "76 no TLS, or not what SMTP is. --json prints one object on standard output, whatever happens.\n",
     command_send},
    {"version", "", "versions of this program and its libraries", "", command_version},
    {"help", "[COMMAND | config] [--man]", "this help, or all directives of the configuration",
     "help config       the reference of sallyport.conf\n"
     "help config --man the same as the source of its man page\n"
     "help config --dictionary  the words of its grammar, for a fuzzer\n",
     command_help_run},
    {NULL, NULL, NULL, NULL, NULL},
};

void command_help(const struct command *row)
{
    printf("usage: sallyport %s%s%s\n\n%s.\n", row->name, row->arguments[0] ? " " : "", row->arguments,
           row->summary);
    if (row->help[0]) printf("\n%s", row->help);
    printf("\n  --config FILE   the configuration\n  --json          for machines\n");
}

int command_usage(const struct command_call *v, const char *text, const char *what)
{
    complain(EXIT_USAGE, "%s%s%s", text, what ? ": " : "", what ? what : "");
    if (!v->json) fprintf(stderr, "usage: sallyport %s %s\n", v->command->name, v->command->arguments);
    return EXIT_USAGE;
}

bool command_config_there(const struct command_call *v, const char *file)
{
    struct stat st;
    if (stat(file, &st) == 0 || errno != ENOENT) return true;
    if (file != v->config || v->config_given)
        complain(EXIT_CONFIG,
                 "%s does not exist: name another with --config, or make one with sallyport init", file);
    else
        complain(EXIT_CONFIG,
                 "neither %s nor %s exists: name a configuration with --config, or make one with sallyport "
                 "init",
                 COMMAND_CONFIG_HERE, COMMAND_CONFIG_SYSTEM);
    return false;
}

/* The value of "--name=value", "" when argument is the name alone, null when it is another. */
static const char *matches(const char *argument, const char *name)
{
    size_t n = strlen(name);

    if (strncmp(argument, name, n) != 0 || (argument[n] && argument[n] != '=')) return NULL;
    return argument + n;
}

static const struct command_option *find_option(const char *argument, const struct command_option *options,
                                                size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (matches(argument, options[i].name)) return &options[i];
    return NULL;
}

static bool read_option(struct command_call *v, int *at, const struct command_option *o)
{
    const char *behind = matches(v->argv[*at], o->name);

    if (o->flag && behind[0]) {
        command_usage(v, "takes no value", o->name);
        return false;
    }
    if (!o->flag && *o->value) { /* the first one would be dropped without a word */
        command_usage(v, "is given twice", o->name);
        return false;
    }
    if (o->flag)
        *o->value = "";
    else if (behind[0])
        *o->value = behind + 1;
    else if (*at + 1 < v->argc)
        *o->value = v->argv[++*at];
    else {
        command_usage(v, "needs a value", o->name);
        return false;
    }
    return true;
}

bool command_options(struct command_call *v, const struct command_option *options, size_t n, int *words)
{
    bool only_words = false;

    *words = 0;
    for (int i = 1; i < v->argc; i++) {
        const char *a = v->argv[i];
        if (!only_words && strcmp(a, "--") == 0) {
            only_words = true;
            continue;
        }
        if (only_words || a[0] != '-' || !a[1]) {
            v->argv[++*words] = v->argv[i];
            continue;
        }
        const struct command_option *o = find_option(a, options, n);
        if (!o) {
            command_usage(v, "unknown option", a);
            return false;
        }
        if (!read_option(v, &i, o)) return false;
    }
    for (size_t i = 0; i < n; i++)
        if (options[i].required && !*options[i].value) {
            command_usage(v, "is needed", options[i].name);
            return false;
        }
    return true;
}
