"""Logging in with a token: OAUTHBEARER and XOAUTH2, with real clients, a JWK set in a file, and an issuer that is played here."""
import base64
import json
import os
import smtplib
import time

import pytest

from sallyport import DOMAIN, USER, Sallyport, in_time, no_check, run, wait_for

ME = f"{USER}@{DOMAIN}"
ISSUER, AUDIENCE, DISCOVERY = "https://id.example.net/realm", "mail.example.org", "https://id.example.net/.well-known/openid-configuration"
TEXT = f"From: <{ME}>\nTo: <{ME}>\nSubject: submitted\n\nHello.\n"
TOKENS = f"""
tokens {{
    issuer {ISSUER}
    audience {AUDIENCE}
    keys id.json
    openid-configuration {DISCOVERY}
}}
"""


def url64(octets):
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


class Issuer:
    """A P-256 key made by openssl, and what it signs."""
    def __init__(self, folder, kid):
        self.folder, self.kid, self.pem = folder, kid, folder / f"{kid}.pem"
        run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", self.pem)
        point = run("openssl", "ec", "-in", self.pem, "-pubout", "-outform", "DER").stdout[-64:]
        self.jwk = {"kty": "EC", "crv": "P-256", "use": "sig", "kid": kid, "x": url64(point[:32]), "y": url64(point[32:])}

    def sign(self, text):
        der = run("openssl", "dgst", "-sha256", "-sign", self.pem, stdin=text.encode()).stdout
        n = der[3]
        r, s = der[4:4 + n], der[6 + n:]
        return b"".join(int.from_bytes(part, "big").to_bytes(32, "big") for part in (r, s))

    def token(self, header=None, **claims):
        all_claims = {"iss": ISSUER, "aud": AUDIENCE, "scope": "openid smtp", "email": ME, "iat": int(time.time()), "exp": int(time.time()) + 600, **claims}
        all_claims = {name: value for name, value in all_claims.items() if value is not None}
        head = {"alg": "ES256", "kid": self.kid, "typ": "at+jwt", **(header or {})}
        text = ".".join(url64(json.dumps(part).encode()) for part in (head, all_claims))
        return f"{text}.{url64(self.sign(text))}"


@pytest.fixture(scope="module")
def s():
    one = Sallyport(config=TOKENS)
    one.issuer, one.stranger = Issuer(one.top, "one"), Issuer(one.top, "two")
    (one.folder / "id.json").write_text(json.dumps({"keys": [one.issuer.jwk]}))
    for name, rights in (("norights", ()), ("locked", ("--grant", "submit,relay")), ("other", ("--grant", "submit,relay"))):
        one.cli("user", "add", "--no-password", f"{name}@{DOMAIN}", *rights)
    one.cli("user", "lock", f"locked@{DOMAIN}")
    one.start()
    yield one
    one.close()


def session(s, tls=True):
    c = smtplib.SMTP("127.0.0.1", s.submission, local_hostname="client.example.net", timeout=60)
    c.ehlo()
    if tls:
        c.starttls(context=no_check())
        c.ehlo()
    return c


def x2(token, user=ME):
    return f"user={user}\1auth=Bearer {token}\1\1"


def bearer(token, user=ME):
    return f"n,{f'a={user}' if user else ''},\1host=localhost\1auth=Bearer {token}\1\1"


MESSAGES = {"XOAUTH2": x2, "OAUTHBEARER": bearer}


def say(c, mechanism, token, **more):
    return c.docmd("AUTH", f"{mechanism} {base64.b64encode(MESSAGES[mechanism](token, **more).encode()).decode()}")


def test_offered_under_tls_only(s):
    with session(s, tls=False) as c:
        assert "auth" not in c.esmtp_features
    with session(s) as c:
        assert c.esmtp_features["auth"].split() == ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "OAUTHBEARER", "XOAUTH2", "PLAIN", "LOGIN"]


@pytest.mark.parametrize("mechanism", MESSAGES)
def test_curl_sends(s, mechanism):
    file = s.top / "mail"
    file.write_text(TEXT)
    before = len(s.mails())
    run("curl", "-sS", "--url", f"smtp://127.0.0.1:{s.submission}/client", "--ssl-reqd", "-k", "--login-options", f"AUTH={mechanism}", "-u", f"{ME}:",
        "--oauth2-bearer", s.issuer.token(), "--mail-from", ME, "--mail-rcpt", ME, "-T", file, "--crlf")
    wait_for(lambda: len(s.mails()) > before)
    assert b"with ESMTPSA" in s.mails()[-1]


