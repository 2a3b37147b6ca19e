"""Next hops that mean harm: each costs its own connection, and mail is never called delivered that was not taken."""
import os
import signal
import socket
import struct
import threading
import time

import pytest

from next_hop import NextHop
from sallyport import free_ports, wait_for

EHLO, PLAIN = b"220 hop.example\r\n", b"250 hop.example\r\n"


def flood(unit):
    def speak(peer):
        for _ in range(100000):
            peer.sendall(unit * 100)
    return speak


def script(*replies, end=None):
    """Says one reply after each thing it hears; the first at once."""
    def speak(peer):
        for i, reply in enumerate(replies):
            if i:
                peer.recv(65536)
            peer.sendall(reply)
        if end:
            end(peer)
        else:
            while peer.recv(65536):
                pass
    return speak


def reset(peer):
    peer.recv(65536)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


# name: what it says, and what becomes of the recipient: (event, beginning of the status, part of the text)
HOPS = {
    "closes": (script(b"", end=lambda peer: peer.shutdown(socket.SHUT_RDWR)), ("relay-deferred", "4.4.2", "lost")),
    "garbage": (script(b"SSH-2.0-OpenSSH\r\n"), ("relay-deferred", "4.5.0", "no SMTP reply")),
    "endless-greeting": (flood(b"220-welcome\r\n"), ("relay-deferred", "4.5.0", "no end")),
    "endless-line": (flood(b"220 and so on and "), ("relay-deferred", "4.5.0", "no end")),
    "two-greetings": (script(EHLO + EHLO), ("relay-deferred", "4.5.0", "not asked")),
    "bare-lf": (script(b"220 hi\n220 hi\r\n"), ("relay-deferred", "4.5.0", "bare LF")),
    "refuses": (script(b"554 5.7.1 not\0you\xff\r\n"), ("relay-deferred", "4.7.1", "not\\x00you\\xff")),
    "mixed-codes": (script(EHLO, PLAIN, b"250-ok\r\n550 no\r\n"), ("relay-deferred", "4.5.0", "changes the code")),
    "early-250": (script(EHLO, PLAIN, b"250 ok\r\n", b"250 ok\r\n", b"250 2.0.0 taken\r\n"), ("relay-deferred", "4.5.0", "not sent")),
    "always-354": (script(EHLO, PLAIN, b"354 go\r\n"), ("relay-deferred", "4.5.0", "not offered")),
    "bursts": (script(EHLO, PLAIN, b"250 ok\r\n" * 50), ("relay-deferred", "4.5.0", "not asked")),
    "eight-bit": (script(EHLO, PLAIN, b"250 ok\r\n", b"550 5.1.1 \xc3\xa4\x07\x1b[2Jnobody\r\n"), ("relay-failed", "5.1.1", "\\xc3\\xa4\\x07\\x1b[2Jnobody")),
    "reset-after-the-dot": (script(EHLO, PLAIN, b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n", end=reset), ("relay-deferred", "4.4.2", "lost")),
    "refuses-late": (script(EHLO, PLAIN, b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n", b"554 5.6.0 no\r\n"), ("relay-failed", "5.6.0", "no")),
}


def serve(speak):
    listener = socket.create_server(("127.0.0.1", 0), backlog=50)

    def one(peer):
        try:
            speak(peer)
        except OSError:
            pass
        finally:
            peer.close()

    def accept():
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=one, args=(peer,), daemon=True).start()
    threading.Thread(target=accept, daemon=True).start()
    return listener


@pytest.fixture
def sender(make):
    """A sallyport that relays for us, with routes to come, and the port to send to."""
    def one(routes):
        port = free_ports(1)[0]
        s = make(config=f"server out {{ listen 127.0.0.1:{port}  access anonymous  relay-networks 127.0.0.0/8 }}\n" + "\n".join(routes))
        s.out = port
        return s
    return one


def test_each_costs_one_connection(sender):
    listeners = {name: serve(speak) for name, (speak, _) in HOPS.items()}
    good = NextHop()
    routes = [f"relay {name}.example via smarthost 127.0.0.1:{listener.getsockname()[1]} tls none" for name, listener in listeners.items()]
    s = sender([*routes, f"relay good.example via smarthost 127.0.0.1:{good.port} tls none"])
    relay = s.processes()["relay"]
    s.send(to=[f"x@{name}.example" for name in HOPS], port=s.out, sender="you@example.org")
    s.send(to=["x@good.example"], port=s.out)
    wait_for(lambda: len(good.messages) == 1, 10)

    def results():
        return {line["to"]: line for line in s.log() if line["event"].startswith("relay")}
    wait_for(lambda: len(results()) == len(HOPS) + 1, 30)
    for name, (_, (event, status, text)) in HOPS.items():
        line = results()[f"x@{name}.example"]
        assert (line["event"], line["enhanced"]) == (event, status) and text in line["reply"], (name, line)
    assert s.processes()["relay"] == relay
    s.send(to=["y@good.example"], port=s.out)
    wait_for(lambda: len(good.messages) == 2, 10)
    for listener in listeners.values():
        listener.close()
    good.close()


CONTENT = b"Subject: dots\r\n\r\n.\r\n..\r\n. \r\n.x\r\nQUIT\r\n" + b".".join(b"x" * n + b"\r\n" for n in range(900)) + b"end\r\n"


@pytest.mark.parametrize("extensions", [(), ("PIPELINING",), ("CHUNKING",), ("PIPELINING", "CHUNKING", "DSN", "SIZE")])
def test_exactly_the_bytes(sender, extensions):
    hop = NextHop(extensions=extensions)
    s = sender([f"relay d.example via smarthost 127.0.0.1:{hop.port} tls none"])
    s.send(CONTENT, to=["a@d.example", "b@d.example"], port=s.out)
    wait_for(lambda: hop.messages, 10)
    message = hop.messages[0]
    received, rest = message["content"].split(b"Subject: dots\r\n", 1)
    assert received.startswith(b"Received: ") and b"Subject: dots\r\n" + rest == CONTENT
    assert message["to"] == ["a@d.example", "b@d.example"] and message["from"] == "me@example.net"
    assert message["content"].replace(b"\r\n", b"").find(b"\n") < 0
    hop.close()


def test_no_tls_after_all(sender):
    """STARTTLS is offered and answered by rubbish: who may goes on in clear, over another connection; who must waits."""
    def speak(peer):
        peer.sendall(EHLO)
        peer.recv(65536)
        peer.sendall(b"250-hop.example\r\n250 STARTTLS\r\n")
        if peer.recv(65536).upper().startswith(b"STARTTLS"):
            peer.sendall(b"220 go\r\n")
            peer.recv(65536)
            peer.sendall(b"rubbish" * 100)
            return
        peer.sendall(b"550 5.7.1 in clear\r\n")
        peer.recv(65536)
    listener = serve(speak)
    port = listener.getsockname()[1]
    s = sender([f"relay may.example via smarthost 127.0.0.1:{port} tls may", f"relay must.example via smarthost 127.0.0.1:{port} tls encrypt"])
    s.send(to=["x@may.example", "x@must.example"], port=s.out, sender="you@example.org")

    def results():
        return {line["to"]: line for line in s.log() if line["event"].startswith("relay")}
    wait_for(lambda: len(results()) == 2, 10)
    assert results()["x@may.example"]["reply"] == "in clear" and results()["x@may.example"]["tls"] == "none: the handshake failed"
    assert results()["x@must.example"]["event"] == "relay-deferred" and results()["x@must.example"]["enhanced"] == "4.7.5"
    assert results()["x@must.example"]["reply"].startswith("TLS handshake with 127.0.0.1: ")
    assert results()["x@must.example"]["tls"] == "none: the handshake failed" and results()["x@must.example"]["host"] == f"127.0.0.1[127.0.0.1]:{port}"
    listener.close()


def test_a_stop_waits_for_nobody_who_said_nothing_yet(sender):
    """Sessions that have sent nothing of a message are given up at once; the message is still there, untried."""
    silent = serve(lambda peer: peer.recv(100))
    s = sender([f"relay d.example via smarthost 127.0.0.1:{silent.getsockname()[1]}"])
    s.send(to=["x@d.example"], port=s.out)

    def session():
        """a session in the hands of the relay"""
        return s.status("relay")[0]["connections"] == 1
    wait_for(session)
    begin = time.monotonic()
    assert s.stop() == 0 and time.monotonic() - begin < 25  # LIMIT_DRAIN_SECONDS_DEFAULT is 30
    silent.close()
    s.start()
    waiting, = s.queue()
    assert [r["attempts"] for r in waiting["recipients"]] == [0], waiting


@pytest.mark.parametrize("role", ["relay", "connector", "spooler", "resolver"])
def test_a_process_of_sending_dies(sender, role):
    """In the midst of a session that has sent nothing yet: the message goes all the same, and once."""
    held = threading.Event()

    def answer(line, session):
        if line.startswith(b"EHLO") and session.number == 1:
            held.wait(100)
    hop = NextHop(answer=answer)
    s = sender([f"relay d.example via smarthost 127.0.0.1:{hop.port} tls none"])
    s.send(to=["x@d.example"], port=s.out)
    wait_for(lambda: hop.commands)
    pid = s.processes()[role]
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: s.processes().get(role) not in (None, pid))
    held.set()
    wait_for(lambda: hop.messages, 20)
    s.send(to=["y@d.example"], port=s.out)
    wait_for(lambda: len(hop.messages) == 2, 20)
    assert [m["to"] for m in hop.messages] == [["x@d.example"], ["y@d.example"]]
    wait_for(lambda: not s.queue())
    hop.close()


def test_reload_in_the_midst(sender):
    """The relay of the configuration before ends its session; the next message is the new one's."""
    held = threading.Event()

    def answer(line, session):
        if line == b"." and session.number == 1:
            held.wait(100)
    hop = NextHop(extensions=("PIPELINING",), answer=answer)
    s = sender([f"relay d.example via smarthost 127.0.0.1:{hop.port} tls none"])
    s.send(to=["x@d.example"], port=s.out)
    wait_for(lambda: b"DATA" in hop.commands)
    before = s.processes()["relay"]
    s.cli("reload")
    s.send(to=["y@d.example"], port=s.out)
    wait_for(lambda: len(hop.messages) == 1)
    assert hop.messages[0]["to"] == ["y@d.example"] and before in s.processes().values()
    held.set()
    wait_for(lambda: len(hop.messages) == 2)
    wait_for(lambda: before not in s.processes().values())
    wait_for(lambda: not s.queue())
    hop.close()
