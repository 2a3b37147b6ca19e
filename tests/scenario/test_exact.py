"""I6 and I7: what is stored is what was sent; one message in, one message out."""
import random

import pytest

from sallyport import DOMAIN, USER, as_sent

TO = f"{USER}@{DOMAIN}"
HEAD = b"Subject: exact\r\n\r\n"

CONTENTS = {
    "plain": HEAD + b"Hello.\r\n",
    "empty-body": HEAD,
    "header-only": b"Subject: no blank line\r\n",
    "no-header": b"\r\nbody only\r\n",
    "dots": HEAD + b".\r\n..\r\n...\r\n.a\r\na.\r\n.\r\n\r\n.\r\n",
    "8bit": HEAD + bytes(range(128, 256)) + b"\r\n" + "ümläut ✓\r\n".encode(),
    "controls": HEAD + bytes(c for c in range(1, 32) if c not in (10, 13)) + b"\x7f\r\n",
    "long-line": HEAD + b"y" * 70000 + b"\r\n",
    "blank-lines": HEAD + b"\r\n" * 3000,
    "200k": HEAD + b"".join(b"%06d .abcdefghijklmnopqrstuvwxyz0123456789\r\n" % i for i in range(4300)),
    "8m": HEAD + b"".join(b"%07d 0123456789abcdefghijklmnopqrstuvwxyz0123456789\r\n" % i for i in range(140000)),
}


def stuffed(content):
    return (b"\r\n" + content).replace(b"\r\n.", b"\r\n..")[2:]


def stored(content):
    return content.replace(b"\r\n", b"\n")


def envelope(talk, body=""):
    talk.say("EHLO client.example.net", 250)
    talk.say(f"MAIL FROM:<me@example.net>{body}", 250)
    talk.say(f"RCPT TO:<{TO}>", 250)


@pytest.mark.parametrize("name", CONTENTS)
def test_data(shared, name):
    content = CONTENTS[name]
    talk = shared.connect()
    envelope(talk, " BODY=8BITMIME")
    talk.say("DATA", 354)
    talk.send(stuffed(content) + b".\r\n")
    assert talk.reply()[0] == 250
    talk.say("QUIT", 221)
    mail, = shared.wait_mails(1, seconds=30)
    assert as_sent(mail) == stored(content)


@pytest.mark.parametrize("name", ["plain", "dots", "8bit", "blank-lines", "200k"])
@pytest.mark.parametrize("seed", [1, 2])
def test_data_in_pieces(shared, name, seed):
    """However the network cuts it."""
    content, dice = CONTENTS[name], random.Random(seed)
    talk = shared.connect()
    envelope(talk)
    talk.say("DATA", 354)
    octets = stuffed(content) + b".\r\n"
    pieces = 0
    while octets:
        n = dice.choice([1, 2, 3, 5, 1460, 4096, 70000])
        if pieces > 300:
            n = len(octets)
        talk.send(octets[:n])
        octets = octets[n:]
        pieces += 1
    assert talk.reply()[0] == 250
    talk.close()
    mail, = shared.wait_mails(1)
    assert as_sent(mail) == stored(content)


@pytest.mark.parametrize("name", [n for n in CONTENTS if n != "8m"])
@pytest.mark.parametrize("seed", [1, 2])
def test_bdat(shared, name, seed):
    content, dice = CONTENTS[name], random.Random(seed)
    talk = shared.connect()
    envelope(talk, " BODY=8BITMIME")
    rest, sent = content, 0
    while len(rest) > 3 and sent < 40:
        n = dice.randrange(0, min(len(rest), 40000))
        talk.send(b"BDAT %d\r\n" % n + rest[:n])
        rest, sent = rest[n:], sent + 1
    talk.send(b"BDAT %d LAST\r\n" % len(rest) + rest)
    for _ in range(sent + 1):
        assert talk.reply()[0] == 250
    talk.close()
    mail, = shared.wait_mails(1)
    assert as_sent(mail) == stored(content)


def test_bdat_with_zero_last_chunk(shared):
    talk = shared.connect()
    envelope(talk)
    content = CONTENTS["plain"]
    talk.send(b"BDAT %d\r\n" % len(content) + content + b"BDAT 0 LAST\r\n")
    assert [talk.reply()[0], talk.reply()[0]] == [250, 250]
    mail, = shared.wait_mails(1)
    assert as_sent(mail) == stored(content)


@pytest.mark.parametrize("ending", [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r", b"\r\n\x00.\r\n", b"\n\r\n.\n"])
def test_no_look_alike_ends_data(shared, ending):
    """What only looks like an end of data is refused with the message, and what follows is no command."""
    talk = shared.connect()
    envelope(talk)
    talk.say("DATA", 354)
    talk.send(HEAD + b"first" + ending + b"MAIL FROM:<evil@example.net>\r\nRCPT TO:<" + TO.encode() + b">\r\nDATA\r\nSubject: smuggled\r\n\r\n.\r\n")
    assert talk.reply()[0] == 550
    talk.say("NOOP", 250)  # exactly one reply: nothing of it was taken for a command
    talk.say("QUIT", 221)
    shared.send(HEAD + b"after\r\n")
    mail, = shared.wait_mails(1)
    assert b"smuggled" not in mail


def test_pipelined_messages(shared):
    """Many messages in one write: as many replies, as many mails, in step."""
    talk = shared.connect()
    talk.say("EHLO client.example.net", 250)
    one = (b"MAIL FROM:<me@example.net>\r\nRCPT TO:<" + TO.encode() + b">\r\nBDAT %d LAST\r\n")
    everything = b""
    for i in range(50):
        content = HEAD + b"message %d\r\n" % i
        everything += one % len(content) + content
    talk.send(everything + b"QUIT\r\n")
    assert [talk.reply()[0] for _ in range(151)] == [250] * 150 + [221]
    mails = shared.wait_mails(50)
    assert sorted(as_sent(m) for m in mails) == sorted(stored(HEAD + b"message %d\r\n" % i) for i in range(50))


def test_one_mail_for_each_recipient(make):
    s = make(config=f"recipients any.example any\ndeliver any.example to maildir mail")
    talk = s.connect()
    talk.say("EHLO client.example.net", 250)
    talk.say("MAIL FROM:<me@example.net>", 250)
    for i in range(20):
        talk.say(f"RCPT TO:<r{i}@any.example>", 250)
    talk.say("DATA", 354)
    talk.send(CONTENTS["plain"] + b".\r\n")
    assert talk.reply()[0] == 250
    for i in range(20):
        mail, = s.wait_mails(1, user=f"r{i}", domain="any.example")
        assert as_sent(mail) == stored(CONTENTS["plain"])
