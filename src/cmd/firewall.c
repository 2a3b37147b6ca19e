/* `sallyport firewall`: what nft(8) takes: the door of a server, with the answers that the server itself gives there (inbound_let_in): first the
 * connections lines, then the bans. What the server lets in is let through, what only the server can know too. */
#include <stdlib.h>

#include "cmd/ban.h"
#include "cmd/complain.h"

enum { LINE_OCTETS = 512 };

struct firewall_call {
    const char *name;
    uint32_t n;                   /* of barred */
    struct barred_entry *entries; /* memory for GUESS_BARRED_MAX */
};

/* --- parts of rules */

static bool is_v4(const struct network *n)
{
    return n->bits >= 96 && address_is_v4(&n->base);
}

static void print_from(const struct network *n, const char *verdict)
{
    char memory[LINE_OCTETS];
    struct buf b = buf_on(memory, sizeof memory);
    network_put(&b, n);
    printf("        %s saddr %.*s %s\n", is_v4(n) ? "ip" : "ip6", SPAN_ARG(buf_span(&b)), verdict);
}

/* What goes to a listener. */
static void put_to(struct buf *b, const struct config_listener *l)
{
    bool v4 = address_is_v4(&l->address);
    if (address_is_any(&l->address)) {
        buf_str(b, v4 ? "meta nfproto ipv4 " : "meta nfproto ipv6 ");
    } else {
        buf_str(b, v4 ? "ip daddr " : "ip6 daddr ");
        address_put(b, &l->address);
        buf_byte(b, ' ');
    }
    buf_str(b, "tcp dport ");
    buf_u64(b, l->port);
}

/* --- who is banned */

/* nft takes no intervals that overlap. When the wider one ends first the server itself still refuses the rest. */
static bool inside_another(const struct firewall_call *f, uint32_t i)
{
    const struct network *one = &f->entries[i].network;
    for (uint32_t k = 0; k < f->n; k++) {
        const struct network *n = &f->entries[k].network;
        if (k != i && (n->bits < one->bits || (n->bits == one->bits && k < i)) &&
            network_holds(n, &one->base))
            return true;
    }
    return false;
}

static void print_set(const struct user_call *u, const struct firewall_call *f, bool v4)
{
    bool any = false;
    printf("    set banned%c {\n        type ipv%c_addr\n        flags interval, timeout\n", v4 ? '4' : '6',
           v4 ? '4' : '6');
    for (uint32_t i = 0; i < f->n; i++) {
        const struct barred_entry *e = &f->entries[i];
        char memory[LINE_OCTETS];
        struct buf b = buf_on(memory, sizeof memory);
        if (is_v4(&e->network) != v4 || inside_another(f, i)) continue;
        network_put(&b, &e->network);
        if (e->until < BAN_FOREVER) {
            buf_str(&b, " timeout ");
            buf_u64(&b, e->until - u->now);
            buf_byte(&b, 's');
        }
        printf("%s%.*s", any ? ",\n            " : "        elements = {\n            ",
               SPAN_ARG(buf_span(&b)));
        any = true;
    }
    printf("%s    }\n", any ? "\n        }\n" : "");
}

static void print_bans(const struct user_call *u, const struct firewall_call *f)
{
    print_set(u, f, true);
    print_set(u, f, false);
    printf("    chain bans {\n");
    for (uint32_t i = 0; i < u->config->n_never_ban; i++)
        print_from(&u->config->never_ban[i], "return");
    printf("        ip saddr @banned4 drop\n        ip6 saddr @banned6 drop\n    }\n");
}

/* --- who may connect */

static bool said_before(const struct admission *a, uint32_t i)
{
    const struct network *one = &a->rules[i].network;
    for (uint32_t k = 0; k < i; k++)
        if (a->rules[k].network.bits == one->bits &&
            memcmp(&a->rules[k].network.base, &one->base, sizeof one->base) == 0)
            return true;
    return false;
}

/* As admission_permits decides: the most specific network stands first. */
static void print_door(const struct admission *a)
{
    bool through = a->others || a->n_names > 0; /* whose name is to be asked for is let to the server */
    printf("    chain door {\n");
    for (unsigned bits = 129; bits-- > 0;)
        for (uint32_t i = 0; i < a->n; i++)
            if (a->rules[i].network.bits == bits && !said_before(a, i))
                print_from(&a->rules[i].network, a->rules[i].allow ? "goto bans" : "drop");
    for (uint32_t i = 0; i < a->n_names; i++) {
        char memory[LINE_OCTETS];
        struct buf b = buf_on(memory, sizeof memory);
        admission_name_put(&b, &a->names[i]);
        printf("        # connections %s name %.*s: no rule can say it, the server itself asks for names\n",
               a->names[i].allow ? "allow" : "deny", SPAN_ARG(buf_span(&b)));
    }
    printf("        %s\n    }\n", through ? "goto bans" : "drop");
}

