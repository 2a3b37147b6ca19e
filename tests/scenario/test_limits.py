"""Ceilings, and what the server says at each."""
import time

import pytest

from sallyport import DOMAIN, USER, Talk, wait_for

TO = f"{USER}@{DOMAIN}"



@pytest.fixture
def server(make):
    """A sallyport whose mx server has these limits on top of init's."""
    def one(limits, more=""):
        from sallyport import free_ports
        port, = free_ports(1)
        s = make(config=f"server limited {{ listen 127.0.0.1:{port}  access anonymous  recipients {DOMAIN}  {more} limits {{ {limits} }} }}")
        s.limited = port
        return s
    return one


def test_ehlo(shared):
    talk = shared.connect()
    _, texts = talk.say("EHLO c.example.net", 250)
    words = {t.split()[0]: t for t in texts[1:]}
    assert set(words) >= {"PIPELINING", "SIZE", "8BITMIME", "BINARYMIME", "CHUNKING", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES", "LIMITS", "STARTTLS"}
    assert "AUTH" not in words
    assert int(words["SIZE"].split()[1]) > 0
    assert "RCPTMAX=" in words["LIMITS"] and "MAILMAX=" in words["LIMITS"]


def test_limits_keyword_tells_the_truth(server):
    s = server("recipients 3  messages 2")
    talk = s.connect(s.limited)
    _, texts = talk.say("EHLO c.example.net", 250)
    limits = next(t for t in texts if t.startswith("LIMITS"))
    assert "RCPTMAX=3" in limits and "MAILMAX=2" in limits
    talk.say("MAIL FROM:<me@example.net>", 250)
    for i in range(3):
        talk.say(f"RCPT TO:<{USER}+{i}@{DOMAIN}>", 250)
    code, texts = talk.say(f"RCPT TO:<{USER}+4@{DOMAIN}>")
    assert code == 452 and texts[0].startswith("4.5.3")
    talk.say("DATA", 354)
    talk.send("Subject: three\r\n\r\nx\r\n.\r\n")
    assert talk.reply()[0] == 250


def test_message_size(server):
    s = server("message-size 10K")
    talk = s.connect(s.limited)
    _, texts = talk.say("EHLO c.example.net", 250)
    assert "SIZE 10240" in texts
    code, texts = talk.say("MAIL FROM:<me@example.net> SIZE=10241")
    assert code == 552 and texts[0].startswith("5.3.4")
    talk.say("MAIL FROM:<me@example.net>", 250)
    talk.say(f"RCPT TO:<{TO}>", 250)
    talk.say("DATA", 354)
    talk.send(b"Subject: big\r\n\r\n" + b"x" * 70 + b"\r\n" + b"0123456789\r\n" * 2000 + b".\r\n")
    code, texts = talk.reply()
    assert code == 552 and texts[0].startswith("5.3.4")
    talk.say("NOOP", 250)
    talk.say("MAIL FROM:<me@example.net>", 250)
    talk.say(f"RCPT TO:<{TO}>", 250)
    talk.send(b"BDAT 10241 LAST\r\n" + b"x" * 10241)
    code, texts = talk.reply()
    assert code == 552
    talk.say("RSET", 250)
    s.send()
    s.wait_mails(1)


@pytest.mark.parametrize("size", ["-1", "18446744073709551616", "99999999999999999999999", "1e3", "0x10", ""])
def test_size_arguments(shared, size):
    talk = shared.connect()
    talk.say("EHLO c.example.net", 250)
    code, _ = talk.say(f"MAIL FROM:<me@example.net> SIZE={size}")
    assert code in (501, 552)
    talk.say("MAIL FROM:<me@example.net>", 250)


def test_errors(server):
    s = server("errors 3")
    talk = s.connect(s.limited)
    talk.say("EHLO c.example.net", 250)
    for _ in range(3):
        assert talk.say("BOGUS")[0] == 500
    assert talk.say("BOGUS")[0] == 421
    assert talk.ended()


def test_junk_commands(server):
    s = server("junk-commands 5")
    talk = s.connect(s.limited)
    codes = []
    for _ in range(10):
        code, _ = talk.say("NOOP")
        codes.append(code)
        if code == 421:
            break
    assert codes[-1] == 421 and 5 <= len(codes) <= 7, codes
    assert talk.ended()


def test_sessions_per_source(server):
    s = server("sessions-per-source 3  sessions-per-loopback-source 3")
    talks = [s.connect(s.limited, source="127.0.0.5") for _ in range(3)]
    fourth = Talk(s.limited, "127.0.0.5")
    code, _ = fourth.reply()
    assert code == 421
    assert fourth.ended()
    s.connect(s.limited, source="127.0.0.6").say("NOOP", 250)  # another source is served
    talks[0].say("QUIT", 221)
    assert talks[0].ended()

    def again():
        t = Talk(s.limited, "127.0.0.5")
        ok = t.reply()[0] == 220
        t.close()
        return ok
    wait_for(again, 3)


def test_sessions_in_total(server):
    s = server("sessions 4")
    talks = [s.connect(s.limited, source=f"127.0.0.{i + 10}") for i in range(4)]
    code, _ = Talk(s.limited, "127.0.0.20").reply()
    assert code == 421
    s.send()  # the other server is not touched by that
    for t in talks:
        t.say("NOOP", 250)


def test_command_time(server):
    s = server("command-time 1s")
    talk = s.connect(s.limited)
    talk.say("EHLO c.example.net", 250)
    begin = time.monotonic()
    assert talk.reply()[0] == 421
    assert 0.8 < time.monotonic() - begin < 15
    assert talk.ended()


def test_data_time(server):
    s = server("data-time 1s")
    talk = s.connect(s.limited, timeout=120)  # a session is looked at at least every 30 s, not at once when its deadline shrinks
    talk.say("EHLO c.example.net", 250)
    talk.say("MAIL FROM:<me@example.net>", 250)
    talk.say(f"RCPT TO:<{TO}>", 250)
    talk.say("DATA", 354)
    talk.send("Subject: never ending\r\n\r\n")
    assert talk.reply()[0] == 421
    assert talk.ended()
    s.send()
    assert len(s.wait_mails(1)) == 1


def test_early_talker(shared):
    import socket
    s = socket.create_connection(("127.0.0.1", shared.smtp), timeout=60)
    s.sendall(b"EHLO early.example.net\r\nNOOP\r\n")
    first = s.recv(4096)
    assert first[:3] in (b"554", b"220"), first  # 220 when the server was faster than the client's octets
    s.close()


def test_received_loop(shared):
    talk = shared.connect()
    talk.say("EHLO c.example.net", 250)
    talk.say("MAIL FROM:<me@example.net>", 250)
    talk.say(f"RCPT TO:<{TO}>", 250)
    talk.say("DATA", 354)
    talk.send(b"Received: from a by b; Thu, 1 Jan 1970 00:00:00 +0000\r\n" * 101 + b"Subject: round and round\r\n\r\nx\r\n.\r\n")
    code, texts = talk.reply()
    assert code == 554 and texts[0].startswith("5.4.6")
    talk.say("NOOP", 250)


def test_smtputf8(shared):
    talk = shared.connect()
    talk.say("EHLO c.example.net", 250)
    talk.send("MAIL FROM:<üser@example.net>\r\n".encode())
    assert talk.reply()[0] >= 500
    talk.send("MAIL FROM:<üser@example.net> SMTPUTF8\r\n".encode())
    assert talk.reply()[0] == 250
    talk.say(f"RCPT TO:<{TO}>", 250)
    talk.say("DATA", 354)
    talk.send("Subject: grüße\r\n\r\nx\r\n.\r\n".encode())
    assert talk.reply()[0] == 250
    mail, = shared.wait_mails(1)
    assert "UTF8SMTP" in mail.decode()


def test_binarymime(shared):
    content = b"Subject: binary\r\n\r\n" + bytes(range(256)) * 4
    talk = shared.connect()
    talk.say("EHLO c.example.net", 250)
    talk.say("MAIL FROM:<me@example.net> BODY=BINARYMIME", 250)
    talk.say(f"RCPT TO:<{TO}>", 250)
    talk.say("DATA", 503)
    talk.send(b"BDAT %d LAST\r\n" % len(content) + content)
    assert talk.reply()[0] == 250
    shared.wait_mails(1)


def test_idle_sessions_are_cheap_and_harmless(make):
    s = make()
    held = []
    for i in range(300):
        held.append(s.connect(source=f"127.0.{1 + i // 50}.{1 + i % 50}"))
    begin = time.monotonic()
    s.send()
    assert time.monotonic() - begin < 10
    for t in held:
        t.close()
    s.wait_mails(1)
