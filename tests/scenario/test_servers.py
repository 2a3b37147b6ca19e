"""Virtual servers: each with its own listeners, name, access, limits; what one permits the next one does not."""
import base64
import pathlib
import smtplib
import socket
import ssl

import pytest

from sallyport import DOMAIN, PASSWORD, USER, Sallyport, free_ports, no_check, wait_for
from test_tls import certificate

ME = f"{USER}@{DOMAIN}"


def first_line(port, source="127.0.0.1", say=b""):
    with socket.create_connection(("127.0.0.1", port), timeout=60, source_address=(source, 0)) as c:
        c.sendall(say)
        f = c.makefile("rb")
        line = f.readline()
        return line.decode(), f.read() if not line.startswith(b"220") else None


@pytest.fixture(scope="module")
def doors():
    """Servers that differ in who may connect."""
    it = Sallyport()
    it.only, it.all_but, it.proxied = free_ports(3)
    it.append(f"""
server only {{ listen 127.0.0.1:{it.only}  connections allow 127.0.0.8/30  connections deny 127.0.0.9  recipients {DOMAIN}  banner "Mail of the house" }}
server all-but {{ listen 127.0.0.1:{it.all_but}  connections deny 127.0.0.0/24  connections allow 127.0.0.1  recipients {DOMAIN} }}
server proxied {{ listen 127.0.0.1:{it.proxied} proxy from 127.0.0.1  connections deny 127.0.0.1 192.0.2.0/24  recipients {DOMAIN} }}
""")
    it.start()
    yield it
    it.close()


@pytest.mark.parametrize("port, source, may", [
    ("only", "127.0.0.8", True), ("only", "127.0.0.9", False), ("only", "127.0.0.11", True), ("only", "127.0.0.12", False),
    ("all_but", "127.0.0.1", True), ("all_but", "127.0.0.9", False), ("all_but", "127.0.1.9", True),
])
def test_who_may_connect(doors, port, source, may):
    line, rest = first_line(getattr(doors, port), source)
    assert line.startswith("220 " if may else "554 5.7.1 "), line
    assert may or rest == b""


def test_the_client_is_asked_for_and_never_its_proxy(doors):
    for source, may in (("198.51.100.7", True), ("192.0.2.7", False)):
        line, _ = first_line(doors.proxied, say=f"PROXY TCP4 {source} 192.0.2.1 4711 25\r\n".encode())
        assert line.startswith("220 " if may else "554 5.7.1 "), line


def test_a_denied_client_stands_in_the_log(doors):
    first_line(doors.only, "127.0.0.9")
    first_line(doors.only, "127.0.0.77")
    wait_for(lambda: {(e["client"], e["rule"], e.get("network")) for e in doors.log("refused") if e["verb"] == "connect"}
             >= {("127.0.0.9", "connections.denied", "127.0.0.9/32"), ("127.0.0.77", "connections.not-listed", None)})


def test_explain_says_who_may_connect(doors):
    def explain(client):
        done = doors.cli("explain", "--server", "only", "--client", client, "--from", "a@example.net", "--to", ME, check=False)
        return done.returncode, done.stdout.decode()
    assert explain("127.0.0.8")[0] == 0
    code, text = explain("127.0.0.9")
    assert code == 1 and "554 5.7.1" in text and "127.0.0.9/32" in text


def test_banner(doors):
    assert first_line(doors.only, "127.0.0.8")[0].split(" ", 2)[2] == "Mail of the house\r\n"
    assert first_line(doors.all_but)[0].split(" ", 2)[2] == "ESMTP ready\r\n"


def log_in(port, user=ME, local="127.0.0.1"):
    c = smtplib.SMTP("127.0.0.1", port, local_hostname="client.example.net", timeout=60, source_address=(local, 0))
    c.starttls(context=no_check())
    c.login(user, PASSWORD)
    c.ehlo()
    return c


def test_session_size(make):
    port, = free_ports(1)
    s = make(config=f"server small {{ listen 127.0.0.1:{port}  recipients {DOMAIN}  limits {{ session-size 10K }} }}")
    with smtplib.SMTP("127.0.0.1", port, timeout=60) as c:
        c.ehlo()
        del c.esmtp_features["size"]  # it says nothing about the size
        c.sendmail("a@example.net", [ME], "Subject: one\r\n\r\n" + "0123456789\r\n" * 1000)  # beyond it, and not cut
        assert c.docmd("MAIL", "FROM:<a@example.net>")[:1] + c.docmd("NOOP")[:1] == (452, 250)
    with smtplib.SMTP("127.0.0.1", port, timeout=60) as c:
        c.ehlo()
        assert c.docmd("MAIL", "FROM:<a@example.net>")[0] == 250
    assert len(s.wait_mails(1)) == 1


