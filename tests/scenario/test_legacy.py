"""Old devices: a server with profile legacy-device speaks what they speak, to whom it knows, and no other server of the process does."""
import json
import smtplib

import pytest

from sallyport import DOMAIN, PASSWORD, USER, Sallyport, free_ports, no_check, run, wait_for
from test_servers import first_line

ME, SCANNER, FAX, COPIER = f"{USER}@{DOMAIN}", f"scanner@{DOMAIN}", f"fax@{DOMAIN}", f"copier@{DOMAIN}"
MAIL = f"Subject: scan\r\nTo: <{ME}>\r\n\r\nPage 1\r\n"
# devices by their addresses
LISTED, RELAYED, LOGS_IN, STRANGER = "127.0.0.10", "127.0.0.11", "127.0.0.20", "127.0.0.99"


@pytest.fixture(scope="module")
def s():
    it = Sallyport()
    it.old, it.plain = free_ports(2)
    it.append(f"""
server printers {{
    listen 127.0.0.1:{it.old} tls starttls
    listen 127.0.0.1:{it.plain} tls none
    profile legacy-device
    access authenticated mechanisms CRAM-MD5 NTLM PLAIN LOGIN
    connections allow 127.0.0.20 127.0.0.21 127.0.0.22 127.0.0.23
    sender {SCANNER} from 127.0.0.10
    sender {FAX} {SCANNER} from 127.0.0.11
    relay-networks 127.0.0.11
    limits {{ rates-on-loopback yes  connections-rate 1000 per 1m  messages-per-source 4 per 1h  messages 3  recipients 2  sessions-per-source 2 }}
}}
hold partner.example
""")
    it.cli("user", "add", COPIER, "--cram", "--nt", "--grant", "submit,any-sender,bypass-size", stdin=PASSWORD.encode() + b"\n")
    it.cli("user", "sender", "add", COPIER, f"office@{DOMAIN}")
    it.start()
    yield it
    it.close()


def session(s, source, port=None):
    c = smtplib.SMTP("127.0.0.1", port or s.plain, local_hostname="mfp_2", timeout=60, source_address=(source, 0))
    c.ehlo()
    return c


def send(s, source, sender, to=ME, **more):
    """The reply of the command that was refused, or of the message."""
    with session(s, source, **more) as c:
        code, text = c.docmd("MAIL", f"FROM:<{sender}>")
        if code == 250:
            code, text = c.docmd("RCPT", f"TO:<{to}>")
        if code == 250:
            code, text = c.data(MAIL)
        return code, text.decode()


def test_only_listed_networks_are_greeted(s):
    for port in (s.old, s.plain):
        for source, may in ((LISTED, True), (LOGS_IN, True), (STRANGER, False), ("127.0.0.1", False)):
            line, rest = first_line(port, source)
            assert line.startswith("220 " if may else "554 5.7.1 "), line
            assert may or rest == b""
    assert wait_for(lambda: [e for e in s.log("refused") if (e["server"], e["client"], e["rule"]) == ("printers", STRANGER, "connections.not-listed")])


def test_a_device_that_cannot_log_in(s):
    before = len(s.mails())
    assert send(s, LISTED, SCANNER)[0] == 250
    assert wait_for(lambda: len(s.mails()) > before)
    assert b"(mfp_2 [127.0.0.10])" in s.mails()[-1] or b"mfp_2" in s.mails()[-1]


@pytest.mark.parametrize("source, sender, to, code, rule", [
    (LISTED, FAX, ME, 553, "sender.pinned"), (LISTED, "boss@" + DOMAIN, ME, 553, "sender.pinned"), (LISTED, "", ME, 553, "sender.pinned"),
    (LISTED, SCANNER, "somebody@partner.example", 550, "relay.denied"), (LISTED, SCANNER, f"nobody@{DOMAIN}", 550, "recipient.unknown"),
    (LOGS_IN, SCANNER, ME, 530, "access.authenticated"),
])
def test_what_it_may_not(s, source, sender, to, code, rule):
    count = len(s.log("refused"))
    got, text = send(s, source, sender, to)
    assert got == code, text
    line = wait_for(lambda: s.log("refused")[count:])[-1]
    assert (line["server"], line["client"], line["rule"], line["code"]) == ("printers", source, rule, code)
    if rule == "sender.pinned":
        assert "not listed for your address" in text
    done = s.cli("explain", "--json", "--server", "printers", "--client", source, "--from", sender, "--to", to, check=False)
    assert done.returncode == 1 and json.loads(done.stdout)["reply"]["code"] == code and rule in done.stdout.decode()


