"""The whole daemon, caged, in a network of its own: names from a knot with signed, bogus, broken and unsigned zones, a real Postfix as the next
hop, and what `queue show` says of each case."""
import hashlib
import itertools
import time

import pytest

from names import DNS_PORT, Names
from peer import Authority, Postfix
from sallyport import BUILD, DOMAIN, USER, Sallyport, wait_for
from test_next_hops import reports

COUNT = itertools.count()
DEAD, MANY = 1000, 2000
POSTFIX, REFUSES, OURS, SWALLOWS = "192.0.2.1", "192.0.2.4", "192.0.2.9", "192.0.2.66"
DANE = ("right", "wrong", "unusable", "anchor", "othername")
PLAIN = ("prefer", "implicit", "loop", "loop2", "backup", "dead6", "here.missing")

ZONE_PLAIN = f"""
prefer MX 10 mx1.prefer
prefer MX 20 mx2.prefer
prefer MX 30 mx3.prefer
mx1.prefer A {REFUSES}
mx2.prefer A {POSTFIX}
mx3.prefer A {REFUSES}
implicit A {POSTFIX}
loop MX 10 {DOMAIN}.
loop2 MX 10 mx.loop2
mx.loop2 A {OURS}
backup MX 10 mx2.prefer
backup MX 20 {DOMAIN}.
dead6 MX 10 mx.dead6
mx.dead6 AAAA 2001:db8::dead
mx.dead6 A {POSTFIX}
live MX 10 mx2.prefer
"""


def many_zone():
    dead = "".join(f"d{i} MX 10 mx.d{i}\nmx.d{i} A {(REFUSES, SWALLOWS)[i % 2]}\n" for i in range(DEAD))
    cold = "".join(f"c{i} MX 10 mx.c{i}\nmx.c{i} A 192.0.2.{100 + i % 20}\n" for i in range(MANY))
    return dead + cold


def signed_zone(authority, chain):
    der = authority.openssl("pkey", "-pubin", "-outform", "DER", input=authority.openssl("x509", "-pubkey", "-noout", input=chain.encode()))
    root = authority.openssl("x509", "-in", authority.pem, "-outform", "DER")
    right, anchor, wrong = hashlib.sha256(der).hexdigest(), hashlib.sha256(root).hexdigest(), "ab" * 32
    records = {"right": f"3 1 1 {right}", "wrong": f"3 1 1 {wrong}", "unusable": f"0 0 1 {wrong}", "anchor": f"2 0 1 {anchor}", "othername": f"2 0 1 {anchor}"}
    return "null MX 0 .\n" + "".join(f"{n} MX 10 mx.{n}\nmx.{n} A {POSTFIX}\n_25._tcp.mx.{n} TLSA {r}\n" for n, r in records.items())


@pytest.fixture(scope="module")
def net():
    authority = Authority()
    leaf = authority.issue("DNS:mx.right.signed,DNS:mx.anchor.signed")
    n = Names({"signed": signed_zone(authority, leaf[0]), "plain": ZONE_PLAIN, "many": many_zone(), "bogus": f"b MX 10 mx.b\nmx.b A {POSTFIX}\n",
               "broken": "b MX this is no zone (\n"}, bogus=("bogus", ), unsigned=("plain", "many", "broken"))
    s = postfix = None
    try:
        n.addresses(POSTFIX, REFUSES, OURS, *(f"192.0.2.{100 + i}" for i in range(20)))
        n.swallow(SWALLOWS, "2001:db8::dead")
        domains = [f"{d}.signed" for d in (*DANE, "null")] + [f"{d}.plain" for d in (*PLAIN, "live")] + ["b.bogus", "b.broken"]
        many = [f"d{i}.many" for i in range(DEAD)] + [f"c{i}.many" for i in range(MANY)]
        s = Sallyport(config=f"resolver 127.0.0.1:{DNS_PORT}\ntrust-anchor {n.anchors}\nserver far {{ listen {OURS}:25  tls none }}\n" +
                      "".join(f"recipients {d} any\n" for d in domains + many) + "relay .signed .plain .bogus .broken .many via mx\n")
        postfix = Postfix([f"{POSTFIX}:25"], leaf, through=n.into, domains=domains).start()
        s.start(through=n.into)
        n.s, n.postfix = s, postfix
        yield n
    finally:
        for it in (s, postfix, n, authority):
            if it:
                it.close()


def send(net, domain):
    """(a word of it, its recipient)"""
    to, token = f"r{next(COUNT)}@{domain}", f"token-{next(COUNT)}-"
    net.run(BUILD / "sallyport", "send", "--server", f"127.0.0.1:{net.s.smtp}", "--from", f"{USER}@{DOMAIN}", "--to", to, text=token)
    return token, to


def line_of(net, to):
    def there():
        return [r for r in net.s.log("relayed") if r["to"] == to]
    there.__doc__ = f"that {to} was relayed:\n{net.s.log_text()[-1500:]}"
    return wait_for(there, 20)[0]


def deferred(net, to):
    """What queue show says of it once it waits."""
    def there():
        return [m["id"] for m in net.s.queue() for r in m["recipients"] if r["to"] == to and r["state"] == "deferred"]
    there.__doc__ = f"that {to} is deferred:\n{net.s.log_text()[-1500:]}"
    number = wait_for(there, 30)[0]
    return net.s.cli("queue", "show", number).stdout.decode()


