/* schema_man: what the schema says, for people: on a terminal, as a man page, and as a dictionary for a fuzzer. */
#include "config/schema.h"

static const struct chapter {
    unsigned block;
    const char *title, *text;
} chapters[] = {
    {SCHEMA_TOP, "TOP LEVEL", "What concerns the whole installation."},
    {SCHEMA_SERVER, "SERVER", "Inside server NAME { }."},
    {SCHEMA_LIMITS, "LIMITS", "Inside limits { }, at the top level or in a server. No limit can be 0."},
    {SCHEMA_QUEUE, "QUEUE", "Inside queue { }."},
    {SCHEMA_POOL, "POOL", "Inside pool { }."},
    {SCHEMA_DESTINATION, "DESTINATION",
     "Inside destination { }. What it does not say is said by destination *, then by the defaults. Each next "
     "hop has the limits for "
     "itself."},
    {SCHEMA_MX_GROUP, "MX-GROUP",
     "Inside mx-group { }. All domains that lead to the group share the limits, beside those of their "
     "destinations."},
    {SCHEMA_TOKENS, "TOKENS",
     "Inside tokens { }. A token is checked here, nobody is asked: signed with RS256, PS256, ES256 or EdDSA "
     "by "
     "a key of the file (RSA of 2048 bits or more, P-256, Ed25519), in time (exp is needed, nbf and iat "
     "count; "
     "clocks may differ by a minute), with the issuer, the audience and the scope named here. It proves who "
     "somebody is; what the account may do is said by its rights, as always. Until it expires a token is "
     "good, "
     "whatever its issuer thinks of it now: lock the account (sallyport user lock) to shut it out at once. A "
     "session "
     "ends with the token it began with, at its next message."},
    {SCHEMA_DOVECOT, "DOVECOT",
     "Inside dovecot { }. A server with login dovecot asks Dovecot who somebody is, and nothing else: what "
     "Dovecot adds (groups, quotas, any field) grants "
     "nothing. What that permits is said here: by the account of that name in the database of users, if "
     "there is one (its rights, its senders, its lock), "
     "and by right lines: to user, to domain. Whom Dovecot calls anonymous, has marked nologin or proxy, or "
     "lets act for somebody else (a master user), is refused.\n"
     "Dovecot needs a socket for clients of authentication that the process connector may use (0666 where "
     "there is no account sallyport-connector):\n"
     "service auth { unix_listener auth-client { mode = 0660 group = sallyport-connector } }\n"
     "Each login has a connection of its own, at most 256 at a time, so that a Dovecot that was started "
     "again is used at once; while it is away, says "
     "nothing for 10s, or has not been told to speak the mechanism (auth_mechanisms), clients hear 454 and "
     "the log (login-refused) has dovecot-away, "
     "dovecot-silent or dovecot-mechanism. Nobody else waits for it. Failed logins are counted here as "
     "always, and refusals of these servers are told after 3s: "
     "an auth_failure_delay of up to 2s, Dovecot's default, gives nothing away; 0 is better, for a login "
     "that Dovecot delays keeps one of the eight threads that wait for it. Dovecot hears which address the "
     "client has (rip), and to which of ours it came (lip, lport). As Dovecot is not "
     "told of channel bindings, there is no SCRAM-SHA-256-PLUS."},
    {0, "OLD DEVICES",
     "A server with profile legacy-device is for printers, scanners and machines that cannot be brought up "
     "to date. It speaks TLS from 1.0 on "
     "(forward secrecy and AES; no RSA key exchange, no 3DES, no RC4, nothing anonymous) or none, any "
     "mechanism in the clear, and it is the only "
     "one that speaks CRAM-MD5. For that it is narrow: only the networks that connections allow or sender "
     "name are greeted, none wider than a /20 "
     "(IPv4) or a /64 (IPv6), and none through a proxy.\n"
     "Who logs in needs an account with the right submit, and sends from that account's own addresses; the "
     "rights any-sender and bypass-size "
     "count for nothing there. A device that cannot log in has a sender line: it sends from the addresses "
     "listed there (reverse-path, From and Sender), never from <>, to the "
     "domains that are served here, and to others only where relay-networks names its network, too. role is "
     "submission, access authenticated; "
     "nothing else can be said.\n"
     "Where limits say nothing: 50 sessions, 4 of a device, 10 of an account, 20 messages a session, 20 "
     "recipients, 25M, 30 "
     "connections in 1m; 100 messages and 500 "
     "recipients in 1h of a device and of an account. limits of the top level can only lower these.\n"
     "An argument of HELO or EHLO that is no name (none at all, one with blanks) is taken there, and "
     "forgotten. What ends a line and a message is as "
     "strict as everywhere: see normalize-bare-lf. Every session is in the log as legacy-session; sallyport "
     "report legacy says which devices are "
     "left, what each of them lacks and what to do about it."},
    {SCHEMA_KERBEROS, "KERBEROS",
     "Inside kerberos { }. Clients show a ticket for this service, by the mechanism GSSAPI (RFC 4752) or "
     "GSS-SPNEGO (as Windows "
     "does it; clients of Exchange say GSSAPI for both, which is told apart by the first message). It proves "
     "who somebody is; what "
     "the account may do is said by its rights, as always. An account of that name in the database of users "
     "is that account; who has none there "
     "has what right lines (to user, to domain) grant. Nobody is asked: a ticket is good until it ends "
     "(clocks may differ by five minutes).\n"
     "Never anybody here, each with an event of its own in the log: anonymous principals, those with an "
     "instance "
     "(host/mail.example.org, alice/admin) and machines (NAME$), and everybody of a realm that is not named. "
     "Capitals do not count in the name of a principal.\n"
     "The configuration of Kerberos on this host (/etc/krb5.conf, plugins, replay caches) is not looked at. "
     "In clear text neither mechanism is "
     "offered, not to networks of allow-cleartext-auth either; a message that was used to log in is not "
     "taken a second time.\n"
     "No security layer is negotiated (TLS is there), and a message, with the ticket in it, has at most 9216 "
     "octets: an account of Active Directory that "
     "is in several hundred groups may need a service account with NO_AUTH_DATA_REQUIRED."},
    {0, "ROUTES",
     "A PATTERN of relay, hold and discard is user@example.org, example.org, .example.org (or *.example.org: "
     "every domain below it, not "
     "itself) or * (all others; not for discard). The nearest one counts: an address before its domain, a "
     "domain before those around "
     "it, the longest of these before the shorter, * last. Of two lines for the same pattern the later "
     "counts, and check says so.\n"
     "First hold, then discard. Then relay for the address, the domain or a domain around it; for recipients "
     "that exist here, deliver "
     "counts like a relay for its domain. When none of these names the recipient: if it exists here, deliver "
     "*, then relay *, and its "
     "domain is not looked up in DNS unasked; else relay from, then relay *, then its MX.\n"
     "Senders of relay from are patterns too, and <> is the null reverse-path of notifications.\n"
     "Behind via stands mx (the mail exchangers of the recipient's domain), smarthost with one or more hosts "
     "in order of preference, or "
     "lmtp with hosts or unix:PATH. A port of 465 means tls implicit where nothing else is said (RFC 8314).\n"
     "Only what DNS says of a recipient's domain can be final. A smarthost or LMTP host that has no address, "
     "or none that may be connected to, is a mistake of the configuration or of a DNS of one's own: its mail "
     "waits (4.4.4), and is tried again.\n"
     "By mx no address is connected to that is loopback, link-local, private (RFC 1918, RFC 4193), shared "
     "(RFC 6598), multicast or reserved, nor one on which this service listens. By smarthost or lmtp, a name "
     "may lead to private and shared addresses too; an address that stands in the line itself, and "
     "localhost, is connected to whatever it is."},
    {0, "USER-FILE",
     "Name and password for a smarthost: two lines of UTF-8, the user name in the first and the password in "
     "the second, literally: no quotes, no comments, no blank line, blanks belong to the password. Lines end "
     "with LF or CRLF. A file that others than its owner and group can read is complained of. It is read at "
     "start and reload; one file may serve several routes.\n"
     "Of the mechanisms that the smarthost offers the strongest is used: SCRAM-SHA-256-PLUS (tied to the TLS "
     "session; TLS 1.3), "
     "SCRAM-SHA-256, SCRAM-SHA-1-PLUS, SCRAM-SHA-1, PLAIN, LOGIN; with mechanisms, only those named. By "
     "SCRAM the password does "
     "not leave this host, and the smarthost proves that it knows it, too; one that asks for less than 4096 "
     "iterations, or for "
     "more than 1000000, is refused. What is refused is tried again later, and never by a weaker mechanism: "
     "where an account "
     "has no SCRAM keys at the smarthost, say mechanisms PLAIN."},
    {0, "TOKEN-FILE",
     "A token of OAuth 2 in the place of a password (OAUTHBEARER, else XOAUTH2), for the user NAME. The file "
     "holds the token alone; "
     "something else renews it (a timer that asks the provider), best by writing a new file and renaming it "
     "over the old one. It is opened anew "
     "for each session, so nothing has to be reloaded. While it is missing, empty or no token, and while the "
     "smarthost refuses "
     "the token, mail waits and is tried again; the reason says which file it was, when it was written, and "
     "what the smarthost "
     "thinks of it. Folder and file must be open to the directory process (its account sallyport-directory, "
     "or number "
     "60602): check says whether they are.\n"
     "relay * via smarthost smtp.provider.example:587 token-file /run/tokens/provider user "
     "relay@example.org"},
    {0, "TLS POLICIES",
     "none: never. may: TLS where it is offered, whoever it is, else in clear. dane: TLSA records bind where "
     "they are (RFC 7672), else as "
     "may. encrypt: TLS or nothing, whoever it is. verify: TLS with a certificate of a known authority for "
     "the host's name, or nothing; where DNS named the host and nobody vouches for it (by mx, without "
     "DNSSEC), for the domain itself "
     "or a host within it. "
     "dane-only: TLSA records that match, or nothing.\n"
     "Behind a smarthost or LMTP host, implicit before the policy says that TLS begins at once instead of by "
     "STARTTLS; alone it means "
     "implicit verify.\n"
     "What is not said: dane by mx; may by smarthost, verify with a user-file or with implicit TLS; by lmtp "
     "none over a UNIX socket and "
     "on the loopback, else may. A password is never sent in clear unless the line says tls none; one that "
     "is "
     "refused (5xx) is not tried at the other addresses of that next hop in the same attempt."},
};

