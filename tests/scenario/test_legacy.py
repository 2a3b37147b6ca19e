"""Old devices: a server with profile legacy-device speaks what they speak, to whom it knows, and no other server of the process does."""
import contextlib
import json
import os
import pathlib
import re
import smtplib
import ssl
import warnings

import pytest

from sallyport import BUILD, DOMAIN, PASSWORD, USER, Sallyport, free_ports, no_check, run, wait_for
from test_servers import first_line
from test_tls import certificate

ME, SCANNER, FAX, COPIER = f"{USER}@{DOMAIN}", f"scanner@{DOMAIN}", f"fax@{DOMAIN}", f"copier@{DOMAIN}"
MAIL = f"Subject: scan\r\nTo: <{ME}>\r\n\r\nPage 1\r\n"
# devices by their addresses
LISTED, RELAYED, CAPPED, LOGS_IN, STRANGER = "127.0.0.10", "127.0.0.11", "127.0.0.12", "127.0.0.20", "127.0.0.99"


def rsa_certificate(folder):
    chain, key = folder / "rsa.pem", folder / "rsa.key"
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=mfp.example", "-addext", "subjectAltName=DNS:mfp.example", "-keyout", key, "-out", chain)
    key.chmod(0o600)
    return chain, key


@pytest.fixture(scope="module")
def s():
    it = Sallyport()
    it.old, it.old_tls, it.plain, it.modern, it.strict = free_ports(5)
    (ec, ec_key), (rsa, rsa_key) = certificate(it.folder, "mfp.example"), rsa_certificate(it.folder)
    it.append(f"""
server printers {{
    listen 127.0.0.1:{it.old} tls starttls
    listen 127.0.0.1:{it.old_tls} tls implicit
    listen 127.0.0.1:{it.plain} tls none
    tls certificate {ec} key {ec_key}
    tls certificate {rsa} key {rsa_key}
    profile legacy-device
    access authenticated mechanisms CRAM-MD5 NTLM PLAIN LOGIN
    connections allow 127.0.0.20 127.0.0.21 127.0.0.22 127.0.0.23
    sender {SCANNER} from 127.0.0.10
    sender {FAX} {SCANNER} from 127.0.0.11
    sender {FAX} from 127.0.0.12
    relay-networks 127.0.0.11
    limits {{ rates-on-loopback yes  connections-rate 1000 per 1m  messages-per-source 20 per 1h  messages 3  recipients 2  sessions-per-source 4 }}
}}
server modern {{ listen 127.0.0.1:{it.modern} tls implicit  tls certificate {rsa} key {rsa_key}  role submission }}
server strict {{ listen 127.0.0.1:{it.strict} tls implicit  tls-minimum 1.3  role submission }}
hold partner.example
""")
    it.cli("user", "add", COPIER, "--cram", "--nt", "--grant", "submit,any-sender,bypass-size", stdin=PASSWORD.encode() + b"\n")
    it.cli("user", "sender", "add", COPIER, f"office@{DOMAIN}")
    it.start()
    yield it
    it.close()


def session(s, source, port=None):
    """When the one before has ended: few may be open at once."""
    def greeted():
        """a greeting"""
        try:
            return smtplib.SMTP("127.0.0.1", port or s.plain, local_hostname="mfp_2", timeout=60, source_address=(source, 0))
        except smtplib.SMTPConnectError as e:
            assert e.smtp_code == 421, e
            return None
    c = wait_for(greeted)
    c.ehlo()
    return c


def send(s, source, sender, to=ME, mail=MAIL, **more):
    """The reply of the command that was refused, or of the message."""
    with session(s, source, **more) as c:
        code, text = c.docmd("MAIL", f"FROM:<{sender}>")
        if code == 250:
            code, text = c.docmd("RCPT", f"TO:<{to}>")
        if code == 250:
            code, text = c.data(mail)
        return code, text.decode()


def test_show_names_the_line_that_says_it(s):
    """Each sender its own; what the top level says and an old device does not get is a default."""
    said = json.loads(s.cli("server", "printers", "show", "--json").stdout)["said"]
    lines = s.config.read_text().split("\n")
    senders = {row["value"]: lines[row["line"] - 1].strip() for row in said if row["directive"] == "sender"}
    assert senders == {f"{SCANNER} from 127.0.0.10/32": f"sender {SCANNER} from 127.0.0.10", f"{FAX} from 127.0.0.12/32": f"sender {FAX} from 127.0.0.12",
                       **{f"{a} from 127.0.0.11/32": f"sender {FAX} {SCANNER} from 127.0.0.11" for a in (FAX, SCANNER)}}
    sessions = [row for row in said if row["directive"] == "limits sessions"]
    assert "sessions 18000" in s.config.read_text() and sessions == [{"directive": "limits sessions", "value": "50"}]


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


