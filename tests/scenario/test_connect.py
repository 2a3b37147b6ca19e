"""Finding hosts and connecting, with real name servers: DNSSEC, DANE, preferences, dead addresses. The connector's engine and the resolver's
are driven in one process (tests/tools/connect-try.c)."""
import json
import os
import signal

import pytest

from names import DNS_PORT, Names
from sallyport import BUILD, run, wait_for

TRY = BUILD / "tests/connect-try"
TLSA = "3 1 1 " + "ab" * 32

SIGNED = f"""
plain MX 10 mx.plain.signed.
mx.plain A 192.0.2.1
right MX 10 mx.right
mx.right A 192.0.2.1
_25._tcp.mx.right TLSA {TLSA}
_25._tcp.mx.right TLSA 1 1 1 {'cd' * 32}
unusable MX 10 mx.unusable
mx.unusable A 192.0.2.1
_25._tcp.mx.unusable TLSA 0 0 1 {'cd' * 32}
alias MX 10 mx.alias
mx.alias CNAME mx.right
elsewhere MX 10 mx.plain-zone.plain.
broken MX 10 mx.broken
mx.broken A 192.0.2.1
_25._tcp.mx.broken CNAME tlsa.bogus.
null MX 0 .
implicit A 192.0.2.1
_25._tcp.implicit TLSA {TLSA}
_25._tcp.smart TLSA {TLSA}
_2525._tcp.smart TLSA {TLSA}
smart A 192.0.2.1
"""
PLAIN = """
a MX 10 mx.a
mx.a A 192.0.2.1
mx.plain-zone A 192.0.2.1
_25._tcp.mx.plain-zone TLSA """ + TLSA + """
equal MX 10 e1
equal MX 10 e2
equal MX 10 e3
e1 A 192.0.2.1
e2 A 192.0.2.2
e3 A 192.0.2.3
dead6 MX 10 mx.dead6
mx.dead6 AAAA 2001:db8::dead
mx.dead6 A 192.0.2.1
refused MX 10 mx1.refused
refused MX 20 mx2.refused
mx1.refused A 192.0.2.4
mx2.refused A 192.0.2.2
swallowed MX 10 mx1.swallowed
swallowed MX 20 mx2.swallowed
mx1.swallowed A 192.0.2.66
mx2.swallowed A 192.0.2.2
six MX 10 mx.six
mx.six AAAA 2001:db8::1
mx.six A 192.0.2.1
inner MX 10 mx.inner
mx.inner A 10.0.0.1
mx.inner A 127.0.0.1
mapped MX 10 mx.mapped
mx.mapped AAAA ::ffff:127.0.0.1
loop MX 10 mail.ours.example.
loop2 MX 10 mx.loop2
mx.loop2 A 192.0.2.9
cname MX 10 mx.cname
mx.cname CNAME e2
none TXT "no mail"
missing MX 10 mx.nowhere
many MX 10 a
many MX 5 mx.many
mx.many A 192.0.2.3
""" + "".join(f"many MX 20 mx{i}.a-rather-long-name-so-that-it-does-not-fit\n" for i in range(60)) + """
smart A 10.1.2.3
trap A 127.0.0.1
"""
BOGUS = """
b MX 10 mx.b
mx.b A 192.0.2.1
tlsa TLSA """ + TLSA + """
"""


pytestmark = pytest.mark.takes(30)


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    run("ninja", "-C", BUILD, "tests/connect-try", timeout=900)
    n = Names({"signed": SIGNED, "plain": PLAIN, "bogus": BOGUS}, bogus=("bogus", ), unsigned=("plain", ))
    try:
        n.addresses("192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.9", "10.1.2.3", "2001:db8::1")
        n.swallow("192.0.2.66", "2001:db8::dead")
        n.listen(*(f"{a}@25" for a in ("192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.9", "2001:db8::1")), "192.0.2.1@2525", "10.1.2.3@2525", "127.0.0.1@2525")
        n.config = tmp_path_factory.mktemp("connect") / "sallyport.conf"
        n.config.write_text("""hostname mail.ours.example
server mx { listen 192.0.2.9:25  tls none  access anonymous }
relay s1.example via smarthost smart.signed:2525
relay s2.example via smarthost smart.plain:2525
relay s3.example via smarthost trap.plain:2525
relay s4.example via smarthost 127.0.0.1:2525
""")
        n.ask = lambda *lines, timeout=60: ask(n, lines, timeout)
        wait_for(lambda: n.ask("mx none.plain may")["none.plain"]["enhanced"] != "4.4.3", 20)
        yield n
    finally:
        n.close()


def ask(net, lines, timeout=60):
    done = net.run(TRY, net.config, f"127.0.0.1@{DNS_PORT}", net.anchors, text="\n".join(lines) + "\n", timeout=timeout)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(lines)
    return {a["name"]: a for a in answers}


def one(net, name, policy="may", kind="mx", tried=()):
    return net.ask(f"{kind} {name} {policy} {' '.join(tried)}")[name]