@pytest.mark.parametrize("mechanism", MESSAGES)
@pytest.mark.parametrize("initial", [True, False])
def test_smtplib_sends(s, mechanism, initial):
    before = len(s.mails())
    with session(s) as c:
        code, _ = c.auth(mechanism.lower(), lambda challenge=None: MESSAGES[mechanism](s.issuer.token()), initial_response_ok=initial)
        assert code == 235
        c.sendmail(ME, [ME], TEXT)
    wait_for(lambda: len(s.mails()) > before)


@pytest.mark.parametrize("mechanism", MESSAGES)
def test_a_wrong_token_is_told_why_and_refused(s, mechanism):
    with session(s) as c:
        code, text = say(c, mechanism, s.stranger.token())
        assert code == 334
        assert json.loads(base64.b64decode(text)) == {"status": "401" if mechanism == "XOAUTH2" else "invalid_token", "schemes": "bearer", "scope": "smtp",
                                                      "openid-configuration": DISCOVERY}
        assert c.docmd("AQ==" if mechanism == "OAUTHBEARER" else "") == (535, b"5.7.8 Authentication failed")
        assert c.docmd("MAIL", f"FROM:<{ME}>")[0] == 530
        assert say(c, mechanism, s.issuer.token())[0] == 235


def test_a_wrong_token_with_curl(s):
    done = run("curl", "-sS", "--url", f"smtp://127.0.0.1:{s.submission}/client", "--ssl-reqd", "-k", "--login-options", "AUTH=OAUTHBEARER", "-u", f"{ME}:",
               "--oauth2-bearer", s.stranger.token(), "--mail-from", ME, "--mail-rcpt", ME, "-T", "/dev/null", check=False)
    assert done.returncode == 67, done.stderr  # login denied


BAD = {
    "token-key": {"header": {"kid": "nobody"}},
    "token-algorithm": {"header": {"alg": "none"}},
    "token-issuer": {"iss": "https://id.example.net"},
    "token-audience": {"aud": ["web"]},
    "token-expired": {"exp": 1000000},
    "token-no-expiry": {"exp": None},
    "token-early": {"nbf": 4000000000},
    "token-scope": {"scope": "openid"},
    "token-account": {"email_verified": False},
}


@pytest.mark.parametrize("reason", BAD)
def test_the_log_says_what_was_wrong(s, reason):
    token = s.issuer.token(**BAD[reason])
    with session(s) as c:
        code, text = say(c, "OAUTHBEARER", token)
        assert code == 334
        assert json.loads(base64.b64decode(text))["status"] == ("insufficient_scope" if reason == "token-scope" else "invalid_token")
        assert c.docmd("AQ==")[0] == 535
    wait_for(lambda: [x for x in s.log("login-refused") if x["reason"] == reason and x["claimed"] == ME and x["mechanism"] == "OAUTHBEARER"])
    assert token not in s.log_text()


def test_a_cancelled_refusal_stands_in_the_log(s):
    claimed = f"cancels@{DOMAIN}"
    with session(s) as c:
        assert say(c, "XOAUTH2", s.stranger.token(), user=claimed)[0] == 334
        assert c.docmd("*")[0] == 501
    wait_for(lambda: [x for x in s.log("login-refused") if x["claimed"] == claimed and x["reason"] == "token-key"])


@pytest.mark.parametrize("name,reason", [("nobody", "unknown-user"), ("norights", "no-right"), ("locked", "locked"), ("you/label", "unknown-user")])
def test_a_good_token_permits_nothing_by_itself(s, name, reason):
    """MS02-011: proof is not permission."""
    name = f"{name}@{DOMAIN}"
    with session(s) as c:
        assert say(c, "XOAUTH2", s.issuer.token(email=name), user=name) == (535, b"5.7.8 Authentication failed")
        assert c.docmd("MAIL", f"FROM:<{name}>")[0] == 530
    wait_for(lambda: [x for x in s.log("login-refused") if x["claimed"] == name and x["reason"] == reason])


def test_a_token_is_no_app_password(s):
    """A label behind the name would make it the login of that app password."""
    s.cli("user", "app", "add", ME, "phone")
    name = f"{ME}/phone"
    with session(s) as c:
        assert say(c, "XOAUTH2", s.issuer.token(email=name), user=name)[0] == 535
    wait_for(lambda: [x for x in s.log("login-refused") if x["claimed"] == name and x["reason"] == "unknown-user"])


