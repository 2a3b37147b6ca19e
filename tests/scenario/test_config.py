"""Lines of the configuration that scripts append, as the running server obeys them."""
import json
import socket

from sallyport import DOMAIN, USER, free_ports


def refused(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) != 0


def test_a_gate_is_not_served_as_something_else(make):
    """This version has no gate: its listener stays shut rather than take mail as an mx server would."""
    port, = free_ports(1)
    s = make(start=False)
    s.append(f"server front {{ role gate listen 127.0.0.1:{port} backend 127.0.0.1:{s.smtp} }}")
    warnings = json.loads(s.cli("check", "--json").stdout)["problems"]
    assert any("role gate is not in this version" in w["text"] for w in warnings)
    s.start()
    assert refused(port) and not refused(s.smtp)


def test_a_domain_where_everyone_exists(make):
    s = make(start=False)
    s.append("recipients any.example any\nhold *\nrelay any.example via smarthost 127.0.0.1:1")
    s.start()
    talk = s.connect()
    talk.say("EHLO c.example.net", 250)
    talk.say("MAIL FROM:<me@example.net>", 250)
    talk.say("RCPT TO:<whoever@any.example>", 250)
    talk.say(f"RCPT TO:<nobody@{DOMAIN}>", 550)
    talk.say(f"RCPT TO:<{USER}@{DOMAIN}>", 250)
    talk.say("RCPT TO:<x@elsewhere.example>", 550)


def test_more_sessions_from_the_loopback_than_from_elsewhere(make):
    s = make()
    held = [s.connect() for _ in range(120)]  # one address of the loopback; others may hold 50
    for talk in held:
        talk.say("NOOP", 250)
