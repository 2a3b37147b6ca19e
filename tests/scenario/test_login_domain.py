"""Logins of a domain of Active Directory where nobody can check them: winbindd does not run here. tests/peers has a real domain controller."""
import pytest

from sallyport import DOMAIN, UNCAGED, Sallyport, free_ports, wait_for
from test_login_ntlm import SECRET, Login
from test_ntlm import impacket


@pytest.fixture(scope="module")
def s():
    port, = free_ports(1)
    one = Sallyport(config=f"winbind CORP corp.example as {DOMAIN}\nserver old {{ listen 127.0.0.1:{port} tls starttls  access authenticated mechanisms NTLM }}\n")
    one.old = port
    one.cli("user", "add", f"user@{DOMAIN}", "--nt", "--grant", "submit", stdin=SECRET.encode() + b"\n")
    one.start()
    yield one
    one.close()


@pytest.mark.parametrize("user,domain", [("user", "CORP"), ("user", "Corp.Example"), ("user@corp.example", "")])
def test_winbindd_is_not_there(s, user, domain):
    """454, never 535: the client keeps its password. The process that asked lives on in its cage."""
    before = s.processes()["winbind"]
    count = len(s.log("login-refused"))
    assert impacket(Login(s), user=user, domain=domain, password=SECRET) == 454
    wait_for(lambda: len(s.log("login-refused")) > count)
    assert s.log("login-refused")[-1]["reason"] == "unavailable"
    assert wait_for(lambda: s.log("domain-unavailable"))[0]["text"]
    assert s.processes()["winbind"] == before


def test_accounts_of_ours_go_on(s):
    assert impacket(Login(s), password=SECRET) == 235
    assert impacket(Login(s), domain="WORKGROUP", password=SECRET) == 235
    assert impacket(Login(s), user=f"user@{DOMAIN}", domain="CORP", password=SECRET) == 235
    assert impacket(Login(s), domain="WORKGROUP", password="wrong") == 535


def test_old_ones_are_refused_before_anybody_is_asked(s):
    count = len(s.log("login-refused"))
    assert impacket(Login(s), domain="CORP", password=SECRET, version_2=False) == 535
    assert impacket(Login(s), user="Guest", domain="CORP", password=SECRET) == 535
    assert impacket(Login(s), user="", domain="CORP", password="") == 535
    wait_for(lambda: len(s.log("login-refused")) == count + 3)
    assert [e["reason"] for e in s.log("login-refused")[count:]] == ["ntlmv1", "guest", "anonymous"]


def test_it_lives_in_a_cage_and_begins_where_it_is_asked_for(s):
    (process, ) = [p for p in s.ask("status")[0]["processes"] if p["name"] == "winbind"]
    assert (process["cage"] == "none") == UNCAGED and process["restarts"] == 0
    with_it = s.config.read_text()
    s.config.write_text(with_it.replace("winbind CORP", "# winbind CORP"))
    s.cli("reload")
    wait_for(lambda: "winbind" not in s.processes())
    assert impacket(Login(s), domain="CORP", password=SECRET) == 235  # CORP is nobody's domain now
    s.config.write_text(with_it)
    s.cli("reload")
    wait_for(lambda: "winbind" in s.processes())
    assert impacket(Login(s), domain="CORP", password=SECRET) == 454