@pytest.mark.parametrize("mechanism", MESSAGES)
def test_the_name_is_that_of_the_token(s, mechanism):
    with session(s) as c:
        assert say(c, mechanism, s.issuer.token(), user=f"other@{DOMAIN}")[0] == 535
        assert say(c, mechanism, s.issuer.token(email=f"other@{DOMAIN}"), user=f"other@{DOMAIN}")[0] == 235
        assert c.docmd("MAIL", f"FROM:<{ME}>")[0] == 553
        assert c.docmd("MAIL", f"FROM:<other@{DOMAIN}>")[0] == 250


def test_oauthbearer_without_a_name_is_whom_the_token_names(s):
    with session(s) as c:
        assert say(c, "OAUTHBEARER", s.issuer.token(), user="")[0] == 235
        assert c.docmd("MAIL", f"FROM:<{ME}>")[0] == 250


@pytest.mark.parametrize("mechanism", MESSAGES)
def test_a_session_ends_with_its_token(s, mechanism):
    """At its next message. The clocks of issuer and server may differ by a minute."""
    def while_it_lasts(seconds):
        c = session(s)
        return c if say(c, mechanism, s.issuer.token(exp=int(time.time()) - 60 + seconds))[0] == 235 and c.docmd("MAIL", f"FROM:<{ME}>")[0] == 250 else None
    with in_time(while_it_lasts, 4) as c:
        def ended():
            """the end of the token"""
            assert c.docmd("RSET")[0] == 250
            answer = c.docmd("MAIL", f"FROM:<{ME}>")
            assert answer[0] == 250 or answer == (421, b"4.7.0 Your login has ended: connect again and log in")
            return answer[0] == 421
        wait_for(ended, 60, every=0.5)


def test_new_keys_count_after_a_reload(s):
    file = s.folder / "id.json"
    before = file.read_text()
    third = Issuer(s.top, "three")
    file.write_text(json.dumps({"keys": [third.jwk]}))
    s.cli("reload")
    with session(s) as c:
        assert say(c, "XOAUTH2", s.issuer.token())[0] == 334
        assert c.docmd("")[0] == 535
        assert say(c, "XOAUTH2", third.token())[0] == 235
    file.write_text("{}")
    done = s.cli("reload", check=False)
    assert done.returncode != 0 and b"it is no JWK set" in done.stdout + done.stderr
    with session(s) as c:
        assert say(c, "XOAUTH2", third.token())[0] == 235
    file.write_text(before)
    s.cli("reload")


def test_check_names_keys_that_cannot_be_used(s):
    file = s.folder / "id.json"
    before = file.read_text()
    line = next(i for i, text in enumerate(s.config.read_text().split("\n"), 1) if text.startswith("tokens"))
    for text, wrong in (("", "it is no JWK set"), (json.dumps({"keys": [{**s.issuer.jwk, "d": "AAAA"}]}), "it holds a private key")):
        file.write_text(text)
        done = s.cli("check", check=False)
        assert done.returncode != 0
        assert f"{s.config}:{line}:1: error: the keys of tokens in {file}: {wrong}".encode() in done.stdout + done.stderr
    os.unlink(file)
    assert b"cannot read the keys of tokens" in s.cli("check", check=False).stdout
    file.write_text(before)
    s.cli("check")


@pytest.mark.takes(90)
def test_only_a_token_that_might_be_made_up_is_a_guess():
    """An office whose issuer is down shows tokens that have expired, again and again: it is not banned. Who signs them himself is."""
    s = Sallyport(config=TOKENS + "never-ban 192.0.2.0/24\n")
    try:
        issuer, stranger = Issuer(s.top, "one"), Issuer(s.top, "two")
        (s.folder / "id.json").write_text(json.dumps({"keys": [issuer.jwk]}))
        s.start()

        def code(source, token):
            try:
                with smtplib.SMTP("127.0.0.1", s.submission, local_hostname="client.example.net", timeout=60, source_address=(source, 0)) as c:
                    c.starttls(context=no_check())
                    c.ehlo()
                    first = say(c, "OAUTHBEARER", token)[0]
                    return c.docmd("AQ==")[0] if first == 334 else first
            except (smtplib.SMTPConnectError, smtplib.SMTPServerDisconnected):
                return 421

        old = issuer.token(iat=1, exp=int(time.time()) - 3600)
        assert [code("127.66.5.5", old) for _ in range(24)] == [535] * 24
        assert code("127.66.5.5", issuer.token()) == 235
        assert 421 in [code("127.66.6.6", stranger.token()) for _ in range(24)]
    finally:
        s.close()