static bool has_range(const struct schema_row *row)
{
    return row->max > 0;
}

static void put_default(struct buf *b, const struct schema_row *row)
{
    if (row->fallback_text)
        buf_str(b, row->fallback_text);
    else
        schema_amount(b, row->type, row->fallback);
}

static bool has_default(const struct schema_row *row)
{
    return row->fallback_text || (row->octets && row->fallback);
}

static void put_facts(struct buf *b, const struct schema_row *row)
{
    if (row->choices) {
        buf_str(b, " One of: ");
        buf_str(b, row->choices);
        buf_byte(b, '.');
    }
    if (has_range(row)) {
        buf_str(b, " From ");
        schema_amount(b, row->type, row->min);
        buf_str(b, " to ");
        schema_amount(b, row->type, row->max);
        buf_byte(b, '.');
    }
    if (has_default(row)) {
        buf_str(b, " Default: ");
        put_default(b, row);
        buf_byte(b, '.');
    }
    if (row->repeat) buf_str(b, " May be repeated.");
    if (strcmp(row->since, "0.1") != 0) buf_str(b, " It is read and has no effect yet.");
}

void schema_text(struct buf *out)
{
    for (size_t c = 0; c < sizeof chapters / sizeof chapters[0]; c++) {
        buf_str(out, c ? "\n" : "");
        buf_str(out, chapters[c].title);
        buf_str(out, "\n");
        buf_str(out, chapters[c].text);
        buf_str(out, "\n\n");
        for (size_t i = 0; i < schema_rows; i++) {
            const struct schema_row *row = &schema_table[i];
            if (!(row->where & chapters[c].block)) continue;
            buf_str(out, "  ");
            buf_str(out, row->name);
            buf_byte(out, ' ');
            buf_str(out, row->arguments);
            buf_str(out, "\n      ");
            buf_str(out, row->doc);
            put_facts(out, row);
            buf_str(out, "\n");
        }
    }
}

