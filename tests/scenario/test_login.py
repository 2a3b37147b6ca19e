"""Logging in with real clients: who may, who may not, and what nobody learns."""
import base64
import os
import re
import signal
import smtplib
import time

import pytest

from sallyport import DOMAIN, PASSWORD, USER, Sallyport, free_ports, no_check, run, shortest, wait_for

ME = f"{USER}@{DOMAIN}"
TEXT = f"From: <{ME}>\nTo: <{ME}>\nSubject: submitted\n\nHello.\n"


@pytest.fixture(scope="module")
def s():
    (clear,) = free_ports(1)
    one = Sallyport(config=f"server clear {{ listen 127.0.0.1:{clear} tls starttls  access both  mechanisms PLAIN  allow-cleartext-auth 127.0.0.0/8 }}")
    one.clear = clear
    one.cli("user", "add", f"norights@{DOMAIN}", stdin=PASSWORD.encode() + b"\n")
    one.cli("user", "add", f"locked@{DOMAIN}", "--grant", "submit,relay", stdin=PASSWORD.encode() + b"\n")
    one.cli("user", "lock", f"locked@{DOMAIN}")
    one.cli("user", "add", "--no-password", f"nopassword@{DOMAIN}", "--grant", "submit,relay")
    one.start()
    yield one
    one.close()


def plain(user, password, authzid=""):
    return base64.b64encode(f"{authzid}\0{user}\0{password}".encode()).decode()


def session(s, tls=True):
    c = smtplib.SMTP("127.0.0.1", s.submission, local_hostname="client.example.net", timeout=60)
    c.ehlo()
    if tls:
        c.starttls(context=no_check())
        c.ehlo()
    return c


def offered(c):
    return c.esmtp_features.get("auth", "").split()


def test_nothing_is_offered_in_the_clear(s):
    with session(s, tls=False) as c:
        assert offered(c) == []
        assert c.docmd("AUTH", "PLAIN " + plain(ME, PASSWORD))[0] == 538
        assert c.docmd("MAIL", f"FROM:<{ME}>")[0] == 530


def test_what_is_offered_under_tls(s):
    with session(s) as c:
        assert offered(c) == ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN", "LOGIN"]
        c.docmd("AUTH", "PLAIN " + plain(ME, PASSWORD))
        c.ehlo()
        assert offered(c) == []
    with smtplib.SMTP("127.0.0.1", s.smtp, timeout=60) as c:
        c.starttls(context=no_check())
        c.ehlo()
        assert offered(c) == []


CLIENTS = {
    "curl PLAIN": lambda s, f: run("curl", "-sS", "--url", f"smtp://127.0.0.1:{s.submission}/client", "--ssl-reqd", "-k", "--login-options", "AUTH=PLAIN",
                                   "-u", f"{ME}:{PASSWORD}", "--mail-from", ME, "--mail-rcpt", ME, "-T", f, "--crlf"),
    "curl LOGIN": lambda s, f: run("curl", "-sS", "--url", f"smtps://127.0.0.1:{s.submissions}/client", "-k", "--login-options", "AUTH=LOGIN",
                                   "-u", f"{ME}:{PASSWORD}", "--mail-from", ME, "--mail-rcpt", ME, "-T", f, "--crlf"),
    "swaks": lambda s, f: run("swaks", "--server", "127.0.0.1", "--port", s.submission, "-tls", "--auth", "LOGIN", "--auth-user", ME, "--auth-password", PASSWORD,
                              "--from", ME, "--to", ME, "--data", f"@{f}"),
    "msmtp PLAIN": lambda s, f: msmtp(s, f, "plain"),
    "msmtp SCRAM-SHA-256": lambda s, f: msmtp(s, f, "scram-sha-256"),
    "smtplib": lambda s, f: by_smtplib(s),
}


def msmtp(s, file, mechanism):
    run("msmtp", "--host=127.0.0.1", f"--port={s.submission}", f"--auth={mechanism}", f"--user={ME}", f"--passwordeval=echo '{PASSWORD}'", f"--from={ME}", "--tls=on",
        "--tls-starttls=on", "--tls-certcheck=off", "--", ME, stdin=file.read_bytes())


