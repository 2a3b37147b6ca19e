/* `sallyport firewall`: what nft(8) takes: the listeners of a server closed to who is banned. */
#include <stdlib.h>

#include "cmd/ban.h"
#include "cmd/complain.h"

enum { LINE_OCTETS = 256 };

struct firewall_call {
    const char *name;
    struct guess_ban *bans; /* memory for BANS */
};

/* Inside another ban: nft takes no intervals that overlap. When the wider one ends first the server itself still refuses the rest. */
static bool inside_another(const struct guess_ban *bans, int n, int i)
{
    for (int k = 0; k < n; k++)
        if (k != i && bans[k].network.bits < bans[i].network.bits &&
            network_holds(&bans[k].network, &bans[i].network.base))
            return true;
    return false;
}

static void print_set(const struct user_call *u, const struct guess_ban *bans, int n, bool v4)
{
    bool any = false;
    printf("    set banned%c {\n        type ipv%c_addr\n        flags interval, timeout\n", v4 ? '4' : '6',
           v4 ? '4' : '6');
    for (int i = 0; i < n; i++) {
        char memory[LINE_OCTETS];
        struct buf b = buf_on(memory, sizeof memory);
        if ((bans[i].network.bits >= 96 && address_is_v4(&bans[i].network.base)) != v4) continue;
        if (inside_another(bans, n, i)) continue;
        network_put(&b, &bans[i].network);
        if (bans[i].until < BAN_FOREVER) {
            buf_str(&b, " timeout ");
            buf_u64(&b, bans[i].until - u->now);
            buf_byte(&b, 's');
        }
        printf("%s%.*s", any ? ",\n            " : "        elements = {\n            ",
               SPAN_ARG(buf_span(&b)));
        any = true;
    }
    printf("%s    }\n", any ? "\n        }\n" : "");
}

static void print_listener(const struct config_listener *l)
{
    char memory[LINE_OCTETS];
    struct buf to = buf_on(memory, sizeof memory);
    bool v4 = address_is_v4(&l->address), any = address_is_any(&l->address);
    if (!any) {
        buf_str(&to, v4 ? "ip daddr " : "ip6 daddr ");
        address_put(&to, &l->address);
        buf_byte(&to, ' ');
    }
    if (v4 || any)
        printf("        %.*stcp dport %u ip saddr @banned4 drop\n", SPAN_ARG(buf_span(&to)), l->port);
    if (!v4) printf("        %.*stcp dport %u ip6 saddr @banned6 drop\n", SPAN_ARG(buf_span(&to)), l->port);
}

static int print(struct user_call *u, void *context)
{
    struct firewall_call *f = context;
    const struct config_server *s = NULL;
    for (uint32_t i = 0; i < u->config->n_servers; i++)
        if (span_eq(u->config->servers[i].name, span_str(f->name))) s = &u->config->servers[i];
    if (!s) return complain(EXIT_NO, "there is no server %s", f->name);
    int n = ban_in_force(u, f->bans);
    if (n < 0) return EXIT_NO;
    /* made anew each time: the first two lines see to it that there is one, and delete it */
    printf("table inet sallyport-%s\ndelete table inet sallyport-%s\ntable inet sallyport-%s {\n", f->name,
           f->name, f->name);
    print_set(u, f->bans, n, true);
    print_set(u, f->bans, n, false);
    printf("    chain input {\n        type filter hook input priority filter - 10; policy accept;\n");
    for (uint32_t i = 0; i < s->n_listeners; i++)
        print_listener(&s->listeners[i]);
    printf("    }\n}\n");
    return EXIT_YES;
}

int command_firewall(struct command_call *v)
{
    struct firewall_call f = {.name = NULL};
    int words;
    if (!command_options(v, NULL, 0, &words)) return EXIT_USAGE;
    if (words != 1) return command_usage(v, "of which server?", NULL);
    f.name = v->argv[1];
    f.bans = calloc(BANS, sizeof *f.bans);
    int code = f.bans ? ban_with_store(v, false, print, &f) : complain(EXIT_NO, "no memory");
    free(f.bans);
    return code;
}