/* roff: a backslash is an escape, a dot or an apostrophe at the start of a line is a request, "..." words need no quotes. */
static void put_roff(struct buf *b, struct span s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\\')
            buf_str(b, "\\e");
        else if (s.p[i] == '"')
            buf_str(b, "\\(dq");
        else
            buf_byte(b, s.p[i]);
    }
}

static void put_man_row(struct buf *b, const struct schema_row *row)
{
    uint8_t memory[1024];
    struct buf facts = buf_on(memory, sizeof memory);

    buf_str(b, ".It Ic ");
    buf_str(b, row->name);
    buf_str(b, " No ");
    put_roff(b, span_str(row->arguments));
    buf_str(b, "\n\\&");
    put_roff(b, span_str(row->doc));
    put_facts(&facts, row);
    put_roff(b, buf_span(&facts));
    buf_byte(b, '\n');
}

static const char man_head[] =
    ".Dd November 25, 2026\n"
    ".Dt SALLYPORT.CONF 5\n"
    ".Os sallyport " SALLYPORT_VERSION "\n"
    ".Sh NAME\n"
    ".Nm sallyport.conf\n"
    ".Nd configuration of sallyportd\n"
    ".Sh DESCRIPTION\n"
    "This page is made from the table that the program itself reads\n"
    ".Pq Ql sallyport help config --man .\n"
    ".Pp\n"
    "A statement is a directive and its arguments. It ends with its line, with a "
    "semicolon, with a closing brace, or before the\n"
    "next directive of its block, so that several may stand on one line. A\n"
    ".Ql #\n"
    "where a word could begin starts a comment. A text in quotation marks is one "
    "word and never a directive; inside it a backslash\n"
    "stands before a quotation mark or a backslash.\n"
    ".Pp\n"
    "Sizes are octets, or have one of the letters K, M, G behind them (powers of "
    "1024). Times have one of s, m, h, d.\n"
    "Relative file names begin at the folder of the file they stand in.\n"
    "A domain in another script may be written as it is or as its A-label (xn--...): both are the same "
    "domain, for routes\n"
    "and for mail, and the A-label is what is kept, shown and looked up.\n"
    ".Pp\n"
    "An empty file is a working server on 127.0.0.1:2525 that serves no domain. A spool "
    "or mail folder that is missing and would\n"
    "lie right beside the file is made at the start; any other must be there.\n"
    ".Ql sallyport check\n"
    "finds every error and says what to write instead.\n";