def bounced(net, to):
    def there():
        return [g for _, groups in reports(net.s.mails()) for g in groups[1:] if to in g["Final-Recipient"]]
    there.__doc__ = f"a report about {to}:\n{net.s.log_text()[-1500:]}"
    return wait_for(there, 20)[0]


def test_the_best_exchanger_that_answers(net):
    token, to = send(net, "prefer.plain")
    net.postfix.wait_mail(token.encode())
    line = line_of(net, to)
    assert line["host"].startswith(f"mx2.prefer.plain[{POSTFIX}]"), line


@pytest.mark.parametrize("domain", ["implicit.plain", "backup.plain"])
def test_implicit_and_one_better_than_ourselves(net, domain):
    token, to = send(net, domain)
    net.postfix.wait_mail(token.encode())
    assert line_of(net, to)["tls"].startswith("TLSv1.3")


def test_a_dead_family_is_no_stall(net):
    began = time.monotonic()
    token, to = send(net, "dead6.plain")
    net.postfix.wait_mail(token.encode())
    assert time.monotonic() - began < 5 and f"[{POSTFIX}]" in line_of(net, to)["host"]


@pytest.mark.parametrize("domain, status, word", [("null.signed", "5.1.10", "takes no mail"), ("here.missing.plain", "5.1.2", "there is no domain"), ("loop.plain", "5.4.6", "loop"),
                                                  ("loop2.plain", "5.4.6", "loop")])
def test_what_cannot_be_sent_comes_back(net, domain, status, word):
    _, to = send(net, domain)
    fields = bounced(net, to)
    assert (fields["Action"], fields["Status"]) == ("failed", status) and word in fields["Diagnostic-Code"], fields.as_string()
    assert fields["Diagnostic-Code"].startswith("x-sallyport;") and not fields["Remote-MTA"], fields.as_string()


@pytest.mark.parametrize("domain, status, word", [("b.bogus", "4.4.3", "DNSSEC"), ("b.broken", "4.4.3", "SERVFAIL"), ("wrong.signed", "4.7.5", "TLSA"),
                                                  ("othername.signed", "4.7.5", "mx.othername.signed")])
def test_what_cannot_be_trusted_waits_and_says_why(net, domain, status, word):
    token, to = send(net, domain)
    shown = deferred(net, to)
    assert status in shown and word in shown and "next " in shown, shown
    assert net.postfix.mails(token.encode()) == []


@pytest.mark.parametrize("domain, how", [("right.signed", "dane-ee"), ("anchor.signed", "dane-ta"), ("unusable.signed", "")])
def test_dane(net, domain, how):
    """RFC 7672: records that match; an authority of its own; records that nobody can use make TLS a must and no more."""
    token, to = send(net, domain)
    net.postfix.wait_mail(token.encode())
    line = line_of(net, to)
    assert line["tls"].startswith("TLSv1.3") and how in line["tls"], line


# --- many

INJECT = """
import smtplib, sys
port, prefix, count, each = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
with smtplib.SMTP("127.0.0.1", port, timeout=120) as c:
    for i in range(0, count, each):
        c.sendmail("me@example.net", [f"r@{prefix}{j}.many" for j in range(i, min(i + each, count))], "Subject: many\\r\\n\\r\\nx\\r\\n")
"""


def inject(net, prefix, count, each):
    net.run("python3", "-c", INJECT, net.s.smtp, prefix, count, each, timeout=200)


def attempts(net, prefix):
    return {r["to"] for r in net.s.log() if r["event"] in ("relayed", "deferred") and r.get("to", "").startswith(f"r@{prefix}")}


def test_many_cold_destinations(net, record_property):
    """2,000 destinations that were never heard of, each with an exchanger of its own. The aim is 20 s on a quiet machine; a shared one gets more."""
    net.listen(*(f"192.0.2.{100 + i}@25" for i in range(20)))
    began = time.monotonic()
    inject(net, "c", MANY, 100)
    taken = time.monotonic() - began

    def all_there():
        return len([1 for _, to in net.taken() if to.startswith("r@c")]) >= MANY
    all_there.__doc__ = f"{MANY} recipients at their exchangers"
    wait_for(all_there, 120, 0.1)
    seconds = time.monotonic() - began
    record_property("seconds", round(seconds, 1))
    print(f"\n{MANY} cold destinations: taken in {taken:.1f} s, all delivered after {seconds:.1f} s")
    assert seconds < 60
    assert len(net.taken()) == MANY == len({to for _, to in net.taken()})


def test_one_live_among_a_thousand_dead(net):
    """500 that refuse and 500 that swallow, with mail for each: mail for one that lives leaves at once, now and while they are tried."""
    inject(net, "d", DEAD, 1)
    for pause in (0, 5, 15):
        time.sleep(pause)
        began = time.monotonic()
        token, _ = send(net, "live.plain")
        net.postfix.wait_mail(token.encode())
        assert time.monotonic() - began < 5
    wait_for(lambda: len([1 for m in net.s.queue() for r in m["recipients"] if r["to"].endswith(".many") and r["state"] == "deferred"]) >= DEAD, 180, 1)
