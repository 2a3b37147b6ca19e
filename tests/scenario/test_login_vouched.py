"""EXTERNAL over the real daemon, with certificates whose key nobody pinned: the organisation's own authorities vouch for names in them."""
import datetime

import pytest

from sallyport import DOMAIN, PASSWORD, USER, Sallyport, free_ports, in_time, run, wait_for
from test_login_external import ME, VERSIONS, certificate, external, offered, refused_as_all, session

IDN = "anna@xn--bcher-kva.example"
FAX = f"fax.{DOMAIN}"
REFUSED = (535, b"5.7.8 Authentication failed")
DATABASE = """[ca]
default_ca = it
[it]
database = {0}/index
new_certs_dir = {0}
serial = {0}/serial
default_md = sha256
unique_subject = no
email_in_dn = no
policy = any
[any]
commonName = supplied
"""


class Authority:
    """openssl ca, since that makes certificates of any time."""
    def __init__(self, top, name, by=None):
        self.folder = top / name
        self.folder.mkdir()
        (self.folder / "index").write_text("")
        (self.folder / "serial").write_text("01\n")
        (self.folder / "ca.conf").write_text(DATABASE.format(self.folder))
        if by:
            self.pem, self.key = by.issue(name, "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign")
        else:
            self.pem, self.key = certificate(self.folder, name)

    def issue(self, name, extensions, subject=None, begins=-3600, ends=86400):
        pem, key, request = (self.folder / f"{name}.{kind}" for kind in ("pem", "key", "csr"))
        run("openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", request, "-subj", f"/CN={subject or name}")
        (self.folder / "extensions").write_text(extensions + "\n")
        now = datetime.datetime.now(datetime.timezone.utc)
        begin, end = (f"{now + datetime.timedelta(seconds=t):%Y%m%d%H%M%SZ}" for t in (begins, ends))
        run("openssl", "ca", "-batch", "-notext", "-config", self.folder / "ca.conf", "-cert", self.pem, "-keyfile", self.key, "-in", request, "-out", pem,
            "-startdate", begin, "-enddate", end, "-extfile", self.folder / "extensions")
        return pem, key


def names(*some, usage="clientAuth"):
    return f"basicConstraints=CA:FALSE\nextendedKeyUsage={usage}\n" + (f"subjectAltName={','.join(some)}" if some else "")


def mail(name):
    return f"email:{name}"


@pytest.fixture(scope="module")
def s():
    port, implicit, naming = free_ports(3)
    one = Sallyport(config=f"""client-authorities client-ca.pem
server keys {{
    listen 127.0.0.1:{port} tls starttls
    listen 127.0.0.1:{implicit} tls implicit
    access authenticated mechanisms EXTERNAL PLAIN
}}
server naming {{ listen 127.0.0.1:{naming} tls starttls  access authenticated mechanisms EXTERNAL PLAIN  name-authorities yes }}""")
    one.keys, one.keys_implicit, one.naming = port, implicit, naming
    root, stranger = Authority(one.top, "root"), Authority(one.top, "stranger")
    between, absent = Authority(one.top, "between", root), Authority(one.top, "absent", root)
    (one.folder / "client-ca.pem").write_bytes(between.pem.read_bytes() + root.pem.read_bytes())
    one.root = root
    for name, options in {f"norights@{DOMAIN}": [], f"locked@{DOMAIN}": ["--grant", "submit"], IDN: ["--grant", "submit"]}.items():
        one.cli("user", "add", name, "--no-mailbox", "--no-reload", *options, stdin=PASSWORD.encode() + b"\n")
    one.cli("user", "add", "--host", FAX)
    one.cli("user", "grant", "--host", FAX, "submit")
    one.cli("user", "lock", f"locked@{DOMAIN}")
    mine = names(mail(ME))
    one.certificates = {
        "good": root.issue("good", mine, subject="whoever"),
        "good-below": between.issue("good-below", mine),
        "upper-case": root.issue("upper-case", names(f"email:{USER}@{DOMAIN.upper()}")),
        "no-usage": root.issue("no-usage", f"subjectAltName={mail(ME)}"),
        "among-others": root.issue("among-others", names("IP:127.0.0.1", f"DNS:*.{DOMAIN}", mail(ME), mail(f"gone@{DOMAIN}"))),
        "idn": root.issue("idn", names(mail(IDN))),
        "host": root.issue("host", names(f"DNS:{FAX}")),
        "wrong-ca": stranger.issue("wrong-ca", mine),
        "self-signed": certificate(one.top, "self-signed", more=("-addext", f"subjectAltName={mail(ME)}")),
        "between-not-there": absent.issue("between-not-there", mine),
        "expired": root.issue("expired", mine, begins=-7200, ends=-60),
        "early": root.issue("early", mine, begins=3600),
        "server": root.issue("server", names(mail(ME), usage="serverAuth")),
        "subject": root.issue("subject", names(), subject=ME),
        "wildcard": root.issue("wildcard", names(f"DNS:*.{DOMAIN}")),
        "nul": root.issue("nul", f"extendedKeyUsage=clientAuth\nsubjectAltName=DER:{rfc822(ME.encode() + bytes(1) + b'.example.net')}"),
        "two": root.issue("two", names(mail(ME), f"DNS:{FAX}")),
        "nobody": root.issue("nobody", names(mail(f"gone@{DOMAIN}"))),
        "address-as-host": root.issue("address-as-host", names(f"DNS:{ME}")),
        "host-as-address": root.issue("host-as-address", names(f"email:{FAX}")),
        "bare-name": root.issue("bare-name", names(f"email:{USER}")),
        "app-password": root.issue("app-password", names(mail(f"{ME}/phone"))),
        "norights": root.issue("norights", names(mail(f"norights@{DOMAIN}"))),
        "locked": root.issue("locked", names(mail(f"locked@{DOMAIN}"))),
    }
    one.start()
    yield one
    one.close()


