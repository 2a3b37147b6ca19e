"""A smarthost that must show who it is before it hears a password."""
import base64
import ssl
import subprocess

import pytest

from next_hop import NextHop
from sallyport import wait_for
from test_relay import FAR, wait_messages

PASSWORD = "to0 secret for logs"


def certificate(folder, name, names):
    chain, key = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", chain, "-days", "2",
                    "-subj", f"/CN={name}", "-addext", f"subjectAltName={names}"], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    return chain, context


class Login:
    """Answers AUTH; keeps what was said in it."""
    def __init__(self, final=b"235 2.7.0 welcome\r\n"):
        self.said, self.waits, self.final = [], 0, final

    def __call__(self, line, session):
        if line.startswith(b"AUTH"):
            self.said.append((line, session.tls))
            self.waits = 2 if line == b"AUTH LOGIN" else 0
            return b"334 VXNlcm5hbWU6\r\n" if self.waits else self.final
        if self.waits:
            self.said.append((line, session.tls))
            self.waits -= 1
            return b"334 UGFzc3dvcmQ6\r\n" if self.waits else self.final
        return None


@pytest.fixture
def smarthost(make, tmp_path):
    made = []

    def build(mechanisms, names="IP:127.0.0.1", trusted=True, **more):
        chain, context = certificate(tmp_path, "Test-Smarthost", names)
        other, _ = certificate(tmp_path, "Somebody-Else", names)
        login = Login(**more)
        hop = NextHop(extensions=["STARTTLS", "PIPELINING", f"AUTH {mechanisms}"], answer=login, context=context)
        made.append(hop)
        s = make(start=False)
        (s.folder / "provider").write_text(f"joe@example.net\n{PASSWORD}\n")
        (s.folder / "provider").chmod(0o600)
        (s.folder / "authorities.pem").write_bytes((chain if trusted else other).read_bytes())
        s.append(f"authorities authorities.pem\nrecipients {FAR} any\n"
                 f"relay {FAR} via smarthost 127.0.0.1:{hop.port} tls verify user-file provider\n")
        s.start()
        s.send(to=(f"r@{FAR}",))
        return s, hop, login
    yield build
    for hop in made:
        hop.close()


def no_secret(s):
    text = s.log_text()
    for form in (PASSWORD, base64.b64encode(PASSWORD.encode()).decode()):
        assert form not in text


@pytest.mark.parametrize("mechanisms", ["LOGIN PLAIN", "LOGIN"])
def test_the_password_is_shown_to_the_right_one(smarthost, mechanisms):
    s, hop, login = smarthost(mechanisms)
    message = wait_messages(hop, 1)[0]
    assert message["tls"].startswith("TLS")
    assert login.said and all(tls for _, tls in login.said)
    if "PLAIN" in mechanisms:
        assert base64.b64decode(login.said[0][0].split()[2]) == b"\0joe@example.net\0" + PASSWORD.encode()
    else:
        assert [base64.b64decode(line) for line, _ in login.said[1:]] == [b"joe@example.net", PASSWORD.encode()]
    relayed = wait_for(lambda: s.log("relayed"))[0]
    assert relayed["tls"].endswith("verified by Test-Smarthost")
    no_secret(s)


@pytest.mark.parametrize("wrong,why", [({"trusted": False}, "self-signed certificate"), ({"names": "IP:127.0.0.2"}, "IP address mismatch")])
def test_nothing_is_shown_to_the_wrong_one(smarthost, wrong, why):
    s, hop, login = smarthost("PLAIN", **wrong)
    deferred = wait_for(lambda: s.log("deferred"))[0]
    assert deferred["text"].startswith("the certificate of 127.0.0.1 ") and deferred["text"].endswith(f" is not accepted: {why}")
    assert wait_for(lambda: s.log("relay-deferred"))[0]["tls"] == "none: the handshake failed"
    assert not login.said and not hop.messages
    assert not any(line.startswith(b"MAIL") for line in hop.commands)


def test_a_refused_password_defers(smarthost):
    s, hop, login = smarthost("PLAIN", final=b"535 5.7.8 no\r\n")
    deferred = wait_for(lambda: s.log("deferred"))[0]
    assert deferred["status"].startswith("4.") and deferred["text"] == "AUTH PLAIN was refused: no"
    assert login.said and not hop.messages
    no_secret(s)


@pytest.mark.parametrize("code,tries", [("535 5.7.8", 1), ("454 4.7.0", 2)])
def test_a_refused_password_is_shown_to_one_address(make, tmp_path, code, tries):
    """Of the two of localhost: each try counts as a guess there."""
    _, context = certificate(tmp_path, "Test-Smarthost", "DNS:localhost")
    login = Login(final=f"{code} no\r\n".encode())
    hops = [NextHop(extensions=["STARTTLS", "AUTH PLAIN"], answer=login, context=context)]
    hops.append(NextHop(extensions=["STARTTLS", "AUTH PLAIN"], answer=login, context=context, host="::1", port=hops[0].port))
    s = make(start=False)
    (s.folder / "provider").write_text(f"joe@example.net\n{PASSWORD}\n")
    (s.folder / "provider").chmod(0o600)
    s.append(f"recipients {FAR} any\nrelay {FAR} via smarthost localhost:{hops[0].port} tls encrypt user-file provider\n")
    s.start()
    try:
        s.send(to=(f"r@{FAR}",))
        deferred = wait_for(lambda: s.log("deferred"))[0]
        assert deferred["status"].startswith("4.") and deferred["text"] == "AUTH PLAIN was refused: no"
        assert len(login.said) == tries
    finally:
        for hop in hops:
            hop.close()


def test_no_mechanism_that_we_have(smarthost):
    s, hop, login = smarthost("CRAM-MD5 GSSAPI")
    wait_for(lambda: s.log("deferred"))
    assert not login.said and not hop.messages
