/* sallyportd: main. Started by the operator it is the supervisor; started again by itself it is one of its children. */
#include <getopt.h>
#include <stdio.h>

#include "process/skeleton.h"
#include "process/supervise.h"
#include "process/supervisor.h"

enum { EXIT_USAGE = 64 /* EX_USAGE of sysexits(3) */ };

static const char usage[] =
    "usage: sallyportd --config FILE [--foreground]\n"
    "  --config FILE            the configuration (default /etc/sallyport/sallyport.conf)\n"
    "  --foreground             stay; else return when the service is ready\n"
    "  --debug-sandbox          say which system call a process was stopped at\n"
    "  --insecure-no-sandbox    start without cages (builds with sanitizers need it)\n"
    "  --version, --help\n"
    "Logs go to standard error, one JSON object a line.\n"
    "SIGHUP reloads, SIGTERM drains and stops, a second one stops at once.\n";

int main(int argc, char **argv)
{
    enum { CONFIG = 1, FOREGROUND, NO_SANDBOX, DEBUG_SANDBOX, VERSION, HELP, ROLE };
    static const struct option options[] = {
        {"config", required_argument, NULL, CONFIG},
        {"foreground", no_argument, NULL, FOREGROUND},
        {"insecure-no-sandbox", no_argument, NULL, NO_SANDBOX},
        {"debug-sandbox", no_argument, NULL, DEBUG_SANDBOX},
        {"version", no_argument, NULL, VERSION},
        {"help", no_argument, NULL, HELP},
        {"role", required_argument, NULL, ROLE},
        {NULL, 0, NULL, 0},
    };
    struct supervisor_options o = {.config_file = "/etc/sallyport/sallyport.conf"};
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;)
        switch (c) {
        case CONFIG: o.config_file = optarg; break;
        case FOREGROUND: o.foreground = true; break;
        case NO_SANDBOX: o.insecure_no_sandbox = true; break;
        case DEBUG_SANDBOX: o.debug_sandbox = true; break;
        case VERSION: puts("sallyportd " SALLYPORT_VERSION); return 0;
        case HELP: fputs(usage, stdout); return 0;
        case ROLE: return skeleton_main(SUPERVISE_FD); /* internal: our supervisor is at descriptor 3 */
        default: fputs(usage, stderr); return EXIT_USAGE;
        }
    if (optind < argc) {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    return supervisor_main(&o);
}
