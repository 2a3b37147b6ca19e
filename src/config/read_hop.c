/* read_hop: the next hop of a line: what stands behind via (relay) and behind to lmtp (deliver). */
#include "config/reader_private.h"

#define QUOTED(s) SPAN("\""), (s), SPAN("\"")

enum { PORT_SUBMISSIONS = 465 };

struct hop_reader { /* one line under way */
    struct config_route *to;
    enum read_hop_form form;
    struct token hosts; /* the first */
    uint32_t n_hosts, n_implicit_ports;
    bool all_loopback;
    struct token tls; /* where it was said */
    bool tls_said;
    struct credential_words login;
    uint8_t memory[LIMIT_NEXT_HOP_OCTETS];
    struct buf names;
};

/* --- the hosts */

static void put_host(struct hop_reader *h, struct span host, uint16_t port)
{
    if (h->names.n) buf_byte(&h->names, ' ');
    h->all_loopback &= value_put_host(&h->names, host, port);
    h->n_hosts++;
    h->n_implicit_ports += port == PORT_SUBMISSIONS;
}

static bool read_hosts(struct reader *r, struct hop_reader *h)
{
    struct token t = h->hosts;
    struct span host;
    uint16_t port;

    h->all_loopback = true;
    do {
        if (!value_host_port(r, &t, &host, &port)) return false;
        put_host(h, host, port);
        if (h->names.over) {
            config_problem_at(r, &t, SPAN("these hosts are too many for one next hop"),
                              PROBLEM_TEXT(r, SPAN("at most "),
                                           config_problem_number(r, LIMIT_NEXT_HOP_OCTETS),
                                           SPAN(" octets with their ports")));
            return false;
        }
    } while (!credential_at_word(r) && reader_more(r, &t));
    h->to->hop.kind = NEXT_HOP_HOST;
    return true;
}

/* unix:/PATH */
static bool read_socket(struct reader *r, struct hop_reader *h, struct span value)
{
    struct span path = span_skip(value, 5);
    struct next_hop hop = {.kind = NEXT_HOP_UNIX, .protocol = NEXT_HOP_LMTP, .name = path};

    if (!next_hop_valid(&hop)) {
        config_problem_at(
            r, &h->hosts, PROBLEM_TEXT(r, QUOTED(value), SPAN(" is no path of a socket")),
            SPAN("write unix: and an absolute path of at most 107 octets: unix:/run/dovecot/lmtp"));
        return false;
    }
    h->to->hop.kind = NEXT_HOP_UNIX;
    buf_put(&h->names, path);
    return true;
}

static bool read_where(struct reader *r, const struct token *name, struct hop_reader *h)
{
    struct next_hop *hop = &h->to->hop;

    *hop = (struct next_hop){.kind = NEXT_HOP_MX, .tls = TLS_POLICY_DANE};
    if (h->form == READ_HOP_MX) return true;
    hop->protocol = h->form == READ_HOP_LMTP ? NEXT_HOP_LMTP : NEXT_HOP_SMTP;
    if (!reader_argument(r, name,
                         h->form == READ_HOP_LMTP ? "unix:/PATH or HOST:PORT behind lmtp"
                                                  : "HOST:PORT behind smarthost",
                         &h->hosts))
        return false;
    struct span value = token_value(&h->hosts, r->arena);
    bool socket = h->form == READ_HOP_LMTP && span_starts_nocase(value, SPAN("unix:"));
    if (!(socket ? read_socket(r, h, value) : read_hosts(r, h))) return false;
    hop->name = arena_copy(r->arena, buf_span(&h->names));
    r->no_memory |= !hop->name.p;
    return hop->name.p != NULL;
}

/* --- tls [implicit] [POLICY], and what read_credential reads */

static bool said_twice(struct reader *r, bool said, const struct token *word)
{
    if (said)
        config_problem_at(r, word, PROBLEM_TEXT(r, word->text, SPAN(" is said twice in this line")),
                          SPAN("keep one of the two"));
    return said;
}

static bool at_policy(const struct reader *r)
{
    for (unsigned p = 0; p < TLS_POLICY_COUNT; p++)
        if (reader_at_word(r, tls_policy_name(p))) return true;
    return false;
}

static bool read_policy(struct reader *r, const struct token *name, struct hop_reader *h)
{
    struct next_hop *hop = &h->to->hop;
    uint64_t choice;

    if (!reader_argument(r, name, "a POLICY behind tls", &h->tls) ||
        !value_choice(r, &h->tls, TLS_POLICY_WORDS " implicit", &choice))
        return false;
    h->tls_said = h->to->tls_given = true;
    if (choice < TLS_POLICY_COUNT) {
        hop->tls = (uint8_t)choice;
        return true;
    }
    hop->implicit_tls = true;
    hop->tls = TLS_POLICY_VERIFY;
    if (!at_policy(r)) return true;
    struct token t = r->token;
    reader_advance(r);
    if (!value_choice(r, &t, TLS_POLICY_WORDS, &choice)) return false;
    hop->tls = (uint8_t)choice;
    if (choice != TLS_POLICY_NONE && choice != TLS_POLICY_MAY) return true;
    config_problem_at(r, &t, PROBLEM_TEXT(r, SPAN("tls implicit is never in clear, so not "), QUOTED(t.text)),
                      SPAN("tls implicit, tls implicit encrypt, or tls implicit verify"));
    return false;
}

