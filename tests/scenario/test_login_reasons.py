"""The reason of a login that failed, in the log alone: of app passwords that open nothing, and of accounts without keys; and whether it counts
as a guess."""
import base64
import smtplib

import pytest

from sallyport import DOMAIN, PASSWORD, USER, Sallyport, no_check, run, wait_for
from test_guess import BANNED, FAILED, login

ME, OLD = f"{USER}@{DOMAIN}", f"old@{DOMAIN}"
CRYPT = "$5$abcdefgh$uLdRmCo/hSrCzIIpTzyFoDaJi5ViRlCrEpGUgMbz4x5"
TRIES = 14  # wrong ones ban a stranger before


@pytest.fixture(scope="module")
def s():
    """The loopback is not exempt here, so that its addresses may play strangers."""
    one = Sallyport(config="never-ban 192.0.2.0/24 127.0.0.1/32")
    file = one.top / "them"
    file.write_text(f"{OLD}:{CRYPT}\n")
    one.cli("user", "import", file, "--grant", "submit", "--no-reload")
    one.start()
    yield one
    one.close()


@pytest.fixture(scope="module")
def apps(s):
    """Passwords by label: one has expired, one is of another network, one is good."""
    def made(label, *more):
        return s.ask("user", "app", "add", ME, label, *more)[-1]["password"]
    all_of = {"expired": made("expired", "--expires", "1s"), "network": made("network", "--from", "192.0.2.0/24"), "good": made("good")}
    wait_for(lambda: login(s, "127.0.0.1", f"{ME}/expired", all_of["expired"]) == FAILED)
    return all_of


def reason(s, act):
    """That of the only refusal that comes of it."""
    before = len(s.log("login-refused"))
    act()
    wait_for(lambda: len(s.log("login-refused")) > before)
    (line,) = s.log("login-refused")[before:]
    return line["reason"]


def scram(s, name, password):
    done = run("gsasl", "--smtp", "--connect", f"127.0.0.1:{s.submission}", "-m", "SCRAM-SHA-256", "--no-cb", "-a", name, "-p", password, "--x509-ca-file=", stdin=b"",
               check=False)
    return b"Client authentication finished" in done.stdout + done.stderr


@pytest.mark.parametrize("label", ["expired", "network"])
@pytest.mark.parametrize("written", [ME, ME + "/{}"])
def test_an_app_password_that_opens_nothing(s, apps, label, written):
    name = written.format(label)
    for password, why in ((apps[label], f"app-{label}"), ("wrong", "wrong-secret")):
        def act(password=password):
            assert login(s, "127.0.0.1", name, password) == FAILED
        assert reason(s, act) == why
    assert login(s, "127.0.0.1", ME, apps["good"]) == login(s, "127.0.0.1", ME, PASSWORD) == 235


@pytest.mark.parametrize("label", ["expired", "network"])
def test_an_app_password_that_opens_nothing_by_scram(s, apps, label):
    assert scram(s, f"{ME}/good", apps["good"])
    assert reason(s, lambda: scram(s, f"{ME}/{label}", apps[label])) == f"app-{label}"
    assert reason(s, lambda: scram(s, f"{ME}/{label}", "wrong")) == "wrong-secret"


def test_no_keys_for_scram(s):
    assert reason(s, lambda: scram(s, OLD, "wrong")) == "no-secret"
    assert reason(s, lambda: scram(s, ME, "wrong")) == "wrong-secret"
    assert reason(s, lambda: scram(s, f"nobody@{DOMAIN}", "wrong")) == "unknown-user"


def test_only_what_fits_is_no_guess(s, apps):
    assert [login(s, "127.66.6.6", f"{ME}/expired", apps["expired"]) for _ in range(TRIES)] == [FAILED] * TRIES
    assert BANNED in [login(s, "127.66.6.7", f"{ME}/expired", "wrong") for _ in range(TRIES)]


def test_who_has_no_keys_is_guessed_at_like_who_has(s):
    """Else a ban that does not come would tell who has none."""
    def tries(source, name):
        for n in range(TRIES):
            if scram_once(s, source, name) == BANNED:
                return n
        return None
    with_keys, without = tries("127.66.7.7", ME), tries("127.66.8.8", OLD)
    assert with_keys == without is not None


def scram_once(s, source, name):
    """The code at the end of SCRAM with a proof that is wrong, by hand: the source is chosen here."""
    try:
        c = smtplib.SMTP("127.0.0.1", s.submission, local_hostname="client.example.net", timeout=60, source_address=(source, 0))
    except smtplib.SMTPConnectError:
        return BANNED
    c.starttls(context=no_check())
    c.ehlo()
    code, text = c.docmd("AUTH", "SCRAM-SHA-256 " + base64.b64encode(f"n,,n={name},r=abcdef".encode()).decode())
    if code == 334:
        nonce = base64.b64decode(text).decode().split(",")[0][2:]
        proof = base64.b64encode(bytes(32)).decode()
        code = c.docmd(base64.b64encode(f"c=biws,r={nonce},p={proof}".encode()).decode())[0]
    c.close()
    return code
