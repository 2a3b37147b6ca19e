"""Real clients of NTLM against the acceptor alone (tests/tools/ntlm-try.c): impacket by its message classes, gss-ntlmssp through GSSAPI, curl
by SMTP to a few lines of Python that carry its words."""
import base64
import hashlib
import socketserver
import struct
import subprocess
import threading

import gssapi
import pytest
from gssapi.raw import ChannelBindings, set_neg_mechs
from impacket import ntlm

from sallyport import BUILD, run

TRY = BUILD / "tests/ntlm-try"
PASSWORD = "Pass-w\u00f6rd 1"


class Acceptor:
    def __init__(self, user="user", password=PASSWORD, end_point=None):
        nt_hash = ntlm.compute_nthash(password)
        self.process = subprocess.Popen([TRY, user, nt_hash.hex(), *([end_point.hex()] if end_point else [])],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, text):
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().rstrip("\n")

    def message(self, octets):
        return self.ask(base64.b64encode(octets).decode())

    def close(self):
        self.process.stdin.close()
        assert self.process.wait(10) == 0


@pytest.fixture
def acceptor():
    a = Acceptor()
    yield a
    a.close()


def impacket(acceptor, user="user", password=PASSWORD, domain="", version_2=True, signing=False, change=None):
    first = ntlm.getNTLMSSPType1("COMPUTER", domain, signing, version_2)
    second = base64.b64decode(acceptor.message(first.getData()))
    third, _ = ntlm.getNTLMSSPType3(first, second, user, password, domain, use_ntlmv2=version_2)
    if change:
        change(third)
    return acceptor.message(third.getData())


@pytest.mark.parametrize("signing", [False, True])
@pytest.mark.parametrize("domain", ["", "EXAMPLE", "example.org", "OTHER"])
def test_impacket_version_2(acceptor, domain, signing):
    assert impacket(acceptor, domain=domain, signing=signing) == "user proven user"
    assert impacket(acceptor, user="UseR", domain=domain, signing=signing) == "user proven UseR"
    assert impacket(acceptor, password="wrong", domain=domain, signing=signing) == "user wrong-proof user"
    assert impacket(acceptor, user="nobody", domain=domain, signing=signing) == "user wrong-proof nobody"


@pytest.mark.parametrize("name", ["j\u00f6rg", "\u03b1\u03b8\u03b7\u03bd\u03ac\u03c2", "\u0432\u0430\u0441\u044f", "\U0001f600"])
def test_names_beyond_ascii(name):
    a = Acceptor(user=name)
    assert impacket(a, user=name) == f"user proven {name}"
    a.close()


def test_impacket_version_1_is_refused(acceptor):
    assert impacket(acceptor, version_2=False) == "old - user"
    assert impacket(acceptor, password="wrong", version_2=False) == "old - user"


def test_impacket_null_session(acceptor):
    assert impacket(acceptor, user="", password="") == "anonymous - "

    def flagged(third):
        third["flags"] |= 0x800  # NTLMSSP_NEGOTIATE_ANONYMOUS
    assert impacket(acceptor, change=flagged) == "anonymous - user"


def test_guest(acceptor):
    assert impacket(acceptor, user="Guest", password="") == "guest - Guest"


class Mail(socketserver.StreamRequestHandler):
    """As much SMTP as AUTH NTLM needs; what the acceptor said is kept in server.said."""

    def say(self, text):
        self.wfile.write(text.encode() + b"\r\n")

    def handle(self):
        self.say("220 mx.example.org")
        for line in self.rfile:
            words = line.decode().split()
            verb = words[0].upper()
            if verb == "EHLO":
                self.say("250-mx.example.org\r\n250 AUTH NTLM")
            elif verb == "AUTH":
                if len(words) < 3:
                    self.say("334 ")
                    words.append(self.rfile.readline().decode().strip())
                self.say("334 " + self.server.acceptor.ask(words[2] if len(words) > 2 else words[-1]))
                answer = self.server.acceptor.ask(self.rfile.readline().decode().strip())
                self.server.said.append(answer)
                self.say("235 2.7.0 Yes" if answer.startswith("user proven ") else "535 5.7.8 No")
            elif verb == "DATA":
                self.say("354 Go on")
                while self.rfile.readline() not in (b".\r\n", b""):
                    pass
                self.say("250 2.0.0 Taken")
            elif verb == "QUIT":
                self.say("221 2.0.0 Bye")
                return
            else:
                self.say("250 2.0.0 Yes")


