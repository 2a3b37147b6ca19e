"""Who exists: mailboxes, aliases, subaddresses, domains; and I1: nothing is relayed."""
import email
import json
import re

import pytest

from sallyport import DOMAIN, USER, wait_for


def rcpt(s, address, sender="me@example.net"):
    talk = s.connect()
    talk.say("EHLO c.example.net", 250)
    talk.say(f"MAIL FROM:<{sender}>", 250)
    code, texts = talk.say(f"RCPT TO:<{address}>")
    talk.say("QUIT", 221)
    return code, texts[0]


def test_who_exists(shared):
    assert rcpt(shared, f"{USER}@{DOMAIN}")[0] == 250
    assert rcpt(shared, f"{USER.upper()}@{DOMAIN.upper()}")[0] == 250
    assert rcpt(shared, f"{USER}+tag@{DOMAIN}")[0] == 250
    assert rcpt(shared, "postmaster")[0] == 250
    assert rcpt(shared, f"Postmaster@{DOMAIN}")[0] == 250
    code, text = rcpt(shared, f"nobody@{DOMAIN}")
    assert code == 550 and text.startswith("5.1.1")


@pytest.mark.parametrize("address", ["x@elsewhere.example", f"x%elsewhere.example@{DOMAIN}", f"elsewhere.example!x@{DOMAIN}", f'"x@elsewhere.example"@{DOMAIN}',
                                     f"@{DOMAIN}:x@elsewhere.example", "x@[192.0.2.1]", f"x@sub.{DOMAIN}", f"x@elsewhere.{DOMAIN}"])
@pytest.mark.parametrize("sender", ["me@example.net", f"{USER}@{DOMAIN}", ""])
def test_nothing_is_relayed(shared, address, sender):
    code, _ = rcpt(shared, address, sender)
    assert 500 <= code < 600


def test_relay_refusal_says_why(shared):
    code, text = rcpt(shared, "x@elsewhere.example")
    assert code == 550 and text.startswith("5.7.1")


def test_subaddress_and_postmaster_arrive(shared):
    shared.send(to=[f"{USER}+shop@{DOMAIN}"], data=b"Subject: sub\r\n\r\nx\r\n")
    mail, = shared.wait_mails(1)
    assert re.search(rb"(?m)^Delivered-To: " + re.escape(f"{USER}+shop@{DOMAIN}").encode() + rb"$", mail), mail


def test_postmaster_arrives(shared):
    shared.send(to=["postmaster"], data=b"Subject: pm\r\n\r\nx\r\n")
    shared.wait_mails(1)


def test_aliases(make):
    s = make(start=False)
    (s.folder / "aliases").write_text(f"# a comment\ninfo: {USER}\nteam: info,\n  {USER}+team\nloop-a: loop-b\nloop-b: loop-a, {USER}\n")
    s.start()
    assert rcpt(s, f"info@{DOMAIN}")[0] == 250
    s.send(to=[f"info@{DOMAIN}"], data=b"Subject: to info\r\n\r\nx\r\n")
    s.wait_mails(1)
    s.send(to=[f"loop-a@{DOMAIN}"], data=b"Subject: round\r\n\r\nx\r\n")
    s.wait_mails(2)
    assert rcpt(s, f"nobody@{DOMAIN}")[0] == 550


def test_aliases_that_reach_nobody_are_refused(make):
    """I8: their mail would have to be returned, perhaps to somebody who never sent it."""
    s = make(start=False)
    (s.folder / "aliases").write_text(f"live: {USER}\nhalf: gone, {USER}\naway: x@elsewhere.example\ndead: gone\nvia: dead, gone2@{DOMAIN}\nround: about\n"
                                      f"about: round\nself: self\npostmaster: root\nroot: postmaster\nlost: :include:{s.top}/lost\n")
    done = s.cli("check", check=False)
    said = done.stdout.decode()
    for name, path in {"dead": "dead -> gone", "via": "via -> dead -> gone", "round": "round -> about -> round", "self": "self -> self"}.items():
        assert f"warning: {name} reaches nobody: {path}\n" in said, said
    assert "warning: gone is named by an alias, but nobody has that name\n" in said
    s.start()
    taken = {name for name in ("live", "half", "away", "dead", "via", "round", "about", "self", "postmaster", "root", "lost") if rcpt(s, f"{name}@{DOMAIN}")[0] == 250}
    assert taken == {"live", "half", "away", "postmaster", "root", "lost"}
    code, text = rcpt(s, f"dead+tag@{DOMAIN}")
    assert code == 550 and text.startswith("5.1.1"), text
    assert s.log("directory-problem"), "the log names them"
    s.send(to=[f"root@{DOMAIN}"])  # in a circle with postmaster, whose mail must be read: the first user has it
    s.wait_mails(1)