static bool read_options(struct reader *r, const struct token *name, struct hop_reader *h)
{
    for (;;) {
        struct token word = r->token;
        if (reader_word(r, "tls")) {
            if (said_twice(r, h->tls_said, &word) || !read_policy(r, name, h)) return false;
        } else if (credential_at_word(r)) {
            if (!read_credential(r, name, &h->login, h->to)) return false;
        } else
            return true;
    }
}

/* --- what goes together, and what is assumed */

static bool refuse(struct reader *r, const struct token *at, const char *text, const char *suggestion)
{
    config_problem_at(r, at, span_str(text), span_str(suggestion));
    return false;
}

static bool check_form(struct reader *r, const struct hop_reader *h)
{
    const struct next_hop *hop = &h->to->hop;

    if (!check_credential(r, &h->login, h->to)) return false;
    if (h->login.file_said && h->form != READ_HOP_SMARTHOST)
        return refuse(r, &h->login.file,
                      h->to->secret.token ? "token-file is for a smarthost" : "user-file is for a smarthost",
                      "via smarthost HOST:PORT user-file FILE");
    if (h->form == READ_HOP_MX && hop->implicit_tls)
        return refuse(r, &h->tls, "mail exchangers begin in plaintext: there is no tls implicit by mx",
                      "tls encrypt, tls verify or tls dane-only");
    if (hop->kind == NEXT_HOP_UNIX && h->tls_said && (hop->tls != TLS_POLICY_NONE || hop->implicit_tls))
        return refuse(r, &h->tls, "there is no TLS over a UNIX socket: it does not leave this host",
                      "leave tls out");
    if (hop->kind == NEXT_HOP_HOST && !h->tls_said && h->n_implicit_ports && h->n_implicit_ports < h->n_hosts)
        return refuse(r, &h->hosts, "port 465 begins with TLS (RFC 8314), the other ports do not",
                      "hosts of one line are spoken to alike: say tls implicit, or use ports of one kind");
    return true;
}

static void assume_tls(const struct hop_reader *h)
{
    struct next_hop *hop = &h->to->hop;

    if (h->tls_said || h->form == READ_HOP_MX) return;
    if (h->form == READ_HOP_LMTP) {
        hop->tls = hop->kind == NEXT_HOP_UNIX || h->all_loopback ? TLS_POLICY_NONE : TLS_POLICY_MAY;
    } else if (h->n_implicit_ports ||
               h->login.file_said) { /* what is needed, whatever is said for all destinations */
        hop->implicit_tls = h->n_implicit_ports > 0;
        hop->tls = TLS_POLICY_VERIFY;
        h->to->tls_given = true;
    } else
        hop->tls = TLS_POLICY_MAY;
}

/* Port 465 without implicit TLS gets nowhere; a password in clear is somebody's decision. */
static void warn(struct reader *r, const struct hop_reader *h)
{
    const struct next_hop *hop = &h->to->hop;

    if (h->tls_said && h->n_implicit_ports && !hop->implicit_tls)
        config_problem_add(r, CONFIG_WARNING, reader_place(r, &h->tls),
                           SPAN("port 465 begins with TLS (RFC 8314), and this line does not"),
                           SPAN("tls implicit"));
    if (h->login.file_said && hop->tls == TLS_POLICY_NONE)
        config_problem_add(r, CONFIG_WARNING, reader_place(r, &h->tls),
                           h->to->secret.token
                               ? SPAN("the token of this line goes over the network in clear")
                               : SPAN("the password of this line goes over the network in clear"),
                           SPAN("tls verify"));
}

bool read_hop(struct reader *r, const struct token *name, enum read_hop_form form, struct config_route *ret)
{
    struct hop_reader h = {.to = ret, .form = form};

    h.names = buf_on(h.memory, sizeof h.memory);
    if (!read_where(r, name, &h) || !read_options(r, name, &h) || !check_form(r, &h)) return false;
    assume_tls(&h);
    if (h.login.file_said && (ret->hop.tls == TLS_POLICY_MAY || ret->hop.tls == TLS_POLICY_DANE))
        return refuse(r, &h.tls,
                      ret->secret.token
                          ? "with this policy anybody on the way could ask for the token of token-file"
                          : "with this policy anybody on the way could ask for the password of user-file",
                      "tls verify; or tls none, and it goes in clear");
    /* the name of an MX comes with the recipient */
    if (form != READ_HOP_MX && !next_hop_valid(&ret->hop))
        return refuse(r, h.login.file_said ? &h.login.file : &h.hosts,
                      "this has control characters in it, or is no absolute path",
                      "name it in plain letters");
    warn(r, &h);
    return true;
}