@pytest.mark.parametrize("initial", [False, True])
@pytest.mark.parametrize("login,password,want", [
    ("user", "Password", "user proven user"),
    ("DOM\\user", "Password", "user proven user"),
    ("user@example.org", "Password", "user wrong-proof user@example.org"),
    ("user", "wrong", "user wrong-proof user"),
    ("nobody", "Password", "user wrong-proof nobody"),
    ("", "", "anonymous - "),
    ("guest", "", "guest - guest"),
])
def test_curl(tmp_path, login, password, want, initial):
    (tmp_path / "mail").write_text("Subject: x\r\n\r\nx\r\n")
    with socketserver.TCPServer(("127.0.0.1", 0), Mail) as server:
        server.acceptor, server.said = Acceptor(password="Password"), []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        done = run("curl", "-sS", "--max-time", "20", "--url", f"smtp://127.0.0.1:{server.server_address[1]}", "--login-options", "AUTH=NTLM",
                   *(["--sasl-ir"] if initial else []), "--user", f"{login}:{password}", "--mail-from", "a@example.org", "--mail-rcpt",
                   "b@example.org", "--upload-file", tmp_path / "mail", check=False)
        server.shutdown()
        server.acceptor.close()
        assert server.said == [want]
        assert (done.returncode == 0) == want.startswith("user proven")


NTLM_OID, SPNEGO_OID = (gssapi.OID.from_int_seq(i) for i in ("1.3.6.1.4.1.311.2.2.10", "1.3.6.1.5.5.2"))
END_POINT = hashlib.sha256(b"certificate").digest()


def der(tag, content):
    n = len(content)
    return bytes([tag]) + (bytes([n]) if n < 128 else b"\x82" + struct.pack(">H", n)) + content


def unwrapped(token):
    """The NTLM message in a token of SPNEGO: an OCTET STRING."""
    at = token.index(b"NTLMSSP\0")
    length = struct.unpack(">H", token[at - 2:at])[0] if token[at - 4:at - 2] == b"\x04\x82" else token[at - 1]  # X.690 8.1.3
    return token[at:at + length]


def gss(monkeypatch, folder, acceptor, binding=None, change=()):
    """gss-ntlmssp makes a MIC only inside SPNEGO (RFC 4178), which is taken off and put on here. Returns the answer, and the header's length."""
    users = folder / "users"
    users.write_text("DOM:user:Password\n")
    monkeypatch.setenv("NTLM_USER_FILE", str(users))
    credentials = gssapi.Credentials(name=gssapi.Name("user@DOM", gssapi.NameType.user), usage="initiate", mechs=[SPNEGO_OID])
    set_neg_mechs(credentials, [NTLM_OID])
    context = gssapi.SecurityContext(
        name=gssapi.Name("smtp@mx.example.org", gssapi.NameType.hostbased_service), creds=credentials, mech=SPNEGO_OID, usage="initiate",
        flags=[gssapi.RequirementFlag.integrity, gssapi.RequirementFlag.confidentiality],
        channel_bindings=ChannelBindings(application_data=b"tls-server-end-point:" + binding) if binding else None)
    challenge = base64.b64decode(acceptor.message(unwrapped(context.step())))
    accept_incomplete = der(0xA0, der(0x0A, b"\x01")) + der(0xA1, der(6, bytes(NTLM_OID)))
    third = bytearray(unwrapped(context.step(der(0xA1, der(0x30, accept_incomplete + der(0xA2, der(4, challenge)))))))
    fields = [struct.unpack("<HHI", third[i:i + 8]) for i in range(12, 60, 8)]
    for at in change:
        third[at] ^= 1
    return acceptor.message(bytes(third)), min(offset for n, _, offset in fields if n)


def test_gss_ntlmssp(monkeypatch, tmp_path):
    a = Acceptor(password="Password")
    assert gss(monkeypatch, tmp_path, a) == ("user proven user", 88)
    for at in (64, 72, 87):  # the version, which means nothing, and the MIC
        assert gss(monkeypatch, tmp_path, a, change=[at]) == ("user wrong-mic user", 88)
    a.close()


@pytest.mark.parametrize("binding,want", [(END_POINT, "proven"), (END_POINT[::-1], "wrong-bindings"), (None, "no-bindings")])
def test_channel_bindings(monkeypatch, tmp_path, binding, want):
    a = Acceptor(password="Password", end_point=END_POINT)
    assert gss(monkeypatch, tmp_path, a, binding)[0] == f"user {want} user"
    a.close()