def test_who_may_send_beyond_message_size(make):
    port, = free_ports(1)
    s = make(start=False, config=f"server small {{ listen 127.0.0.1:{port} tls starttls  access authenticated  limits {{ message-size 10K }} }}")
    s.cli("user", "add", f"big@{DOMAIN}", "--grant", "submit,relay,bypass-size", "--no-reload", stdin=PASSWORD.encode() + b"\n")
    s.start()
    text = "Subject: large\r\n\r\n" + "0123456789\r\n" * 2000
    with log_in(port) as c:
        assert c.esmtp_features["size"] == "10240"
        with pytest.raises(smtplib.SMTPException) as refused:
            c.sendmail(ME, [ME], text)
        assert refused.value.args[0] == 552
    with log_in(port, f"big@{DOMAIN}") as c:
        assert c.esmtp_features["size"] == "2147483647"
        c.sendmail(f"big@{DOMAIN}", [ME], text)
    assert len(s.wait_mails(1)) == 1


RATES = "rates-on-loopback yes  errors 100"


def answers(c, *commands):
    return [c.docmd(x)[0] for x in commands]


def sent(c, mail, rcpt):
    """The answer to a message."""
    return answers(c, mail, rcpt) and c.data("Subject: x\r\n\r\nx\r\n")[0]


@pytest.mark.takes(15)
def test_rates_of_a_source(make):
    port, = free_ports(1)
    s = make(config=f"""edges 2
server rated {{ listen 127.0.0.1:{port}  recipients {DOMAIN} any
    limits {{ {RATES}  messages-per-source 3 per 20s  recipients-per-source 8 per 1h }} }}""")

    def session(source):
        c = smtplib.SMTP("127.0.0.1", port, timeout=60, source_address=(source, 0))
        c.ehlo()
        return c
    one, other, stranger = session("127.0.0.5"), session("127.0.0.5"), session("127.0.0.6")
    mail, rset = "MAIL FROM:<a@example.net>", "RSET"
    rcpt = f"RCPT TO:<{USER}@{DOMAIN}>"
    answers(one, *[mail, rset] * 5)  # a transaction that ends without a message is none
    assert [sent(c, mail, rcpt) for c in (one, one, other)] == [250] * 3  # one count for all sessions and all edges
    code, text = one.docmd(mail)
    assert code == 450 and text.startswith(b"4.7.1 Too many messages from your address, come back in "), text
    assert answers(stranger, mail) == [250]
    assert answers(s.smtp and smtplib.SMTP("127.0.0.1", s.smtp, timeout=60, source_address=("127.0.0.5", 0)), "HELO a.example.net", *[mail, rset] * 5) == [250] * 11
    wait_for(lambda: one.docmd(mail)[0] == 250, 30, every=1)
    assert answers(one, *[f"RCPT TO:<u{i}@{DOMAIN}>" for i in range(4)], f"RCPT TO:<u4@{DOMAIN}>") == [250] * 5
    code, text = one.docmd("RCPT", f"TO:<u5@{DOMAIN}>")
    assert code == 452 and text.startswith(b"4.7.1 Too many recipients from your address, come back in "), text
    assert 3000 < int(text.split()[-2]) <= 3600
    wait_for(lambda: {e["rule"] for e in s.log("refused")} == {"rate.messages-per-source", "rate.recipients-per-source"})


def test_rates_of_a_principal(make):
    port, = free_ports(1)
    s = make(start=False, config=f"""server rated {{ listen 127.0.0.1:{port} tls starttls  access authenticated
    limits {{ {RATES}  messages-per-principal 2 per 1h  recipients-per-principal 3 per 1h }} }}""")
    s.cli("user", "add", f"other@{DOMAIN}", "--grant", "submit,relay", "--no-reload", stdin=PASSWORD.encode() + b"\n")
    s.start()
    mail, rcpt = f"MAIL FROM:<{ME}>", f"RCPT TO:<{ME}>"
    with log_in(port, local="127.0.0.5") as c:
        assert answers(c, *[mail, "RSET"] * 5, mail, rcpt, rcpt) == [250] * 13  # a transaction without a message is none
        assert c.data("Subject: x\r\n\r\nx\r\n")[0] == 250
    with log_in(port, local="127.0.0.6") as c:  # from elsewhere, too
        assert answers(c, mail, rcpt, rcpt) == [250, 250, 452]
        assert c.data("Subject: x\r\n\r\nx\r\n")[0] == 250
        code, text = c.docmd(mail)
        assert code == 450 and text.startswith(b"4.7.1 Too many messages of yours, come back in ") and 3000 < int(text.split()[-2]) <= 3600, text
    assert {(e["rule"], e["user"]) for e in wait_for(lambda: s.log("refused")[1:] and s.log("refused"))} == {("rate.messages-per-principal", ME), ("rate.recipients-per-principal", ME)}
    with log_in(port, f"other@{DOMAIN}", "127.0.0.6") as c:
        assert answers(c, f"MAIL FROM:<other@{DOMAIN}>", rcpt) == [250, 250]


