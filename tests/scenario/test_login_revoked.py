"""EXTERNAL by names that authorities vouch for, where they have taken certificates back: lists of theirs (CRL) are asked, and none that cannot be relied on lets anybody in."""
import datetime

import pytest

from sallyport import Sallyport, free_ports, run, wait_for
from test_login_external import ME, certificate, external, session
from test_login_vouched import REFUSED, Authority, mail, names

SIGNS = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign"


def listed(authority, begins=-3600, ends=86400):
    """The list of what it has revoked, as PEM."""
    now = datetime.datetime.now(datetime.timezone.utc)
    begin, end = (f"{now + datetime.timedelta(seconds=t):%Y%m%d%H%M%SZ}" for t in (begins, ends))
    run("openssl", "ca", "-config", authority.folder / "ca.conf", "-cert", authority.pem, "-keyfile", authority.key, "-gencrl", "-crl_lastupdate", begin, "-crl_nextupdate", end,
        "-out", authority.folder / "list.pem")
    return (authority.folder / "list.pem").read_bytes()


def revoke(authority, pem):
    run("openssl", "ca", "-config", authority.folder / "ca.conf", "-cert", authority.pem, "-keyfile", authority.key, "-revoke", pem)


@pytest.fixture(scope="module")
def s():
    port, = free_ports(1)
    one = Sallyport(config=f"""client-authorities client-ca.pem
client-revocations lists.pem
server keys {{ listen 127.0.0.1:{port} tls starttls  access authenticated mechanisms EXTERNAL PLAIN }}""")
    one.keys = port
    root, between, mute = (Authority(one.top, name) for name in ("root", "between", "mute"))
    between.pem, between.key = root.issue("between", SIGNS + ",cRLSign")
    mute.pem, mute.key = root.issue("mute", SIGNS)
    forger = Authority(one.top, "forger")
    forger.pem, forger.key = certificate(forger.folder, "forger", subject="between")
    stranger = Authority(one.top, "stranger")
    one.authorities = {"root": root, "between": between, "mute": mute, "forger": forger, "stranger": stranger}
    (one.folder / "client-ca.pem").write_bytes(b"".join(a.pem.read_bytes() for a in (between, mute, root)))
    mine = names(mail(ME))
    one.certificates = {"good": root.issue("good", mine), "below": between.issue("below", mine), "below-mute": mute.issue("below-mute", mine),
                        "revoked": root.issue("revoked", mine), "below-revoked": between.issue("below-revoked", mine), "later": root.issue("later", mine)}
    revoke(root, one.certificates["revoked"][0])
    revoke(between, one.certificates["below-revoked"][0])
    put(one, listed(root), listed(between))
    one.start()
    yield one
    one.close()


def put(s, *lists, reload=False):
    (s.folder / "lists.pem").write_bytes(b"".join(lists))
    if reload:
        s.cli("reload")


@pytest.fixture
def whole(s):
    yield
    put(s, listed(s.authorities["root"]), listed(s.authorities["between"]), reload=True)


def refused(s, name):
    """(reason, detail) of a login with that certificate; None: it got in."""
    count = len(s.log("login-refused"))
    with session(s, name) as c:
        answer = external(c)
    if answer[0] == 235:
        return None
    assert answer == REFUSED
    wait_for(lambda: len(s.log("login-refused")) > count)
    line = s.log("login-refused")[count]
    return line["reason"], line["detail"]


def doubts(s):
    """What check says of the lists, by the first word: the authority."""
    said = s.cli("check", check=False)
    assert said.returncode == 0
    return {line.split("warning: /CN=")[1].split(" ")[0]: line for line in (said.stdout + said.stderr).decode().splitlines() if "revoked certificates" in line}


REVOKED = ("certificate-revoked", "certificate revoked")


def test_a_certificate_that_was_taken_back(s):
    assert {name: refused(s, name) for name in ("good", "below", "revoked", "below-revoked")} == {"good": None, "below": None, "revoked": REVOKED, "below-revoked": REVOKED}


