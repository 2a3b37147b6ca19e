"""Smarthosts that want a name and a password: real servers check them, after TLS with a certificate of the authority in the configuration."""
import pytest

from next_hop import NextHop
from peer import FAR, Authority, Dovecot, Exim, Haraka
from sallyport import Sallyport, free_ports, wait_for

PASSWORD = "to0 secret"
KINDS = [("exim", "PLAIN"), ("exim", "LOGIN"), ("haraka", "PLAIN"), ("haraka", "LOGIN"), ("dovecot", "PLAIN"), ("dovecot", "SCRAM-SHA-256"), ("dovecot", "SCRAM-SHA-1")]


class Smarthost:
    def __init__(self, kind, mechanism, password):
        self.authority, self.behind, self.s, self.peer = Authority(), NextHop(), None, None
        port, = free_ports(1)
        base = {"exim": Exim, "haraka": Haraka, "dovecot": Dovecot}[kind]
        it = type("Login", (base, ), {"mechanisms": (mechanism, ), "auth_only": True, "submission": port})
        lmtp, = free_ports(1)
        self.peer = it([f"127.0.0.1:{lmtp if kind == 'dovecot' else port}"], self.authority.issue("IP:127.0.0.1"), back=self.behind.port).start()
        self.s = Sallyport()
        (self.s.folder / "provider").write_text(f"joe\n{password}\n")
        (self.s.folder / "provider").chmod(0o600)
        self.s.append(f"authorities {self.authority.pem}\nrecipients {FAR} any\n"
                      f"relay {FAR} via smarthost 127.0.0.1:{port} tls verify user-file provider\nqueue {{ retry-first 1s }}")
        self.s.start()

    def arrived(self, token):
        return self.peer.mails(token) or [m["content"] for m in self.behind.messages if token in m["content"]]

    def close(self):
        for it in (self.s, self.peer, self.behind, self.authority):
            if it:
                it.close()


@pytest.fixture
def smarthost():
    made = []

    def build(*arguments):
        made.append(Smarthost(*arguments))
        return made[-1]
    yield build
    for it in made:
        it.close()


@pytest.mark.parametrize("kind, mechanism", KINDS)
def test_the_right_password(smarthost, kind, mechanism):
    h = smarthost(kind, mechanism, PASSWORD)
    h.s.send(b"Subject: token-right\r\n\r\nx\r\n", to=(f"r@{FAR}", ))
    wait_for(lambda: h.arrived(b"token-right"), 20)
    assert "verified by" in wait_for(lambda: h.s.log("relayed"))[0]["tls"]
    assert PASSWORD not in h.s.log_text()


@pytest.mark.parametrize("kind, mechanism", [("exim", "LOGIN"), ("dovecot", "PLAIN"), ("dovecot", "SCRAM-SHA-256")])
def test_the_wrong_password(smarthost, kind, mechanism):
    """It waits, for the file may be corrected; nothing is sent without a login."""
    h = smarthost(kind, mechanism, "wr0ng secret")
    h.s.send(b"Subject: token-wrong\r\n\r\nx\r\n", to=(f"r@{FAR}", ))
    wait_for(lambda: [r for m in h.s.queue() for r in m["recipients"] if r["state"] == "deferred"], 20)
    shown = h.s.cli("queue", "show", h.s.queue()[0]["id"]).stdout.decode()
    assert "535" in shown, shown
    assert h.arrived(b"token-wrong") == [] and "wr0ng" not in h.s.log_text() + shown