def test_rates_of_one_server_do_not_count_on_another(make):
    ports = free_ports(2)
    servers = "".join(f"""server s{port} {{ listen 127.0.0.1:{port} tls starttls  access both  recipients {DOMAIN}
    limits {{ {RATES}  connections-rate 5 per 1h  messages-per-source 2 per 1h  messages-per-principal 1 per 1h }} }}
""" for port in ports)
    make(config=servers)
    mail, rcpt = f"MAIL FROM:<{ME}>", f"RCPT TO:<{ME}>"
    for port in ports:
        for source in ("127.0.0.5", "127.0.0.6"):
            with smtplib.SMTP("127.0.0.1", port, timeout=60, source_address=(source, 0)) as c:
                c.ehlo()
                assert [sent(c, mail, rcpt) for _ in range(2)] == [250, 250]
                assert answers(c, mail) == [450]
        with log_in(port, local="127.0.0.7") as c:
            assert sent(c, mail, rcpt) == 250
            assert answers(c, mail) == [450]
        with log_in(port, local="127.0.0.8") as c:
            assert answers(c, mail) == [450]
        assert [first_line(port, "127.0.0.9")[0][:3] for _ in range(6)] == ["220"] * 5 + ["421"]


def test_sessions_of_a_principal(make):
    port, other = free_ports(2)
    s = make(start=False, config=f"""edges 2
server desk {{ listen 127.0.0.1:{port} tls starttls  access authenticated  limits {{ {RATES}  sessions-per-principal 2 }} }}
server free {{ listen 127.0.0.1:{other} tls starttls  access authenticated  limits {{ sessions-per-principal 1 }} }}""")
    s.cli("user", "add", f"other@{DOMAIN}", "--grant", "submit", "--no-reload", stdin=PASSWORD.encode() + b"\n")
    s.start()
    held = [log_in(port, local=f"127.0.0.{i}") for i in (5, 6)]  # from wherever

    def refused():
        with smtplib.SMTP("127.0.0.1", port, timeout=20, source_address=("127.0.0.7", 0)) as c:
            c.starttls(context=no_check())
            c.ehlo()
            return c.docmd("AUTH", "PLAIN " + base64.b64encode(f"\0{ME}\0{PASSWORD}".encode()).decode())
    assert refused() == (421, b"4.7.0 Too many sessions of yours, close some first")
    event = wait_for(lambda: [e for e in s.log("refused") if e.get("rule") == "sessions-per-principal"])[0]
    assert (event["user"], event["verb"], event["code"], event["server"]) == (ME, "AUTH", 421, "desk")
    assert len(s.log("login")) == 2
    held += [log_in(port, f"other@{DOMAIN}", "127.0.0.7"), *(log_in(other, local="127.0.0.5") for _ in range(3))]  # the loopback counts only where it is said
    assert held[0].docmd("MAIL", f"FROM:<{ME}>")[0] == 250
    s.cli("reload")
    assert refused()[0] == 421  # open ones of the old generation still count
    held.pop(0).close()
    wait_for(lambda: try_login(port))
    text = s.cli("explain", "--server", "desk", "--client", "192.0.2.1", "--tls", "--user", ME, "--from", ME, "--to", ME).stdout.decode()
    assert "from the account, wherever it comes from: 2 sessions at once, " in text
    for c in held:
        c.close()


def try_login(port):
    try:
        log_in(port, local="127.0.0.8").close()
        return True
    except smtplib.SMTPException:
        return False


