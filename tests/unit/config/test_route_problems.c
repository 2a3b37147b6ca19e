/* What is wrong with routes and destinations, where, and what to write instead: to the letter. */
#include "config_check.h"

/* clang-format off */
static const struct sample bad[] = {
    {"relay patterns",
        "relay .  via mx\n"
        "relay *. via mx\n"
        "relay .a..b via mx\n"
        "relay u@ via mx\n"
        "relay @b via mx\n"
        "relay u@[192.0.2.1] via mx\n"
        "relay <> via mx\n"
        "relay a_b via mx\n",
        "1:7 error: \".\" is no domain name | a domain like example.org, or *\n"
        "2:7 error: \"*.\" is no domain name | write *\n"
        "3:7 error: \"a..b\" is no domain name | a domain like example.org\n"
        "4:7 error: \"u@\" is no address | an address like user@example.org\n"
        "5:7 error: \"@b\" is no address | an address like user@example.org\n"
        "6:7 error: \"u@[192.0.2.1]\" is no address | an address like user@example.org\n"
        "7:7 error: \"<>\" is no domain name | a domain like example.org, or *\n"
        "8:7 error: \"a_b\" is no domain name | a domain like example.org, or *\n"},
    {"internationalized domains",
     "relay ab--\xc3\xbc.example via mx\n"
     "relay u@\xc3\xbc.ab--\xc3\xbc via mx\n"
     "relay a via smarthost ab--\xc3\xbc:25\n"
     "relay b\xc3\xbc"
     "cher via mx\nrelay xn--bcher-kva via mx\n",
     "1:7 error: \"ab--\xc3\xbc.example\" is no valid internationalized domain name (IDNA 2008) | labels of letters and digits of a script, or the A-label, like xn--bcher-kva.example\n"
     "2:7 error: \"u@\xc3\xbc.ab--\xc3\xbc\" is no address | an address like user@example.org\n"
     "3:23 error: \"ab--\xc3\xbc\" is no valid internationalized domain name (IDNA 2008) | labels of letters and digits of a script, or the A-label, like xn--bcher-kva.example\n"
     "5:7 warning: this relay for xn--bcher-kva replaces the one at /d/sallyport.conf:4:7 | keep one of the two\n"},
    {"relay from",
        "relay from\n"
        "relay from via mx\n"
        "relay from * via mx\n"
        "relay from a.example\n"
        "relay from a.example via lmpt\n",
        "1:1 error: relay needs a SENDER behind from\n"
        "2:1 error: relay needs via, and the next hop | relay PATTERN ... via mx | smarthost HOST:PORT ... | lmtp SERVER ... [tls POLICY] [user-file FILE | token-file FILE user NAME] [mechanisms NAME ...]\n"
        "3:12 error: \"*\" is no domain name | a domain like example.org\n"
        "4:1 error: relay needs via, and the next hop | relay PATTERN ... via mx | smarthost HOST:PORT ... | lmtp SERVER ... [tls POLICY] [user-file FILE | token-file FILE user NAME] [mechanisms NAME ...]\n"
        "5:12 warning: this relay from for a.example replaces the one at /d/sallyport.conf:4:12 | keep one of the two\n"
        "5:26 error: \"lmpt\" is none of: mx smarthost lmtp | did you mean \"lmtp\"?\n"},
    {"next hops",
        "relay a via lmtp\n"
        "relay b via lmtp unix:\n"
        "relay c via lmtp unix:/\n"
        "relay d via lmtp host\n"
        "relay e via smarthost h:25 i\n"
        "relay f via smarthost unix:/run/x\n"
        "relay g via mx h:25\n"
        "relay h via smarthost 2001:db8::g:25\n"
        "relay i via smarthost h:99999\n"
        "relay j via smarthost ::1:25\n"
        "relay k smarthost h:25\n",
        "1:1 error: relay needs unix:/PATH or HOST:PORT behind lmtp\n"
        "2:18 error: \"unix:\" is no path of a socket | write unix: and an absolute path of at most 107 octets: unix:/run/dovecot/lmtp\n"
        "3:18 error: \"unix:/\" is no path of a socket | write unix: and an absolute path of at most 107 octets: unix:/run/dovecot/lmtp\n"
        "4:18 error: \"host\" has no port | write HOST:PORT, like smtp.example.org:587\n"
        "5:28 error: \"i\" has no port | write HOST:PORT, like smtp.example.org:587\n"
        "6:23 error: \"unix:/run/x\" has no port | write HOST:PORT, like smtp.example.org:587\n"
        "7:16 error: unexpected \"h:25\" behind relay | a statement ends with its line, ';' or '}'\n"
        "8:23 error: \"2001:db8::g\" is neither a host name nor an IP address\n"
        "9:23 error: \"99999\" is no port | from 1 to 65535 is allowed\n"
        "10:23 error: \"::1:25\" has an IPv6 address without brackets | write [ADDRESS]:PORT, like [2001:db8::1]:25\n"
        "11:9 error: \"smarthost\" stands without via | relay ... via smarthost HOST:PORT\n"},
    {"tls words",
        "relay a via mx tls\n"
        "relay b via mx tls dan\n"
        "relay c via mx tls implicit\n"
        "relay d via smarthost h:25 tls implicit may\n"
        "relay e via smarthost h:25 tls implicit none\n"
        "relay f via smarthost h:25 tls may tls verify\n"
        "relay g via smarthost h:25 tls starttls\n"
        "relay h via lmtp unix:/run/l tls may\n"
        "relay i via lmtp unix:/run/l tls implicit\n"
        "relay j via smarthost h:465 h:587\n",
        "1:1 error: relay needs a POLICY behind tls\n"
        "2:20 error: \"dan\" is none of: none may dane encrypt verify dane-only implicit | did you mean \"dane\"?\n"
        "3:20 error: mail exchangers begin in plaintext: there is no tls implicit by mx | tls encrypt, tls verify or tls dane-only\n"
        "4:41 error: tls implicit is never in clear, so not \"may\" | tls implicit, tls implicit encrypt, or tls implicit verify\n"
        "5:41 error: tls implicit is never in clear, so not \"none\" | tls implicit, tls implicit encrypt, or tls implicit verify\n"
        "6:36 error: tls is said twice in this line | keep one of the two\n"
        "7:32 error: \"starttls\" is none of: none may dane encrypt verify dane-only implicit\n"
        "8:34 error: there is no TLS over a UNIX socket: it does not leave this host | leave tls out\n"
        "9:34 error: there is no TLS over a UNIX socket: it does not leave this host | leave tls out\n"
        "10:23 error: port 465 begins with TLS (RFC 8314), the other ports do not | hosts of one line are spoken to alike: say tls implicit, or use ports of one kind\n"},
    {"user-file",
        "relay a via smarthost h:25 user-file\n"
        "relay b via smarthost h:25 user-file /x user-file /y\n"
        "relay c via mx user-file /x\n"
        "relay d via lmtp h:24 user-file /x\n"
        "relay e via smarthost h:25 user-file /x tls may\n"
        "relay f via smarthost h:25 tls dane user-file /x\n",
        "1:1 error: relay needs a FILE behind user-file\n"
        "2:41 error: this line has a user-file or token-file already | keep one of the two\n"
        "3:26 error: user-file is for a smarthost | via smarthost HOST:PORT user-file FILE\n"
        "4:33 error: user-file is for a smarthost | via smarthost HOST:PORT user-file FILE\n"
        "5:45 error: with this policy anybody on the way could ask for the password of user-file | tls verify; or tls none, and it goes in clear\n"
        "6:32 error: with this policy anybody on the way could ask for the password of user-file | tls verify; or tls none, and it goes in clear\n"},
    {"token-file",
        "relay a via smarthost h:25 token-file\n"
        "relay b via smarthost h:25 token-file /b\n"
        "relay c via smarthost h:25 token-file /c user\n"
        "relay d via smarthost h:25 token-file /d user joe user-file /e\n"
        "relay e via smarthost h:25 user-file /f user joe\n"
        "relay f via mx token-file /g user joe\n"
        "relay g via smarthost h:25 token-file /h user joe tls may\n"
        "relay h via smarthost h:25 token-file /i user \"jo\te\"\n"
        "relay i via smarthost h:25 user joe\n",
        "1:1 error: relay needs a FILE behind token-file\n"
        "2:39 error: a token needs the name that it is for | token-file FILE user NAME\n"
        "3:1 error: relay needs a NAME behind user\n"
        "4:51 error: this line has a user-file or token-file already | keep one of the two\n"
        "5:46 error: user goes with token-file: a user-file has the name in its first line | token-file FILE user NAME, or user-file FILE\n"
        "6:27 error: token-file is for a smarthost | via smarthost HOST:PORT user-file FILE\n"
        "7:55 error: with this policy anybody on the way could ask for the token of token-file | tls verify; or tls none, and it goes in clear\n"
        "8:47 error: \"jo\\x09e\" cannot be a user name | 1 to 320 octets without control characters\n"
        "9:33 error: user goes with token-file: a user-file has the name in its first line | token-file FILE user NAME, or user-file FILE\n"},
    {"mechanisms",
        "relay a via smarthost h:25 user-file /a mechanisms\n"
        "relay b via smarthost h:25 user-file /b mechanisms NTLM\n"
        "relay c via smarthost h:25 user-file /c mechanisms plain xoauth2\n"
        "relay d via smarthost h:25 token-file /d user u mechanisms PLAIN\n"
        "relay e via smarthost h:25 mechanisms PLAIN\n"
        "relay f via smarthost h:25 user-file /f mechanisms PLAIN mechanisms LOGIN\n",
        "1:1 error: relay needs a NAME behind mechanisms\n"
        "2:52 error: \"NTLM\" is no mechanism that we can use at a smarthost | SCRAM-SHA-256-PLUS SCRAM-SHA-256 SCRAM-SHA-1-PLUS SCRAM-SHA-1 PLAIN LOGIN OAUTHBEARER XOAUTH2\n"
        "3:52 error: OAUTHBEARER and XOAUTH2 show a token, not a password | token-file FILE user NAME\n"
        "4:60 error: a token is shown by OAUTHBEARER or XOAUTH2 only | leave mechanisms out\n"
        "5:39 error: mechanisms without anything to log in with | user-file FILE mechanisms NAME ...\n"
        "6:58 error: mechanisms is said twice in this line | keep one of the two\n"},
    {"one file, two ways",
        "relay g via smarthost h:25 user-file /g mechanisms PLAIN\n"
        "relay h via smarthost h:25 user-file /g\n"
        "relay i via smarthost i:25 user-file /g mechanisms plain\n",
        "2:7 error: this line uses /g in another way than the line at /d/sallyport.conf:1:7 | say the same words behind it, or give it a file of its own\n"},
    {"characters",
        "relay b via smarthost b.example:25 user-file \"/x\ty\"\n",
        "1:46 error: this has control characters in it, or is no absolute path | name it in plain letters\n"},
    {"discard",
        "discard\n"
        "discard a.example\n"
        "discard * accept-and-lose-mail\n"
        "discard a.example accept-and-loose-mail\n"
        "discard accept-and-lose-mail\n",
        "1:1 error: discard needs a DOMAIN\n"
        "2:1 error: discard accepts mail with 250 and throws it away: this has to be spelled out | discard DOMAIN accept-and-lose-mail; or refuse it: do not serve the domain\n"
        "3:9 error: \"*\" is no domain name | a domain like example.org\n"
        "4:1 error: discard accepts mail with 250 and throws it away: this has to be spelled out | discard DOMAIN accept-and-lose-mail; or refuse it: do not serve the domain\n"
        "4:9 warning: this discard for a.example replaces the one at /d/sallyport.conf:2:9 | keep one of the two\n"
        "5:1 error: discard accepts mail with 250 and throws it away: this has to be spelled out | discard DOMAIN accept-and-lose-mail; or refuse it: do not serve the domain\n"},
    {"destination",
        "destination { }\n"
        "destination a\n"
        "destination u@a { }\n"
        "destination unix:x { }\n"
        "destination h:0 { }\n"
        "destination b { relay c via mx }\n"
        "mx-group\n"
        "mx-group g { }\n"
        "mx-group g * { }\n"
        "mx-group g/h mx.example { }\n"
        "mx-group k mx.example { recipients 5 }\n",
        "1:1 error: destination needs a DOMAIN, a HOST or unix:PATH\n"
        "2:1 error: destination needs a block | destination ... { ... }\n"
        "3:13 error: \"u@a\" is no domain name | write a\n"
        "4:13 error: \"unix:x\" is no path of a socket | write it as the line does that leads there: unix:/run/dovecot/lmtp\n"
        "5:13 error: \"0\" is no port | from 1 to 65535 is allowed\n"
        "6:17 error: relay has no place in destination { } | it belongs in the top level\n"
        "7:1 error: mx-group needs a NAME\n"
        "8:1 error: mx-group needs the HOST of a mail exchanger, or a .DOMAIN of several\n"
        "9:12 error: \"*\" is no domain name | a domain like example.org\n"
        "10:10 error: \"g/h\" is no name | 1 to 64 letters, digits, - _ .\n"
        "11:12 warning: this mx-group for mx.example replaces the one at /d/sallyport.conf:10:14 | keep one of the two\n"
        "11:25 error: recipients has no place in mx-group { } | it belongs in the top level\n"},
    {"limits of a destination",
        "destination a { sessions }\n"
        "destination b { sessions 0 }\n"
        "destination c { sessions 5 4 }\n"
        "destination d { sessions 1 2 3 }\n"
        "destination e { sessions 1001 }\n"
        "destination f { messages 5 }\n"
        "destination g { messages 5 per }\n"
        "destination h { messages 5 per 5 }\n"
        "destination i { messages 5m per 5m }\n"
        "destination j { connections 5 per 2d }\n"
        "destination k { connections 0 per 1d }\n"
        "destination l { recipients 101 }\n"
        "destination m { tls }\n"
        "destination n { tls implicit }\n"
        "destination o { tls may tls may }\n",
        "1:17 error: sessions needs FIRST MAX | COUNT\n"
        "2:26 error: sessions is 0, outside its range | from 1 to 1000 is allowed\n"
        "3:26 error: sessions: more at the start than at most | sessions 4 5\n"
        "4:30 error: unexpected \"3\" behind sessions | a statement ends with its line, ';' or '}'\n"
        "5:26 error: sessions is 1001, outside its range | from 1 to 1000 is allowed\n"
        "6:17 error: messages needs a time behind its count | messages 5 per 1m\n"
        "7:17 error: messages needs COUNT per TIME\n"
        "8:32 error: messages needs a unit behind 5 | units are s, m, h or d (seconds, minutes, hours, days): 5s\n"
        "9:26 error: messages counts and has no unit: \"5m\" | write 5\n"
        "10:35 error: connections is 2d, outside its range | from 1s to 1d is allowed\n"
        "11:29 error: connections is 0, outside its range | from 1 to 1000000 is allowed\n"
        "12:28 error: recipients is 101, outside its range | from 1 to 100 is allowed\n"
        "13:17 error: tls needs POLICY\n"
        "14:21 error: \"implicit\" is none of: none may dane encrypt verify dane-only\n"
        "15:25 error: tls was said already at /d/sallyport.conf:15:17 | keep one of the two\n"},
    {"passwords",
        "relay a via smarthost h:587 user-file /x\n"
        "relay b via smarthost i:465\n"
        "destination h { tls dane }\n"
        "destination i { tls none }\n",
        "3:1 error: tls dane for h would show the password of the line at /d/sallyport.conf:1:7 | tls encrypt or tls verify\n"
        "4:1 error: tls none for i contradicts tls implicit at /d/sallyport.conf:2:7 | tls encrypt or tls verify\n"},
    {"whole",
        "relay a via lmtp unix:/run/l\n"
        "destination unix:/run/l { tls verify }\n"
        "mx-group a mx.example { }\n"
        "mx-group a mx.example.org { }\n",
        "2:13 error: there is no TLS over a UNIX socket: it does not leave this host | leave tls out\n"
        "4:1 error: mx-group a was named already at /d/sallyport.conf:3:1 | give each group a name of its own\n"},
    {"numbers",
        "relays 0\n"
        "queue { delay-warning soon }\n"
        "queue { delay-warning 5 }\n"
        "queue { delay-warning 5s }\n",
        "1:8 error: relays is 0, outside its range | from 1 to 4 is allowed\n"
        "2:23 error: \"soon\" is neither a time nor never | delay-warning 4h, or delay-warning never\n"
        "3:1 error: queue was said already at /d/sallyport.conf:2:1 | keep one of the two\n"
        "3:23 error: delay-warning needs a unit behind 5 | units are s, m, h or d (seconds, minutes, hours, days); from 1m to 30d is allowed\n"
        "4:1 error: queue was said already at /d/sallyport.conf:3:1 | keep one of the two\n"
        "4:23 error: delay-warning is 5s, outside its range | from 1m to 30d is allowed\n"},
};