def rfc822(octets):
    name = bytes([0x81, len(octets)]) + octets
    return (bytes([0x30, len(name)]) + name).hex(":")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", ["good", "good-below", "upper-case", "no-usage", "among-others"])
def test_a_name_that_is_vouched_for(s, name, version):
    with session(s, name, version) as c:
        assert offered(c) == ["EXTERNAL", "PLAIN"]
        assert external(c)[0] == 235
        assert c.docmd("MAIL", f"FROM:<{ME}>")[0] == 250
        assert c.docmd("RSET")[0] == 250
        assert c.docmd("MAIL", f"FROM:<norights@{DOMAIN}>")[0] == 553


def test_a_domain_in_another_script(s):
    with session(s, "idn") as c:
        assert external(c)[0] == 235
        assert c.docmd("MAIL", f"FROM:<{IDN}>")[0] == 250


def test_a_host(s):
    with session(s, "host") as c:
        assert external(c)[0] == 235
        assert c.docmd("MAIL", f"FROM:<{ME}>")[0] == 553


@pytest.mark.parametrize("name,reason", [
    ("wrong-ca", "certificate-authority"), ("self-signed", "certificate-authority"), ("between-not-there", "certificate-authority"), ("expired", "certificate-expired"),
    ("early", "certificate-early"), ("server", "certificate-purpose"), ("subject", "certificate-names"), ("wildcard", "certificate-names"), ("nul", "certificate-names"),
    ("two", "ambiguous"), ("nobody", "unknown-user"), ("address-as-host", "unknown-user"), ("host-as-address", "unknown-user"), ("bare-name", "unknown-user"),
    ("app-password", "unknown-user"), ("norights", "no-right"), ("locked", "locked")])
def test_the_others_hear_all_the_same(s, name, reason):
    refused_as_all(s, name, reason)


def test_no_certificate_permits_a_mail_by_itself(s):
    with session(s, "good") as c:
        assert c.docmd("MAIL", f"FROM:<{ME}>")[0] == 530


@pytest.mark.parametrize("authzid,code", [(ME, 235), (USER, 235), (f"norights@{DOMAIN}", 535), (FAX, 535)])
def test_to_act_as_somebody_else(s, authzid, code):
    with session(s, "good") as c:
        assert external(c, authzid)[0] == code


def test_a_pinned_key_goes_first(s):
    s.cli("user", "certificate", "add", "--host", FAX, s.certificates["good-below"][0])
    try:
        with session(s, "good-below") as c:
            assert external(c)[0] == 235
            assert c.docmd("MAIL", f"FROM:<{ME}>")[0] == 553
    finally:
        s.cli("user", "certificate", "remove", "--host", FAX, s.certificates["good-below"][0])


