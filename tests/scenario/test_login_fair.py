"""Many logins of one network keep nobody waiting who comes from elsewhere."""
import base64
import re
import resource
import socket
import struct
import time

import pytest

from sallyport import DOMAIN, PASSWORD, ROOT, USER, Sallyport, Talk, free_ports, wait_for

ME = f"{USER}@{DOMAIN}"
PLAIN = base64.b64encode(f"\0{ME}\0{PASSWORD}".encode()).decode()
FLOOD, ELSEWHERE = "127.0.0.1", "127.0.9.1"
LIMIT = int(re.search(r"#define LIMIT_LOGINS_PER_SOURCE +(\d+)", (ROOT / "src/base/limits.h").read_text()).group(1))


@pytest.fixture(scope="module")
def s():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4096)), hard))
    (port,) = free_ports(1)
    one = Sallyport(config=f"""
server many {{ listen 127.0.0.1:{port}  access authenticated mechanisms PLAIN LOGIN SCRAM-SHA-256  allow-cleartext-auth 127.0.0.0/8
    limits {{ sessions 4096  sessions-per-source 2048 }} }}""")
    one.many = port
    one.start()
    yield one
    one.close()


def talks(s, count, source=FLOOD):
    """Sessions that have said EHLO."""
    found = []
    for _ in range(count):
        talk = Talk(s.many, source)
        talk.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        talk.send("EHLO c.example.net\r\n")
        found.append(talk)
    for talk in found:
        assert talk.reply()[0] == 220
        assert talk.reply()[0] == 250
    return found


def succeeded(s):
    """How many logins were worked off. Answers tell less: on a slow machine those who waited for long hear that they may come again."""
    return sum(p["logins"] for p in s.status("directory"))


def leave(flood):
    """All at once, and so that the server hears of it (RST)."""
    for talk in flood:
        talk.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        talk.close()


def logins_open(s):
    return sum(p["logins_open"] for p in s.status("directory"))


@pytest.mark.takes(10)
def test_a_thousand_logins_of_one_network(s):
    """Counted in logins, not in seconds: before one from elsewhere has its answer, few of the flood are worked off."""
    flood, others = talks(s, 1000), talks(s, 6, ELSEWHERE)
    for talk in flood:
        talk.send(f"AUTH PLAIN {PLAIN}\r\n")
    begin = time.monotonic()
    first = before = succeeded(s)
    for talk in others:
        wait_for(lambda: talk.say(f"AUTH PLAIN {PLAIN}")[0] == 235)  # at once, but where a single login takes seconds
        now = succeeded(s)
        assert now - before < 100, f"{now - before} of the flood came first, {time.monotonic() - begin} s"
        before = now
    assert before - first < 900
    wait_for(lambda: succeeded(s) > before, 20)  # the flood goes on, too
    leave(flood)
    wait_for(lambda: logins_open(s) == 0, 20)  # what nobody waits for is not worked off


@pytest.mark.takes(10)
def test_one_network_has_its_share_and_no_more(s):
    """Logins that nobody goes on with fill the share of their network; that of others is theirs."""
    flood = talks(s, LIMIT + 20)
    for talk in flood:
        talk.send("AUTH LOGIN\r\n")
    codes = [talk.reply()[0] for talk in flood]
    assert codes.count(334) == LIMIT and codes.count(454) == 20
    assert wait_for(lambda: s.log("login-deferred"))[0]["client"] == FLOOD
    (other,) = talks(s, 1, ELSEWHERE)
    other.say(f"AUTH PLAIN {PLAIN}", 235)
    leave(flood)
    wait_for(lambda: logins_open(s) == 0)
    (again,) = talks(s, 1)
    again.say(f"AUTH PLAIN {PLAIN}", 235)