static const char man_foot[] = ".Sh EXAMPLES\n"
                               ".Bd -literal\n"
                               "hostname mail.example.org\n"
                               "server mx {\n"
                               "    listen 0.0.0.0:25 [::]:25\n"
                               "    tls starttls certificate tls/chain.pem key tls/key.pem\n"
                               "    recipients example.org example.net\n"
                               "    limits { message-size 50M  recipients 1000 }\n"
                               "}\n"
                               "deliver example.org to maildir /var/mail/vhosts\n"
                               "deliver example.net to lmtp unix:/run/dovecot/lmtp\n"
                               "relay * via smarthost smtp.provider.example:587 user-file provider.user\n"
                               "destination * { sessions 2 10  messages 600 per 1m }\n"
                               ".Ed\n"
                               ".Sh SEE ALSO\n"
                               ".Xr sallyport 1 ,\n"
                               ".Xr sallyport-aliases 5 ,\n"
                               ".Xr sallyport-users 5 ,\n"
                               ".Xr sallyportd 8\n";

static void put_paragraphs(struct buf *b, struct span text)
{
    for (size_t end = 0; text.n; text = span_skip(text, end + 1)) {
        end = span_find(text, '\n');
        put_roff(b, span_head(text, end));
        buf_str(b, end == SPAN_NPOS ? "\n" : "\n.Pp\n");
        if (end == SPAN_NPOS) break;
    }
}

void schema_man(struct buf *out)
{
    buf_str(out, man_head);
    for (size_t c = 0; c < sizeof chapters / sizeof chapters[0]; c++) {
        buf_str(out, ".Sh ");
        buf_str(out, chapters[c].title);
        buf_str(out, "\n");
        put_paragraphs(out, span_str(chapters[c].text));
        if (!chapters[c].block) continue;
        buf_str(out, ".Bl -tag -width Ds\n");
        for (size_t i = 0; i < schema_rows; i++)
            if (schema_table[i].where & chapters[c].block) put_man_row(out, &schema_table[i]);
        buf_str(out, ".El\n");
    }
    buf_str(out, man_foot);
}

static void put_words(struct buf *out, struct span words)
{
    while (words.n) {
        size_t end = span_find(words, ' ');
        struct span word = span_head(words, end);
        if (word.n) {
            buf_byte(out, '"');
            put_roff(out, word); /* no word of the schema has a quotation mark or a backslash */
            buf_str(out, "\"\n");
        }
        words = end == SPAN_NPOS ? span_of(NULL, 0) : span_skip(words, end + 1);
    }
}

void schema_dictionary(struct buf *out)
{
    for (size_t i = 0; i < schema_rows; i++) {
        put_words(out, span_str(schema_table[i].name));
        put_words(out, span_str(schema_table[i].choices));
    }
    put_words(out, SPAN("certificate key starttls implicit none proxy from mechanisms to group user via "
                        "smarthost maildir lmtp unix: any "
                        "auto default verify opportunistic user-file token-file SCRAM-SHA-256 XOAUTH2 * none "
                        "may dane encrypt dane-only implicit mx lmtp "
                        "from never per accept-and-lose-mail .example.org user@example.org <> 127.0.0.1:465 "
                        "unix:/run/lmtp 127.0.0.1:25 [::1]:25 10.0.0.0/8 "
                        "2001:db8::/32 example.org 50M 5m 1h"));
    buf_str(out, "\"{\"\n\"}\"\n\";\"\n\"#\"\n\"\\x0a\"\n\"\\x22\"\n");
}