@pytest.mark.parametrize("source, fields, rule", [
    (LISTED, f"From: The scanner <{SCANNER.upper()}>", None), (RELAYED, f"From: <{FAX}>\r\nSender : <{SCANNER}>", None), (LOGS_IN, f"From: <office@{DOMAIN}>", None),
    (LISTED, f"From: <{FAX}>", "sender.pinned"), (LISTED, f"From : <boss@{DOMAIN}>", "sender.pinned"), (LISTED, f"From: <{SCANNER}>, <{FAX}>", "sender.pinned"),
    (LISTED, f"From: <{SCANNER}>\r\nSender: <boss@{DOMAIN}>", "sender.pinned"), (LISTED, "From: The scanner", "sender.pinned"), (LISTED, "From: <>", "sender.pinned"),
    (LISTED, "Page 1", "from-malformed"), (LISTED, f"\xa0From: <boss@{DOMAIN}>", "from-malformed"), (LOGS_IN, f"From: <boss@{DOMAIN}>", "sender-lock"),
])
def test_from_and_sender_of_a_device(s, source, fields, rule):
    count = len(s.log("refused"))
    with session(s, source) as c:
        if source == LOGS_IN:
            c.login(COPIER, PASSWORD)
        assert c.docmd("MAIL", f"FROM:<{COPIER if source == LOGS_IN else SCANNER}>")[0] == 250
        assert c.docmd("RCPT", f"TO:<{ME}>")[0] == 250
        code, text = c.data(f"{fields}\r\n{MAIL}".encode("latin-1"))
    assert code == (550 if rule else 250), text
    if rule:
        line = wait_for(lambda: s.log("refused")[count:])[-1]
        assert (line["server"], line["client"], line["rule"], line["code"], line["text"]) == ("printers", source, rule, 550, text.decode().removeprefix("5.7.1 "))
        assert (rule == "sender.pinned") == text.endswith(b"not listed for your address: see sender in the configuration")
        assert line.get("user") == (COPIER if source == LOGS_IN else None)


def test_from_is_not_locked_where_it_is_said(make):
    port, = free_ports(1)
    it = make(config=f"server p {{ listen 127.0.0.1:{port} tls none  profile legacy-device  sender {SCANNER} from 127.0.0.10  from-lock no }}")
    assert send(it, LISTED, SCANNER, mail=f"From: <boss@{DOMAIN}>\r\n{MAIL}", port=port)[0] == 250
    assert send(it, LISTED, f"boss@{DOMAIN}", port=port)[0] == 553


def test_explain(s):
    said = s.cli("explain", "--server", "printers", "--client", LOGS_IN, "--user", COPIER, "--from", f"boss@{DOMAIN}", "--to", ME, check=False)
    assert said.returncode == 1 and b"553 5.7.1" in said.stdout and b"any-sender" not in said.stdout
    assert s.cli("explain", "--server", "printers", "--client", LISTED, "--from", SCANNER, "--to", ME).returncode == 0
    assert b"From and Sender" in s.cli("explain", "--server", "printers", "--client", LISTED, "--from", SCANNER, "--to", ME).stdout
    assert s.cli("explain", "--server", "printers", "--client", RELAYED, "--from", SCANNER, "--to", "a@partner.example").returncode == 0


def test_an_odd_name(s):
    before = len(s.mails())
    talk = s.connect(s.plain, source=LISTED)
    for command, code in (("HELO", 250), ("EHLO The copier; floor 2", 250), (f"MAIL FROM:<{SCANNER}>", 250), (f"RCPT TO:<{ME}>", 250), ("DATA", 354)):
        talk.say(command, code)
    talk.say(MAIL.replace("Page", "Odd page") + ".", 250)
    talk.say("QUIT", 221)
    found = wait_for(lambda: [m for m in s.mails() if b"Odd page" in m])
    assert b"from unknown ([127.0.0.10])" in found[0] and b"copier" not in found[0]
    assert len(s.mails()) > before
    talk = s.connect(s.plain, source=LISTED)  # lines are as strict as everywhere
    for command, code in (("EHLO mfp", 250), (f"MAIL FROM:<{SCANNER}>", 250), (f"RCPT TO:<{ME}>", 250), ("DATA", 354)):
        talk.say(command, code)
    talk.say("Subject: x\r\n\r\none\ntwo\r\n.", 550)
    talk.close()
    talk = s.connect()
    talk.say("HELO", 501)
    talk.say("EHLO The copier; floor 2", 501)
    talk.close()


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


