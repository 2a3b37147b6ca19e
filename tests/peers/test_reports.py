"""Notifications as others read them: Python's email package parses what goes to a sender elsewhere and to one here."""
import email
import email.policy
import email.utils

import pytest

from next_hop import NextHop
from peer import FAR
from sallyport import DOMAIN, USER, Sallyport, wait_for

HOME = "home.example"
TEXT = b"From: me\r\nSubject: to be reported\r\nMessage-ID: <one@test.example>\r\n\r\nThe body.\r\n.\r\nEnd.\r\n"

CASES = [("gone", "FAILURE", "FULL", "failed", "5.1.1"), ("here", "SUCCESS", "HDRS", "relayed", "2."), ("later", "DELAY", "HDRS", "delayed", "4.2.1")]
SENDERS = [f"me@{HOME}", f"{USER}@{DOMAIN}"]


def answer(line, session):
    if b"gone@" in line:
        return b"550-5.1.1 nobody of\r\n550 5.1.1 that name\r\n"
    if b"later@" in line:
        return b"450 4.2.1 come again\r\n"
    return None


@pytest.fixture(scope="module")
def world():
    far, home = NextHop(extensions=["PIPELINING", "8BITMIME"], answer=answer), NextHop()
    s = Sallyport(config=f"recipients {FAR} any\nrelay {FAR} via smarthost 127.0.0.1:{far.port}\nrelay {HOME} via smarthost 127.0.0.1:{home.port}\n"
                  "queue { retry-first 5s  delay-warning 1m }")
    try:
        s.home = home
        s.start()
        for who, notify, ret, _, _ in CASES:
            for sender in SENDERS:
                send(s, f"{who}@{FAR}", sender, ret, notify)
        yield s
    finally:
        s.close()
        far.close()
        home.close()


def send(s, to, sender, ret, notify):
    talk = s.connect()
    talk.say("EHLO client.example.net", 250)
    talk.say(f"MAIL FROM:<{sender}> RET={ret} ENVID=id-1+2B", 250)
    talk.say(f"RCPT TO:<{to}> NOTIFY={notify} ORCPT=rfc822;first+2Bother@{FAR}", 250)
    talk.say("DATA", 354)
    talk.send((b"\r\n" + TEXT).replace(b"\r\n.", b"\r\n..")[2:] + b".\r\n")
    assert talk.reply()[0] == 250


def received(s, sender, to, seconds):
    """The report about `to` as the sender gets it, with CRLF line ends."""
    def there():
        if sender.endswith(HOME):
            assert all(m["from"] == "" for m in s.home.messages)
            mails = [m["content"] for m in s.home.messages if m["to"] == [sender]]
        else:
            mails = [m.replace(b"\n", b"\r\n") for m in s.mails()]
        return [m for m in mails if to.encode() in m]
    there.__doc__ = f"a report about {to} for {sender}"
    mail, = wait_for(there, seconds, 0.2)
    return mail


@pytest.mark.parametrize("sender", SENDERS)
@pytest.mark.parametrize("who, notify, ret, action, status", CASES)
def test_report(world, who, notify, ret, action, status, sender):
    to = f"{who}@{FAR}"
    octets = received(world, sender, to, 110 if action == "delayed" else 20)
    mail = email.message_from_bytes(octets, policy=email.policy.default)
    assert [(p.get_content_type(), p.defects) for p in mail.walk() if p.defects] == []
    assert all(len(line) <= 998 for line in octets.split(b"\r\n")) and b"\r" not in octets.replace(b"\r\n", b"")
    assert mail.get_content_type() == "multipart/report" and mail.get_param("report-type") == "delivery-status"
    assert mail["To"].addresses[0].addr_spec == sender and mail["Auto-Submitted"] == "auto-replied" and mail["MIME-Version"] == "1.0"
    assert mail["From"].addresses[0].addr_spec.lower().startswith("mailer-daemon@") and mail["Message-ID"] and mail["Date"].datetime
    text, report, third = mail.iter_parts()
    assert text.get_content_type() == "text/plain" and to in text.get_content()
    assert report.get_content_type() == "message/delivery-status"
    whole, one = report.get_payload()
    assert whole["Reporting-MTA"].startswith("dns; ") and whole["Original-Envelope-Id"] == "id-1+" and email.utils.parsedate_to_datetime(whole["Arrival-Date"])
    assert one["Action"] == action and one["Status"].startswith(status), one.as_string()
    assert one["Final-Recipient"] == f"rfc822; {to}" and one["Original-Recipient"].replace(" ", "") == f"rfc822;first+other@{FAR}"
    if action == "failed":
        assert one["Diagnostic-Code"].startswith("smtp; 550 5.1.1 nobody of") and "that name" in one["Diagnostic-Code"], one.as_string()
        assert one["Remote-MTA"] == "dns; 127.0.0.1"
    if action == "delayed":
        assert email.utils.parsedate_to_datetime(one["Will-Retry-Until"])
        assert one["Diagnostic-Code"] == "smtp; 450 4.2.1 come again" and one["Remote-MTA"] == "dns; 127.0.0.1", one.as_string()
    if ret == "FULL":
        assert third.get_content_type() == "message/rfc822"
        assert octets[octets.index(b"Subject: to be reported") - len(b"From: me\r\n"):].split(b"\r\n--=")[0] + b"\r\n" in (TEXT, TEXT + b"\r\n")
    else:
        assert third.get_content_type() == "text/rfc822-headers"
        assert "to be reported" in third.get_content() and b"The body." not in octets