def test_connections_rate(make):
    port, free = free_ports(2)
    s = make(config=f"""server rated {{ listen 127.0.0.1:{port}  recipients {DOMAIN}  limits {{ {RATES}  connections-rate 3 per 1h }} }}
server free {{ listen 127.0.0.1:{free}  recipients {DOMAIN}  limits {{ connections-rate 3 per 1h }} }}""")
    assert [first_line(port, "127.0.0.5")[0][:3] for _ in range(3)] == ["220"] * 3
    line, rest = first_line(port, "127.0.0.5")
    assert line.startswith("421 4.7.0 Too many connections from your address, come back in ") and rest == b"", line
    assert first_line(port, "127.0.0.6")[0].startswith("220")
    assert [first_line(free, "127.0.0.5")[0][:3] for _ in range(5)] == ["220"] * 5  # the loopback is not counted unless one says so
    s.cli("reload")
    assert first_line(port, "127.0.0.5")[0].startswith("421")  # nor forgotten with a new generation


@pytest.fixture(scope="module")
def three():
    """Three servers of one installation that agree in nothing."""
    it = Sallyport()
    it.ports = dict(zip("abc", free_ports(3)))
    pair = {}
    for name in "abc":
        it.top.joinpath(name).mkdir()
        pair[name] = certificate(it.top / name, f"{name}.example")
    tls = {name: f"tls starttls certificate {chain} key {key}" for name, (chain, key) in pair.items()}
    it.certificates = {name: ssl.PEM_cert_to_DER_cert(pathlib.Path(chain).read_text()) for name, (chain, _) in pair.items()}
    it.append(f"""
server a {{ listen 127.0.0.1:{it.ports["a"]}  hostname mx.a.example  {tls["a"]}  access anonymous  recipients a.example any
    limits {{ message-size 10K  recipients 2 }} }}
server b {{ listen 127.0.0.1:{it.ports["b"]}  role mx  hostname desk.b.example  {tls["b"]}  access authenticated mechanisms PLAIN  recipients b.example any
    banner "Ours only"  limits {{ message-size 20K  recipients 3 }} }}
server c {{ listen 127.0.0.1:{it.ports["c"]}  hostname print.c.example  {tls["c"]}  access both mechanisms LOGIN  recipients c.example any
    banner "Printers"  relay-networks 127.0.0.9  connections deny 127.0.0.66  limits {{ message-size 30K  recipients 4 }} }}
""")
    it.start()
    yield it
    it.close()


def speak(three, name, source="127.0.0.1", tls=False):
    greeting = first_line(three.ports[name], source)[0][4:].rstrip()
    c = smtplib.SMTP("127.0.0.1", three.ports[name], local_hostname="client.example.net", timeout=60, source_address=(source, 0))
    c.greeting = greeting.encode()
    c.ehlo()
    if tls:
        c.starttls(context=no_check())
        c.ehlo()
    return c


def may_send(c, to):
    """To whom the client may send: the codes of MAIL and of each RCPT."""
    codes = [c.docmd("MAIL", f"FROM:<{ME}>")[0]]
    codes += [c.docmd("RCPT", f"TO:<u@{domain}>")[0] for domain in to.split()] if codes == [250] else []
    c.docmd("RSET")
    return codes


EACH = {  # greeting, SIZE, RCPTMAX, AUTH within TLS
    "a": (b"mx.a.example ESMTP ready", "10240", "RCPTMAX=2", ""),
    "b": (b"desk.b.example Ours only", "20480", "RCPTMAX=3", "PLAIN"),
    "c": (b"print.c.example Printers", "30720", "RCPTMAX=4", "LOGIN"),
}


@pytest.mark.parametrize("name", EACH)
def test_each_server_is_its_own(three, name):
    greeting, size, recipients, mechanisms = EACH[name]
    with speak(three, name, tls=True) as c:
        assert c.greeting == greeting
        assert c.esmtp_features["size"] == size and recipients in c.esmtp_features["limits"]
        assert c.esmtp_features.get("auth", "").strip() == mechanisms
        assert c.sock.getpeercert(binary_form=True) == three.certificates[name]


@pytest.mark.parametrize("name, source, to, codes", [
    ("a", "127.0.0.1", "a.example b.example", [250, 250, 550]), ("a", "127.0.0.1", "c.example", [250, 550]), ("a", "127.0.0.9", "elsewhere.example", [250, 550]),
    ("b", "127.0.0.1", "b.example", [530]), ("b", "127.0.0.9", "b.example", [530]),
    ("c", "127.0.0.1", "c.example a.example elsewhere.example", [250, 250, 550, 550]), ("c", "127.0.0.9", "c.example a.example elsewhere.example", [250] * 4),
])
def test_nothing_bleeds_through(three, name, source, to, codes):
    with speak(three, name, source) as c:
        assert may_send(c, to) == codes