def test_explain(s):
    assert s.cli("explain", "--server", "printers", "--client", LISTED, "--from", SCANNER, "--to", ME).returncode == 0
    assert s.cli("explain", "--server", "printers", "--client", RELAYED, "--from", SCANNER, "--to", "a@partner.example").returncode == 0


def test_a_device_that_may_relay_still_has_its_sender(s):
    assert send(s, RELAYED, FAX, "somebody@partner.example")[0] == 250
    assert send(s, RELAYED, ME, "somebody@partner.example")[0] == 553


def login(s, source, port, mechanism, name=COPIER, password=PASSWORD, sender=COPIER, tls=()):
    return run("swaks", "--server", "127.0.0.1", "--port", port, "--local-interface", source, *tls, "--auth", mechanism, "--auth-user", name, "--auth-password", password,
               "--from", sender, "--to", ME, check=False)


def curl(s, source, port, mechanism, name=COPIER, password=PASSWORD, tls=()):
    mail = s.top / "mail"
    mail.write_text(f"From: <{COPIER}>\nSubject: scan\n\nPage 1\n")
    return run("curl", "-sS", "-k", *(["--ssl-reqd"] if tls else []), "--interface", source, "--url", f"smtp://127.0.0.1:{port}/mfp", "--login-options", f"AUTH={mechanism}",
               "-u", f"{name}:{password}", "--mail-from", COPIER, "--mail-rcpt", ME, "-T", mail, "--crlf", check=False)


@pytest.mark.parametrize("mechanism, source", [("CRAM-MD5", "127.0.0.20"), ("LOGIN", "127.0.0.21"), ("PLAIN", "127.0.0.22"), ("NTLM", "127.0.0.23")])
def test_logins_without_tls(s, mechanism, source):
    client = curl if mechanism == "NTLM" else login
    before = len(s.mails())
    done = client(s, source, s.plain, mechanism)
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
    assert wait_for(lambda: len(s.mails()) > before)
    assert client(s, source, s.plain, mechanism, password="wrong").returncode != 0
    assert client(s, source, s.old, mechanism, tls=["-tls"]).returncode == 0


def test_the_senders_of_an_account(s):
    """any-sender counts for nothing there; what was listed for the account does."""
    with session(s, LOGS_IN) as c:
        c.login(COPIER, PASSWORD)
        assert c.docmd("MAIL", f"FROM:<boss@{DOMAIN}>")[0] == 553
        assert c.docmd("MAIL", f"FROM:<office@{DOMAIN}>")[0] == 250
    with smtplib.SMTP("127.0.0.1", s.submission, timeout=60) as c:
        c.starttls(context=no_check())
        c.login(COPIER, PASSWORD)
        assert c.docmd("MAIL", f"FROM:<boss@{DOMAIN}>")[0] == 250


def test_low_caps(s):
    with session(s, RELAYED) as a, session(s, RELAYED) as b:
        line, _ = first_line(s.plain, RELAYED)
        assert line.startswith("421 4.7.0 Too many sessions"), line
        assert a.docmd("MAIL", f"FROM:<{FAX}>")[0] == 250
        assert [a.docmd("RCPT", f"TO:<{to}>")[0] for to in (ME, f"postmaster@{DOMAIN}", ME + "x")] == [250, 250, 452]
        assert a.rset()[0] == 250
        codes = [b.docmd("MAIL", f"FROM:<{FAX}>")[0] if i % 2 == 0 else b.rset()[0] for i in range(12)]
        assert 450 in codes  # messages-per-source


@pytest.mark.parametrize("text, wrong", [
    ("profile legacy-device", "names no network of its devices"),
    ("profile legacy-device\n connections allow 10.0.0.0/16", "too wide for a network of old devices"),
    ("role submission; access authenticated mechanisms CRAM-MD5", "CRAM-MD5 is spoken with profile legacy-device only"),
    ("tls-minimum 1.0", "TLS 1.0 and 1.1 are spoken with profile legacy-device only"),
])
def test_check_says_what_is_wrong(make, text, wrong):
    it = make(start=False)
    it.append(f"server devices {{\n listen 127.0.0.1:{free_ports(1)[0]}\n {text}\n}}")
    done = it.cli("check", check=False)
    assert done.returncode == 78 and wrong in done.stdout.decode() + done.stderr.decode()
