"""Real next hops by smarthost and LMTP routes: what arrives, what is said to them, what becomes of what they refuse."""
import email
import itertools

import pytest

from peer import FAR, SAFE, Authority, Dovecot, Exim, Haraka, OpenSMTPD, Ours, Postfix
from sallyport import DOMAIN, USER, Sallyport, free_ports, wait_for

COUNT = itertools.count()
KINDS = ("postfix", "exim", "opensmtpd", "haraka", "dovecot-tcp", "dovecot-unix", "sallyport")
CLASSES = {c.name: c for c in (Postfix, Exim, OpenSMTPD, Haraka, Dovecot, Ours)}


class Pair:
    def __init__(self, kind, authority):
        self.kind, self.peer, self.s = kind, None, Sallyport()
        port, = free_ports(1)
        lmtp = kind.startswith("dovecot")
        self.unix = kind == "dovecot-unix"
        kind = kind.split("-")[0]
        self.peer = CLASSES[kind]([f"127.0.0.1:{port}", f"127.0.0.2:{port}"], authority.issue("IP:127.0.0.1"), back=self.s.smtp)
        via = "lmtp" if lmtp else "smarthost"
        far = f"deliver {FAR} to lmtp unix:{self.peer.shared}/lmtp" if self.unix else f"relay {FAR} via {via} 127.0.0.1:{port}" + (" tls may" if lmtp else "")
        self.s.append(f"""authorities {authority.pem}
recipients {FAR} {SAFE} wrong.example any
{far}
relay {SAFE} via {via} 127.0.0.1:{port} tls verify
relay wrong.example via {via} 127.0.0.2:{port} tls verify
queue {{ retry-first 1s }}""")
        self.peer.start()
        self.s.start()

    def close(self):
        self.s.close()
        if self.peer:
            self.peer.close()

    def send(self, body, to, sender="me@example.net", mail="", rcpt="", head=b""):
        """Sends it by BDAT; (a word that is in no other mail, all that was sent)."""
        token = b"<n%d.%d@test.example>" % (next(COUNT), self.s.smtp)
        content = b"Date: Wed, 25 Nov 2026 20:00:00 +0000\r\nFrom: <%s>\r\nMessage-ID: %s\r\n%s\r\n%s" % (sender.encode(), token, head, body)
        talk = self.s.connect()
        talk.say("EHLO client.example.net", 250)
        talk.say(f"MAIL FROM:<{sender}>{mail}", 250)
        for r in [to] if isinstance(to, str) else to:
            talk.say(f"RCPT TO:<{r}>{rcpt}", 250)
        talk.send(b"BDAT %d LAST\r\n" % len(content) + content)
        assert talk.reply()[0] == 250
        talk.say("QUIT", 221)
        return token, content

    def relayed(self):
        return self.s.log("relayed")

    def attempts(self, to):
        return [r for m in self.s.queue() for r in m["recipients"] if r["to"] == to]


@pytest.fixture(scope="module")
def authority():
    it = Authority()
    yield it
    it.close()


@pytest.fixture(scope="module", params=KINDS)
def pair(request, authority):
    it = None
    try:
        it = Pair(request.param, authority)
        yield it
    finally:
        if it:
            it.close()


def body_of(name, longest):
    return {
        "plain": b"Hello.\r\n",
        "dots": b".\r\n..\r\n...\r\n.a\r\na.\r\n.\r\n\r\n.\r\n",
        "8bit": bytes(range(128, 256)) + b"\r\n" + "ümläut ✓\r\n".encode(),
        "200k": b"".join(b"%06d .abcdefghijklmnopqrstuvwxyz0123456789\r\n" % i for i in range(4300)),
        "blank-lines": b"\r\n" * 3000 + b"end\r\n",
        "long-line": b"y" * longest + b"\r\n" + b"." * longest + b"\r\n",
        "seams": b"".join(b"." * (i % 5) + b"x" * (i % 71) + b"\r\n" for i in range(6000)),
    }[name]


@pytest.mark.parametrize("name", ["plain", "dots", "8bit", "200k", "blank-lines", "long-line", "seams"])
def test_octet_for_octet(pair, name):
    token, content = pair.send(body_of(name, pair.peer.longest), f"exact@{FAR}", mail=" BODY=8BITMIME")
    mail = pair.peer.wait_mail(token)
    assert mail.endswith(b"\n" + content.replace(b"\r\n", b"\n"))
    wait_for(lambda: pair.s.queue() == [], 10)


def test_many_in_a_row(pair):
    """Sessions are used again and stay in step."""
    sent = [pair.send(b"number %d\r\n.\r\n" % i, [f"many{i % 3}@{FAR}"]) for i in range(40)]
    for token, content in sent:
        assert pair.peer.wait_mail(token).endswith(b"\n" + content.replace(b"\r\n", b"\n"))
    wait_for(lambda: pair.s.queue() == [], 10)


def test_tls_where_it_is_offered(pair):
    token, _ = pair.send(b"x\r\n", f"r@{FAR}")
    mail = pair.peer.wait_mail(token)
    line = wait_for(lambda: [r for r in pair.relayed() if r["to"] == f"r@{FAR}"])[-1]
    if pair.unix:
        assert not line.get("tls", "").startswith("TLS"), line
        return
    if not pair.peer.tls_works:  # in clear, after a handshake that failed
        assert line["tls"] == "none: the handshake failed", line
        return
    assert line["tls"].startswith("TLSv1.3"), line
    if pair.kind != "haraka":
        assert b"TLS" in mail.split(b"\n\n")[0], mail


