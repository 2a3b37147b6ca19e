"""SCRAM with a client that lies: as whom it acts, what it is bound to, and what a stranger learns of names."""
import pytest
import smtplib

from sallyport import DOMAIN, PASSWORD, USER, Sallyport, free_ports, no_check, wait_for
from scram import Exchange, scram

ME, OTHER, NOBODY = (f"{name}@{DOMAIN}" for name in (USER, "other", "nobody"))
MECHANISMS = ["SCRAM-SHA-256", "SCRAM-SHA-1"]
REFUSED = (535, b"5.7.8 Authentication failed")
UNBOUND = "n,,"


@pytest.fixture(scope="module")
def s():
    (port,) = free_ports(1)
    one = Sallyport(config=f"""
server scram {{
    listen 127.0.0.1:{port} tls starttls
    access authenticated mechanisms SCRAM-SHA-256-PLUS SCRAM-SHA-256 SCRAM-SHA-1-PLUS SCRAM-SHA-1
}}
""")
    one.port = port
    for name in (ME, OTHER):
        one.cli("user", "remove", name, check=False)
        one.cli("user", "add", name, "--grant", "submit,relay", "--scram-sha-1", stdin=PASSWORD.encode() + b"\n")
    one.start()
    yield one
    one.close()


@pytest.fixture
def c(s):
    with smtplib.SMTP("127.0.0.1", s.port, local_hostname="client.example.net", timeout=60) as c:
        c.starttls(context=no_check())
        c.ehlo()
        yield c


def reason(s, act):
    """That of the only refusal that comes of it."""
    before = len(s.log("login-refused"))
    assert act() == REFUSED
    wait_for(lambda: len(s.log("login-refused")) > before)
    (line,) = s.log("login-refused")[before:]
    return line["reason"]


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_right_and_wrong(s, c, mechanism):
    assert reason(s, lambda: scram(c, ME, "wrong", mechanism=mechanism)) == "wrong-secret"
    assert reason(s, lambda: scram(c, NOBODY, PASSWORD, mechanism=mechanism)) == "unknown-user"
    assert scram(c, ME, PASSWORD, mechanism=mechanism)[0] == 235


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_to_act_as_somebody_else(s, c, mechanism):
    assert reason(s, lambda: scram(c, ME, PASSWORD, mechanism=mechanism, gs2=f"n,a={OTHER},")) == "authzid"
    assert scram(c, ME, PASSWORD, mechanism=mechanism, gs2=f"n,a={ME},")[0] == 235


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_who_could_bind_and_heard_that_we_cannot(s, c, mechanism):
    """There is a man in the middle, who took -PLUS out of what we offer (RFC 5802 6)."""
    assert reason(s, lambda: scram(c, ME, PASSWORD, mechanism=mechanism, gs2="y,,")) == "binding"


@pytest.mark.parametrize("gs2,binding", [(UNBOUND, b""), ("y,,", b""), ("p=tls-exporter,,", bytes(32)), ("p=tls-exporter,,", b""), ("p=tls-unique,,", bytes(12)),
                                         ("p=tls-server-end-point,,", bytes(32))])
@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_what_is_not_bound_to_this_session(c, mechanism, gs2, binding):
    code, _ = scram(c, ME, PASSWORD, mechanism=mechanism + "-PLUS", gs2=gs2, binding=binding)
    assert code in (535, 501)
    assert c.docmd("MAIL", f"FROM:<{ME}>")[0] == 530


@pytest.mark.parametrize("other", [{"gs2": "y,,"}, {"gs2": f"n,a={OTHER},"}, {"nonce": "abcdefgh"}, {"nonce": "somebodyelses"}, {"binding": bytes(32)}])
def test_the_last_word_says_something_else(c, other):
    """It is proven, and not what the first word said."""
    x = Exchange(c, ME, PASSWORD)
    assert x.begin()[0] == 334
    code, _ = x.end(x.last(**other))
    assert code in (535, 501)


@pytest.mark.parametrize("proof", ["", "AAAA", "A" * 42 + "==", "A" * 43 + "=", "A" * 86 + "=="])
def test_what_is_no_proof(c, proof):
    x = Exchange(c, ME, PASSWORD)
    assert x.begin()[0] == 334
    code, _ = x.end(x.last().rsplit(",p=", 1)[0] + ",p=" + proof)
    assert code in (535, 501)


def test_a_proof_serves_once(s, c):
    heard = Exchange(c, ME, PASSWORD)
    assert heard.begin()[0] == 334
    proof = heard.last()
    assert heard.end(proof)[0] == 235
    with smtplib.SMTP("127.0.0.1", s.port, local_hostname="client.example.net", timeout=60) as again:
        again.starttls(context=no_check())
        again.ehlo()
        x = Exchange(again, ME, PASSWORD)
        assert x.begin()[0] == 334
        assert x.parts["r"] != heard.parts["r"] and x.parts["r"].startswith("abcdefgh")
        assert x.end(proof)[0] in (535, 501)


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_stranger_learns_nothing_of_names(c, mechanism):
    """Who is asked for has the same salt each time, one of its own, and as many iterations, whether there is such a user or not."""
    def asked(name):
        x = Exchange(c, name, "wrong", mechanism=mechanism)
        assert x.begin()[0] == 334
        assert c.docmd("*")[0] == 501
        return x.parts["s"], x.parts["i"]
    names = (ME, OTHER, NOBODY, f"nobody2@{DOMAIN}")
    first = [asked(name) for name in names]
    assert [asked(name) for name in names] == first
    assert len({salt for salt, _ in first}) == len(names)
    assert len({(len(salt), count) for salt, count in first}) == 1
