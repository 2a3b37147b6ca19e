"""explain route with a running service: what DNS says, what follows from it, and what the queue knows; real name servers, real processes."""
import json
import os
import signal
import subprocess

import pytest

from names import DNS_PORT, Names
from sallyport import BUILD, Sallyport, wait_for

TLSA = "3 1 1 " + "ab" * 32
WIDE = "".join(f"wide MX {i} mx{i}.wide\nmx{i}.wide A 192.0.2.1\n" + "".join(f"_25._tcp.mx{i}.wide TLSA 3 1 1 {k:02x}{'cd' * 31}\n" for k in range(16)) for i in range(20))
SIGNED = f"""
right MX 10 mx.right
right MX 20 mx2.right
mx.right A 192.0.2.1
mx.right AAAA 2001:db8::1
_25._tcp.mx.right TLSA {TLSA}
_25._tcp.mx.right TLSA 1 1 1 {'cd' * 32}
mx2.right A 192.0.2.2
unusable MX 10 mx.unusable
mx.unusable A 192.0.2.1
_25._tcp.mx.unusable TLSA 0 0 1 {'cd' * 32}
alias MX 10 mx.alias
mx.alias CNAME mx.right
elsewhere MX 10 mx.a.plain.
broken MX 10 mx.broken
mx.broken A 192.0.2.1
_25._tcp.mx.broken CNAME tlsa.bogus.
null MX 0 .
{WIDE}"""
PLAIN = """
a MX 10 mx.a
mx.a A 192.0.2.1
mixed MX 10 mx.mixed
mixed MX 20 nowhere.mixed
mixed MX 30 mail.ours.example.
mixed MX 40 mx.a
mx.mixed A 10.0.0.1
mx.mixed A 127.0.0.1
mx.mixed A 192.0.2.1
loop MX 10 mx.loop
mx.loop A 192.0.2.9
refused MX 10 mx.refused
mx.refused A 192.0.2.4
evil MX 10 e\\027\\091\\050Jvil
evil TXT "x"
"""
BOGUS = "b MX 10 mx.b\nmx.b A 192.0.2.1\ntlsa TLSA " + TLSA + "\n"


@pytest.fixture(scope="module")
def net():
    n = Names({"signed": SIGNED, "plain": PLAIN, "bogus": BOGUS}, bogus=("bogus", ), unsigned=("plain", ))
    try:
        n.addresses("192.0.2.1", "192.0.2.4", "2001:db8::1")
        n.listen("192.0.2.1@25")
        yield n
    finally:
        n.close()


@pytest.fixture(scope="module")
def daemon(net):
    s = Sallyport(config=f"hostname mail.ours.example\nresolver 127.0.0.1:{DNS_PORT}\ntrust-anchor {net.anchors}\n"
                  "server other { listen 192.0.2.9:25  tls none  access anonymous }\n"
                  "recipients refused.plain any\nrelay refused.plain via mx\nrelay strict.example via smarthost mx.right.signed:2525 tls dane-only\n")
    s.config.write_text(s.config.read_text().replace("hostname", "# hostname", 1))
    net.addresses("192.0.2.9")
    try:
        s.start(through=net.into)
        wait_for(lambda: live(s, "u@a.plain")["end"]["outcome"] == "tried", 20)
        yield s
    finally:
        s.close()


def ask(s, to, *more, code=0):
    done = s.cli("explain", "route", to, "--json", *more, check=False)
    assert done.returncode == code, (done.stdout, done.stderr)
    return json.loads(done.stdout)


def live(s, to, code=0):
    it = ask(s, to, code=code)
    assert it["service"] == "answered", it
    return it["ways"][0]["live"]


def text(s, to):
    return s.cli("explain", "route", to, check=False).stdout.decode()


def test_dane(daemon):
    it = live(daemon, "u@right.signed")
    first, second = it["hosts"]
    assert (first["host"], first["preference"], first["port"], first["used"], first["secure"]) == ("mx.right.signed", 10, 25, True, True), it
    assert [a["address"] for a in first["addresses"]] == ["2001:db8::1", "192.0.2.1"]
    assert first["tlsa_records"] == [{"record": TLSA, "usable": True}, {"record": "1 1 1 " + "cd" * 32, "usable": False}]
    assert "TLSA records names, or nothing" in first["tls"]
    assert (second["tlsa"], second["tlsa_records"]) == ("no-data", []) or second["tlsa"] == "no-name"
    assert "else in clear" in second["tls"]
    assert (it["end"]["hosts_by"], it["end"]["hosts_secure"], it["end"]["outcome"]) == ("mx", True, "tried")
    said = text(daemon, "u@right.signed")
    for words in ("hosts by     the mail exchangers of the domain, DNSSEC secure", "host         mx.right.signed, preference 10, port 25\n",
                  "DNSSEC secure, A ok, AAAA ok, TLSA ok", f"tlsa       {TLSA}\n", f"tlsa       1 1 1 {'cd' * 32} (cannot be used)", "now          nothing waits"):
        assert words in said, said


def test_whoever_waits_is_told_so(daemon):
    master, slave = os.openpty()
    subprocess.run([BUILD / "sallyport", "--config", daemon.config, "explain", "route", "u@a.plain"], stdout=subprocess.DEVNULL, stderr=slave, check=False, timeout=60)
    assert b"asking DNS, 45 seconds at most" in os.read(master, 1000)
    os.close(master)
    os.close(slave)


