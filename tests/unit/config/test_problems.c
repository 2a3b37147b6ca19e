/* What is wrong, where, and what to write instead: all of it, in order, to the letter. */
#include "config_check.h"

/* clang-format off */
static const struct sample bad[] = {
    {"unknown directive",
        "hostnme x\n",
        "1:1 error: unknown directive \"hostnme\" | did you mean \"hostname\"?\n"},
    {"nothing near",
        "zzzzzz x { y }\n"
        "hostname a b\n",
        "1:1 error: unknown directive \"zzzzzz\" | sallyport help config names them all\n"
        "2:12 error: unexpected \"b\" behind hostname | a statement ends with its line, ';' or '}'\n"},
    {"wrong place",
        "listen 127.0.0.1:25\n"
        "server a { listen 127.0.0.1:25\n"
        "spool x\n"
        " recipients a.example\n"
        "}\n"
        "deliver a.example to maildir /m\n",
        "1:1 error: listen has no place in the top level | it belongs in server { }\n"
        "3:1 error: spool has no place in server { } | it belongs in the top level\n"},
    {"quoted directive",
        "\"hostname\" x\n",
        "1:1 error: \"hostname\" stands where a directive begins | directives are not quoted\n"},
    {"missing argument",
        "hostname\n"
        "spool ;log-level\n",
        "1:1 error: hostname needs NAME\n"
        "2:1 error: spool needs FOLDER\n"
        "2:8 error: log-level needs LEVEL\n"},
    {"too many arguments",
        "hostname a b\n"
        "edges 2 3\n",
        "1:12 error: unexpected \"b\" behind hostname | a statement ends with its line, ';' or '}'\n"
        "2:9 error: unexpected \"3\" behind edges | a statement ends with its line, ';' or '}'\n"},
    {"said twice",
        "hostname a.example\n"
        "hostname b.example\n",
        "2:1 error: hostname was said already at /d/sallyport.conf:1:1 | keep one of the two\n"},
    {"blocks",
        "queue\n"
        "queue 5 { }\n"
        "server x\n"
        "hostname a.example { b }\n"
        "{ c }\n"
        "}\n"
        "server y { listen 127.0.0.1:25\n",
        "1:1 error: queue needs a block | queue ... { ... }\n"
        "2:1 error: queue was said already at /d/sallyport.conf:1:1 | keep one of the two\n"
        "2:1 error: queue needs a block | queue ... { ... }\n"
        "3:1 error: server needs a block | server ... { ... }\n"
        "4:20 error: hostname has no block here\n"
        "5:1 error: a block without a directive\n"
        "6:1 error: '}' without a block that was opened in this file\n"
        "7:1 error: the block of server is not closed | write } behind its last line\n"},
    {"numbers",
        "limits {\n"
        " recipients 0\n"
        " recipients 10001\n"
        "}\n"
        "edges 9\n"
        "edges -1\n"
        "edges 99999999999999999999999\n",
        "2:13 error: recipients is 0, outside its range | from 1 to 10000 is allowed\n"
        "3:2 error: recipients was said already at /d/sallyport.conf:2:2 | keep one of the two\n"
        "3:13 error: recipients is 10001, outside its range | from 1 to 10000 is allowed\n"
        "5:7 error: edges is 9, outside its range | from 1 to 8 is allowed\n"
        "6:1 error: edges was said already at /d/sallyport.conf:5:1 | keep one of the two\n"
        "6:7 error: edges wants a whole number, not \"-1\" | from 1 to 8 is allowed\n"
        "7:1 error: edges was said already at /d/sallyport.conf:6:1 | keep one of the two\n"
        "7:7 error: edges is 99999999999999999999999, outside its range | from 1 to 8 is allowed\n"},
    {"resolvers",
        "resolver 192.0.2.1 192.0.2.2:5353 2001:db8::1 [2001:db8::1]:5353 [2001:db8::2]\n"
        "resolver 192.0.2.1:0\n"
        "resolver\n"
        "resolver recursion 192.0.2.1\n",
        "2:1 error: resolver was said already at /d/sallyport.conf:1:1 | keep one of the two\n"
        "2:10 error: \"0\" is no port | from 1 to 65535 is allowed\n"
        "3:1 error: resolver was said already at /d/sallyport.conf:2:1 | keep one of the two\n"
        "3:1 error: resolver needs ADDRESS[:PORT] ... | recursion\n"
        "4:1 error: resolver was said already at /d/sallyport.conf:3:1 | keep one of the two\n"
        "4:20 error: unexpected \"192.0.2.1\" behind resolver | a statement ends with its line, ';' or '}'\n"},
    {"units",
        "limits { message-size 50MB message-size 1T message-size 10 message-size 3G sessions 5k command-time 5 session-time 5w data-time 2days }\n",
        "1:23 error: message-size has an unknown unit: \"MB\" | units are K, M or G (powers of 1024), or none for octets: 50M\n"
        "1:28 error: message-size was said already at /d/sallyport.conf:1:10 | keep one of the two\n"
        "1:41 error: message-size has an unknown unit: \"T\" | units are K, M or G (powers of 1024), or none for octets: 1M\n"
        "1:44 error: message-size was said already at /d/sallyport.conf:1:28 | keep one of the two\n"
        "1:57 error: message-size is 10, outside its range | from 1K to 2147483647 is allowed\n"
        "1:60 error: message-size was said already at /d/sallyport.conf:1:44 | keep one of the two\n"
        "1:73 error: message-size is 3G, outside its range | from 1K to 2147483647 is allowed\n"
        "1:85 error: sessions counts and has no unit: \"5k\" | write 5\n"
        "1:101 error: command-time needs a unit behind 5 | units are s, m, h or d (seconds, minutes, hours, days): 5s\n"
        "1:116 error: session-time has an unknown unit: \"w\" | units are s, m, h or d (seconds, minutes, hours, days); from 10s to 7d is allowed\n"
        "1:129 error: data-time has an unknown unit: \"days\" | units are s, m, h or d (seconds, minutes, hours, days); from 1s to 1h is allowed\n"},
    {"choices",
        "log-level verbose\n"
        "server a { listen 127.0.0.1:25 role mix access anonymus require-tls maybe early-talkers refused }\n",
        "1:11 error: \"verbose\" is none of: debug info warning error\n"
        "2:37 error: \"mix\" is none of: mx submission organisation gate | did you mean \"mx\"?\n"
        "2:48 error: \"anonymus\" is none of: anonymous authenticated both | did you mean \"anonymous\"?\n"
        "2:69 error: \"maybe\" is none of: no yes\n"
        "2:89 error: \"refused\" is none of: allow refuse | did you mean \"refuse\"?\n"},
    {"endpoints",
        "server a {\n"
        " listen 127.0.0.1\n"
        " listen *:25\n"
        " listen ::1:25\n"
        " listen [::1]\n"
        " listen 127.0.0.1:0\n"
        " listen 127.0.0.1:65536\n"
        " listen localhost:25\n"
        " listen 300.1.1.1:25\n"
        " listen :25\n"
        " listen\n"
        "}\n",
        "2:9 error: \"127.0.0.1\" has no port, or an IPv6 address without brackets | write ADDRESS:PORT, like 192.0.2.1:25 or [2001:db8::1]:25\n"
        "3:9 error: \"*:25\" names no address | for every address write: 0.0.0.0:25 [::]:25\n"
        "4:9 error: \"::1:25\" has no port, or an IPv6 address without brackets | write ADDRESS:PORT, like 192.0.2.1:25 or [2001:db8::1]:25\n"
        "5:9 error: \"[::1]\" has no port, or an IPv6 address without brackets | write ADDRESS:PORT, like 192.0.2.1:25 or [2001:db8::1]:25\n"
        "6:9 error: \"0\" is no port | from 1 to 65535 is allowed\n"
        "7:9 error: \"65536\" is no port | from 1 to 65535 is allowed\n"
        "8:9 error: \"localhost\" is no IP address | write ADDRESS:PORT, like 192.0.2.1:25 or [2001:db8::1]:25\n"
        "9:9 error: \"300.1.1.1\" is no IP address | write ADDRESS:PORT, like 192.0.2.1:25 or [2001:db8::1]:25\n"
        "10:9 error: \"\" is no IP address | write ADDRESS:PORT, like 192.0.2.1:25 or [2001:db8::1]:25\n"
        "11:2 error: listen needs an ADDRESS:PORT\n"},
    {"domains",
        "recipients a..example\n"
        "recipients bob@a.example\n"
        "recipients a.example.\n"
        "recipients -a.example\n"
        "recipients *\n"
        "hostname a_b.example\n"
        "recipients \"\"\n"
        "recipients 192.0.2.1 a.7\n"
        "recipients any\n"
        "recipients a.example\n"
        "recipients a.example any\n"
        "log-level 0\n",
        "1:12 error: \"a..example\" is no domain name | a domain like example.org\n"
        "2:12 error: \"bob@a.example\" is no domain name | write a.example\n"
        "3:12 error: \"a.example.\" is no domain name | write a.example\n"
        "4:12 error: \"-a.example\" is no domain name | a domain like example.org\n"
        "5:12 error: \"*\" is no domain name | a domain like example.org\n"
        "6:10 error: \"a_b.example\" is no domain name | a domain like example.org\n"
        "7:12 error: \"\" is no domain name | a domain like example.org\n"
        "8:12 error: \"192.0.2.1\" is no domain name | a domain like example.org\n"
        "8:22 error: \"a.7\" is no domain name | a domain like example.org\n"
        "9:12 error: any stands behind the domains in which every local part exists | recipients example.org any\n"
        "11:12 warning: domain a.example was named already at /d/sallyport.conf:10:12 | keep one: with any said once, everybody exists there\n"
        "12:11 error: \"0\" is none of: debug info warning error\n"},
    {"networks",
        "server a { listen 127.0.0.1:25\n"
        " relay-networks 192.0.2.1/24 foo 192.0.2.0/33 2001:db8::/129\n"
        " relay-networks 192.0.2.0/255.255.255.0 192.0.2.7/255.0.255.0 [2001:db8::7] [2001:db8::7]/64\n"
        " connections allow 192.0.2 192.0.2.1-192.0.2.7 010.0.0.1 a.example\n"
        "}\n",
        "2:17 error: \"192.0.2.1/24\" has bits set behind its prefix | write 192.0.2.0/24, or 192.0.2.1 for that host alone\n"
        "2:30 error: \"foo\" is no network | write ADDRESS/BITS, like 192.0.2.0/24 or 2001:db8::/32, or a lone address\n"
        "2:34 error: \"192.0.2.0/33\" has a prefix that is no number of bits, or too many | write ADDRESS/BITS, like 192.0.2.0/24 or 2001:db8::/32, or a lone address\n"
        "2:47 error: \"2001:db8::/129\" has a prefix that is no number of bits, or too many | write ADDRESS/BITS, like 192.0.2.0/24 or 2001:db8::/32, or a lone address\n"
        "3:17 error: \"192.0.2.0/255.255.255.0\" has a prefix that is no number of bits, or too many | write 192.0.2.0/24\n"
        "3:41 error: \"192.0.2.7/255.0.255.0\" has a prefix that is no number of bits, or too many | write ADDRESS/BITS, like 192.0.2.0/24 or 2001:db8::/32, or a lone address\n"
        "3:63 error: \"[2001:db8::7]\" is no network | write 2001:db8::7/128\n"
        "3:77 error: \"[2001:db8::7]/64\" is no network | write 2001:db8::/64\n"
        "4:20 error: \"192.0.2\" is no network | write ADDRESS/BITS, like 192.0.2.0/24 or 2001:db8::/32, or a lone address\n"
        "4:28 error: \"192.0.2.1-192.0.2.7\" is no network | write ADDRESS/BITS, like 192.0.2.0/24 or 2001:db8::/32, or a lone address\n"
        "4:48 error: \"010.0.0.1\" is no network | write ADDRESS/BITS, like 192.0.2.0/24 or 2001:db8::/32, or a lone address\n"
        "4:58 error: \"a.example\" is a domain | connections deny name *.example.net, if the names of clients are meant\n"},
    {"units apart",
        "limits { message-size 50 M\n session-size 1.5G\n line 5 KB\n command-time 5 min\n data-time 0\n session-time 9\n messages 5 }\n",
        "1:23 error: message-size is 50, outside its range | no blank before the unit: 50M\n"
        "2:15 error: session-size wants a whole number, not \"1.5G\" | from 1K to 1024G is allowed\n"
        "3:7 error: line is 5, outside its range | no blank before the unit: 5K\n"
        "4:15 error: command-time needs a unit behind 5 | units are s, m, h or d (seconds, minutes, hours, days): 5m\n"
        "5:12 error: data-time needs a unit behind 0 | units are s, m, h or d (seconds, minutes, hours, days); from 1s to 1h is allowed\n"
        "6:15 error: session-time needs a unit behind 9 | units are s, m, h or d (seconds, minutes, hours, days); from 10s to 7d is allowed\n"},
    {"open relay",
        "server a { listen 127.0.0.1:25\n"
        " relay-networks 0.0.0.0/0\n"
        "}\n"
        "server b { listen 127.0.0.1:26\n"
        " relay-networks 0.0.0.0/8 1.0.0.0/8\n"
        " relay-networks ::/0 }\n",
        "2:17 error: network 0.0.0.0/0 is too wide: this would be an open relay | at most a /8 of IPv4 or a /32 of IPv6: list single hosts\n"
        "5:2 error: the relay networks of server b are too wide: this would be an open relay | at most a /8 of IPv4 and a /32 of IPv6 in union: list the hosts that send\n"
        "6:17 error: network ::/0 is too wide: this would be an open relay | at most a /8 of IPv4 or a /32 of IPv6: list single hosts\n"},
    {"open relay of many",
        "server a { listen 127.0.0.1:25\n"
        " recipients a.example any\n"
        " relay-networks 2001:db8::/33 2001:db8:8000::/33 2001:db9::/32 }\n"
        "deliver * to maildir /m\n",
        "3:2 error: the relay networks of server a are too wide: this would be an open relay | at most a /8 of IPv4 and a /32 of IPv6 in union: list the hosts that send\n"},
    {"open proxy of many",
        "server a { listen 127.0.0.1:25 127.0.0.1:26 proxy from 1.0.0.0/9 2.0.0.0/9 3.0.0.0/9\n"
        " recipients a.example any\n"
        "}\n"
        "deliver * to maildir /m\n",
        "1:19 error: the proxy networks are too wide: strangers could name any address as their own | at most a /8 of IPv4 and a /32 of IPv6 in union: list the hosts that send\n"},
    {"open proxy",
        "server a { listen 127.0.0.1:25 127.0.0.1:26 proxy from 0.0.0.0/0\n"
        " recipients a.example any }\n"
        "deliver * to maildir /m\n"
        "server b { listen 127.0.0.1:27 proxy\n"
        " listen 127.0.0.1:28 proxy from\n"
        "}\n",
        "1:56 error: network 0.0.0.0/0 is too wide: strangers could name any address as their own | at most a /8 of IPv4 or a /32 of IPv6: list single hosts\n"
        "4:37 error: proxy needs from and a NETWORK | proxy from 192.0.2.7\n"
        "5:2 error: proxy from needs a NETWORK | proxy from 192.0.2.7\n"},
    {"listener collision",
        "server a { listen 127.0.0.1:25 127.0.0.1:25 recipients a.example }\n"
        "server b { listen [::]:25 [::1]:25 0.0.0.0:25 recipients a.example }\n"
        "hold a.example\n",
        "1:32 error: this listener collides with the one of server a at /d/sallyport.conf:1:19 | an address and port can be listened on once\n"
        "2:27 warning: this listener overlaps the one of server b at /d/sallyport.conf:2:19 | connections to the single address go to its listener, all others to the wildcard's\n"
        "2:36 warning: this listener overlaps the one of server a at /d/sallyport.conf:1:19 | connections to the single address go to its listener, all others to the wildcard's\n"
        "2:36 warning: this listener overlaps the one of server a at /d/sallyport.conf:1:32 | connections to the single address go to its listener, all others to the wildcard's\n"},
    {"no certificate",
        "server a { listen 127.0.0.1:465 tls implicit\n"
        " listen 127.0.0.1:25 tls starttls recipients a.example }\n"
        "server b { listen 127.0.0.1:26\n"
        " tls starttls recipients a.example }\n"
        "deliver * to maildir /m\n",
        "1:19 error: this listener has TLS (implicit), but there is no certificate | tls starttls certificate FILE key FILE\n"
        "2:9 error: this listener has TLS (starttls), but there is no certificate | tls starttls certificate FILE key FILE\n"
        "3:19 error: this listener has TLS (starttls), but there is no certificate | tls starttls certificate FILE key FILE\n"},
    {"tls words",
        "tls\n"
        "tls startls certificate a key b\n"
        "tls certificate a\n"
        "tls certificate\n"
        "tls certificate a key\n"
        "tls starttls certificate a keys b\n",
        "1:1 error: tls needs a mode (starttls, implicit, none) or a certificate | tls starttls certificate FILE key FILE\n"
        "2:5 error: tls needs a mode (starttls, implicit, none) or a certificate | did you mean \"starttls\"?\n"
        "3:1 error: the certificate has no key | tls starttls certificate FILE key FILE\n"
        "4:1 error: tls needs a FILE behind certificate\n"
        "5:1 error: tls needs a FILE behind key\n"
        "6:1 error: the certificate has no key | tls starttls certificate FILE key FILE\n"},
    {"tls modes",
        "tls starttls certificate a key b\n"
        "tls implicit certificate c key d\n",
        "2:5 error: another tls line of this block names another mode | name the mode once, or the same one\n"},
    {"require-tls",
        "server a { listen 127.0.0.1:25 require-tls yes recipients a.example }\n"
        "deliver * to maildir /m\n",
        "1:19 error: require-tls, but this listener has no TLS: it could never take mail | tls starttls certificate FILE key FILE\n"},
    {"server names",
        "server a { listen 127.0.0.1:25 recipients a.example }\n"
        "server a { listen 127.0.0.1:26 recipients a.example }\n"
        "server \"b c\" { listen 127.0.0.1:27 }\n"
        "server { }\n"
        "server d { recipients a.example }\n"
        "deliver * to maildir /m\n",
        "2:1 error: server a was named already at /d/sallyport.conf:1:1 | give each server a name of its own\n"
        "3:8 error: \"b c\" is no name | 1 to 64 letters, digits, - _ .\n"
        "4:1 error: server needs a NAME\n"
        "5:1 error: server d listens nowhere | listen 127.0.0.1:2525\n"},
    {"gate",
        "server a { role gate listen 127.0.0.1:25 }\n"
        "server b { listen 127.0.0.1:26 backend 127.0.0.1:27 recipients a.example }\n"
        "server c { role gate listen 127.0.0.1:28 backend nowhere tls verify verbs EH1O }\n"
        "deliver * to maildir /m\n",
        "1:1 error: gate a has no backend | backend ADDRESS:PORT\n"
        "1:17 warning: role gate is not in this version | this server is checked and not started\n"
        "2:1 error: server b has a backend and is no gate | role gate\n"
        "3:17 warning: role gate is not in this version | this server is checked and not started\n"
        "3:50 error: \"nowhere\" has no port, or an IPv6 address without brackets | write ADDRESS:PORT, like 192.0.2.1:25 or [2001:db8::1]:25\n"
        "3:75 error: \"EH1O\" is no SMTP verb | default, or letters like EHLO\n"},
    {"rights",
        "server a { listen 127.0.0.1:25 recipients a.example\n"
        " right\n"
        " right submt to group x\n"
        " right submit\n"
        " right submit to nobody\n"
        " right submit to group\n"
        "}\n"
        "deliver * to maildir /m\n",
        "2:2 error: right needs RIGHT to group NAME | RIGHT to user NAME | RIGHT to domain DOMAIN | RIGHT to host NAME\n"
        "3:8 error: \"submt\" is none of: submit relay any-sender bypass-size org-props org-status xclient xforward | did you mean \"submit\"?\n"
        "4:2 error: right needs to whom it is granted | right submit to group staff\n"
        "5:2 error: right needs to whom it is granted | right submit to group staff\n"
        "6:2 error: right needs a NAME\n"},
    {"deliver",
        "recipients a.example\n"
        "deliver\n"
        "deliver a.example\n"
        "deliver a.example to\n"
        "deliver a.example to mbox x\n"
        "deliver a.example to maildir\n"
        "deliver a.example to lmtp unix:rel\n"
        "deliver a.example to lmtp host\n",
        "2:1 error: deliver needs a DOMAIN\n"
        "3:1 error: deliver needs to, and what delivers | deliver DOMAIN to maildir FOLDER | DOMAIN to lmtp SERVER\n"
        "4:1 error: deliver needs maildir FOLDER or lmtp SERVER\n"
        "4:9 warning: this deliver for a.example replaces the one at /d/sallyport.conf:3:9 | keep one of the two\n"
        "5:9 warning: this deliver for a.example replaces the one at /d/sallyport.conf:4:9 | keep one of the two\n"
        "5:22 error: \"mbox\" is none of: maildir lmtp\n"
        "6:1 error: deliver needs a FOLDER\n"
        "6:9 warning: this deliver for a.example replaces the one at /d/sallyport.conf:5:9 | keep one of the two\n"
        "7:9 warning: this deliver for a.example replaces the one at /d/sallyport.conf:6:9 | keep one of the two\n"
        "7:27 error: \"unix:rel\" is no path of a socket | write unix: and an absolute path of at most 107 octets: unix:/run/dovecot/lmtp\n"
        "8:9 warning: this deliver for a.example replaces the one at /d/sallyport.conf:7:9 | keep one of the two\n"
        "8:27 error: \"host\" has no port | write HOST:PORT, like smtp.example.org:587\n"},
    {"relay",
        "relay\n"
        "relay a.example\n"
        "relay a.example via\n"
        "relay a.example via mail\n"
        "relay a.example via smarthost\n"
        "relay a.example via smarthost host\n"
        "relay a.example via smarthost host:0\n"
        "relay a.example via smarthost a_b:25\n",
        "1:1 error: relay needs a DOMAIN\n"
        "2:1 error: relay needs via, and the next hop | relay PATTERN ... via mx | smarthost HOST:PORT ... | lmtp SERVER ... [tls POLICY] [user-file FILE | token-file FILE user NAME] [mechanisms NAME ...]\n"
        "3:1 error: relay needs mx, smarthost HOST:PORT or lmtp SERVER\n"
        "3:7 warning: this relay for a.example replaces the one at /d/sallyport.conf:2:7 | keep one of the two\n"
        "4:7 warning: this relay for a.example replaces the one at /d/sallyport.conf:3:7 | keep one of the two\n"
        "4:21 error: \"mail\" is none of: mx smarthost lmtp\n"
        "5:1 error: relay needs HOST:PORT behind smarthost\n"
        "5:7 warning: this relay for a.example replaces the one at /d/sallyport.conf:4:7 | keep one of the two\n"
        "6:7 warning: this relay for a.example replaces the one at /d/sallyport.conf:5:7 | keep one of the two\n"
        "6:31 error: \"host\" has no port | write HOST:PORT, like smtp.example.org:587\n"
        "7:7 warning: this relay for a.example replaces the one at /d/sallyport.conf:6:7 | keep one of the two\n"
        "7:31 error: \"0\" is no port | from 1 to 65535 is allowed\n"
        "8:7 warning: this relay for a.example replaces the one at /d/sallyport.conf:7:7 | keep one of the two\n"
        "8:31 error: \"a_b\" is neither a host name nor an IP address\n"},
    {"strings",
        "hostname \"a\n"
        "spool \"a\\n\"\n"
        "users \"\"\n"
        "hostname a\001b\n",
        "1:10 error: the quotation mark is not closed on this line: one more belongs behind the text\n"
        "2:7 error: only \\\" and \\\\ may stand after a backslash in a quoted text\n"
        "2:11 error: the quotation mark is not closed on this line: one more belongs behind the text\n"
        "3:7 error: the path is empty\n"
        "4:1 error: hostname was said already at /d/sallyport.conf:1:1 | keep one of the two\n"
        "4:11 error: control character: take it out\n"},
    {"queue",
        "queue { retry-first 2h retry-max 1h expire 90m }\n",
        "1:1 error: queue: retry-first is longer than retry-max\n"
        "1:1 error: queue: expire is shorter than retry-first: nothing would be tried twice\n"},
    {"places",
        "spool mail/spool\n"
        "deliver * to maildir mail\n"
        "control /xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n",
        "2:9 error: Maildirs and spool lie in one another | give each a folder of its own\n"
        "3:1 error: the path of the control socket is too long: 111 octets | at most 107; name a shorter one: control /run/sallyport/control.sock\n"},
    {"include",
        "include\n"
        "include sallyport.conf\n",
        "1:1 error: include needs a FILE\n"
        "2:9 error: \"/d/sallyport.conf\" includes itself\n"},
};

