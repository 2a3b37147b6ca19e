#include "config/schema.h"

#include "base/limits.h"
#include "config/config.h"
#include "config/reader_private.h"
#include "policy/right.h"

#define TAKES(type, member) .octets = sizeof(((type *)NULL)->member), .offset = offsetof(type, member)
#define KIB                 1024ULL
#define MIB                 1048576ULL
#define DAY                 86400ULL

enum { ANYWHERE = SCHEMA_TOP | SCHEMA_SERVER };

/* clang-format off */
const struct schema_row schema_table[] = {
    /* --- the whole */
    {.name = "include", .where = SCHEMA_ANY, .type = SCHEMA_OWN, .repeat = true, .arguments = "FILE", .since = "0.1", .read = read_include,
     .doc = "Reads FILE at this place. A relative name begins at the folder of the file that includes it."},
    {.name = "hostname", .where = SCHEMA_TOP, .type = SCHEMA_NAME, .offset = offsetof(struct config, hostname), .arguments = "NAME",
     .fallback_text = "localhost", .since = "0.1",
     .doc = "The name this installation greets with and signs Received fields with."},
    {.name = "server", .where = SCHEMA_TOP, .type = SCHEMA_OWN, .repeat = true, .opens = SCHEMA_SERVER, .arguments = "NAME { ... }",
     .fallback_text = "a server on 127.0.0.1:2525 when none is named", .since = "0.1", .read = read_server,
     .doc = "A virtual server: listeners with what may be done through them."},
    {.name = "deliver", .where = SCHEMA_TOP, .type = SCHEMA_OWN, .repeat = true, .arguments = "DOMAIN to maildir FOLDER | DOMAIN to lmtp SERVER",
     .fallback_text = "none", .since = "0.1", .read = read_deliver,
     .doc = "Where mail for DOMAIN (or * for every other served one) ends: FOLDER/DOMAIN/NAME is a Maildir, SERVER is unix:PATH or "
            "HOST:PORT. The last word on a domain counts."},
    {.name = "relay", .where = SCHEMA_TOP, .type = SCHEMA_OWN, .repeat = true,
     .arguments = "PATTERN ... via mx | smarthost HOST:PORT ... | lmtp SERVER ... [tls POLICY] [user-file FILE | token-file FILE user NAME] [mechanisms NAME ...]", .fallback_text = "* via mx",
     .since = "0.1", .read = read_relay,
     .doc = "Where mail for PATTERN (see ROUTES) goes when it is not delivered here. A route says where, never who may send or who exists."},
    {.name = "hold", .where = SCHEMA_TOP, .type = SCHEMA_OWN, .repeat = true, .arguments = "PATTERN ...", .fallback_text = "none", .since = "0.1",
     .read = read_hold, .doc = "Mail for PATTERN is accepted and queued, and waits as long as this line stands, or until an operator releases it (queue release): a reload without the line lets it go. What an operator holds (queue hold) is held whatever the configuration says."},
    {.name = "discard", .where = SCHEMA_TOP, .type = SCHEMA_OWN, .repeat = true, .arguments = "PATTERN ... accept-and-lose-mail", .fallback_text = "none",
     .since = "0.1", .read = read_discard, .doc = "Mail for PATTERN is accepted and thrown away; nobody is told. The last word is part of it."},
    {.name = "destination", .where = SCHEMA_TOP, .type = SCHEMA_OWN, .repeat = true, .opens = SCHEMA_DESTINATION, .arguments = "WHERE ... { ... }",
     .fallback_text = "none", .since = "0.1", .read = read_destination,
     .doc = "What is permitted towards each of these next hops, for itself: WHERE is the domain of the recipients where mail goes by mx, HOST or "
            "HOST:PORT where it goes by smarthost or lmtp (the first of several), unix:PATH, .DOMAIN for those below, or * for all that are not named."},
    {.name = "mx-group", .where = SCHEMA_TOP, .type = SCHEMA_OWN, .repeat = true, .opens = SCHEMA_MX_GROUP, .arguments = "NAME HOST ... { ... }",
     .fallback_text = "none", .since = "0.1", .read = read_mx_group,
     .doc = "What is permitted towards all domains together whose mail exchangers have these names (.DOMAIN for those below): many domains, one provider."},
    {.name = "spool", .where = SCHEMA_TOP, .type = SCHEMA_PATH, .offset = offsetof(struct config, spool_folder), .arguments = "FOLDER",
     .fallback_text = "spool beside this file, /var/spool/sallyport when that is in /etc/sallyport", .since = "0.1", .doc = "The folder of the queue."},
    {.name = "users", .where = SCHEMA_TOP, .type = SCHEMA_PATH, .offset = offsetof(struct config, users_folder), .arguments = "FOLDER",
     .fallback_text = "users beside this file; /var/lib/sallyport/users for /etc/sallyport", .since = "0.1",
     .doc = "Folder of the database of users, their secrets and rights: sallyport user, sallyport-users(5)."},
    {.name = "aliases", .where = SCHEMA_TOP, .type = SCHEMA_PATH, .offset = offsetof(struct config, aliases_file), .arguments = "FILE",
     .fallback_text = "aliases beside this file, /etc/aliases when that is in /etc/sallyport; it may be absent", .since = "0.1",
     .doc = "Aliases in the format of /etc/aliases."},
    {.name = "control", .where = SCHEMA_TOP, .type = SCHEMA_PATH, .offset = offsetof(struct config, control_socket), .arguments = "PATH",
     .fallback_text = "control.sock beside this file, /run/sallyport/control.sock when that is in /etc/sallyport", .since = "0.1",
     .doc = "The socket that sallyport(1) talks to."},
    {.name = "resolver", .where = SCHEMA_TOP, .type = SCHEMA_OWN, .arguments = "ADDRESS[:PORT] ... | recursion",
     .fallback_text = "the servers of /etc/resolv.conf; recursion when it names none", .since = "0.1", .read = read_resolver,
     .doc = "The recursive DNS servers that are asked; with recursion none is, names are resolved from the root downward. Answers are validated (DNSSEC) "
            "here: the servers must hand on signatures."},
    {.name = "never-ban", .where = SCHEMA_TOP, .type = SCHEMA_OWN, .repeat = true, .arguments = "NETWORK ...", .fallback_text = "127.0.0.0/8 ::1",
     .since = "0.1", .read = read_never_ban,
     .doc = "Clients whose failed logins are neither slowed nor lead to a ban, and that no ban turns away (sallyport ban). When it is said, the loopback is one only if it is named too. None may be wider than an IPv4 /8 or an IPv6 /32."},
    {.name = "trust-anchor", .where = SCHEMA_TOP, .type = SCHEMA_PATH, .offset = offsetof(struct config, trust_anchor), .arguments = "FILE",
     .fallback_text = "/usr/share/dns/root.key", .since = "0.1",
     .doc = "The keys of the root of DNS (Debian: dns-root-data). Without them no name is secure, and DANE is never used."},
    {.name = "authorities", .where = SCHEMA_TOP, .type = SCHEMA_PATH, .offset = offsetof(struct config, authorities), .arguments = "FILE",
     .fallback_text = "/etc/ssl/certs/ca-certificates.crt", .since = "0.1",
     .doc = "Certificates, as PEM, of the authorities that vouch for next hops with tls verify (Debian: ca-certificates)."},
    {.name = "client-authorities", .where = SCHEMA_TOP, .type = SCHEMA_PATH, .offset = offsetof(struct config, client_authorities), .arguments = "FILE",
     .fallback_text = "none: only keys that were pinned (sallyport user certificate) say who a client is", .since = "0.1",
     .doc = "Certificates, as PEM, of the authorities of the organisation that vouch for clients with EXTERNAL, read at start and at reload: roots, and all that are between them and the clients, "
            "for of what a client shows its own certificate alone is read. Never name the system's file here. The certificate must be valid today, with all that vouch for it, and good for clients "
            "(clientAuth, where it says what for). Of its subjectAltName an email address names the user of that name, a DNS name without wildcard the host; exactly one account must come "
            "of it. The subject counts for nothing, what was revoked is known by client-revocations, rights are asked for as always. A pinned key goes first."},
    {.name = "client-revocations", .where = SCHEMA_TOP, .type = SCHEMA_PATH, .offset = offsetof(struct config, client_revocations), .arguments = "FILE",
     .fallback_text = "none: revocation is not looked at (sallyport user lock ends an account at once)", .since = "0.1",
     .doc = "Lists of revoked certificates (CRL), as PEM, of the client-authorities, read at start and at reload: something else puts fresh ones there and says sallyport reload. With it each "
            "authority between a client and its root, the root too, must have a list that it has signed and that has not ended; whoever is in one, or below one that cannot be asked, is refused "
            "(certificate-revoked, certificate-list in the log). check and each start warn of lists that have ended or are missing. A session that is open goes on, and so does a pinned key."},
    {.name = "edges", .where = SCHEMA_TOP, .type = SCHEMA_OWN, .min = 1, .max = LIMIT_EDGES_MAX, .arguments = "COUNT | auto",
     .fallback_text = "auto: one per core", .since = "0.1", .read = read_edges, .doc = "Processes that speak SMTP."},
    {.name = "relays", .where = SCHEMA_TOP, .type = SCHEMA_NUMBER, TAKES(struct config, relays), .min = 1, .max = LIMIT_RELAYS_MAX, .fallback = 1,
     .arguments = "COUNT", .since = "0.1", .doc = "Processes that send."},
    {.name = "drain", .where = SCHEMA_TOP, .type = SCHEMA_DURATION, TAKES(struct config, drain_seconds), .min = 1, .max = 3600,
     .fallback = LIMIT_DRAIN_SECONDS_DEFAULT, .arguments = "TIME", .since = "0.1",
     .doc = "How long sessions inside a transaction may go on when the service stops."},
    {.name = "log-level", .where = SCHEMA_TOP, .type = SCHEMA_CHOICE, TAKES(struct config, log_level), .fallback = 1, .arguments = "LEVEL",
     .choices = "debug info warning error", .fallback_text = "info", .since = "0.1", .doc = "The least weight of what is logged."},
    {.name = "queue", .where = SCHEMA_TOP, .type = SCHEMA_BLOCK, .opens = SCHEMA_QUEUE, .arguments = "{ ... }", .since = "0.1",
     .doc = "How long mail is tried."},
    {.name = "pool", .where = SCHEMA_TOP, .type = SCHEMA_BLOCK, .opens = SCHEMA_POOL, .arguments = "{ ... }", .since = "0.1",
     .doc = "Memory for message content, promised at start, for each edge."},

    {.name = "expire", .where = SCHEMA_QUEUE, .type = SCHEMA_DURATION, TAKES(struct config, queue_seconds), .min = 60, .max = 30 * DAY,
     .fallback = LIMIT_QUEUE_SECONDS_DEFAULT, .arguments = "TIME", .since = "0.1", .doc = "After this time mail that could not be delivered is returned. What is held has no end; once released it has twice retry-max at least (no more than expire)."},
    {.name = "retry-first", .where = SCHEMA_QUEUE, .type = SCHEMA_DURATION, TAKES(struct config, retry_first_seconds), .min = 1, .max = DAY,
     .fallback = LIMIT_RETRY_SECONDS_FIRST, .arguments = "TIME", .since = "0.1", .doc = "The pause before the second attempt; it doubles from there, each time by up to a fifth more or less, so that what failed together does not come back together."},
    {.name = "retry-max", .where = SCHEMA_QUEUE, .type = SCHEMA_DURATION, TAKES(struct config, retry_max_seconds), .min = 1, .max = DAY,
     .fallback = LIMIT_RETRY_SECONDS_MAX, .arguments = "TIME", .since = "0.1", .doc = "The longest pause between two attempts; none is longer."},
    {.name = "delay-warning", .where = SCHEMA_QUEUE, .type = SCHEMA_DURATION, TAKES(struct config, delay_warning_seconds), .min = 60, .max = 30 * DAY,
     .fallback = LIMIT_DELAY_WARNING_SECONDS_DEFAULT, .fallback_text = "4h", .arguments = "TIME | never", .since = "0.1", .read = read_delay_warning,
     .doc = "A sender is told once of mail that waits longer, unless its NOTIFY says otherwise."},
    {.name = "small-blocks", .where = SCHEMA_POOL, .type = SCHEMA_NUMBER, TAKES(struct config, pool_small_blocks), .min = 64, .max = 1048576,
     .fallback = LIMIT_POOL_SMALL_BLOCKS_DEFAULT, .arguments = "COUNT", .since = "0.1", .doc = "Blocks of 2 KiB."},
    {.name = "large-blocks", .where = SCHEMA_POOL, .type = SCHEMA_NUMBER, TAKES(struct config, pool_large_blocks), .min = 16, .max = 65536,
     .fallback = LIMIT_POOL_LARGE_BLOCKS_DEFAULT, .arguments = "COUNT", .since = "0.1", .doc = "Blocks of 64 KiB."},

    /* --- tokens */
    {.name = "tokens", .where = SCHEMA_TOP, .type = SCHEMA_BLOCK, .opens = SCHEMA_TOKENS, .arguments = "{ ... }", .fallback_text = "none", .since = "0.1",
     .doc = "Whose tokens (JWT) stand for the password of an account. Servers that name no mechanisms then offer OAUTHBEARER and XOAUTH2, too."},
    {.name = "issuer", .where = SCHEMA_TOKENS, .type = SCHEMA_OWN, .offset = offsetof(struct config, tokens.issuer), .arguments = "URL", .since = "0.1",
     .read = read_tokens_text, .doc = "Who issues them: the claim iss, to the letter. Needed."},
    {.name = "audience", .where = SCHEMA_TOKENS, .type = SCHEMA_OWN, .offset = offsetof(struct config, tokens.audience), .arguments = "NAME", .since = "0.1",
     .read = read_tokens_text, .doc = "For whom they are: the claim aud is it, or has it among others. Needed: a token that was made for another service is none for this one."},
    {.name = "keys", .where = SCHEMA_TOKENS, .type = SCHEMA_PATH, .offset = offsetof(struct config, tokens.keys_file), .arguments = "FILE", .since = "0.1",
     .doc = "The public keys of the issuer as a JWK set (what its jwks_uri shows), read at start and at reload. Needed."},
    {.name = "account", .where = SCHEMA_TOKENS, .type = SCHEMA_OWN, .offset = offsetof(struct config, tokens.account), .arguments = "CLAIM", .since = "0.1",
     .fallback_text = "email, and where there is none sub", .read = read_tokens_text,
     .doc = "The claim that names the account, an address with an @. An email with email_verified false names nobody."},
    {.name = "scope", .where = SCHEMA_TOKENS, .type = SCHEMA_OWN, .offset = offsetof(struct config, tokens.scope), .arguments = "NAME", .since = "0.1",
     .fallback_text = "smtp", .read = read_tokens_text, .doc = "The scope that a token must have, in the claim scope, else scp."},
    {.name = "openid-configuration", .where = SCHEMA_TOKENS, .type = SCHEMA_OWN, .offset = offsetof(struct config, tokens.configuration),
     .arguments = "URL", .fallback_text = "none", .since = "0.1", .read = read_tokens_text,
     .doc = "Told to clients whose token is not good, so that they find out where to get one (RFC 7628)."},

    /* --- dovecot */
    {.name = "dovecot", .where = SCHEMA_TOP, .type = SCHEMA_BLOCK, .opens = SCHEMA_DOVECOT, .arguments = "{ ... }", .fallback_text = "none", .since = "0.1",
     .doc = "The Dovecot that servers with login dovecot ask who somebody is."},
    {.name = "socket", .where = SCHEMA_DOVECOT, .type = SCHEMA_OWN, .arguments = "unix:PATH", .since = "0.1", .read = read_dovecot_socket,
     .doc = "Its socket for clients of authentication, which the process connector must be permitted to use. Needed."},
    {.name = "domain", .where = SCHEMA_DOVECOT, .type = SCHEMA_NAME, .offset = offsetof(struct config, dovecot.domain), .arguments = "DOMAIN", .since = "0.1",
     .fallback_text = "that of users without one", .doc = "The domain of those whom Dovecot calls by a name without one."},
    /* --- Active Directory */
    {.name = "winbind", .where = SCHEMA_TOP, .type = SCHEMA_OWN, .repeat = true, .arguments = "NAME ... as DOMAIN [default]", .fallback_text = "none",
     .since = "0.1", .read = read_winbind,
     .doc = "A domain of Active Directory whose users log in with NTLM: Samba's winbindd on this host asks its domain controller. NAMEs are what "
            "clients call it: the NetBIOS name first, then DNS names and suffixes of user principal names. Its user joe is joe@DOMAIN here and has only what right "
            "lines give: to user, to domain, or to group NAME@DOMAIN for a group of the domain (or its SID). With default, so are those who say no domain; all other names are accounts of "
            "ours. Needs libwbclient0, winbind, and this service in the group winbindd_priv (started as root it is)."},
    /* --- Kerberos */
    {.name = "kerberos", .where = SCHEMA_TOP, .type = SCHEMA_BLOCK, .opens = SCHEMA_KERBEROS, .arguments = "{ ... }", .fallback_text = "none", .since = "0.1",
     .doc = "Whose Kerberos tickets stand for the password of an account. Servers that name no mechanisms then offer GSSAPI and GSS-SPNEGO, too; always under TLS only."},
    {.name = "keytab", .where = SCHEMA_KERBEROS, .type = SCHEMA_PATH, .offset = offsetof(struct config, kerberos.keytab_file), .arguments = "FILE", .since = "0.1",
     .doc = "The keys of this service, read at start and at reload. Only AES and Camellia keys of the services and realms named here are used. A secret: for its owner alone. Needed."},
    {.name = "realm", .where = SCHEMA_KERBEROS, .type = SCHEMA_OWN, .repeat = true, .arguments = "REALM domain DOMAIN", .since = "0.1", .read = read_kerberos_realm,
     .doc = "NAME@REALM is the account NAME@DOMAIN. Capitals count in a REALM, not in a NAME: where people may make accounts of their own, Alice and alice must not be two. The name alone counts, as the realm gives it out. One at least is needed; a client of any other realm is nobody here, whoever trusts it."},
    {.name = "service", .where = SCHEMA_KERBEROS, .type = SCHEMA_OWN, .arguments = "NAME ...", .fallback_text = "smtp smtpsvc", .since = "0.1",
     .read = read_kerberos_service, .doc = "The first part of the principals whose keys are used: smtp/mail.example.org. Capitals do not count."},
    {.name = "channel-binding", .where = SCHEMA_KERBEROS, .type = SCHEMA_CHOICE, TAKES(struct config, kerberos.bindings), .arguments = "POLICY",
     .choices = "allow none require", .fallback_text = "allow", .since = "0.1",
     .doc = "What is asked of a ticket's binding to the TLS session (tls-server-end-point or tls-exporter), which one passed on by somebody in the middle lacks. allow: a "
            "client without one may log in, a wrong one is refused. require: most mail clients have none. none: it is not looked at."},

    /* --- a server, and what the top level may say for every server */
    {.name = "tls", .where = ANYWHERE, .type = SCHEMA_OWN, .repeat = true, .arguments = "[starttls | implicit | none] [certificate FILE key FILE]",
     .fallback_text = "none; starttls when there is a certificate", .since = "0.1", .read = read_tls,
     .doc = "TLS of the listeners that do not say otherwise, and a certificate chain with its key (PEM). The first certificate is the "
            "default, more are chosen by SNI. A server without one uses those of the top level, else those of the first server that has some: its listeners then "
            "offer STARTTLS, too, unless it or the top level says a mode. tls none: no TLS."},
    {.name = "recipients", .where = ANYWHERE, .type = SCHEMA_OWN, .repeat = true, .arguments = "DOMAIN ... [any]", .fallback_text = "none", .since = "0.1",
     .read = read_recipients,
     .doc = "Domains that are served. Who exists there the directory knows; with any every local part exists. At the top level: for every mx server."},
    {.name = "limits", .where = ANYWHERE, .type = SCHEMA_BLOCK, .opens = SCHEMA_LIMITS, .arguments = "{ ... }", .since = "0.1",
     .doc = "Ceilings. At the top level: for every server that does not say otherwise."},

    {.name = "listen", .where = SCHEMA_SERVER, .type = SCHEMA_OWN, .repeat = true,
     .arguments = "ADDRESS:PORT ... [tls starttls | implicit | none] [proxy from NETWORK ...]", .since = "0.1", .read = read_listen,
     .doc = "Where the server listens. A peer in a proxy network must send a PROXY header (version 1 or 2)."},
    {.name = "role", .where = SCHEMA_SERVER, .type = SCHEMA_OWN, .arguments = "ROLE", .choices = "mx submission organisation gate",
     .fallback_text = "mx; submission with access authenticated", .since = "0.1", .read = read_role, .doc = "What the server is for."},
    {.name = "profile", .where = SCHEMA_SERVER, .type = SCHEMA_OWN, .arguments = "PROFILE", .choices = "standard legacy-device", .fallback_text = "standard",
     .since = "0.1", .read = read_profile,
     .doc = "legacy-device: for printers, scanners and machines that speak neither today's TLS nor today's logins: see OLD DEVICES. What is weak is spoken there, "
            "and on no other server."},
    {.name = "sender", .where = SCHEMA_SERVER, .type = SCHEMA_OWN, .repeat = true, .arguments = "ADDRESS ... from NETWORK ...", .fallback_text = "none", .since = "0.1",
     .read = read_sender,
     .doc = "With profile legacy-device: devices that may connect and send without logging in, from these addresses (reverse-path, From, Sender) only. To recipients here; to any "
            "domain where relay-networks names them too."},
    {.name = "tls-minimum", .where = SCHEMA_SERVER, .type = SCHEMA_OWN, .arguments = "VERSION", .choices = "1.0 1.1 1.2 1.3",
     .fallback_text = "1.2; 1.0 with profile legacy-device", .since = "0.1", .read = read_tls_minimum,
     .doc = "The oldest version of TLS that is spoken. Below 1.2 with profile legacy-device only."},
    {.name = "access", .where = SCHEMA_SERVER, .type = SCHEMA_OWN, .arguments = "ACCESS [mechanisms NAME ...]",
     .choices = "anonymous authenticated both", .fallback_text = "anonymous; authenticated for role submission", .since = "0.1", .read = read_access,
     .doc = "Whether peers must prove who they are before they send. Proof alone permits nothing: see right. Mechanisms in clear text (PLAIN, LOGIN) are "
            "offered under TLS only. Without mechanisms: SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN, and where there is tokens { } OAUTHBEARER XOAUTH2, where there is kerberos { } GSSAPI GSS-SPNEGO. By name only, for old devices and clients: SCRAM-SHA-1, "
            "NTLM (version 2, for users with an NT hash: sallyport user --nt; DOMAIN\\user counts as user@DOMAIN where DOMAIN has a dot, else as a user of the "
            "first domain; it tells who asks no name but that of the greeting, and no version), CRAM-MD5 (with profile legacy-device, for users with its contexts: sallyport user --cram). By name only, too: EXTERNAL, for who has "
            "the key of a pinned certificate (sallyport user certificate); clients are asked for one then, and it is offered to those who show one. "
            "mutt and neomutt of Debian 12 take SCRAM-SHA-256-PLUS where it is offered and cannot bind: their smtp_authenticators names another one."},
    {.name = "login", .where = SCHEMA_SERVER, .type = SCHEMA_CHOICE, TAKES(struct draft, server.login), .arguments = "STORE", .choices = "database dovecot",
     .fallback_text = "database", .since = "0.1",
     .doc = "Who checks what clients prove: the database of users, or dovecot (see there), which brings what it can ask: its own files, LDAP, PAM. What they may do is "
            "granted here in both cases. With dovecot, and without mechanisms: PLAIN LOGIN; by name those that Dovecot has been told to speak, of SCRAM-SHA-256, SCRAM-SHA-1, "
            "CRAM-MD5, OAUTHBEARER and XOAUTH2: one that it does not speak is answered 454."},
    {.name = "right", .where = SCHEMA_SERVER, .type = SCHEMA_OWN, .repeat = true, .arguments = "RIGHT to group NAME | RIGHT to user NAME | RIGHT to domain DOMAIN | RIGHT to host NAME",
     .choices = RIGHT_NAMES, .fallback_text = "none", .since = "0.1", .read = read_right,
     .doc = "Grants a right on this server to those who proved who they are, beside what sallyport user grant says. submit: to send at all. relay: to any domain. "
            "any-sender: from any address. bypass-size: beyond message-size. to domain: to every user of that domain, also to those whom only an outside authority knows. to host: to a host of sallyport user add --host."},
    {.name = "allow-cleartext-auth", .where = SCHEMA_SERVER, .type = SCHEMA_OWN, .repeat = true, .arguments = "NETWORK ...", .fallback_text = "none", .since = "0.1",
     .read = read_clear_auth,
     .doc = "Clients that may log in without TLS: whoever listens on the way has their passwords. For clients in a network of their own. "
            "With profile legacy-device: whoever may connect, unless it is said."},
    {.name = "ntlm-channel-binding", .where = SCHEMA_SERVER, .type = SCHEMA_CHOICE, TAKES(struct draft, server.ntlm_bindings), .arguments = "POLICY",
     .choices = "allow none require", .fallback_text = "allow", .since = "0.1",
     .doc = "What is asked of NTLM's binding to the TLS session, which a login passed on by somebody in the middle lacks. allow: a client without one may log in, "
            "a wrong one is refused. require: those of Windows have it, curl and most others do not. none: it is not looked at."},
    {.name = "hostname", .where = SCHEMA_SERVER, .type = SCHEMA_NAME, .offset = offsetof(struct config_server, hostname), .arguments = "NAME",
     .fallback_text = "that of the top level", .since = "0.1", .doc = "The name this server greets with."},
    {.name = "banner", .where = SCHEMA_SERVER, .type = SCHEMA_OWN, .arguments = "TEXT", .fallback_text = "ESMTP ready", .since = "0.1", .read = read_banner,
     .doc = "What stands behind the host name in the greeting (220). Say nothing there that helps whoever looks for a version."},
    {.name = "connections", .where = SCHEMA_SERVER, .type = SCHEMA_OWN, .repeat = true, .arguments = "allow | deny NETWORK ... | allow | deny name NAME ...",
     .fallback_text = "everybody may connect", .since = "0.1", .read = read_connections,
     .doc = "Who may connect at all, by the client's own address: the most specific network that holds it decides. With allow lines only those clients may; "
            "with deny lines all others; an allow inside a denied network is an exception from it, and a deny inside an allowed one. Refused: 554 5.7.1 in place "
            "of the greeting. What a proxy in front may do is not asked here, whom it speaks for is. name: by the client's name (mail.example.org; *.example.org: all below it), "
            "where no network holds its address: the names that its address points to in DNS (PTR) and that point back to it, four at most; the longest NAME decides. "
            "The greeting waits for DNS, 10 seconds at most. Where DNS does not answer, and where no name points back, the client has none: it is no client that a name allows, and "
            "none that a name denies. So a name is weaker than a network: do not let it guard what must be guarded. A denied NAME that is no exception from an allowed one lets all others in."},
    {.name = "relay-networks", .where = SCHEMA_SERVER, .type = SCHEMA_OWN, .repeat = true, .arguments = "NETWORK ...", .fallback_text = "none", .since = "0.1",
     .read = read_relay_networks,
     .doc = "Clients that may send to any domain, by their own address, never by one that a proxy reports as local. "
            "Together they may not be wider than an IPv4 /8 or an IPv6 /32."},
    {.name = "require-tls", .where = SCHEMA_SERVER, .type = SCHEMA_CHOICE, TAKES(struct draft, require_tls), .arguments = "YES-NO", .choices = "no yes",
     .fallback_text = "no", .since = "0.1", .doc = "MAIL is refused before STARTTLS (530 5.7.0)."},
    {.name = "name-authorities", .where = SCHEMA_SERVER, .type = SCHEMA_CHOICE, TAKES(struct draft, name_authorities), .arguments = "YES-NO", .choices = "no yes",
     .fallback_text = "no", .since = "0.1",
     .doc = "With EXTERNAL: a client is told the names of all client-authorities when it is asked for a certificate, so that one that has several shows the right one. Many clients show none then "
            "that these have not made: not for servers whose clients come with pinned keys of their own."},
    {.name = "from-lock", .where = SCHEMA_SERVER, .type = SCHEMA_CHOICE, TAKES(struct draft, from_free), .arguments = "YES-NO", .choices = "yes no",
     .fallback_text = "yes", .since = "0.1",
     .doc = "From and Sender of a message from somebody who has logged in may name only addresses that somebody may send from (see sallyport user sender), as the "
            "reverse-path may; those of a device that sends without logging in (profile legacy-device) only what its sender lines list. The header section (65,536 octets at most) must be fields and nothing else (RFC 5322, also in obsolete syntax): whatever others might read a From in "
            "is refused, too (550 5.7.1, from-malformed in the log): a line without a colon, a name with blanks, controls or 8-bit octets in it, a CR or LF alone, a NUL. "
            "Resent-From and Resent-Sender may name anybody. Whoever has the right any-sender is not asked."},
    {.name = "normalize-bare-lf", .where = SCHEMA_SERVER, .type = SCHEMA_CHOICE, TAKES(struct draft, normalize), .arguments = "YES-NO", .choices = "no yes",
     .fallback_text = "no: such mail is refused", .since = "0.1",
     .doc = "For old devices: a bare LF in a message becomes CR LF; it never ends a message."},
    {.name = "early-talkers", .where = SCHEMA_SERVER, .type = SCHEMA_CHOICE, TAKES(struct draft, early), .arguments = "ANSWER", .choices = "allow refuse",
     .fallback_text = "refuse for role mx, allow for others", .since = "0.1", .doc = "What becomes of a client that speaks before the greeting."},
    {.name = "backend", .where = SCHEMA_SERVER, .type = SCHEMA_OWN, .arguments = "ADDRESS:PORT [tls verify | opportunistic | none]", .since = "0.2",
     .read = read_backend, .doc = "The SMTP server that a gate publishes."},
    {.name = "verbs", .where = SCHEMA_SERVER, .type = SCHEMA_OWN, .arguments = "default | VERB ...", .fallback_text = "default", .since = "0.2",
     .read = read_verbs, .doc = "The commands that a gate lets through."},

    /* --- destinations */
    {.name = "sessions", .where = SCHEMA_DESTINATION | SCHEMA_MX_GROUP, .type = SCHEMA_OWN, .min = 1, .max = LIMIT_SESSIONS_PER_DESTINATION_MAX,
     .arguments = "FIRST MAX | COUNT", .fallback_text = "5 20", .since = "0.1", .read = read_sessions,
     .doc = "Sessions at a time: at the start, and at most, as long as deliveries succeed."},
    {.name = "messages", .where = SCHEMA_DESTINATION | SCHEMA_MX_GROUP, .type = SCHEMA_OWN, .min = 1, .max = LIMIT_RATE_COUNT_MAX,
     .arguments = "COUNT per TIME", .fallback_text = "no limit", .since = "0.1", .read = read_messages_rate, .doc = "Messages in any such time (at most 1d)."},
    {.name = "connections", .where = SCHEMA_DESTINATION | SCHEMA_MX_GROUP, .type = SCHEMA_OWN, .min = 1, .max = LIMIT_RATE_COUNT_MAX,
     .arguments = "COUNT per TIME", .fallback_text = "no limit", .since = "0.1", .read = read_connections_rate,
     .doc = "New connections in any such time (at most 1d)."},
    {.name = "recipients", .where = SCHEMA_DESTINATION, .type = SCHEMA_NUMBER, TAKES(struct config_destination, recipients), .min = 1,
     .max = LIMIT_RELAY_RECIPIENTS, .fallback_text = "100", .arguments = "COUNT", .since = "0.1", .doc = "Recipients of one transaction."},
    {.name = "tls", .where = SCHEMA_DESTINATION, .type = SCHEMA_OWN, .arguments = "POLICY", .choices = TLS_POLICY_WORDS,
     .fallback_text = "that of the route", .since = "0.1", .read = read_destination_tls,
     .doc = "The TLS policy (see TLS POLICIES). It counts before the tls of a route, that of destination * behind it."},

    /* --- limits */
    {.name = "message-size", .where = SCHEMA_LIMITS, .type = SCHEMA_OCTETS, TAKES(struct config_limits, message_octets), .min = KIB,
     .max = LIMIT_MESSAGE_OCTETS_MAX, .fallback = LIMIT_MESSAGE_OCTETS_DEFAULT, .arguments = "SIZE", .since = "0.1", .doc = "The largest message; offered as SIZE. Who logged in with the right bypass-size is bound by 2147483647 octets instead."},
    {.name = "session-size", .where = SCHEMA_LIMITS, .type = SCHEMA_OCTETS, TAKES(struct config_limits, session_octets), .min = KIB,
     .max = LIMIT_SESSION_OCTETS_MAX, .fallback = LIMIT_SESSION_OCTETS_DEFAULT, .fallback_text = "1G, or message-size when that is more", .arguments = "SIZE", .since = "0.1",
     .doc = "All messages of one session. Behind it no other transaction begins (452 4.3.1: the client goes on in another session); one that has begun ends."},
    {.name = "recipients", .where = SCHEMA_LIMITS, .type = SCHEMA_NUMBER, TAKES(struct config_limits, recipients), .min = 1, .max = LIMIT_RECIPIENTS_MAX,
     .fallback = LIMIT_RECIPIENTS_DEFAULT, .arguments = "COUNT", .since = "0.1", .doc = "Recipients of one message; RFC 5321 wants at least 100."},
    {.name = "messages", .where = SCHEMA_LIMITS, .type = SCHEMA_NUMBER, TAKES(struct config_limits, messages_per_session), .min = 1, .max = 1000000,
     .fallback = LIMIT_MESSAGES_PER_SESSION_DEFAULT, .arguments = "COUNT", .since = "0.1", .doc = "Messages of one session."},
    {.name = "errors", .where = SCHEMA_LIMITS, .type = SCHEMA_NUMBER, TAKES(struct config_limits, errors), .min = 1, .max = 10000,
     .fallback = LIMIT_ERRORS_PER_SESSION_DEFAULT, .arguments = "COUNT", .since = "0.1", .doc = "Refused commands of one session; the next one ends it."},
    {.name = "junk-commands", .where = SCHEMA_LIMITS, .type = SCHEMA_NUMBER, TAKES(struct config_limits, junk_commands), .min = 1, .max = 100000,
     .fallback = LIMIT_JUNK_COMMANDS_DEFAULT, .arguments = "COUNT", .since = "0.1", .doc = "NOOP, RSET, VRFY, HELP and EHLO between two messages."},
    {.name = "received-fields", .where = SCHEMA_LIMITS, .type = SCHEMA_NUMBER, TAKES(struct config_limits, received_fields), .min = 10, .max = 1000,
     .fallback = LIMIT_RECEIVED_FIELDS_DEFAULT, .arguments = "COUNT", .since = "0.1", .doc = "More than this is a mail loop."},
    {.name = "line", .where = SCHEMA_LIMITS, .type = SCHEMA_OCTETS, TAKES(struct config_limits, line_octets), .min = 1000, .max = 1024 * MIB,
     .fallback = LIMIT_LINE_OCTETS_DEFAULT, .arguments = "SIZE", .since = "0.1", .doc = "The longest line of a message."},
    {.name = "sessions", .where = SCHEMA_LIMITS, .type = SCHEMA_NUMBER, TAKES(struct config_limits, sessions), .min = 1, .max = LIMIT_SESSIONS_MAX,
     .fallback = LIMIT_SESSIONS_DEFAULT, .arguments = "COUNT", .since = "0.1", .doc = "Sessions of this server at a time."},
    {.name = "sessions-per-source", .where = SCHEMA_LIMITS, .type = SCHEMA_NUMBER, TAKES(struct config_limits, sessions_per_source), .min = 1,
     .max = LIMIT_SESSIONS_MAX, .fallback = LIMIT_SESSIONS_PER_SOURCE_DEFAULT, .arguments = "COUNT", .since = "0.1",
     .doc = "Sessions at a time from one IPv4 address or one IPv6 /64."},
    {.name = "sessions-per-loopback-source", .where = SCHEMA_LIMITS, .type = SCHEMA_NUMBER, TAKES(struct config_limits, sessions_per_loopback_source),
     .min = 1, .max = LIMIT_SESSIONS_MAX, .fallback_text = "that of sessions-per-source", .arguments = "COUNT", .since = "0.1",
     .doc = "The same for an address of this host's loopback (127.0.0.0/8, ::1)."},
    {.name = "sessions-per-principal", .where = SCHEMA_LIMITS, .type = SCHEMA_NUMBER, TAKES(struct config_limits, sessions_per_principal), .min = 1,
     .max = LIMIT_SESSIONS_MAX, .fallback = LIMIT_SESSIONS_PER_PRINCIPAL_DEFAULT, .arguments = "COUNT", .since = "0.1",
     .doc = "Sessions at a time of one who logged in, from wherever; one more hears 421 4.7.0 when it logs in. On this host's loopback it is not "
            "counted, unless rates-on-loopback says so."},
    {.name = "connections-rate", .where = SCHEMA_LIMITS, .type = SCHEMA_OWN, .offset = offsetof(struct config_limits, connections_rate), .min = 1,
     .max = LIMIT_RATE_COUNT_MAX, .fallback_text = "1000 per 1m", .arguments = "COUNT per TIME", .since = "0.1", .read = read_limit_rate,
     .doc = "New connections of one IPv4 address or one IPv6 /64 in any such time (at most 1d); one more hears 421 4.7.0 and when to come back."},
    {.name = "messages-per-source", .where = SCHEMA_LIMITS, .type = SCHEMA_OWN, .offset = offsetof(struct config_limits, messages_per_source), .min = 1,
     .max = LIMIT_RATE_COUNT_MAX, .fallback_text = "50000 per 1h", .arguments = "COUNT per TIME", .since = "0.1", .read = read_limit_rate,
     .doc = "Messages of such a source in any such time, those that are under way too, not those that were given up or refused; one more is 450 4.7.1."},
    {.name = "recipients-per-source", .where = SCHEMA_LIMITS, .type = SCHEMA_OWN, .offset = offsetof(struct config_limits, recipients_per_source), .min = 1,
     .max = LIMIT_RATE_COUNT_MAX, .fallback_text = "200000 per 1h", .arguments = "COUNT per TIME", .since = "0.1", .read = read_limit_rate,
     .doc = "Accepted recipients of such a source in any such time; one more is 452 4.7.1."},
    {.name = "messages-per-principal", .where = SCHEMA_LIMITS, .type = SCHEMA_OWN, .offset = offsetof(struct config_limits, messages_per_principal), .min = 1,
     .max = LIMIT_RATE_COUNT_MAX, .fallback_text = "5000 per 1h", .arguments = "COUNT per TIME", .since = "0.1", .read = read_limit_rate,
     .doc = "Messages of one who logged in, from wherever and over how many sessions, counted likewise; one more is 450 4.7.1."},
    {.name = "recipients-per-principal", .where = SCHEMA_LIMITS, .type = SCHEMA_OWN, .offset = offsetof(struct config_limits, recipients_per_principal), .min = 1,
     .max = LIMIT_RATE_COUNT_MAX, .fallback_text = "20000 per 1h", .arguments = "COUNT per TIME", .since = "0.1", .read = read_limit_rate,
     .doc = "Accepted recipients of one who logged in; one more is 452 4.7.1."},
    {.name = "rates-on-loopback", .where = SCHEMA_LIMITS, .type = SCHEMA_CHOICE, TAKES(struct config_limits, rates_on_loopback), .min = CONFIG_NO,
     .fallback = CONFIG_NO, .fallback_text = "no", .arguments = "YES-NO", .choices = "no yes", .since = "0.1",
     .doc = "Whether the limits that count in a time are for clients on this host's loopback, too: say yes where a webmail on this host hands over what users write."},
    {.name = "command-time", .where = SCHEMA_LIMITS, .type = SCHEMA_DURATION, TAKES(struct config_limits, command_seconds), .min = 1, .max = 3600,
     .fallback = LIMIT_COMMAND_SECONDS_DEFAULT, .arguments = "TIME", .since = "0.1", .doc = "The wait for a command."},
    {.name = "data-time", .where = SCHEMA_LIMITS, .type = SCHEMA_DURATION, TAKES(struct config_limits, data_block_seconds), .min = 1, .max = 3600,
     .fallback = LIMIT_DATA_BLOCK_SECONDS_DEFAULT, .arguments = "TIME", .since = "0.1", .doc = "The wait for more of a message."},
    {.name = "session-time", .where = SCHEMA_LIMITS, .type = SCHEMA_DURATION, TAKES(struct config_limits, session_seconds), .min = 10, .max = 7 * DAY,
     .fallback = LIMIT_SESSION_SECONDS_DEFAULT, .arguments = "TIME", .since = "0.1", .doc = "The whole session."},
    {.name = "message-time", .where = SCHEMA_LIMITS, .type = SCHEMA_DURATION, TAKES(struct config_limits, message_seconds), .min = 10, .max = DAY,
     .fallback = LIMIT_MESSAGE_SECONDS_DEFAULT, .arguments = "TIME", .since = "0.1", .doc = "From DATA to the end of the message."},
    {.name = "minimum-rate", .where = SCHEMA_LIMITS, .type = SCHEMA_OCTETS, TAKES(struct config_limits, minimum_rate), .min = 1, .max = 1024 * MIB,
     .fallback = LIMIT_MINIMUM_RATE_OCTETS_PER_SECOND_DEFAULT, .arguments = "SIZE", .since = "0.1",
     .doc = "Octets a second of message data, on average after its first minute."},
};
/* clang-format on */
const size_t schema_rows = sizeof schema_table / sizeof schema_table[0];
_Static_assert(sizeof schema_table / sizeof schema_table[0] <= READER_ROWS_MAX,
               "each row has its place in open_block.said");

