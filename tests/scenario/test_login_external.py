"""EXTERNAL over the real daemon: a client certificate is a key, whose owner is whom it was pinned to, and what he may do is another question."""
import base64
import hashlib
import smtplib
import ssl

import pytest

from sallyport import DOMAIN, PASSWORD, USER, Sallyport, free_ports, no_check, run, wait_for

ME = f"{USER}@{DOMAIN}"
KEYS = {"p256": ("ec", "-pkeyopt", "ec_paramgen_curve:P-256"), "p384": ("ec", "-pkeyopt", "ec_paramgen_curve:P-384"),
        "p521": ("ec", "-pkeyopt", "ec_paramgen_curve:P-521"), "rsa": ("rsa:2048",), "rsa4096": ("rsa:4096",)}
VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


def certificate(folder, name, kind="p256", days=30, subject=None, more=()):
    """(certificate, key), self-signed."""
    run("openssl", "req", "-x509", "-newkey", *KEYS[kind], "-nodes", "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem", "-subj", f"/CN={subject or name}",
        "-days", days, *more)
    return folder / f"{name}.pem", folder / f"{name}.key"


@pytest.fixture(scope="module")
def s():
    port, implicit = free_ports(2)
    one = Sallyport(config=f"""server keys {{
    listen 127.0.0.1:{port} tls starttls
    listen 127.0.0.1:{implicit} tls implicit
    access authenticated mechanisms EXTERNAL PLAIN
    allow-cleartext-auth 127.0.0.2
}}""")
    one.keys, one.keys_implicit = port, implicit
    one.certificates = {kind: certificate(one.top, kind, kind) for kind in KEYS}
    one.certificates["stranger"] = certificate(one.top, "stranger", subject=ME)  # that it names somebody proves nothing
    # the key of p256, and a date that has passed: x509 takes a negative number of days, req does not
    run("openssl", "req", "-new", "-key", one.top / "p256.key", "-subj", "/CN=expired", "-out", one.top / "expired.csr")
    run("openssl", "x509", "-req", "-in", one.top / "expired.csr", "-signkey", one.top / "p256.key", "-days", "-1", "-out", one.top / "expired.pem")
    one.certificates["expired"] = one.top / "expired.pem", one.top / "p256.key"
    for kind in KEYS:
        one.cli("user", "certificate", "add", ME, one.certificates[kind][0], "--label", f"{kind}.key")
    for name, options in {"norights": [], "locked": ["--grant", "submit"]}.items():
        one.cli("user", "add", f"{name}@{DOMAIN}", *options, stdin=PASSWORD.encode() + b"\n")
        one.certificates[name] = certificate(one.top, name)
        one.cli("user", "certificate", "add", f"{name}@{DOMAIN}", one.certificates[name][0])
    one.cli("user", "lock", f"locked@{DOMAIN}")
    one.start()
    yield one
    one.close()


def session(s, name=None, version=None, port=None):
    """STARTTLS with that certificate."""
    context = no_check()
    if name:
        context.load_cert_chain(*s.certificates[name])
    if version:
        context.minimum_version = context.maximum_version = VERSIONS[version]
    c = smtplib.SMTP("127.0.0.1", port or s.keys, local_hostname="client.example.net", timeout=60)
    c.starttls(context=context)
    c.ehlo()
    return c


def external(c, authzid=""):
    return c.docmd("AUTH", "EXTERNAL " + (base64.b64encode(authzid.encode()).decode() or "="))


def offered(c):
    return c.esmtp_features["auth"].split()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", KEYS)
def test_a_pinned_key(s, kind, version):
    with session(s, kind, version) as c:
        assert offered(c) == ["EXTERNAL", "PLAIN"]
        assert external(c)[0] == 235
        assert c.docmd("MAIL", f"FROM:<{ME}>")[0] == 250
        wait_for(lambda: s.log("login") and s.log("login")[-1]["label"] == f"{kind}.key")
        assert c.docmd("RSET")[0] == 250
        assert c.docmd("MAIL", f"FROM:<norights@{DOMAIN}>")[0] == 553


def curl(s, file):
    run("curl", "-sS", "--url", f"smtp://127.0.0.1:{s.keys}/client", "--ssl-reqd", "-k", "--login-options", "AUTH=EXTERNAL", "-u", f"{ME}:", "--cert", s.certificates["p256"][0],
        "--key", s.certificates["p256"][1], "--mail-from", ME, "--mail-rcpt", ME, "-T", file, "--crlf")


def curl_implicit(s, file):
    run("curl", "-sS", "--url", f"smtps://127.0.0.1:{s.keys_implicit}/client", "-k", "--login-options", "AUTH=EXTERNAL", "-u", f"{ME}:", "--cert", s.certificates["rsa"][0],
        "--key", s.certificates["rsa"][1], "--mail-from", ME, "--mail-rcpt", ME, "-T", file, "--crlf")


def msmtp(s, file):
    run("msmtp", "--host=127.0.0.1", f"--port={s.keys}", "--auth=external", f"--user={ME}", f"--from={ME}", "--tls=on", "--tls-starttls=on", "--tls-certcheck=off",
        f"--tls-cert-file={s.certificates['p256'][0]}", f"--tls-key-file={s.certificates['p256'][1]}", "--", ME, stdin=file.read_bytes())


@pytest.mark.parametrize("client", [curl, curl_implicit, msmtp])
def test_real_clients(s, client):
    file = s.top / "mail"
    file.write_text(f"From: <{ME}>\nTo: <{ME}>\nSubject: submitted\n\nHello.\n")
    before = len(s.mails())
    client(s, file)
    wait_for(lambda: len(s.mails()) > before)
    assert b"with ESMTPSA" in s.mails()[-1]