static const struct sample doubtful[] = {
    {"late",
        "queue { expire 1h delay-warning 2h }\n",
        "1:1 warning: queue: delay-warning is longer than expire: nobody is ever told that mail is late | make it shorter, or say delay-warning never\n"},
    {"relay networks",
        "server a { listen 127.0.0.1:25\n"
        " relay-networks 10.1.0.0/16 192.168.1.1 127.0.0.1 ::1 fc00::1 8.8.8.8 100.64.1.2\n"
        " relay-networks 10.9.9.254 10.9.9.9 fc00::fe 8.8.8.1 192.168.2.1/32\n"
        "}\n",
        "2:17 warning: relay network 10.1.0.0/16 is in a private network | when a NAT gateway, load balancer or container host has an address in it, strangers behind it will be relayed: list the single hosts that send\n"
        "2:29 warning: relay network 192.168.1.1 looks like the gateway of a private network | whoever it does NAT for will be relayed: list the single hosts that send, on this side of the gateway\n"
        "2:41 warning: relay network 127.0.0.1 is in the loopback network | whatever a proxy or tunnel on this host forwards will be relayed; name proxies with: listen ... proxy from\n"
        "2:51 warning: relay network ::1 is in the loopback network | whatever a proxy or tunnel on this host forwards will be relayed; name proxies with: listen ... proxy from\n"
        "2:55 warning: relay network fc00::1 looks like the gateway of a private network | whoever it does NAT for will be relayed: list the single hosts that send, on this side of the gateway\n"
        "2:71 warning: relay network 100.64.1.2 is in a carrier's NAT network | when a NAT gateway, load balancer or container host has an address in it, strangers behind it will be relayed: list the single hosts that send\n"
        "3:17 warning: relay network 10.9.9.254 looks like the gateway of a private network | whoever it does NAT for will be relayed: list the single hosts that send, on this side of the gateway\n"
        "3:54 warning: relay network 192.168.2.1/32 looks like the gateway of a private network | whoever it does NAT for will be relayed: list the single hosts that send, on this side of the gateway\n"},
    {"a network that is written host by host",
        "server a { listen 127.0.0.1:25\n"
        " relay-networks 10.0.0.8 10.0.0.9 10.0.0.10 10.0.0.11 10.0.0.12 10.0.0.13 10.0.0.15 8.8.8.2\n"
        " relay-networks 10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.5 10.0.0.6 10.0.0.7 10.0.0.14\n"
        "}\nserver b { listen 127.0.0.1:26\n"
        " relay-networks 10.0.0.8 10.0.0.9 10.0.0.10 10.0.0.11 10.0.0.12 10.0.0.13 10.0.0.15 10.0.0.16\n"
        " relay-networks 8.8.8.8 8.8.8.9 8.8.8.10 8.8.8.11 8.8.8.12 8.8.8.13 8.8.8.14 8.8.8.15\n"
        "}\n",
        "2:2 warning: the relay networks name every host of 10.0.0.8/29, in a private network | a gateway, load balancer or container host among them does NAT for strangers: list the hosts that send, and no others\n"},
    {"networks in which strangers have addresses",
        "server a { listen 127.0.0.1:25\n"
        " relay-networks 64:ff9b:1::/112 64:ff9b::808:808 2002:808::/48 192.0.0.0/29 2001:1::/33\n"
        "}\nserver b { listen 127.0.0.1:26\n relay-networks 2001::/32\n}\n",
        "2:17 warning: relay network 64:ff9b:1::/112 is in a network of NAT64 | when a NAT gateway, load balancer or container host has an address in it, strangers behind it will be relayed: list the single hosts that send\n"
        "2:33 warning: relay network 64:ff9b::808:808 is in the network of NAT64, in which all of IPv4 has an address | when a NAT gateway, load balancer or container host has an address in it, strangers behind it will be relayed: list the single hosts that send\n"
        "2:50 warning: relay network 2002:808::/48 is in the network of 6to4, where anybody makes himself an address | when a NAT gateway, load balancer or container host has an address in it, strangers behind it will be relayed: list the single hosts that send\n"
        "2:64 warning: relay network 192.0.0.0/29 is in the network of DS-Lite and of translators | when a NAT gateway, load balancer or container host has an address in it, strangers behind it will be relayed: list the single hosts that send\n"
        "5:17 warning: relay network 2001::/32 holds all of 2001::/32, the network of Teredo, where anybody makes himself an address | when a NAT gateway, load balancer or container host has an address in it, strangers behind it will be relayed: list the single hosts that send\n"},
    {"proxies that could name a relay network's address",
        "server a { recipients a.example any\n"
        " listen 127.0.0.1:25 proxy from 192.0.2.0/29 127.0.0.0/16 192.0.2.9\n"
        " relay-networks 198.51.100.7\n"
        "}\nserver b { recipients a.example any\n"
        " listen 127.0.0.1:26 proxy from 192.0.2.0/29\n"
        "}\nhold *\n",
        "2:9 warning: every host in 192.0.2.0/29 could name an address of this server's relay networks as its own | name the single proxies\n"
        "8:6 warning: hold *: all mail is taken, and none leaves the queue | take this line away when mail shall flow\n"},
    {"session-size",
        "server a { listen 127.0.0.1:2525; tls certificate c key k\n role submission\n access authenticated\n limits { message-size 2M session-size 1M }\n}\n",
        "1:1 warning: server a has a session-size below its message-size: larger messages are refused when their size is said before | make session-size at least as large as message-size\n"},
    {"whole private ranges", /* and what holds one: it is wider, and no safer */
        "server a { listen 127.0.0.1:25\n"
        " relay-networks 192.168.0.0/16\n"
        " }\nserver b { listen 127.0.0.1:26\n relay-networks 172.0.0.0/9\n}\n",
        "2:17 warning: relay network 192.168.0.0/16 holds all of 192.168.0.0/16, a private network | when a NAT gateway, load balancer or container host has an address in it, strangers behind it will be relayed: list the single hosts that send\n"
        "5:17 warning: relay network 172.0.0.0/9 holds all of 172.16.0.0/12, a private network | when a NAT gateway, load balancer or container host has an address in it, strangers behind it will be relayed: list the single hosts that send\n"},
    {"networks of containers, of carriers, of neighbours",
        "server a { listen 127.0.0.1:25\n"
        " relay-networks 172.17.0.0/16 172.17.3.4 172.18.0.0/16 100.64.0.0/10 fd00::/32\n"
        "}\n",
        "2:17 warning: relay network 172.17.0.0/16 holds all of 172.17.0.0/16, the network that Docker makes for containers | when a NAT gateway, load balancer or container host has an address in it, strangers behind it will be relayed: list the single hosts that send\n"
        "2:42 warning: relay network 172.18.0.0/16 is in a private network | when a NAT gateway, load balancer or container host has an address in it, strangers behind it will be relayed: list the single hosts that send\n"
        "2:56 warning: relay network 100.64.0.0/10 holds all of 100.64.0.0/10, a carrier's NAT network | when a NAT gateway, load balancer or container host has an address in it, strangers behind it will be relayed: list the single hosts that send\n"
        "2:70 warning: relay network fd00::/32 is in a private network | when a NAT gateway, load balancer or container host has an address in it, strangers behind it will be relayed: list the single hosts that send\n"},
    {"proxies that anybody may be",
        "server a { recipients a.example any\n"
        " listen 127.0.0.1:25 proxy from 192.168.0.0/16 10.1.2.3 127.0.0.1 192.168.0.0/24 fc00::/32\n"
        " listen 127.0.0.1:26 proxy from 172.16.0.0/12\n"
        "}\nhold *\n",
        "2:33 warning: proxy network 192.168.0.0/16 holds all of 192.168.0.0/16, a private network | every host in it could name any address as its own, one of a relay network too: name the single proxies\n"
        "3:33 warning: proxy network 172.16.0.0/12 holds all of 172.16.0.0/12, a private network | every host in it could name any address as its own, one of a relay network too: name the single proxies\n"
        "5:6 warning: hold *: all mail is taken, and none leaves the queue | take this line away when mail shall flow\n"},
    {"a proxy that is relayed for", /* its clients are not, where it names them */
        "server a { recipients a.example any\n"
        " listen 127.0.0.1:25 proxy from 192.0.2.7\n"
        " listen 127.0.0.1:26 127.0.0.1:27\n"
        " relay-networks 198.51.100.1 192.0.2.0/24\n"
        "}\nserver b { recipients a.example any\n"
        " listen 127.0.0.1:28 proxy from 192.0.2.7\n"
        " relay-networks 192.0.2.0/24\n"
        "}\nhold *\n",
        "3:9 warning: this listener takes no PROXY header, and the proxies in 192.0.2.7/32 are in a relay network of its server: what they forward to it is relayed | listen ... proxy from, here too; or take the proxies out of relay-networks\n"
        "3:22 warning: this listener takes no PROXY header, and the proxies in 192.0.2.7/32 are in a relay network of its server: what they forward to it is relayed | listen ... proxy from, here too; or take the proxies out of relay-networks\n"
        "10:6 warning: hold *: all mail is taken, and none leaves the queue | take this line away when mail shall flow\n"},
    {"later route",
        "relay a.example via mx\n"
        "relay A.example via smarthost 127.0.0.1:2526\n",
        "2:7 warning: this relay for a.example replaces the one at /d/sallyport.conf:1:7 | keep one of the two\n"},
    {"later deliver",
        "recipients a.example\n"
        "deliver a.example to maildir m\n"
        "deliver a.example to maildir n\n",
        "3:9 warning: this deliver for a.example replaces the one at /d/sallyport.conf:2:9 | keep one of the two\n"},
    {"recipients without deliver",
        "recipients a.example b.example c.example any\n"
        "hold b.example\n"
        "relay c.example via mx\n",
        "1:12 warning: nothing delivers mail for a.example: it would wait in the queue and then be returned | deliver a.example to maildir FOLDER\n"},
    {"deliver for nobody",
        "deliver a.example to maildir m\n",
        "1:9 warning: a.example is delivered, but no server serves it: no mail for it is taken | recipients a.example\n"},
    {"doubles",
        "recipients a.example A.EXAMPLE any\n"
        "deliver * to maildir /m\n",
        "1:22 warning: domain a.example was named already at /d/sallyport.conf:1:12 | once is enough\n"},
    {"serves nothing",
        "server a { listen 127.0.0.1:25 }\n",
        "1:1 warning: server a serves no domain: it takes mail for <postmaster> only | recipients example.org\n"},
    {"ports",
        "tls certificate a key b\n"
        "server a { listen 127.0.0.1:465 recipients a.example }\n"
        "server b { listen 127.0.0.1:25 tls implicit recipients a.example }\n"
        "deliver * to maildir /m\n",
        "2:19 warning: port 465 without implicit TLS | clients expect it there (RFC 8314): listen ADDRESS:465 tls implicit\n"
        "3:19 warning: port 25 with implicit TLS | other mail servers begin in plaintext there: tls starttls\n"},
    {"open submission",
        "server a { role submission access anonymous listen 127.0.0.1:587 }\n",
        "1:1 warning: submission server a lets everyone in | access authenticated\n"},
    {"overlap",
        "server a { listen 0.0.0.0:25 recipients a.example }\n"
        "server b { listen 127.0.0.1:25 recipients a.example }\n"
        "deliver * to maildir /m\n",
        "2:19 warning: this listener overlaps the one of server a at /d/sallyport.conf:1:19 | connections to the single address go to its listener, all others to the wildcard's\n"},
};
/* clang-format on */