const struct schema_row *schema_find(struct span name, unsigned block)
{
    for (size_t i = 0; i < schema_rows; i++)
        if ((schema_table[i].where & block) && span_eq(name, span_str(schema_table[i].name)))
            return &schema_table[i];
    return NULL;
}

const struct schema_row *schema_find_anywhere(struct span name)
{
    return schema_find(name, SCHEMA_ANY);
}

const char *schema_block_name(unsigned block)
{
    switch (block) {
    case SCHEMA_SERVER: return "server { }";
    case SCHEMA_LIMITS: return "limits { }";
    case SCHEMA_QUEUE: return "queue { }";
    case SCHEMA_POOL: return "pool { }";
    case SCHEMA_DESTINATION: return "destination { }";
    case SCHEMA_MX_GROUP: return "mx-group { }";
    case SCHEMA_TOKENS: return "tokens { }";
    case SCHEMA_DOVECOT: return "dovecot { }";
    case SCHEMA_KERBEROS: return "kerberos { }";
    default: return "the top level";
    }
}

void schema_amount(struct buf *b, unsigned type, uint64_t v)
{
    static const struct {
        uint64_t factor;
        uint8_t letter;
    } units[] = {{DAY, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}, {1024 * MIB, 'G'}, {MIB, 'M'}, {KIB, 'K'}};
    size_t first = type == SCHEMA_DURATION ? 0
                   : type == SCHEMA_OCTETS ? 4
                                           : 7,
           end = type == SCHEMA_DURATION ? 4 : 7;

    for (size_t i = first; i < end; i++)
        if (v && v % units[i].factor == 0) {
            buf_u64(b, v / units[i].factor);
            buf_byte(b, units[i].letter);
            return;
        }
    buf_u64(b, v);
}