def test_what_the_records_say(daemon):
    it = live(daemon, "u@unusable.signed")["hosts"][0]
    assert it["tlsa_records"][0]["usable"] is False and "cannot be used" in it["tls"] and it["used"]
    it = live(daemon, "u@alias.signed")["hosts"][0]
    assert (it["alias"], it["tlsa_of_alias"], it["tlsa_records"][0]["usable"]) == ("mx.right.signed", "ok", True), it
    it = live(daemon, "u@elsewhere.signed")["hosts"][0]
    assert not it["secure"] and it["tlsa_records"] == [] and "else in clear" in it["tls"]
    it = live(daemon, "u@broken.signed")
    assert it["end"]["outcome"] == "deferred" and not it["hosts"][0]["used"] and "TLSA" in it["hosts"][0]["why_not"], it
    it = live(daemon, "u@strict.example")  # other ports have other records
    assert it["end"]["hosts_by"] == "route" and it["end"]["outcome"] == "deferred" and "dane-only" in it["hosts"][0]["why_not"], it


def test_why_hosts_are_not_used(daemon):
    it = live(daemon, "u@mixed.plain")
    hosts = {h["host"]: h for h in it["hosts"]}
    assert {a["address"]: a.get("refused") for a in hosts["mx.mixed.plain"]["addresses"]} == {"10.0.0.1": "private network", "127.0.0.1": "loopback", "192.0.2.1": None}
    assert (hosts["nowhere.mixed.plain"]["a"], hosts["nowhere.mixed.plain"]["used"], hosts["nowhere.mixed.plain"]["why_not"]) == ("no-name", False, "it has no address")
    assert all(not hosts[h]["used"] and "this host itself" in hosts[h]["why_not"] for h in ("mail.ours.example", "mx.a.plain"))
    it = live(daemon, "u@loop.plain", code=1)
    assert (it["end"]["outcome"], it["end"]["status"]) == ("failed", "5.4.6") and it["hosts"][0]["addresses"][0]["refused"] == "this host itself"


@pytest.mark.parametrize("domain, outcome, status", [("null.signed", "failed", "5.1.10"), ("nowhere.plain", "failed", "5.1.2"), ("b.bogus", "deferred", "4.4.3")])
def test_no_hosts(daemon, domain, outcome, status):
    it = live(daemon, f"u@{domain}", code=1 if outcome == "failed" else 0)
    assert (it["hosts"], it["end"]["outcome"], it["end"]["status"]) == ([], outcome, status), it
    assert ("returned to the sender: 5." if outcome == "failed" else "deferred, and tried again later: 4.4.3") in text(daemon, f"u@{domain}")


def test_nothing_is_connected_to(daemon, net):
    before, = daemon.status("connector")
    live(daemon, "u@a.plain")
    connector, = daemon.status("connector")
    assert (connector["opened"], connector["sockets"], connector["open"], connector["lookups"]) == (before["opened"], 0, 0, 0), connector


def test_much_and_hostile(daemon):
    """What strangers publish has an end, and no power over a terminal."""
    it = live(daemon, "u@wide.signed")
    assert 1 < len(it["hosts"]) < it["end"]["hosts"] == 20 and it["end"]["outcome"] == "tried"
    assert f"{20 - len(it['hosts'])}: there was no room" in text(daemon, "u@wide.signed")
    for more in ([], ["--json"]):
        done = daemon.cli("explain", "route", "u@evil.plain", *more, check=False)
        assert b"\x1b" not in done.stdout + done.stderr and done.returncode in (0, 1)


def test_state_of_the_queue(daemon, net):
    """After a failure: standing, back-off, and what the host said."""
    net.run(BUILD / "sallyport", "send", "--server", f"127.0.0.1:{daemon.smtp}", "--from", "me@example.net", "--to", "u@refused.plain", text="Hello.")

    def failed():
        state = ask(daemon, "u@refused.plain", "--from", "me@example.net")["ways"][0]["state"]
        return state if state and state["standing"] == "failed" else None
    state = wait_for(failed, 20)
    assert (state["destination"], state["next_after"], state["failures"]) == ("mx refused.plain", "back-off", 1) and "refused" in state["reason"], state
    said = text(daemon, "u@refused.plain")
    assert "now          failed, recipients that wait for it: " in said and "lately silent" in said, said
    assert "last failure " in said and "Connection refused" in said, said


def test_connector_restarts(daemon):
    before = daemon.processes()["connector"]
    os.kill(before, signal.SIGKILL)
    wait_for(lambda: daemon.processes().get("connector") not in (None, before), 20)
    wait_for(lambda: ask(daemon, "u@a.plain")["service"] == "answered", 20)


def test_without_a_service(make):
    s = make(start=False)
    it = ask(s, "u@a.plain")
    assert it["service"].startswith("does not run: ") and it["ways"][0]["live"] == {"hosts": [], "end": None} and it["ways"][0]["state"] is None
    assert "service      does not run: " in text(s, "u@a.plain")
    assert ask(s, "nobody@example.org", code=1)["service"] == "was not asked"