def test_dane_records(net):
    a = one(net, "right.signed", "dane")
    assert (a["status"], a["dane"], a["tlsa"], a["secure"]) == ("open", "records", 1, True), a
    assert (a["host"], a["also"]) == ("mx.right.signed", "right.signed")
    a = one(net, "implicit.signed", "dane-only")
    assert (a["status"], a["dane"], a["host"]) == ("open", "records", "implicit.signed"), a


def test_dane_unusable(net):
    a = one(net, "unusable.signed", "dane")
    assert (a["status"], a["dane"], a["tlsa"]) == ("open", "unusable", 0), a
    a = one(net, "unusable.signed", "dane-only")
    assert (a["status"], a["enhanced"]) == ("defer", "4.7.5"), a


def test_dane_alias(net):
    """RFC 7672 2.2.2: the records of the name at the end of a secure chain, and then that name counts."""
    a = one(net, "alias.signed", "dane")
    assert (a["status"], a["dane"], a["host"], a["also"]) == ("open", "records", "mx.right.signed", "alias.signed"), a


def test_dane_only_where_all_is_secure(net):
    for name in ("plain.signed", "elsewhere.signed", "a.plain"):
        a = one(net, name, "dane")
        assert (a["status"], a["dane"]) == ("open", "none"), a
        assert a["secure"] == name.endswith("signed"), a
        assert one(net, name, "dane-only")["status"] == "defer"


def test_dane_lookup_fails(net):
    """Whoever can make the TLSA look-up fail must not get the mail in clear."""
    a = one(net, "broken.signed", "dane")
    assert (a["status"], a["enhanced"]) == ("defer", "4.4.3") and "TLSA" in a["text"], a
    assert one(net, "broken.signed", "may")["status"] == "open"


def test_bogus(net):
    a = one(net, "b.bogus")
    assert (a["status"], a["enhanced"]) == ("defer", "4.4.3") and "DNSSEC" in a["text"], a


def test_no_mail(net):
    a = one(net, "null.signed")
    assert (a["status"], a["enhanced"]) == ("fail", "5.1.10"), a
    a = one(net, "nowhere.plain")
    assert (a["status"], a["enhanced"]) == ("fail", "5.1.2"), a
    for name in ("none.plain", "missing.plain"):
        a = one(net, name)
        assert (a["status"], a["enhanced"]) == ("fail", "5.4.4"), a


def test_loops(net):
    a = one(net, "loop.plain")
    assert (a["status"], a["enhanced"]) == ("fail", "5.4.6") and "mail for loop.plain loops back to this host" in a["text"], a
    assert one(net, "loop2.plain")["enhanced"] == "5.4.6"


def test_refused_addresses(net):
    a = one(net, "inner.plain")
    assert (a["status"], a["enhanced"]) == ("fail", "5.4.4") and "private network" in a["text"] and "loopback" in a["text"], a
    assert one(net, "mapped.plain")["status"] == "fail"


def test_smarthosts(net):
    a = one(net, "smart.signed:2525", "dane", kind="smtp")
    assert (a["status"], a["dane"], a["secure"]) == ("open", "records", True), a
    a = one(net, "smart.plain:2525", kind="smtp")
    assert (a["status"], a["address"]) == ("open", "10.1.2.3"), a
    a = one(net, "trap.plain:2525", kind="smtp")  # what DNS says is not what the administrator wrote
    assert (a["status"], a["enhanced"]) == ("defer", "4.4.4") and "loopback" in a["text"], a
    assert one(net, "127.0.0.1:2525", kind="smtp")["status"] == "open"
    assert one(net, "10.1.2.3:2525", kind="smtp")["enhanced"] == "4.3.5"


def test_equal_exchangers_are_spread(net):
    seen, all_of_them = set(), {"192.0.2.1", "192.0.2.2", "192.0.2.3"}
    for _ in range(100):  # where others work an answer of DNS may come too late, and its host is then not there
        seen.add(one(net, "equal.plain").get("address"))
        if all_of_them <= seen:
            break
    assert seen - {None} == all_of_them


def test_tried_addresses(net):
    seen = set()
    def address():
        """an address: where others work an answer of DNS may come too late, and its host is then not there"""
        return one(net, "equal.plain", tried=seen).get("address")
    for _ in range(3):
        found = wait_for(address)
        assert found not in seen
        seen.add(found)
    a = one(net, "equal.plain", tried=seen)
    assert a["status"] == "defer" and "tried already" in a["text"], a


def test_exchanger_that_is_an_alias(net):
    assert one(net, "cname.plain")["address"] == "192.0.2.2"


def test_families(net):
    assert one(net, "six.plain")["address"] == "2001:db8::1"


def test_dead_family_costs_a_moment(net):
    a = one(net, "dead6.plain")
    assert a["address"] == "192.0.2.1", a
    assert a["dns_ms"] + a["connect_ms"] < 6000, a