def by_smtplib(s):
    with session(s) as c:
        c.login(ME, PASSWORD)
        c.sendmail(ME, [ME], TEXT)


@pytest.mark.parametrize("client", CLIENTS)
def test_real_clients_log_in_and_send(s, client):
    file = s.top / "mail"
    file.write_text(TEXT)
    before = len(s.mails())
    CLIENTS[client](s, file)
    wait_for(lambda: len(s.mails()) > before)
    assert re.search(rb"with ESMTPSA", s.mails()[-1])


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", "PLAIN", "LOGIN"])
@pytest.mark.parametrize("password", [PASSWORD, "wrong"])
def test_gsasl(s, mechanism, password):
    done = run("gsasl", "--smtp", "--connect", f"127.0.0.1:{s.submission}", "-m", mechanism, "-a", ME, "-p", password, "--x509-ca-file=",
               *(["--no-cb"] if mechanism == "SCRAM-SHA-256" else []), stdin=b"", check=False)
    output = done.stdout + done.stderr
    assert (b"Client authentication finished" in output) == (password == PASSWORD), output


@pytest.mark.parametrize("name", [ME, f"nobody@{DOMAIN}", "nobody@elsewhere.example", f"locked@{DOMAIN}", f"norights@{DOMAIN}"])
def test_every_refusal_is_the_same(s, name):
    password = "wrong" if name == ME else PASSWORD
    with session(s) as c:
        assert c.docmd("AUTH", "PLAIN " + plain(name, password)) == (535, b"5.7.8 Authentication failed")
        assert c.docmd("MAIL", f"FROM:<{ME}>")[0] == 530
    wait_for(lambda: [x for x in s.log("login-refused") if x["claimed"] == name])


def test_reasons_stand_in_the_log_as_security_events(s):
    reasons = {}
    with session(s) as c:
        c.docmd("AUTH", "PLAIN " + plain(f"locked@{DOMAIN}", PASSWORD))
        c.docmd("AUTH", "PLAIN " + plain(f"norights@{DOMAIN}", PASSWORD))
        c.docmd("AUTH", "PLAIN " + plain(f"other@{DOMAIN}", "x"))
    wait_for(lambda: len([x for x in s.log("login-refused") if x["claimed"] == f"other@{DOMAIN}"]) == 1)
    for line in s.log("login-refused"):
        reasons[line["claimed"]] = line["reason"]
        assert line["level"] == "security"
    assert reasons[f"locked@{DOMAIN}"] == "locked"
    assert reasons[f"norights@{DOMAIN}"] == "no-right"
    assert reasons[f"other@{DOMAIN}"] == "unknown-user"
    assert PASSWORD not in s.log_text()


def test_to_act_as_somebody_else(s):
    with session(s) as c:
        assert c.docmd("AUTH", "PLAIN " + plain(ME, PASSWORD, f"locked@{DOMAIN}"))[0] == 535
    for oneself in ("", ME, ME.upper(), USER):
        with session(s) as c:
            assert c.docmd("AUTH", "PLAIN " + plain(ME, PASSWORD, oneself))[0] == 235, oneself


def test_who_logged_in_before_starttls_is_nobody_behind_it(s):
    """RFC 3207 4.2: whoever sat between may have logged in for its client."""
    def relayed(c):
        codes = [c.docmd(verb)[0] for verb in (f"MAIL FROM:<{ME}>", "RCPT TO:<x@elsewhere.example>", "RSET")]
        return codes[1]
    with smtplib.SMTP("127.0.0.1", s.clear, local_hostname="client.example.net", timeout=20) as c:
        c.ehlo()
        assert c.docmd("AUTH", "PLAIN " + plain(ME, PASSWORD))[0] == 235
        assert relayed(c) == 250
        c.starttls(context=no_check())
        c.ehlo()
        assert relayed(c) == 550
        assert c.docmd("AUTH", "PLAIN " + plain(ME, PASSWORD))[0] == 235
        assert relayed(c) == 250