def test_who_logged_in_is_so_on_that_server(three):
    for name, others in (("b", "LOGIN"), ("c", "PLAIN")):
        with speak(three, name, tls=True) as c:
            assert c.docmd("AUTH", others)[0] == 504
            c.login(ME, PASSWORD)
            assert may_send(c, "b.example elsewhere.example") == [250, 250, 250]
    with speak(three, "a", tls=True) as c:
        assert c.docmd("AUTH", "PLAIN")[0] == 502
        assert may_send(c, "a.example elsewhere.example") == [250, 250, 550]


def test_connections_are_of_one_server(three):
    assert first_line(three.ports["c"], "127.0.0.66")[0].startswith("554 5.7.1")
    assert all(first_line(three.ports[name], "127.0.0.66")[0].startswith("220") for name in "ab")


def test_access_authenticated_is_one_word(three):
    with speak(three, "b") as c:
        code, text = c.docmd("MAIL", f"FROM:<{ME}>")
        assert code == 530 and text.startswith(b"5.7.0 ")
    refused = wait_for(lambda: [e for e in three.log("refused") if e["server"] == "b" and e["code"] == 530])
    assert refused[0]["rule"] == "access.authenticated"


def test_sessions_of_one_server_do_not_count_on_another(make):
    large, small = free_ports(2)
    s = make(config=f"""server large {{ listen 127.0.0.1:{large}  recipients {DOMAIN} }}
server small {{ listen 127.0.0.1:{small}  recipients {DOMAIN}  limits {{ sessions 3  sessions-per-source 2  sessions-per-loopback-source 2 }} }}""")
    held = [s.connect(large, "127.0.0.5") for _ in range(6)]
    held += [s.connect(small, source) for source in ("127.0.0.5", "127.0.0.5", "127.0.0.6")]
    assert first_line(small, "127.0.0.5")[0].startswith("421 4.7.0 ")
    assert first_line(small, "127.0.0.7")[0].startswith("421 4.7.0 Too many sessions on this server")
    assert s.ask("status")[0]["sessions"] == 9
    s.cli("reload")  # those that are open still count, on their own server
    assert first_line(small, "127.0.0.7")[0].startswith("421") and first_line(large, "127.0.0.5")[0].startswith("220")
    for talk in held:
        talk.close()
    wait_for(lambda: first_line(small, "127.0.0.7")[0].startswith("220"))


def test_each_listener_has_its_own_tls(make):
    """What one door of a server offers, the next one does not."""
    bare, start, inside = free_ports(3)
    make(config=f"""server doors {{ listen 127.0.0.1:{bare} tls none  listen 127.0.0.1:{start} tls starttls  listen 127.0.0.1:{inside} tls implicit
    access both mechanisms PLAIN  allow-cleartext-auth 127.0.0.5  recipients {DOMAIN} }}""")

    def offered(port, source="127.0.0.1", c=None):
        c = c or smtplib.SMTP("127.0.0.1", port, timeout=20, source_address=(source, 0))
        with c:
            c.ehlo()
            return "starttls" in c.esmtp_features, c.esmtp_features.get("auth", "").strip(), c.docmd("AUTH", "PLAIN")[0], c.docmd("STARTTLS")[0]
    assert offered(bare) == (False, "", 502, 502)  # neither is there after anything that the client could do
    assert offered(bare, "127.0.0.5") == (False, "PLAIN", 334, 501)  # no base64
    assert offered(start) == (True, "", 538, 220)
    assert offered(inside, c=smtplib.SMTP_SSL("127.0.0.1", inside, timeout=20, context=no_check()))[:3] == (False, "PLAIN", 334)


def test_a_certificate_is_no_tls_where_none_is_said(make):
    port, = free_ports(1)
    s = make(start=False)
    chain, key = certificate(s.folder, "bare.example")
    s.append(f"server bare {{ listen 127.0.0.1:{port}  tls none certificate {chain} key {key}  recipients {DOMAIN} }}")
    s.start()
    with smtplib.SMTP("127.0.0.1", port, timeout=20) as c:
        c.ehlo()
        assert "starttls" not in c.esmtp_features and c.docmd("STARTTLS")[0] == 502


def test_a_login_that_needs_a_certificate_is_none_without(make):
    port, = free_ports(1)
    make(config=f"server keys {{ listen 127.0.0.1:{port} tls implicit  access authenticated mechanisms EXTERNAL }}")
    with smtplib.SMTP_SSL("127.0.0.1", port, timeout=20, context=no_check()) as c:
        c.ehlo()
        code, text = c.docmd("AUTH", "EXTERNAL")
        assert code == 502 and b"STARTTLS" not in text, text