static void errors(void **state)
{
    (void)state;
    check_samples(bad, sizeof bad / sizeof *bad, false);
}

static void warnings(void **state)
{
    (void)state;
    check_samples(doubtful, sizeof doubtful / sizeof *doubtful, true);
}

/* Line ends of Windows and the order of appearance do not matter for places. */
static void carriage_returns(void **state)
{
    struct parsed p;

    (void)state;
    parse(&p, "hostname a.example\r\n\r\nhostnme x\r\n");
    assert_string_equal(p.problems,
                        "3:1 error: unknown directive \"hostnme\" | did you mean \"hostname\"?\n");
    parsed_free(&p);
}

static void hostile_text_is_escaped(void **state)
{
    struct parsed p;

    (void)state;
    parse(&p, "\xff\x1b[31m x\n\xc2\x9b y\n"); /* ESC, and the C1 control that means the same */
    assert_string_equal(
        p.problems, "1:1 error: unknown directive \"\\xff\" | sallyport help config names them all\n"
                    "1:2 error: control character: take it out\n"
                    "2:1 error: unknown directive \"\\xc2\\x9b\" | sallyport help config names them all\n");
    parsed_free(&p);
}

static void problems_have_a_ceiling(void **state)
{
    static char text[20000];
    struct parsed p;
    struct buf b = buf_on(text, sizeof text - 1);
    struct config_source s = {.name = SPAN("/d/sallyport.conf")};
    struct config_problem *problems;
    unsigned n = 0;

    (void)state;
    while (buf_room(&b) > 3)
        buf_str(&b, "x\n");
    s.text = buf_span(&b);
    p.arena = arena_create(64 << 20);
    assert_null(config_parse(p.arena, &s, 1, &problems, &p.missing));
    for (; problems; problems = problems->next)
        n++;
    assert_int_equal(n, 201);
    parsed_free(&p);
}