def test_a_login_ends_with_its_certificate(s):
    def while_it_lasts(seconds):
        s.certificates["short"] = s.root.issue("short", names(mail(ME)), ends=seconds)
        c = session(s, "short")
        return c if external(c)[0] == 235 and c.docmd("MAIL", f"FROM:<{ME}>")[0] == 250 else None
    with in_time(while_it_lasts, 5) as c:
        def ended():
            """the end of the certificate"""
            assert c.docmd("RSET")[0] == 250
            return c.docmd("MAIL", f"FROM:<{ME}>")[0] == 421
        wait_for(ended, 60, every=0.5)
    with session(s, "short") as c:
        assert external(c) == REFUSED


@pytest.mark.parametrize("port", ["keys", "keys_implicit"])
def test_curl(s, port):
    pem, key = s.certificates["good"]
    file = s.top / "mail"
    file.write_text(f"From: <{ME}>\nTo: <{ME}>\nSubject: submitted\n\nHello.\n")
    before = len(s.mails())
    run("curl", "-sS", "--url", f"smtp{'s' if port == 'keys_implicit' else ''}://127.0.0.1:{getattr(s, port)}/client", "--ssl-reqd", "-k", "--login-options", "AUTH=EXTERNAL",
        "-u", f"{ME}:", "--cert", pem, "--key", key, "--mail-from", ME, "--mail-rcpt", ME, "-T", file, "--crlf")
    wait_for(lambda: len(s.mails()) > before)
    assert b"with ESMTPSA" in s.mails()[-1]


def named(port, version):
    """Whom the server wants a certificate to be of, as openssl shows it; None: of anybody."""
    said = run("openssl", "s_client", "-starttls", "smtp", "-connect", f"127.0.0.1:{port}", f"-tls{version.replace('.', '_')}", stdin=b"QUIT\n").stdout.decode()
    if "No client certificate CA names sent" in said:
        return None
    return [line for line in said.split("Acceptable client certificate CA names\n")[1].splitlines() if line.startswith("CN")][:2]


@pytest.mark.parametrize("version", VERSIONS)
def test_authorities_are_named_where_that_is_said(s, version):
    assert named(s.naming, version) == ["CN = between", "CN = root"]
    assert named(s.keys, version) is None
    assert named(s.submission, version) is None


def test_a_client_goes_by_the_names(s):
    """msmtp shows a certificate that is of nobody named to no server that names somebody."""
    own = s.certificates["own"] = certificate(s.top, "own")
    s.cli("user", "certificate", "add", ME, own[0])

    def sends(port, name):
        pem, key = s.certificates[name]
        return run("msmtp", "--host=127.0.0.1", f"--port={port}", "--auth=external", f"--user={ME}", f"--from={ME}", "--tls=on", "--tls-starttls=on", "--tls-certcheck=off",
                   f"--tls-cert-file={pem}", f"--tls-key-file={key}", "--", ME, stdin=b"Subject: x\n\nHello.\n", check=False).returncode == 0
    assert {(port, name) for port in (s.keys, s.naming) for name in ("good", "good-below", "own") if sends(port, name)} == {
        (s.keys, "good"), (s.keys, "good-below"), (s.keys, "own"), (s.naming, "good"), (s.naming, "good-below")}


def test_more_authorities_than_can_be_named(s):
    file = s.folder / "client-ca.pem"
    before = file.read_bytes()
    file.write_bytes(before + s.root.pem.read_bytes() * 1000)
    try:
        done = s.cli("check", check=False)
        assert done.returncode != 0 and b"the authorities of clients are too many to be named in each handshake" in done.stdout + done.stderr
    finally:
        file.write_bytes(before)


@pytest.mark.parametrize("text,why", [(None, "No such file or directory"), ("", "it holds no certificate"), ("between", "there is no root among its certificates")])
def test_a_file_that_is_none(s, text, why):
    file = s.folder / "client-ca.pem"
    before = file.read_bytes()
    if text is None:
        file.unlink()
    else:
        file.write_bytes((s.top / "root" / "between.pem").read_bytes() if text else b"")
    try:
        done = s.cli("check", check=False)
        assert done.returncode != 0 and why in (done.stdout + done.stderr).decode()
        assert s.cli("reload", check=False).returncode == 1
        with session(s, "good") as c:  # the generation that serves has read it
            assert external(c)[0] == 235
    finally:
        file.write_bytes(before)
    assert s.cli("reload", check=False).returncode == 0
    with session(s, "good") as c:
        assert external(c)[0] == 235
