"""SCRAM by hand: messages that no client makes, and what a stranger may learn of names that he does not know."""
import base64
import hashlib
import hmac
import time

import pytest

from sallyport import DOMAIN, PASSWORD, USER, Sallyport, free_ports, no_check, wait_for

ME = f"{USER}@{DOMAIN}"


@pytest.fixture(scope="module")
def s():
    clear, = free_ports(1)
    one = Sallyport(config=f"server clear {{ listen 127.0.0.1:{clear} tls starttls  access authenticated mechanisms SCRAM-SHA-256 SCRAM-SHA-1 PLAIN  allow-cleartext-auth 127.0.0.1 }}")
    one.clear = clear
    one.cli("user", "app", "add", ME, "phone")
    one.start()
    yield one
    one.close()


def b64(text):
    return base64.b64encode(text if isinstance(text, bytes) else text.encode()).decode()


def session(s, tls=True):
    c = s.connect(s.submission if tls else s.clear)
    c.say("EHLO client.example", 250)
    if tls:
        c.start_tls()
        c.say("EHLO client.example", 250)
    return c


def first(c, bare, header="n,,", mechanism="SCRAM-SHA-256"):
    """(code, server-first-message as {attribute: value}, itself)"""
    code, text = c.say(f"AUTH {mechanism} {b64(header + bare)}")
    said = base64.b64decode(text[0]).decode() if code == 334 else text[0]
    return code, dict(part.split("=", 1) for part in said.split(",")) if code == 334 else said, said


def attempt(s, bare=f"n={ME},r=abcdefgh", header="n,,", binding=None, nonce=None, more="", end="", tls=True, password=PASSWORD):
    """The last reply to a whole exchange that knows the password."""
    c = session(s, tls)
    code, said, text = first(c, bare, header)
    if code == 334:
        final = f"c={b64(binding or header)},r={nonce or said['r']}{more}"
        salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(said["s"]), int(said["i"]))
        key = hmac.new(salted, b"Client Key", "sha256").digest()
        signature = hmac.new(hashlib.sha256(key).digest(), f"{bare},{text},{final}".encode(), "sha256").digest()
        code, said = c.say(b64(f"{final},p={b64(bytes(x ^ y for x, y in zip(key, signature)))}{end}"))
        if code == 334:
            code, said = c.say("")
        said = said[0]
    c.say("NOOP", 250)  # in step
    c.close()
    return f"{code} {said.split()[0]}"


def test_a_whole_exchange(s):
    assert attempt(s) == "235 2.7.0"
    assert attempt(s, bare=f"n={ME},r=abcdefgh,x=1", more=",x=1") == "235 2.7.0"  # extensions that need not be understood
    assert attempt(s, header=f"n,a={ME},") == "235 2.7.0"
    assert attempt(s, password="wrong") == "535 5.7.8"


@pytest.mark.parametrize("what", [
    dict(header="n,a=,"), dict(header="n,a=x=2c,"), dict(header="nn,,"), dict(header="p=,,"), dict(bare=f"n={ME},r=a,b"), dict(bare=f"n={ME},r=a\x01"), dict(bare=f"n={ME},r=a b"),
    dict(bare=f"n={ME},r=\u00ff"), dict(bare=f"n={ME},r=a,r=b"), dict(bare=f"n={ME},r=a,"), dict(bare=f"m=x,n={ME},r=a"), dict(bare=f"n={ME},r=a,m=x"), dict(more=",m=x"), dict(more=",r=x"),
    dict(end=",x=1"), dict(end=","),
])
def test_what_the_grammar_does_not_have(s, what):
    assert attempt(s, **what) == "501 5.5.2"


@pytest.mark.parametrize("tls", [True, False])
def test_a_binding_that_nothing_would_look_at(s, tls):
    """RFC 5802 6: "p" belongs to -PLUS; taken elsewhere, a client that wants its binding checked would believe that it was."""
    assert attempt(s, header="p=tls-exporter,,", tls=tls) == "535 5.7.8"
    assert attempt(s, header="p=tls-unique,,", tls=tls) == "535 5.7.8"
    wait_for(lambda: [x for x in s.log("login-refused") if x["reason"] == "binding"])


def salt(s, name, mechanism="SCRAM-SHA-256"):
    c = session(s, tls=False)
    code, said, _ = first(c, f"n={name},r=abcdefgh", mechanism=mechanism)
    assert code == 334
    c.close()
    return said["s"], said["i"]


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-1"])  # for the second nobody has keys
@pytest.mark.parametrize("name", [USER, "nobody"])
def test_a_name_is_shown_one_salt_however_it_is_written(s, name, mechanism):
    """As an account is: else a name in capitals would tell who has one."""
    forms = [f"{name}@{DOMAIN}", f"{name}@{DOMAIN}".upper(), name, f'"{name}"@{DOMAIN}']
    shown = {salt(s, form, mechanism) for form in forms}
    assert len(shown) == 1
    others = {salt(s, other, mechanism) for other in (f"{name}x@{DOMAIN}", f"{name}@elsewhere.example", f"{name}/label", f"{name}/Label", "no name")}
    assert len(others) == 5 and not others & shown


def test_how_long_a_challenge_takes_says_nothing(s):
    """It is told with the clock: else a name that is looked up in vain is some microseconds quicker."""
    took = []
    for _ in range(5):
        c = session(s, tls=False)
        for name in (ME, f"nobody@{DOMAIN}"):
            begin = time.monotonic()
            assert first(c, f"n={name},r=abcdefgh")[0] == 334
            took.append(time.monotonic() - begin)
            c.say("*", 501)
        c.close()
    assert min(took) > 0.0009