/* Servers with as many certificates each; the last line of what is wrong. */
static void certificates(unsigned servers, unsigned each, const char *wanted)
{
    static char text[1 << 17];
    struct parsed p;
    struct buf b = buf_on(text, sizeof text - 1);

    for (unsigned i = 0; i < servers; i++) {
        buf_str(&b, "server s");
        buf_u64(&b, i);
        buf_str(&b, " { listen 127.0.0.1:");
        buf_u64(&b, 2500 + i);
        buf_str(&b, " tls starttls\n recipients a.example any\n");
        for (unsigned k = 0; k < each; k++)
            buf_str(&b, " tls starttls certificate /c key /k\n");
        buf_str(&b, "}\n");
    }
    buf_str(&b, "hold *\n");
    assert_false(b.over);
    text[b.n] = 0;
    parse(&p, text);
    if (!wanted)
        assert_null(strstr(p.problems, "error"));
    else
        assert_non_null(strstr(p.problems, wanted));
    parsed_free(&p);
}

static void certificates_have_a_ceiling(void **state)
{
    (void)state;
    certificates(4, 256, NULL);
    certificates(5, 205, "error: all servers together have more than 1024 certificates | ");
    certificates(1, 257, "error: more than 256 of these");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors),
        cmocka_unit_test(warnings),
        cmocka_unit_test(carriage_returns),
        cmocka_unit_test(hostile_text_is_escaped),
        cmocka_unit_test(problems_have_a_ceiling),
        cmocka_unit_test(certificates_have_a_ceiling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