def test_verified(pair):
    token, _ = pair.send(b"x\r\n", f"verified@{SAFE}")
    if not pair.peer.tls_works:
        not_sent(pair, f"verified@{SAFE}", token, "4.7.5")
        return
    pair.peer.wait_mail(token)
    line = wait_for(lambda: [r for r in pair.relayed() if r["to"] == f"verified@{SAFE}"])[-1]
    assert line["tls"].endswith("verified by Test Authority"), line


def not_sent(pair, to, token, *words):
    """It waits, queue show says why, and nothing of it left."""
    wait_for(lambda: [r for r in pair.attempts(to) if r["state"] == "deferred"], 15)
    number = next(m["id"] for m in pair.s.queue() if m["recipients"][0]["to"] == to)
    shown = pair.s.cli("queue", "show", number).stdout.decode()
    assert all(w in shown for w in words), shown
    assert pair.peer.mails(token) == []
    pair.s.cli("queue", "remove", "--yes", number)


def test_not_verified_is_not_sent(pair):
    """The certificate is for 127.0.0.1, the route says 127.0.0.2."""
    token, _ = pair.send(b"x\r\n", "r@wrong.example")
    not_sent(pair, "r@wrong.example", token, "4.7.", "mismatch")


def test_chunking_where_it_is_offered(pair):
    token, _ = pair.send(b"x\r\n", f"r@{FAR}")
    pair.peer.wait_mail(token)
    used = pair.peer.used_chunking
    if used:  # Dovecot offers it and does not log it
        wait_for(lambda: used in pair.peer.log(), 15)


def test_other_scripts(pair):
    to, head = f"grün@{FAR}", "Subject: Grüße ✓\r\n".encode()
    token, content = pair.send(b"x\r\n", to, sender=f"{USER}@{DOMAIN}", mail=" SMTPUTF8", head=head)
    if "SMTPUTF8" in pair.peer.offers:
        mail = pair.peer.wait_mail(token)
        assert mail.endswith(b"\n" + content.replace(b"\r\n", b"\n"))
        return
    report = returned(pair, to)
    assert report["Status"] == "5.6.7" and pair.peer.mails(token) == []


def reports(mails):
    """Of each mail that is a report: (mail, the groups of its fields)."""
    found = []
    for text in mails:
        mail = email.message_from_string(text.decode("utf-8", "surrogateescape"))
        for part in mail.walk():
            if part.get_content_subtype() == "delivery-status":
                found.append((mail, part.get_payload()))
            if part.get_content_subtype() == "global-delivery-status":  # RFC 6533; Python takes it for one message
                first = part.get_payload(0)
                found.append((mail, [first] + [email.message_from_string(g) for g in first.get_payload().strip().split("\n\n")]))
    return found


def returned(pair, to, action="failed"):
    """The fields of the report about that recipient in the sender's mailbox."""
    def there():
        return [g for _, groups in reports(pair.s.mails()) for g in groups[1:] if g["Final-Recipient"].endswith(to) and g["Action"] == action]
    there.__doc__ = f"a report that {to} is {action}"
    return wait_for(there, 20)[-1]


def test_refused_comes_back_with_the_words(pair):
    token, _ = pair.send(b"x\r\n", [f"r@{FAR}", f"gone@{FAR}"], sender=f"{USER}@{DOMAIN}")
    report = returned(pair, f"gone@{FAR}")
    words = " ".join(report["Diagnostic-Code"].split())
    assert pair.peer.refusal in words, words
    assert report["Remote-MTA"], report
    pair.peer.wait_mail(token)  # the other one arrives, once
    wait_for(lambda: pair.s.queue() == [], 10)


def test_notification_parameters_go_on(pair):
    """RFC 3461: the peer that delivers it tells the sender, with what the sender asked for; one without DSN lets us tell it."""
    to = f"r@{FAR}"
    token, _ = pair.send(b"x\r\n", to, sender=f"{USER}@{DOMAIN}", mail=" RET=HDRS ENVID=abc+2Bdef", rcpt=f" NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;first@{FAR}")
    pair.peer.wait_mail(token)
    final = "DSN" in pair.peer.offers or pair.kind.startswith("dovecot")  # LMTP is the last delivery (RFC 2033)
    fields = returned(pair, to, "delivered" if final else "relayed")
    assert fields["Status"].startswith("2.")
    of_it = [groups[0] for _, groups in reports(pair.s.mails()) if fields.as_string() in [g.as_string() for g in groups]][0]
    assert pair.peer.name in of_it["Reporting-MTA"] or "DSN" not in pair.peer.offers, of_it.as_string()
    if pair.kind != "opensmtpd":  # which takes ENVID and forgets it
        assert of_it["Original-Envelope-Id"] in ("abc+def", "abc+2Bdef"), of_it.as_string()  # Exim hands on what it heard
        assert fields["Original-Recipient"].replace(" ", "") == f"rfc822;first@{FAR}", fields.as_string()


def test_later_is_tried_again_when_due(pair):
    """Last in this file: from here on it is let in."""
    to = f"later@{FAR}"
    pair.peer.shut()
    token, content = pair.send(b"x\r\n", to)
    wait_for(lambda: [r for r in pair.attempts(to) if r["state"] == "deferred"], 15)
    shown = pair.s.cli("queue", "show", pair.s.queue()[0]["id"]).stdout.decode()
    assert all(w in shown for w in pair.peer.later_words), shown
    pair.peer.open()
    assert pair.peer.wait_mail(token, 40).endswith(b"\n" + content.replace(b"\r\n", b"\n"))
    wait_for(lambda: pair.s.queue() == [], 10)