def test_next_preference(net):
    a = one(net, "refused.plain")
    assert (a["status"], a["host"]) == ("open", "mx2.refused.plain") and a["dns_ms"] < 6000, a
    a = one(net, "swallowed.plain")  # the better one has its chance, but not for ever
    assert (a["status"], a["host"]) == ("open", "mx2.swallowed.plain") and 9000 < a["dns_ms"] < 30000, a


def test_one_slow_destination_holds_up_nobody(net):
    answers = net.ask("mx swallowed.plain may", "mx a.plain may", "mx right.signed dane")
    slow = answers.pop("swallowed.plain")
    assert all(a["at_ms"] < slow["at_ms"] - 3000 for a in answers.values()), answers


# --- the whole daemon, in that network

@pytest.fixture(params=[f"127.0.0.1:{DNS_PORT}"])
def daemon(net, make, request):
    far = ("a.plain", "right.signed", "b.bogus", "null.signed", "inner.plain", "loop2.plain", "six.plain", "many.plain")
    s = make(start=False, config=f"resolver {request.param}\ntrust-anchor {net.anchors}\n" +
             "".join(f"recipients {d} any\nrelay {d} via mx\n" for d in far))
    s.start(through=net.into)

    def send(recipient, text="Hello."):
        net.run(BUILD / "sallyport", "send", "--server", f"127.0.0.1:{s.smtp}", "--from", "me@example.net", "--to", recipient, text=text)
    s.send_inside = send
    return s


def taken(net, address, recipient):
    def there():
        return (address, recipient) in net.taken()
    there.__doc__ = f"{recipient} at {address}: {net.taken()}"
    wait_for(there, 20)


def test_daemon_sends_by_mx(net, daemon):
    daemon.send_inside("x1@six.plain")
    taken(net, "2001:db8::1", "x1@six.plain")
    daemon.send_inside("x1@a.plain")
    taken(net, "192.0.2.1", "x1@a.plain")
    daemon.send_inside("x2@six.plain")  # what answered before is tried first, and by now both have
    wait_for(lambda: any(r == "x2@six.plain" for _, r in net.taken()), 20)
    (connector,), (resolver,) = daemon.status("connector"), daemon.status("resolver")
    assert connector["opened"] >= 2 and resolver["questions"] >= 6, (connector, resolver)


@pytest.mark.parametrize("daemon", [f"127.0.0.1:{DNS_PORT}", f"[::1]:{DNS_PORT}"], indirect=True)
def test_daemon_asks_by_tcp_and_ipv6(net, daemon):
    """What does not fit in a datagram comes by TCP: the cage must know that way, too, in both families."""
    recipient = f"{daemon.smtp}@many.plain"
    daemon.send_inside(recipient)
    taken(net, "192.0.2.3", recipient)
    assert "process-exit" not in daemon.log_text()


@pytest.mark.parametrize("daemon", ["recursion"], indirect=True)
def test_daemon_resolves_from_the_root(net, daemon):
    """Nobody is asked but the servers of the root and of the zones."""
    recipient = f"{daemon.smtp}@right.signed"
    daemon.send_inside(f"{daemon.smtp}@six.plain")
    wait_for(lambda: any(r == f"{daemon.smtp}@six.plain" for _, r in net.taken()), 30)
    daemon.send_inside(recipient)  # its TLSA records demand TLS, which that host has not: it waits, whoever was asked
    wait_for(lambda: any(recipient in json.dumps(m) and "deferred" in json.dumps(m) for m in daemon.queue()), 30)
    assert "process-exit" not in daemon.log_text()


def test_daemon_says_why_it_waits(net, daemon):
    daemon.send_inside("x@b.bogus")
    wait_for(lambda: any("DNSSEC" in json.dumps(m) for m in daemon.queue()), 20)


@pytest.mark.parametrize("domain, enhanced", [("null.signed", "5.1.10"), ("inner.plain", "5.4.4"), ("loop2.plain", None)])
def test_daemon_gives_up(net, daemon, domain, enhanced):
    """loop2 leads to 192.0.2.9:25, where another listens: this configuration is not that host."""
    daemon.send_inside(f"y@{domain}")
    if not enhanced:
        taken(net, "192.0.2.9", f"y@{domain}")
        return
    wait_for(lambda: any(line.get("enhanced", "") == enhanced or enhanced in json.dumps(line) for line in daemon.log()), 20)
    wait_for(lambda: not [m for m in daemon.queue() if domain in json.dumps(m) and "deferred" not in json.dumps(m)], 20)


def test_daemon_reloads_and_restarts(net, daemon):
    """Resolver and connector live through a reload; one that is killed is back, and what it was asked is asked again."""
    before = daemon.processes()
    daemon.cli("reload")
    after = daemon.processes()
    assert (before["resolver"], before["connector"]) == (after["resolver"], after["connector"])
    daemon.send_inside("x2@a.plain")
    taken(net, "192.0.2.1", "x2@a.plain")
    for role in ("resolver", "connector"):
        os.kill(daemon.processes()[role], signal.SIGKILL)
        daemon.send_inside(f"{role}@a.plain")
        taken(net, "192.0.2.1", f"{role}@a.plain")