def test_the_reverse_path_is_locked(s):
    count = len(s.log("refused"))
    with session(s) as c:
        c.login(ME, PASSWORD)
        assert c.docmd("MAIL", f"FROM:<{ME}>")[0] == 250
        assert c.docmd("RSET")[0] == 250
        assert c.docmd("MAIL", f"FROM:<locked@{DOMAIN}>")[0] == 553
        assert c.docmd("MAIL", "FROM:<me@elsewhere.example>")[0] == 553
        assert c.docmd("MAIL", "FROM:<>")[0] == 250
        assert c.docmd("RSET")[0] == 250
        s.cli("user", "sender", "add", ME, "@elsewhere.example")
        assert c.docmd("MAIL", "FROM:<me@elsewhere.example>")[0] == 250  # at once, in a session that is open
    wait_for(lambda: len(s.log("refused")) >= count + 2)
    lines = [(e["user"], e["verb"], e["address"]) for e in s.log("refused")[count:] if e.get("rule") == "sender-lock"]
    assert lines == [(ME, "MAIL", f"locked@{DOMAIN}"), (ME, "MAIL", "me@elsewhere.example")]
    assert s.log("login")[-1]["mechanism"] == "PLAIN"
    wait_for(lambda: s.log("session-end") and s.log("session-end")[-1]["messages"] == 0)  # four transactions, no message


