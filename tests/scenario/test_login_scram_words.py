"""SCRAM by hand: messages that no client makes, and what a stranger may learn of names that he does not know."""
import smtplib
import time

import pytest

from sallyport import DOMAIN, PASSWORD, USER, Sallyport, free_ports, no_check, wait_for
from scram import Exchange, b64

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


def session(s, tls=True):
    c = smtplib.SMTP("127.0.0.1", s.submission if tls else s.clear, local_hostname="client.example.net", timeout=60)
    if tls:
        c.starttls(context=no_check())
    c.ehlo()
    return c


def attempt(s, bare=f"n={ME},r=abcdefgh", header="n,,", more="", end="", tls=True, password=PASSWORD):
    """The last reply to a whole exchange that knows the password."""
    with session(s, tls) as c:
        x = Exchange(c, ME, password, gs2=header)
        x.first = bare
        code, said = x.begin()
        if code == 334:
            code, said = x.end(x.last(more=more) + end)
        assert c.docmd("NOOP")[0] == 250  # in step
        return f"{code} {said.decode().split()[0]}"


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
    with session(s, tls=False) as c:
        x = Exchange(c, name, "any", mechanism=mechanism)
        assert x.begin()[0] == 334 and c.docmd("*")[0] == 501
        return x.parts["s"], x.parts["i"]


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
        with session(s, tls=False) as c:
            for name in (ME, f"nobody@{DOMAIN}"):
                begin = time.monotonic()
                assert c.docmd("AUTH", "SCRAM-SHA-256 " + b64(f"n,,n={name},r=abcdefgh"))[0] == 334
                took.append(time.monotonic() - begin)
                assert c.docmd("*")[0] == 501
    assert min(took) > 0.0009