def shake(port, *options, starttls=False, source="127.0.0.20"):
    """What openssl s_client agreed on: (version, cipher), or None."""
    config = pathlib.Path("/dev/null")  # Debian's own forbids what is tried here
    done = run("openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-bind", f"{source}:0", *(["-starttls", "smtp"] if starttls else []), *options, stdin=b"QUIT\r\n",
               check=False, env={**os.environ, "OPENSSL_CONF": str(config)})
    found = re.search(r"^New, (\S+), Cipher is (\S+)$", done.stdout.decode(errors="replace"), re.M)
    version = re.search(r"^ +Protocol +: (\S+)$", done.stdout.decode(errors="replace"), re.M)
    return (version.group(1) if version else found.group(1), found.group(2)) if found and found.group(2) != "(NONE)" else None


OLD_WAYS = [("-tls1", "TLSv1", "ECDHE-ECDSA-AES128-SHA"), ("-tls1", "TLSv1", "ECDHE-RSA-AES256-SHA"), ("-tls1", "TLSv1", "DHE-RSA-AES128-SHA"),
            ("-tls1_1", "TLSv1.1", "DHE-RSA-AES256-SHA"), ("-tls1_2", "TLSv1.2", "DHE-RSA-AES128-SHA256")]


@pytest.mark.parametrize("option, version, cipher", OLD_WAYS)
def test_old_tls_here_and_on_no_other_listener(s, option, version, cipher):
    """All servers are in the same processes, some have the same certificate."""
    old = (option, "-cipher", cipher + ":@SECLEVEL=0")
    assert shake(s.old_tls, *old) == (version, cipher)
    assert shake(s.old, *old, starttls=True) == (version, cipher)
    for port, starttls in ((s.modern, False), (s.strict, False), (s.submissions, False), (s.submission, True), (s.smtp, True)):
        assert shake(port, *old, starttls=starttls) is None, port
        assert shake(port, starttls=starttls)[0] == "TLSv1.3"
    assert s.processes()["edge-0"]


def test_what_is_broken_is_not_spoken(s):
    for cipher in ("AES128-SHA", "AES256-SHA", "AECDH-AES128-SHA", "ADH-AES128-SHA", "NULL-SHA", "ECDHE-RSA-NULL-SHA"):
        assert shake(s.old_tls, "-tls1", "-cipher", cipher + ":@SECLEVEL=0") is None, cipher
    assert shake(s.strict, "-tls1_2") is None and shake(s.modern, "-tls1_2")[0] == "TLSv1.2"


def old_context():
    context = no_check()
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1
    return context


def test_a_message_over_tls_1_0(s):
    before = len(s.mails())
    with session(s, LOGS_IN, s.old) as c:
        c.starttls(context=old_context())
        c.login(COPIER, PASSWORD)
        c.sendmail(COPIER, [ME], f"From: <{COPIER}>\r\n{MAIL}" + "x" * 200000 + "\r\n")
    assert wait_for(lambda: len(s.mails()) > before)


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
    with contextlib.ExitStack() as open_ones:
        a, b, *_ = (open_ones.enter_context(session(s, CAPPED)) for _ in range(4))
        line, _ = first_line(s.plain, CAPPED)
        assert line.startswith("421 4.7.0 Too many sessions"), line
        assert a.docmd("MAIL", f"FROM:<{FAX}>")[0] == 250
        assert [a.docmd("RCPT", f"TO:<{to}>")[0] for to in (ME, f"postmaster@{DOMAIN}", f"{USER}+x@{DOMAIN}")] == [250, 250, 452]
        assert a.rset()[0] == 250
        codes = [b.docmd("MAIL", f"FROM:<{FAX}>")[0] if i % 2 == 0 else b.rset()[0] for i in range(7)]
        assert codes[::2] == [250, 250, 250, 421]  # messages of a session
    codes = set()
    for _ in range(12):
        with session(s, CAPPED) as c:
            for _ in range(2):
                codes.add(c.docmd("MAIL", f"FROM:<{FAX}>")[0])
                if c.docmd("RCPT", f"TO:<{ME}>")[0] == 250:
                    c.data(b"Subject: x\r\n\r\nx\r\n")
    assert codes == {250, 450}  # messages of a source


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