/* --- which packets */

static void print_listener(const struct config_listener *l)
{
    char memory[LINE_OCTETS];
    struct buf to = buf_on(memory, sizeof memory);
    put_to(&to, l);
    for (uint32_t i = 0; i < l->n_proxy_from;
         i++) { /* nobody asks a proxy who it is, but for whom it speaks */
        size_t n = to.n;
        if (is_v4(&l->proxy_from[i]) != address_is_v4(&l->address)) continue;
        buf_str(&to, is_v4(&l->proxy_from[i]) ? " ip saddr " : " ip6 saddr ");
        network_put(&to, &l->proxy_from[i]);
        printf("        %.*s return\n", SPAN_ARG(buf_span(&to)));
        to.n = n;
    }
    printf("        %.*s goto door\n", SPAN_ARG(buf_span(&to)));
}

/* A single address that another server listens on is not the wildcard's. */
static void print_others(const struct config *c, const struct config_server *s,
                         const struct config_listener *wildcard)
{
    for (uint32_t i = 0; i < c->n_servers; i++)
        for (uint32_t k = 0; &c->servers[i] != s && k < c->servers[i].n_listeners; k++) {
            const struct config_listener *l = &c->servers[i].listeners[k];
            char memory[LINE_OCTETS];
            struct buf to = buf_on(memory, sizeof memory);
            if (l->port != wildcard->port || address_is_any(&l->address) ||
                address_is_v4(&l->address) != address_is_v4(&wildcard->address))
                continue;
            put_to(&to, l);
            printf("        %.*s return\n", SPAN_ARG(buf_span(&to)));
        }
}

static void print_input(const struct config *c, const struct config_server *s)
{
    printf("    chain input {\n        type filter hook input priority filter - 10; policy accept;\n"
           "        tcp flags & (fin | syn | rst | ack) != syn return # the door: sessions go on\n");
    for (uint32_t i = 0; i < s->n_listeners; i++)
        if (!address_is_any(&s->listeners[i].address)) print_listener(&s->listeners[i]);
    for (uint32_t i = 0; i < s->n_listeners; i++) {
        if (!address_is_any(&s->listeners[i].address)) continue;
        print_others(c, s, &s->listeners[i]);
        print_listener(&s->listeners[i]);
    }
    printf("    }\n");
}

/* --- all of it */

/* The list that the directory process makes for the edges. False: complained. */
static bool barred(const struct user_call *u, bool logins, struct firewall_call *f)
{
    struct guess_ban *bans = calloc(BANS, sizeof *bans);
    void *memory = calloc(1, guess_octets());
    int n = -1;
    if (!bans || !memory) {
        complain(EXIT_NO, "no memory");
    } else if ((n = ban_list(u->identity, bans, BANS)) < 0) {
        complain(EXIT_NO, "the bans cannot be read: %s", change_why(u->identity));
    } else {
        struct guess *g = guess_on(memory, 0);
        guess_load(g, bans, (size_t)n, u->now * 1000);
        f->n = guess_barred(g, logins, u->now * 1000, f->entries);
        qsort(f->entries, f->n, sizeof *f->entries, barred_order);
    }
    free(memory);
    free(bans);
    return n >= 0;
}

static int print(struct user_call *u, void *context)
{
    struct firewall_call *f = context;
    const struct config_server *s = NULL;
    for (uint32_t i = 0; i < u->config->n_servers; i++)
        if (span_eq(u->config->servers[i].name, span_str(f->name))) s = &u->config->servers[i];
    if (!s) return complain(EXIT_NO, "there is no server %s", f->name);
    if (!barred(u, s->mechanisms != 0, f)) return EXIT_NO;
    /* made anew each time: the first two lines see to it that there is one, and delete it */
    printf("table inet sallyport-%s\ndelete table inet sallyport-%s\ntable inet sallyport-%s {\n", f->name,
           f->name, f->name);
    print_bans(u, f);
    print_door(&s->admission);
    print_input(u->config, s);
    printf("}\n");
    return EXIT_YES;
}

int command_firewall(struct command_call *v)
{
    struct firewall_call f = {.name = NULL};
    int words;
    if (!command_options(v, NULL, 0, &words)) return EXIT_USAGE;
    if (words != 1) return command_usage(v, "of which server?", NULL);
    f.name = v->argv[1];
    f.entries = calloc(GUESS_BARRED_MAX, sizeof *f.entries);
    int code = f.entries ? ban_with_store(v, false, print, &f) : complain(EXIT_NO, "no memory");
    free(f.entries);
    return code;
}