def message(c, fields, size=0):
    """The reply to the end of a message with these fields."""
    assert c.docmd("MAIL", f"FROM:<{ME}>")[0] == 250
    assert c.docmd("RCPT", f"TO:<{ME}>")[0] == 250
    return c.data(fields.replace("\n", "\r\n") + "\r\n" + "x" * 70 + "\r\n" + ("y" * 70 + "\r\n") * (size // 72))


@pytest.mark.parametrize("size", [0, 300_000])
def test_from_is_locked_too(s, size):
    s.cli("user", "sender", "add", ME, "team@team.example", check=False)  # it may be there already

    def of_data():
        return [e for e in s.log("refused") if e["verb"] == "DATA"]
    before = len(of_data())
    with session(s) as c:
        c.login(ME, PASSWORD)
        for fields in (f"From: <{ME}>\n", f"From: You <{ME.upper()}>, The Team\n <team@team.example>\n", "Subject: none\n", f"From: {ME} (boss@team.example)\n"):
            assert message(c, fields, size)[0] == 250, fields
        for fields in ("From: boss@team.example\n", f"From: <{ME}>, <boss@team.example>\n", f"From: <{ME}>\nFrom: boss@team.example\n",
                       f"From: <{ME}>\nsender: <boss@team.example>\n", f"From: <{ME}> <boss@team.example>\n", "From: Boss\n", f"From: Boss\nFrom: <{ME}>\n",
                       "From: <team@team.example>, <boss@team.example>\n"):
            assert message(c, fields, size) == (550, b"5.7.1 From or Sender names an address that is not yours"), fields[:100]
        assert message(c, "Subject: x\n" * 9000 + "From: boss@team.example\n", size) == (550, b"5.7.1 " + TOO_LONG)
        lines = wait_for(lambda: of_data()[before + 8:] and of_data()[before:])
        assert {e["user"] for e in lines} == {ME}
        assert [e["address"] for e in lines] == ["boss@team.example"] * 4 + [""] * 3 + ["boss@team.example", ""]  # those are not read, or none is named
        s.cli("user", "grant", ME, "any-sender")
    with session(s) as c:
        c.login(ME, PASSWORD)
        assert message(c, "From: boss@team.example\n", size)[0] == 250
    s.cli("user", "revoke", ME, "any-sender")


NOT_YOURS = b"From or Sender names an address that is not yours"
NO_COLON, NAME, STRAY, TOO_LONG = (b"The header section " + what for what in (
    b"has a line that is no field: no colon in it", b"has a field without a name, or with blanks, controls or 8-bit octets in it",
    b"has a CR or LF alone, or a NUL", b"is too long to look for From in it"))
BOSS = b"boss@team.example"


def chunked(c, content, cut):
    """The reply to the last chunk; cut: octets of the first one."""
    assert c.docmd("MAIL", f"FROM:<{ME}> BODY=BINARYMIME")[0] == 250
    assert c.docmd("RCPT", f"TO:<{ME}>")[0] == 250
    if cut:
        c.send(b"BDAT %d\r\n" % cut + content[:cut])
        assert c.getreply()[0] == 250
    c.send(b"BDAT %d LAST\r\n" % len(content[cut:]) + content[cut:])
    return c.getreply()


@pytest.mark.parametrize("fields, why", [
    # fields in obsolete syntax are fields: RFC 5322 4.5
    (b"From : MINE\r\n", None), (b"FROM\t :\r\n MINE\r\n", None), (b"Subject : x\r\n", None), (b"From: MINE\r\nResent-From: " + BOSS + b"\r\n", None),
    (b"From: team: MINE;\r\n", None), (b"From: =?utf-8?q?boss=40team.example?= <MINE>\r\n", None), (b"", None),
    (b"Content-Type: message/rfc822\r\n\r\nFrom: " + BOSS + b"\r\n", None),
    (b"From : " + BOSS + b"\r\n", NOT_YOURS), (b"From\t: " + BOSS + b"\r\n", NOT_YOURS), (b"fRoM \t : " + BOSS + b"\r\n", NOT_YOURS),
    (b"From: MINE\r\nSender : " + BOSS + b"\r\n", NOT_YOURS), (b"From: MINE\r\nFrom : " + BOSS + b"\r\n", NOT_YOURS),
    (b"From : " + BOSS + b"\r\nFrom: MINE\r\n", NOT_YOURS), (b"From: team: MINE, " + BOSS + b";\r\n", NOT_YOURS), (b"From: =?utf-8?q?boss=40team.example?=\r\n", NOT_YOURS),
    # what another program may take for one is refused
    (b"From\r\n : " + BOSS + b"\r\n", NO_COLON), (b"From\r\n: " + BOSS + b"\r\n", NO_COLON), (b"Hello,\r\nFrom: MINE\r\n", NO_COLON), (b" \r\nFrom: MINE\r\n", NO_COLON),
    (b"From boss@team.example Thu Nov 26 03:00:00 2026\r\n", NAME), (b">From boss@team.example\r\n", NO_COLON), (b" From: " + BOSS + b"\r\n", NAME), (b": " + BOSS + b"\r\n", NAME),
    (b"\xef\xbb\xbfFrom: " + BOSS + b"\r\n", NAME), (b"From\xc2\xa0: " + BOSS + b"\r\n", NAME), (b"From\xa0: " + BOSS + b"\r\n", NAME), (b"\x0cFrom: " + BOSS + b"\r\n", NAME),
    (b"From\x7f: " + BOSS + b"\r\n", NAME),
    # BINARYMIME only: lines for whoever ends them by less than CR LF
    (b"Subject: x\nFrom: " + BOSS + b"\r\n", STRAY), (b"Subject: x\rFrom: " + BOSS + b"\r\n", STRAY), (b"Fr\0om: " + BOSS + b"\r\n", STRAY), (b"From: MINE\0\r\n", STRAY),
    (b"X: y\n\nFrom: " + BOSS + b"\r\n", STRAY),
])
def test_no_spelling_of_from_gets_around_the_lock(s, fields, why):
    count = len(s.log("refused"))
    content = fields.replace(b"MINE", ME.encode()) + b"\r\nHello.\r\n"
    expected = (550, b"5.7.1 " + why) if why else None
    with session(s) as c:
        c.login(ME, PASSWORD)
        for cut in (0, 3, len(fields)):
            got = chunked(c, content, min(cut, len(fields)))
            assert got == expected if why else got[0] == 250, got
        if why != STRAY:
            c.docmd("MAIL", f"FROM:<{ME}>")
            c.docmd("RCPT", f"TO:<{ME}>")
            c.putcmd("DATA")
            assert c.getreply()[0] == 354
            c.send(content + b".\r\n")
            got = c.getreply()
            assert got == expected if why else got[0] == 250, got
    if why:
        line = wait_for(lambda: s.log("refused")[count:])[-1]
        assert (line["user"], line["rule"], line["text"]) == (ME, "sender-lock" if why == NOT_YOURS else "from-malformed", why.decode())


def test_too_many_failures_end_the_session(s):
    with session(s) as c:
        codes = [c.docmd("AUTH", "PLAIN " + plain(ME, "wrong"))[0] for _ in range(4)]
    assert codes == [535, 535, 535, 421]


def test_unknown_and_known_take_as_long(s):
    def seconds(name):
        with session(s) as c:
            begin = time.monotonic()
            assert c.docmd("AUTH", "PLAIN " + plain(name, "wrong"))[0] == 535
            return time.monotonic() - begin
    best = shortest(seconds, (ME, f"nobody@{DOMAIN}")).values()
    assert max(best) - min(best) < 0.1
    assert min(best) >= 0.2  # told at a multiple of a quarter of a second


def test_unknown_and_known_cost_as_much(s):
    """What is told at a multiple of a quarter of a second would come sooner all the same where a password takes longer than one."""
    stat = f"/proc/{s.processes()['directory']}/stat"

    def ticks(name):
        before = sum(int(x) for x in open(stat).read().rsplit(")", 1)[1].split()[11:13])
        for _ in range(3):
            with session(s) as c:
                for _ in range(3):
                    assert c.docmd("AUTH", "PLAIN " + plain(name, "wrong"))[0] == 535
        return sum(int(x) for x in open(stat).read().rsplit(")", 1)[1].split()[11:13]) - before
    spent = {name: ticks(name) for name in (ME, f"nobody@{DOMAIN}", f"nopassword@{DOMAIN}")}
    assert min(spent.values()) > 0 and max(spent.values()) < 2.5 * min(spent.values()), spent


def test_a_label_costs_as_much_whether_there_is_such_an_app_password(s):
    s.cli("user", "app", "add", ME, "tablet")

    def ticks(name):
        fields = open(f"/proc/{s.processes()['directory']}/stat").read().rsplit(")", 1)[1].split()
        before = int(fields[11])
        for _ in range(5):
            with session(s) as c:
                for _ in range(3):
                    assert c.docmd("AUTH", "PLAIN " + plain(f"{ME}/{name}", "wrong"))[0] == 535
        return int(open(f"/proc/{s.processes()['directory']}/stat").read().rsplit(")", 1)[1].split()[11]) - before
    there, elsewhere = ticks("tablet"), ticks("nothing")
    s.cli("user", "app", "remove", ME, "tablet")
    assert elsewhere / 2 < there < 2 * elsewhere, (there, elsewhere)


def test_the_directory_dies_in_the_middle(s):
    with session(s) as c:
        assert c.docmd("AUTH", "LOGIN")[0] == 334
        old = s.processes()["directory"]
        os.kill(old, signal.SIGKILL)
        wait_for(lambda: s.processes().get("directory", old) != old)
        wait_for(lambda: s.status("directory")[0]["state"] == "ready")
        assert c.docmd(base64.b64encode(ME.encode()).decode())[0] == 454
        wait_for(lambda: c.docmd("AUTH", "PLAIN " + plain(ME, PASSWORD))[0] == 235, every=0.3)  # the edge hears of the new one a little later


def test_a_change_counts_at_once(s):
    s.cli("user", "passwd", ME, stdin=b"another one\n")
    with session(s) as c:
        assert c.docmd("AUTH", "PLAIN " + plain(ME, PASSWORD))[0] == 535
        assert c.docmd("AUTH", "PLAIN " + plain(ME, "another one"))[0] == 235
    s.cli("user", "passwd", ME, stdin=PASSWORD.encode() + b"\n")
    s.cli("user", "lock", ME)
    with session(s) as c:
        assert c.docmd("AUTH", "PLAIN " + plain(ME, PASSWORD))[0] == 535
    s.cli("user", "unlock", ME)


def test_password_checks_give_way(s):
    """The threads that compute for long are nice; who answers clients is not."""
    directory = s.processes()["directory"]
    nice = [int(open(f"/proc/{directory}/task/{thread}/stat").read().rsplit(")", 1)[1].split()[16]) for thread in os.listdir(f"/proc/{directory}/task")]
    assert max(nice) - min(nice) == 5 and int(open(f"/proc/{directory}/stat").read().rsplit(")", 1)[1].split()[16]) == min(nice)