def offered(port, source, starttls=False, tls=False):
    c = smtplib.SMTP_SSL("127.0.0.1", port, timeout=60, context=no_check(), source_address=(source, 0)) if tls else \
        smtplib.SMTP("127.0.0.1", port, timeout=60, source_address=(source, 0))
    with c:
        if starttls:
            c.starttls(context=no_check())
        c.ehlo()
        return set(c.esmtp_features.get("auth", "").split())


def test_what_one_server_permits_the_next_does_not(s):
    """Three servers, three policies, one set of processes; the client is the same."""
    assert offered(s.plain, LOGS_IN) == offered(s.old, LOGS_IN) == {"CRAM-MD5", "NTLM", "PLAIN", "LOGIN"}
    assert offered(s.smtp, LOGS_IN) == offered(s.submission, LOGS_IN) == set()  # no login in the clear
    assert offered(s.smtp, LOGS_IN, starttls=True) == set()
    for port, how in ((s.submission, {"starttls": True}), (s.modern, {"tls": True})):
        there = offered(port, LOGS_IN, **how)
        assert "SCRAM-SHA-256" in there and not there & {"CRAM-MD5", "NTLM"}
    # a sender and a relay network of one server mean nothing to another
    assert send(s, RELAYED, "who@ever.example", port=s.smtp)[0] == 250
    assert send(s, RELAYED, FAX, "somebody@partner.example", port=s.smtp)[0] == 550
    assert send(s, RELAYED, FAX, port=s.submission)[0] == 530
    for port in (s.smtp, s.submission):
        assert first_line(port, STRANGER)[0].startswith("220 ")


def sessions(s, client, **what):
    """The lines of the sessions of that client of which this holds, when there are some."""
    return wait_for(lambda: [e for e in s.log("legacy-session") if e["client"] == client and what.items() <= e.items()])


def test_every_session_is_in_the_log(s):
    with session(s, LISTED) as c:
        c.ehlo("mfp_of_this_test")
        c.sendmail(SCANNER, [ME], MAIL)
    line, = sessions(s, LISTED, helo="mfp_of_this_test")
    assert {key: line.get(key) for key in ("server", "helo", "tls", "mechanism", "user", "from", "messages", "needs", "level")} == {
        "server": "printers", "helo": "mfp_of_this_test", "tls": "none", "mechanism": "none", "user": None, "from": SCANNER, "messages": 1, "needs": "clear-text no-login", "level": "info"}
    with session(s, LOGS_IN, s.old) as c:
        c.starttls(context=old_context())
        c.user, c.password = COPIER, PASSWORD
        c.ehlo("mfp_over_tls")
        assert c.auth("CRAM-MD5", c.auth_cram_md5)[0] == 235
    line, = sessions(s, LOGS_IN, helo="mfp_over_tls")
    assert (line["tls"], line["mechanism"], line["user"], line["messages"], line["needs"]) == ("TLSv1", "CRAM-MD5", COPIER, 0, "tls1.0 cram-md5") and "SHA" in line["cipher"]
    failed = {"tls": "failed", "needs": "tls-failed"}
    count = len([e for e in s.log("legacy-session") if failed.items() <= e.items()])
    assert shake(s.old_tls, "-tls1", "-cipher", "AES128-SHA:@SECLEVEL=0") is None
    wait_for(lambda: len(sessions(s, LOGS_IN, **failed)) > count)
    assert {e["server"] for e in s.log("legacy-session")} == {"printers"}
    assert STRANGER not in {e["client"] for e in s.log("legacy-session")}


def report(*arguments, stdin=None, check=True):
    return run(BUILD / "sallyport", "report", "legacy", *arguments, stdin=stdin, check=check)


def line(client="10.0.0.9", ts="2026-11-25T15:30:00.123Z", event="legacy-session", **more):
    return json.dumps({"ts": ts, "event": event, "server": "printers", "client": client, "tls": "none", "messages": 1, "needs": "clear-text", **more}) + "\n"


def devices(text, *arguments):
    return [json.loads(row) for row in report("--json", *arguments, stdin=text.encode("utf-8", "surrogateescape")).stdout.splitlines()]


