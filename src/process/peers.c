#include "process/peers.h"

/* What is not listed here gets no socket, and no process can make one. Roles of a generation (edge, keyring, directory,
 * relay) meet only their own generation; the others meet every generation that is alive, but the spooler the newest directory only. */
const struct peers_row peers_table[] = {
    {PROC_EDGE, PROC_SPOOLER, "messages to be made durable (spool/submit.h)"},
    {PROC_EDGE, PROC_KEYRING, "signatures of TLS handshakes (system/tls_sign.h)"},
    {PROC_EDGE, PROC_DIRECTORY, "logging in, senders (directory/login_message.h)"},
    {PROC_SPOOLER, PROC_MAILBOX, "messages to be stored in Maildirs (spool/job.h)"},
    {PROC_SPOOLER, PROC_DIRECTORY, "expansion of accepted recipients (directory/expand.h)"},
    {PROC_ADMIN, PROC_SPOOLER, "questions about the queue (spool/question.h)"},
    {PROC_ADMIN, PROC_CONNECTOR, "what DNS says of a next hop (service/connect.h)"},
    {PROC_SPOOLER, PROC_RELAY, "transactions with next hops (spool/relay_job.h)"},
    {PROC_RELAY, PROC_CONNECTOR, "connected sockets (service/connect_message.h)"},
    {PROC_RELAY, PROC_DIRECTORY, "credentials for next hops (directory/credential.h)"},
    {PROC_DIRECTORY, PROC_CONNECTOR,
     "sockets of services that prove who somebody is (service/connect_message.h)"},
    {PROC_DIRECTORY, PROC_WINBIND, "logins that a domain controller checks (directory/domain_message.h)"},
    {PROC_CONNECTOR, PROC_RESOLVER, "addresses (system/dns_message.h)"},
    {PROC_EDGE, PROC_RESOLVER, "names of clients, where connections lines have some (system/dns_message.h)"},
};
const unsigned peers_table_n = sizeof peers_table / sizeof peers_table[0];

bool peers_may_talk(enum role a, enum role b)
{
    for (unsigned i = 0; i < peers_table_n; i++)
        if ((peers_table[i].a == a && peers_table[i].b == b) ||
            (peers_table[i].a == b && peers_table[i].b == a))
            return true;
    return false;
}
