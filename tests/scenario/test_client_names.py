"""connections by the client's name: real name servers, a real server, clients from many addresses in a network of their own."""
import json
import os
import signal
import subprocess
import time

import pytest

from names import Names
from sallyport import DOMAIN, Sallyport, free_ports, wait_for

# ADDRESS REVERSE of what its PTR says
REVERSE = """
1.1.1.11.in-addr PTR mail.good.
2.1.1.11.in-addr PTR a.dyn.good.
3.1.1.11.in-addr PTR mail.good.
4.1.1.11.in-addr NS refuses.lame.
5.1.1.11.in-addr NS silent.dead.
12.1.1.11.in-addr NS silent2.dead.
13.1.1.11.in-addr NS silent3.dead.
6.1.1.11.in-addr PTR x.bogus.
7.1.1.11.in-addr CNAME 7.delegated.1.1.11.in-addr
7.delegated.1.1.11.in-addr PTR mail7.good.
8.1.1.11.in-addr PTR alias.good.
10.1.1.11.in-addr PTR a\\032b\\013\\010.dyn.good.
10.1.1.11.in-addr PTR \\(mail.good.
""" + "".join(f"9.1.1.11.in-addr PTR n{i:02}.many.\n" for i in range(100)) + """
*.2.11.in-addr PTR a.dyn.good.
1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.a.2.ip6 PTR six.dyn.good.
"""
GOOD = """
mail A 11.1.1.1
a.dyn A 11.1.1.2
a.dyn A 11.2.0.1
mail7 A 11.1.1.7
alias CNAME real
real A 11.1.1.8
six.dyn AAAA 2a00::1
"""
ZONES = {"arpa": REVERSE, "good": GOOD, "bogus": "x A 11.1.1.6\n", "many": "* A 11.1.1.9\n",
         "lame": "refuses A 198.41.0.5\n", "dead": "silent A 198.41.0.66\nsilent2 A 198.41.0.67\nsilent3 A 198.41.0.68\n"}
# What each of the addresses hears first, from a port: [address, first line, seconds]
HEAR = """
import json, socket, sys, threading, time
port, rows = int(sys.argv[1]), []
def hear(source):
    began = time.monotonic()
    six = ":" in source
    s = socket.socket(socket.AF_INET6 if six else socket.AF_INET)
    s.settimeout(60)
    try:
        s.bind((source, 0))
        s.connect(("::1" if six else "127.0.0.1", port))
        line = s.makefile("rb").readline().decode().strip()
    except OSError as e:
        line = str(e)
    rows.append([source, line, time.monotonic() - began])
threads = [threading.Thread(target=hear, args=(a,)) for a in sys.argv[2:]]
[t.start() for t in threads]
[t.join() for t in threads]
print(json.dumps(rows))
"""


@pytest.fixture(scope="module")
def net():
    n = Names(ZONES, bogus=("bogus",), unsigned=("arpa", "good", "many", "lame", "dead"))
    try:
        n.addresses(*(f"11.1.1.{i}" for i in range(1, 14)), "2a00::1", "2a00::2", "198.41.0.5")
        n.run("ip", "addr", "add", "11.2.0.1/16", "dev", "lo")
        n.swallow("198.41.0.66", "198.41.0.67", "198.41.0.68")  # each is asked once: that it is silent is remembered
        yield n
    finally:
        n.close()


@pytest.fixture(scope="module")
def s(net):
    deny, allow, free = free_ports(3)
    one = Sallyport(config=f"""
resolver recursion
trust-anchor {net.anchors}
server deny {{ listen 127.0.0.1:{deny} [::1]:{deny}  tls none  recipients {DOMAIN}  connections deny name *.dyn.good }}
server allow {{ listen 127.0.0.1:{allow}  tls none  recipients {DOMAIN}  connections allow name *.good
    connections deny name *.dyn.good
    connections allow 11.1.1.3
}}
server free {{ listen 127.0.0.1:{free}  tls none  recipients {DOMAIN}  connections deny 11.9.0.0/16 }}
""")
    one.deny, one.allow, one.free = deny, allow, free
    try:
        one.start(through=net.into)
        yield one
    finally:
        one.close()


def hear(net, port, *sources):
    """{address: (code, enhanced, seconds)}"""
    rows = json.loads(net.run("python3", "-c", HEAR, port, *sources, timeout=120).stdout)
    return {source: (int(line[:3]), line.split()[1], seconds) for source, line, seconds in rows}


def codes(net, port, *sources):
    return [hear(net, port, source)[source][0] for source in sources]


def edges(s):
    return s.status("edge")


def test_a_denied_name_is_turned_away(net, s):
    assert codes(net, s.deny, "11.1.1.1", "11.1.1.2") == [220, 554]
    wait_for(lambda: [e for e in s.log("refused") if e.get("rule") == "connections.denied-name"])
    event = [e for e in s.log("refused") if e.get("rule") == "connections.denied-name"][0]
    assert (event["client"], event["name"], event["pattern"], event["code"]) == ("11.1.1.2", "a.dyn.good", "*.dyn.good", 554)
    assert codes(net, s.deny, "2a00::1", "2a00::2") == [554, 220]


def test_only_what_points_back_is_a_name(net, s):
    """11.1.1.3 calls itself mail.good, and is allowed by its address; 11.2.0.7 calls itself a.dyn.good, and is not."""
    assert codes(net, s.deny, "11.2.0.7", "11.2.0.1") == [220, 554]
    assert codes(net, s.allow, "11.1.1.1", "11.1.1.2", "11.2.0.7", "11.1.1.11") == [220, 554, 554, 554]
    asked = sum(e["names_asked"] for e in edges(s))
    assert codes(net, s.allow, "11.1.1.3") == [220]
    assert sum(e["names_asked"] for e in edges(s)) == asked  # its address was enough