def test_the_report_of_a_real_log(s):
    send(s, LISTED, SCANNER)
    sessions(s, LISTED, messages=1)
    found = {(d["client"], d["user"]): d for d in map(json.loads, report("--json", s.log_file).stdout.splitlines())}
    device = found[LISTED, None]
    assert device["server"] == "printers" and device["from"] == SCANNER and device["sessions"] >= device["messages"] >= 1
    assert {"clear-text", "no-login"} <= set(device["needs"]) and len(device["needs"]) == len(device["advice"])
    for_people = report(s.log_file).stdout.decode()
    assert LISTED in for_people and SCANNER in for_people and "Switch TLS" in for_people
    assert report(stdin=s.log_file.read_bytes()).stdout == report("-", stdin=s.log_file.read_bytes()).stdout


def test_the_report_adds_up():
    text = (line(needs="clear-text no-login", **{"from": "a@example.org"}) + line(ts="2026-11-20T00:00:00.000Z", messages=4, needs="") +
            line(user="u@example.org", needs="tls1.0 cram-md5", tls="TLSv1", mechanism="CRAM-MD5") + line("10.0.0.8", needs="") + line(event="session-end"))
    first, second, third = devices(text)
    assert (first["client"], first["needs"], first["advice"]) == ("10.0.0.8", [], [])
    assert (second["sessions"], second["messages"], second["first"], second["last"]) == (2, 5, "2026-11-20T00:00:00Z", "2026-11-25T15:30:00Z")
    assert (second["needs"], second["user"], second["from"]) == (["clear-text", "no-login"], None, "a@example.org")
    assert (third["user"], third["tls"], third["mechanism"], third["needs"]) == ("u@example.org", "TLSv1", "CRAM-MD5", ["tls1.0", "cram-md5"])
    assert [d["sessions"] for d in devices(text, "--since", "2026-11-21")] == [1, 1, 1]
    assert b"It could use a server of today" in report(stdin=line(needs="").encode()).stdout


def test_hostile_lines():
    """Strangers choose what stands in a log: HELO, names of users, senders."""
    esc = "\x1b]0;owned\x07"
    text = (line(user=esc, helo=esc, needs=f"clear-text {esc} tls1.0 nonsense clear-text", **{"from": esc * 40}) + "junk\n" + line()[:-9] + "\n" + "[" * 5000 + "\n" +
            line(client=5) + line(messages="7") + line(messages=-7) + line(messages=2 ** 70) + "\x00\n" + "{" * 70000 + "\n" + line(needs=["tls1.0"]))
    done = report(stdin=text.encode())
    assert b"\x1b" not in done.stdout and b"\x07" not in done.stdout and b"6 of 11 lines are none" in done.stderr
    plain, odd = devices(text)
    assert (plain["sessions"], plain["messages"]) == (3, 1) and plain["needs"] == ["clear-text"]
    assert odd["user"] == esc and odd["needs"] == ["clear-text", "tls1.0"]


def test_what_syslog_writes_before_a_line():
    for before in ("Nov 26 05:00:00 mail sallyportd[4711]: ", "2026-11-26T05:00:00+0100 mail sallyportd: "):
        assert [d["sessions"] for d in devices((before + line()) * 2)] == [2]
    for other in ("Nov 26 05:00:00 mail otherd[1]: user sallyportd[4711]: ", "Nov 26 05:00:00 mail sallyportdx[4711]: ", "sallyportd[1]:  ", "sallyportd"):
        done = report(stdin=(other + line()).encode(), check=False)
        assert done.returncode == 1 and b"none of 1 lines is of this program's log" in done.stderr and b"No old device" not in done.stdout
    assert b"No old device" in report(stdin=(other + line() + line(event="ready")).encode()).stdout


def test_the_report_is_bounded():
    text = "".join(line(f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}") for i in range(65540))
    done = report("--json", stdin=text.encode())
    assert len(done.stdout.splitlines()) == 65536 and b"4 sessions of more than 65536 devices are left out" in done.stderr


def test_how_the_report_is_asked():
    assert report("/nonexistent", check=False).returncode == 1
    for wrong in (["--since", "yesterday"], ["--until", "1d"]):
        assert report(*wrong, stdin=b"", check=False).returncode == 64
    assert run(BUILD / "sallyport", "report", "modern", check=False).returncode == 64
    assert b"no session" in report(stdin=b"").stdout