@pytest.mark.parametrize("target", ["|/usr/bin/touch TARGET", '"|/usr/bin/touch TARGET"', "TARGET"])
def test_aliases_never_execute_or_write_files(make, target):
    """check names such a target, and mail for its alias waits; nothing is run or written."""
    s = make(start=False)
    victim = s.top / "victim"
    (s.folder / "aliases").write_text(f"evil: {target.replace('TARGET', str(victim))}\n")
    done = s.cli("check", check=False)
    assert b"/aliases:1:" in done.stdout, done.stdout
    s.start()
    assert rcpt(s, f"evil@{DOMAIN}")[0] == 250
    s.send(to=[f"evil@{DOMAIN}"])
    waiting, = wait_for(lambda: [r for r in s.queue() if r["state"] == "deferred"], 5)
    assert "cannot tell now" in json.dumps(waiting)
    assert not victim.exists() and s.mails() == []


def test_changed_aliases_are_known_after_reload(make):
    s = make()
    assert rcpt(s, f"fresh@{DOMAIN}")[0] == 550
    (s.folder / "aliases").write_text(f"fresh: {USER}\n")
    s.cli("reload")
    # an edge of the former generation may have taken a connection a moment before it was told to stop
    wait_for(lambda: all(rcpt(s, f"fresh@{DOMAIN}")[0] == 250 for _ in range(8)), 3)
    s.send(to=[f"fresh@{DOMAIN}"])
    s.wait_mails(1)


def test_recipients_any(make):
    s = make(config="recipients any.example any\nhold any.example")
    assert rcpt(s, "whoever@any.example")[0] == 250
    assert rcpt(s, f"nobody@{DOMAIN}")[0] == 550


def test_a_route_widens_nothing(make):
    s = make(config="relay routed.example via smarthost 127.0.0.1:9")
    assert rcpt(s, "x@routed.example")[0] == 550


def test_submission_answers_530(shared):
    talk = shared.connect(port=shared.submission)
    code, texts = talk.say("EHLO c.example.net", 250)
    assert not any(t.startswith("AUTH") for t in texts)
    code, texts = talk.say("MAIL FROM:<me@example.net>")
    assert code == 530 and texts[0].startswith("5.7.0")


def test_dsn_for_a_local_sender_only(make):
    """What never can be delivered comes back to a local sender, null reverse-path; never to a stranger, never for a DSN (I8)."""
    s = make(start=False)
    (s.folder / "aliases").write_text(f"broken: gone@{DOMAIN}, {USER}+broken\n")
    s.start()
    s.send(to=[f"broken@{DOMAIN}"], sender=f"{USER}@{DOMAIN}", data=b"Subject: to nowhere\r\nMessage-ID: <origin@x>\r\n\r\nsecret\r\n")
    mail = next(m for m in s.wait_mails(2, seconds=30) if b"multipart/report" in m)
    assert mail.startswith(b"Return-Path: <>\n")
    dsn = email.message_from_bytes(mail)
    assert dsn.get_content_type() == "multipart/report" and dsn.get_param("report-type") == "delivery-status"
    status = next(p for p in dsn.walk() if p.get_content_type() == "message/delivery-status")
    groups = status.get_payload()
    assert groups[0]["Reporting-MTA"]
    final = groups[1]
    assert final["Action"] == "failed" and final["Status"].startswith("5.") and final["Final-Recipient"].endswith(DOMAIN)
    assert any(p.get_content_type() in ("message/rfc822", "text/rfc822-headers") for p in dsn.walk())
    s.send(to=[f"broken@{DOMAIN}"], sender="", data=b"Subject: a bounce itself\r\n\r\nx\r\n")
    s.send(to=[f"broken@{DOMAIN}"], sender="stranger@elsewhere.example", data=b"Subject: of a stranger\r\n\r\nx\r\n")
    s.send(data=b"Subject: marker\r\n\r\nx\r\n")
    wait_for(lambda: s.queue() == [])
    mails = s.wait_mails(5)
    assert sum(b"multipart/report" in m for m in mails) == 1


def test_one_notification_for_all_that_failed(make):
    """Recipients of one message that fail together are told of in one notification, each with its own group (RFC 3464 2.1)."""
    s = make(start=False)
    names = [f"gone{i}@{DOMAIN}" for i in range(5)]
    (s.folder / "aliases").write_text(f"team: {', '.join(names)}, {USER}+team\n")
    s.start()
    s.send(to=[f"team@{DOMAIN}"], sender=f"{USER}@{DOMAIN}", data=b"Subject: to the team\r\n\r\nx\r\n")
    mails = s.wait_mails(2, seconds=30)
    wait_for(lambda: s.queue() == [], 10)
    reports = [email.message_from_bytes(m) for m in s.mails() if b"multipart/report" in m]
    told = [g["Final-Recipient"].split()[-1] for r in reports for p in r.walk() if p.get_content_type() == "message/delivery-status"
            for g in p.get_payload()[1:]]
    assert sorted(told) == names and len(reports) == 1, mails