def test_delegation_and_aliases(net, s):
    assert codes(net, s.allow, "11.1.1.7", "11.1.1.8") == [220, 220]  # RFC 2317; the name is an alias of one with that address


def test_what_dns_does_not_say(net, s):
    """SERVFAIL, bogus, hostile names: no name; allowed where all others are, and nowhere else."""
    for source in ("11.1.1.4", "11.1.1.6", "11.1.1.10", "11.1.1.11"):
        assert codes(net, s.deny, source) == [220] and codes(net, s.allow, source) == [554], source


def test_a_name_server_that_is_silent(net, s):
    heard = hear(net, s.deny, "11.1.1.5")["11.1.1.5"]
    assert heard[0] == 220 and 5 < heard[2] < 40, heard  # LIMIT_CLIENT_NAME_SECONDS is 10
    assert hear(net, s.allow, "11.1.1.5")["11.1.1.5"][0] == 554


def test_a_hundred_names(net, s):
    found = sum(e["names_found"] for e in edges(s))
    assert codes(net, s.deny, "11.1.1.9") == [220]
    assert sum(e["names_found"] for e in edges(s)) == found + 1


def test_many_side_by_side(net, s):
    """Silent name servers hold up nobody else."""
    sources = ["11.1.1.13"] * 20 + [f"11.2.{i}.{k}" for i in range(1, 5) for k in range(50)] + ["11.2.0.1"] * 20 + ["11.1.1.1"] * 20
    rows = json.loads(net.run("python3", "-c", HEAR, s.deny, *sources, timeout=180).stdout)
    assert len(rows) == len(sources)
    for source, line, seconds in rows:
        assert line[:3] == ("554" if source == "11.2.0.1" else "220"), (source, line, seconds)
    silent, others = ([seconds for source, _, seconds in rows if (source == "11.1.1.13") == slow] for slow in (True, False))
    assert 5 < min(silent) and sorted(others)[len(others) * 9 // 10] < min(silent), rows
    wait_for(lambda: sum(e["names_waiting"] for e in edges(s)) == 0)


def test_others_do_not_wait(net, s):
    asked = sum(e["names_asked"] for e in edges(s))
    assert codes(net, s.free, "11.1.1.5", "11.1.1.2") == [220, 220]
    assert hear(net, s.free, "11.1.1.5")["11.1.1.5"][2] < 9  # LIMIT_CLIENT_NAME_SECONDS is 10
    assert sum(e["names_asked"] for e in edges(s)) == asked


def test_the_name_stands_in_received(net, s):
    net.run("python3", "-c", f"""
import smtplib
c = smtplib.SMTP("127.0.0.1", {s.allow}, local_hostname="says.example", source_address=("11.1.1.1", 0), timeout=60)
c.sendmail("a@example.net", ["you@{DOMAIN}"], "Subject: hello\\n\\nHello.\\n")
""")
    mail, = s.wait_mails(1)
    assert b"from says.example (mail.good [11.1.1.1])" in mail.replace(b"\n\t", b" ").replace(b"\n ", b" "), mail


def test_explain(s):
    def explain(client, *more):
        said = json.loads(s.cli("explain", "--server", "allow", "--client", client, "--from", "a@example.net", "--to", f"you@{DOMAIN}", "--json", *more, check=False).stdout)
        return next(step["rule"] for step in said["steps"] if step["step"] == "connect"), said["reply"]["code"]
    assert explain("11.1.1.1") == ("connections.not-listed", 554)
    assert explain("11.1.1.1", "--name", "mail.good") == ("connections.allowed-name", 250)
    assert explain("11.1.1.1", "--name", "a.dyn.good") == ("connections.denied-name", 554)
    assert explain("11.1.1.3") == ("connections.allowed", 250)


def test_the_resolver_dies(net, s):
    """Who waits has no name; then there is another one."""
    before = s.processes()["resolver"]
    sleeper = net.popen([*net.into, "python3", "-c", HEAR, str(s.deny), "11.1.1.12"], stdout=subprocess.PIPE)
    wait_for(lambda: sum(e["names_waiting"] for e in edges(s)))
    os.kill(before, signal.SIGKILL)
    began = time.monotonic()
    (_, line, _), = json.loads(sleeper.communicate()[0])
    assert line.startswith("220") and time.monotonic() - began < 20
    wait_for(lambda: s.processes().get("resolver") not in (None, before))
    wait_for(lambda: codes(net, s.deny, "11.1.1.2") == [554])


def descriptors(s):
    """How many an edge has while it has no session."""
    s.wait_one_generation()
    wait_for(lambda: sum(e["sessions"] for e in edges(s)) == 0)
    return len(os.listdir(f"/proc/{s.processes()['edge-0']}/fd"))


def test_a_reload_begins_and_ends_it(net, s):
    """Edges of a configuration without names have no way to the resolver."""
    text = s.config.read_text()
    without = text.replace("connections deny name *.dyn.good", "").replace("connections allow name *.good", "connections allow 11.1.1.1")
    s.config.write_text(without)
    s.cli("reload")
    wait_for(lambda: codes(net, s.deny, "11.1.1.2") == [220])
    few = descriptors(s)
    s.config.write_text(text)
    s.cli("reload")
    wait_for(lambda: codes(net, s.deny, "11.1.1.2") == [554])
    wait_for(lambda: descriptors(s) == few + 1)