static const struct sample doubtful[] = {
    {"replaced",
        "relay a via mx\nrelay A via mx\n"
        "relay from a via mx\nrelay from A via mx\n"
        "relay .b via mx\nrelay *.b via mx\n"
        "hold a\nhold A\n"
        "discard c accept-and-lose-mail\ndiscard C accept-and-lose-mail\n"
        "destination d { }\ndestination D { }\n"
        "mx-group g mx.e { }\nmx-group h MX.e { }\n",
        "2:7 warning: this relay for a replaces the one at /d/sallyport.conf:1:7 | keep one of the two\n"
        "4:12 warning: this relay from for a replaces the one at /d/sallyport.conf:3:12 | keep one of the two\n"
        "6:7 warning: this relay for .b replaces the one at /d/sallyport.conf:5:7 | keep one of the two\n"
        "8:6 warning: this hold for a replaces the one at /d/sallyport.conf:7:6 | keep one of the two\n"
        "10:9 warning: this discard for c replaces the one at /d/sallyport.conf:9:9 | keep one of the two\n"
        "12:13 warning: this destination for d replaces the one at /d/sallyport.conf:11:13 | keep one of the two\n"
        "14:12 warning: this mx-group for mx.e replaces the one at /d/sallyport.conf:13:12 | keep one of the two\n"},
    {"relay and deliver",
        "recipients a b\n"
        "deliver a to maildir /m\nrelay a via mx\n"
        "relay b via mx\ndeliver b to maildir /m\n"
        "relay * via mx\ndeliver * to maildir /m\n",
        "3:7 warning: this relay for a replaces the deliver at /d/sallyport.conf:2:9 | keep one of the two\n"
        "5:9 warning: this deliver for b replaces the relay at /d/sallyport.conf:4:7 | keep one of the two\n"},
    {"loops",
        "hostname mail.example\n"
        "server a { listen 127.0.0.1:2525 192.0.2.1:25 hostname a.example recipients a }\n"
        "server b { listen 0.0.0.0:587 recipients a }\n"
        "deliver a to maildir /m\n"
        "relay b via smarthost 127.0.0.1:2525\n"
        "relay c via smarthost localhost:2525 127.0.0.1:2526\n"
        "relay d via smarthost 192.0.2.1:25\n"
        "relay e via smarthost 127.0.0.2:587\n"
        "relay f via smarthost x.example:25 Mail.Example:25\n"
        "relay from g via smarthost a.example:25\n"
        "relay h via lmtp 127.0.0.1:2525\n"
        "relay i via smarthost 192.0.2.2:25\n",
        "5:7 warning: 127.0.0.1:2525 is a listener of our own server a: mail would go in a circle | name the host that takes it from here\n"
        "6:7 warning: localhost:2525 is a listener of our own server a: mail would go in a circle | name the host that takes it from here\n"
        "7:7 warning: 192.0.2.1:25 is a listener of our own server a: mail would go in a circle | name the host that takes it from here\n"
        "8:7 warning: 127.0.0.2:587 is a listener of our own server b: mail would go in a circle | name the host that takes it from here\n"
        "9:7 warning: mail.example is our own name: mail would come back | name the host that takes it from here\n"
        "10:12 warning: a.example is our own name: mail would come back | name the host that takes it from here\n"},
    {"hold everything",
        "hold *\ndiscard a.example accept-and-lose-mail\n",
        "1:6 warning: hold *: all mail is taken, and none leaves the queue | take this line away when mail shall flow\n"
        "2:9 warning: this discard does nothing: a.example is held by the line at /d/sallyport.conf:1:6 | keep one of the two\n"},
    {"clear",
        "relay a via smarthost h:587 user-file /x tls none\n"
        "relay b via smarthost h:465 tls verify\n",
        "1:46 warning: the password of this line goes over the network in clear | tls verify\n"
        "2:33 warning: port 465 begins with TLS (RFC 8314), and this line does not | tls implicit\n"},
    {"destinations of nobody",
        "relay a via smarthost h:25 i:25\n"
        "deliver b to lmtp unix:/run/l\nrecipients b\n"
        "destination h:25 unix:/run/l i { }\n"
        "destination h:26 i:25 unix:/run/k 2001:db8::1 { }\n",
        "5:13 warning: no line leads to h:26 | write it as the relay or deliver line does; the first of several hosts counts\n"
        "5:18 warning: no line leads to i:25 | write it as the relay or deliver line does; the first of several hosts counts\n"
        "5:23 warning: no line leads to unix:/run/k | write it as the relay or deliver line does; the first of several hosts counts\n"
        "5:35 warning: no line leads to 2001:db8::1 | write it as the relay or deliver line does; the first of several hosts counts\n"},
    {"nothing to say",
        "recipients a b c d\n"
        "deliver a to lmtp 127.0.0.1:24\n"
        "relay .c d via mx\nrelay b via lmtp unix:/run/l\ndeliver c to maildir /m\n"
        "hold x@a.example\ndestination * { }\n"
        "relay * via smarthost [2001:db8::1]:587 h:587 tls encrypt\n"
        "relays 2\nqueue { delay-warning never }\n",
        ""},
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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(errors), cmocka_unit_test(warnings)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