def test_without_an_initial_response(s):
    with session(s, "p256") as c:
        assert c.docmd("AUTH", "EXTERNAL") == (334, b"")
        assert c.docmd("")[0] == 235


def test_it_is_offered_to_those_who_show_one(s):
    with session(s) as c:
        assert offered(c) == ["PLAIN"]
        assert external(c)[0] == 504
        assert c.docmd("AUTH", "PLAIN " + base64.b64encode(f"\0{ME}\0{PASSWORD}".encode()).decode())[0] == 235
    with smtplib.SMTP("127.0.0.1", s.keys, timeout=60, source_address=("127.0.0.2", 0)) as c:
        c.ehlo()
        assert offered(c) == ["PLAIN"]
        assert external(c)[0] == 504


def test_servers_that_do_not_name_it_do_not_ask(s):
    """Some clients ask their user which certificate to show."""
    def asks(port):
        said = run("openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-starttls", "smtp", "-tls1_2", stdin=b"QUIT\r\n", check=False).stdout
        return b"Client Certificate Types" in said
    assert asks(s.keys) and not asks(s.submission) and not asks(s.smtp)


def key_hash(file):
    pem = run("openssl", "x509", "-in", file, "-pubkey", "-noout").stdout.decode()
    return hashlib.sha256(base64.b64decode("".join(line for line in pem.splitlines() if "-" not in line))).hexdigest()


def refused_as_all(s, name, reason):
    """The client hears what everybody hears, and the log has why."""
    count = len(s.log("login-refused"))
    with session(s, name) as c:
        assert offered(c) == ["EXTERNAL", "PLAIN"]
        assert external(c) == (535, b"5.7.8 Authentication failed")
        assert c.docmd("MAIL", f"FROM:<{ME}>")[0] == 530
    wait_for(lambda: len(s.log("login-refused")) > count)
    line = s.log("login-refused")[count]
    assert (line["mechanism"], line["reason"], line["level"], line["claimed"]) == ("EXTERNAL", reason, "security", key_hash(s.certificates[name][0]))


@pytest.mark.parametrize("name,reason", [("stranger", "unknown-user"), ("norights", "no-right"), ("locked", "locked")])
def test_a_certificate_alone_is_no_right(s, name, reason):
    refused_as_all(s, name, reason)


def test_no_certificate_permits_a_mail_by_itself(s):
    with session(s, "p256") as c:
        assert c.docmd("MAIL", f"FROM:<{ME}>")[0] == 530


def test_the_key_counts_and_not_the_date(s):
    """Whoever has the key makes a certificate with any date."""
    with session(s, "expired") as c:
        assert external(c)[0] == 235


@pytest.mark.parametrize("authzid,code", [(ME, 235), (USER, 235), (f"norights@{DOMAIN}", 535), ("nobody", 535), ("a\nb", 501)])
def test_to_act_as_somebody_else(s, authzid, code):
    with session(s, "p256") as c:
        assert external(c, authzid)[0] == code


def test_who_has_the_certificate_and_not_the_key(s):
    """Certificates are public."""
    context = no_check()
    with pytest.raises(ssl.SSLError):
        context.load_cert_chain(s.certificates["p256"][0], s.certificates["stranger"][1])
    own = s.top / "forged.pem"  # the same names, another key
    own.write_bytes(s.certificates["stranger"][0].read_bytes() + s.certificates["p256"][0].read_bytes())
    s.certificates["forged"] = own, s.certificates["stranger"][1]
    with session(s, "forged") as c:
        assert external(c)[0] == 535


def test_an_unpinned_key_counts_no_more(s):
    s.certificates["passing"] = certificate(s.top, "passing")
    s.cli("user", "certificate", "add", ME, s.certificates["passing"][0])
    with session(s, "passing") as c:
        assert external(c)[0] == 235
        with session(s, "p256") as other:
            assert external(other)[0] == 235
            s.cli("user", "certificate", "remove", ME, s.certificates["passing"][0])
            assert c.docmd("MAIL", f"FROM:<{ME}>") == (421, b"4.7.0 Your login has ended: connect again and log in")
            assert other.docmd("MAIL", f"FROM:<{ME}>")[0] == 250  # another key of the same user
    with session(s, "passing") as c:
        assert external(c)[0] == 535


@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_too_long(s, version):
    """A certificate longer than an edge hands on counts as none; a chain that is longer than it keeps fails the handshake."""
    def padded(name, names):
        return certificate(s.top, name, more=("-addext", "subjectAltName=" + ",".join(f"DNS:n{i}.{'x' * 40}.example" for i in range(names))))
    s.certificates["long"] = padded("long", 200)
    with session(s, "long", version) as c:
        assert offered(c) == ["PLAIN"]
    s.certificates["too-long"] = padded("too-long", 800)
    with pytest.raises((ssl.SSLError, OSError, smtplib.SMTPServerDisconnected)):
        session(s, "too-long", version)
    with session(s, "p256", version) as c:
        assert external(c)[0] == 235


def test_sessions_with_a_certificate_are_not_resumed(s):
    context = no_check()
    context.load_cert_chain(*s.certificates["p256"])
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    earlier = None
    for _ in range(2):
        c = smtplib.SMTP("127.0.0.1", s.keys, timeout=60)
        c.ehlo()
        assert c.docmd("STARTTLS")[0] == 220
        c.sock = context.wrap_socket(c.sock, session=earlier)
        c.file = None
        earlier = c.sock.session
        assert not c.sock.session_reused
        c.ehlo()
        assert external(c)[0] == 235
        c.close()