def test_an_authority_without_a_list_vouches_for_nobody(s):
    assert refused(s, "below-mute") == ("certificate-list", "unable to get certificate CRL")
    assert list(doubts(s)) == ["mute"] and "has no list of revoked certificates: nobody whom it vouches for gets in" in doubts(s)["mute"]


@pytest.mark.parametrize("of,begins,ends,why,said", [
    ("between", -7200, -60, "CRL has expired", "has a list of revoked certificates that has ended"),
    ("between", 3600, 7200, "CRL is not yet valid", "has a list of revoked certificates that begins later"),
    ("forger", -60, 3600, "CRL signature failure", "has a list of revoked certificates that its key has not signed"),
    (None, 0, 0, "unable to get certificate CRL", "has no list of revoked certificates")])
def test_a_list_that_says_nothing(s, whole, of, begins, ends, why, said):
    put(s, listed(s.authorities["root"]), listed(s.authorities[of], begins, ends) if of else b"")
    assert said in doubts(s)["between"] and "root" not in doubts(s)
    before = len(s.log("config-warning"))
    s.cli("reload")
    assert any(said in e["text"] and e["line"] for e in s.log("config-warning")[before:])
    assert refused(s, "below") == ("certificate-list", why)
    assert refused(s, "good") is None


def test_one_good_list_is_enough(s, whole):
    between = s.authorities["between"]
    put(s, listed(between, -7200, -60), listed(s.authorities["root"]), listed(between), listed(s.authorities["stranger"]))
    assert sorted(doubts(s)) == ["mute", "stranger"] and "vouches for no clients here" in doubts(s)["stranger"]
    s.cli("reload")
    assert (refused(s, "below"), refused(s, "below-revoked")) == (None, REVOKED)


def test_a_key_that_may_sign_no_lists(s, whole):
    put(s, listed(s.authorities["root"]), listed(s.authorities["between"]), listed(s.authorities["mute"]), reload=True)
    assert refused(s, "below-mute") == ("certificate-list", "key usage does not include CRL signing")
    assert "or may not" in doubts(s)["mute"]


def test_a_fresh_list_counts_from_the_reload_on(s, whole):
    with session(s, "later") as c:
        assert external(c)[0] == 235
        revoke(s.authorities["root"], s.certificates["later"][0])
        put(s, listed(s.authorities["root"]), listed(s.authorities["between"]))
        assert refused(s, "later") is None
        s.cli("reload")
        assert refused(s, "later") == REVOKED
        assert c.docmd("MAIL", f"FROM:<{ME}>")[0] == 250  # it was open before


def test_a_pinned_key_goes_first(s):
    s.cli("user", "certificate", "add", ME, s.certificates["revoked"][0])
    try:
        assert refused(s, "revoked") is None
    finally:
        s.cli("user", "certificate", "remove", ME, s.certificates["revoked"][0])


@pytest.mark.parametrize("text,why", [(None, "cannot read the lists of revoked certificates"), ("", "it holds no list of revoked certificates"), ("broken", "a list in it is broken")])
def test_a_file_that_is_none(s, whole, text, why):
    file = s.folder / "lists.pem"
    good = listed(s.authorities["root"])
    if text is None:
        file.unlink()
    else:
        file.write_bytes(good + good.replace(b"MI", b"**") if text else b"")
    done = s.cli("check", check=False)
    assert done.returncode != 0 and why in (done.stdout + done.stderr).decode()
    assert s.cli("reload", check=False).returncode == 1
    assert refused(s, "good") is None and refused(s, "revoked") == REVOKED  # the generation that serves has read it


def test_an_authority_that_was_taken_back(s):
    """The last test: all below it are gone."""
    root, between = s.authorities["root"], s.authorities["between"]
    revoke(root, between.pem)
    put(s, listed(root), listed(between), reload=True)
    assert refused(s, "below") == REVOKED and refused(s, "good") is None
