"""Internationalized domains: a U-label and its A-label are one domain (RFC 5890 2.3.2.4), whichever the configuration or a sender writes."""
import re

import pytest

from next_hop import NextHop
from sallyport import wait_for

U, A = "b\u00fccher.example", "xn--bcher-kva.example"


def send(s, to, sender="me@example.net", utf8=True, content=b"Subject: x\r\n\r\nx\r\n"):
    """(code, text) of RCPT; with 250 the message was taken"""
    talk = s.connect()
    try:
        talk.say("EHLO c.example.net", 250)
        talk.say(f"MAIL FROM:<{sender}>" + (" SMTPUTF8 BODY=8BITMIME" if utf8 else ""), 250)
        code, texts = talk.say(f"RCPT TO:<{to}>")
        if code == 250:
            talk.say("DATA", 354)
            talk.send(content + b".\r\n")
            assert talk.reply()[0] == 250
        return code, texts[0]
    finally:
        talk.close()


@pytest.mark.parametrize("served", [U, A])
@pytest.mark.parametrize("named", [U, A])
def test_both_forms_reach_one_mailbox(make, served, named):
    s = make(start=False)
    s.serve_domain(named, ["anna"])
    s.append(f"recipients {served}")
    (s.folder / "aliases").write_text(f"info@{named}: anna@{served}\n")
    assert s.cli("check").returncode == 0
    s.start()
    assert send(s, f"anna@{A}", utf8=False)[0] == 250
    assert send(s, f"Anna@{U}")[0] == 250
    assert send(s, f"info@{U}")[0] == 250
    assert send(s, f"info+x@{A.upper()}", utf8=False)[0] == 250
    assert send(s, "anna@B\u00dcCHER.example")[0] == 250
    s.wait_mails(5, "anna", A)
    assert send(s, f"nobody@{U}")[0] == 550
    code, text = send(s, "anna@b\u00fccherei.example")
    assert code == 550 and text.startswith("5.7.1")
    code, text = send(s, "anna@ab--\u00fc.example")
    assert code == 501 and "internationalized" in text
    assert s.processes() and not s.log("process-exit")


def test_users_by_either_form(make):
    s = make(start=False, config=f"recipients {U}\ndeliver {A} to maildir mail")
    s.cli("user", "add", "--no-password", f"anna@{U}")
    assert s.cli("user", "add", "--no-password", f"anna@{A}", check=False).returncode == 1
    assert f"anna@{A}" in [u["user"] for u in s.ask("user", "list")]
    s.cli("user", "passwd", "--no-password", f"anna@{U.upper()}")
    s.cli("user", "remove", f"anna@{A}")
    assert f"anna@{A}" not in [u["user"] for u in s.ask("user", "list")]


def test_check_names_the_place(make):
    s = make(start=False)
    s.append("recipients ab--\u00fc.example")
    line = s.config.read_text().splitlines().index("recipients ab--\u00fc.example") + 1
    done = s.cli("check", check=False)
    assert done.returncode == 78
    assert f":{line}:12: error: ".encode() in done.stdout and b"internationalized domain name" in done.stdout, done.stdout


def test_a_hop_without_smtputf8_gets_a_labels(make):
    """RFC 6531 3.2: where a domain is all that is beyond ASCII. A local part or content beyond ASCII is returned, as before."""
    hop = NextHop(extensions=["PIPELINING", "8BITMIME"])
    new = NextHop(extensions=["PIPELINING", "8BITMIME", "SMTPUTF8"])
    try:
        s = make(config=f"recipients {U} new.{A} any\nrelay {A} via smarthost 127.0.0.1:{hop.port}\nrelay new.{U} via smarthost 127.0.0.1:{new.port}")
        assert send(s, f"anna@{U}", sender=f"me@{U}")[0] == 250
        wait_for(lambda: hop.messages, 10)
        said = b"\n".join(hop.commands)
        assert b"MAIL FROM:<me@" + A.encode() + b">" in said and re.search(rb"RCPT TO:<anna@" + A.encode() + rb">", said), said
        assert b"SMTPUTF8" not in said
        assert send(s, f"anna@new.{U}", sender=f"me@{U}")[0] == 250
        wait_for(lambda: new.messages, 10)
        said = b"\n".join(new.commands)
        assert f"MAIL FROM:<me@{U}>".encode() in said and b" SMTPUTF8" in said, said
        for to, content in ((f"\u00e4@{U}", b"x"), (f"berta@{U}", b"Subject: \xc3\xa4\r\n\r\nx")):
            assert send(s, to, content=content + b"\r\n")[0] == 250
        wait_for(lambda: len(s.log("relay-failed")) == 2, 10)
        wait_for(lambda: s.log_text().count('"status":"5.6.7"') == 2)
        assert len(hop.messages) == 1
    finally:
        hop.close()
        new.close()
