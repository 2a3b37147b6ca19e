"""sallyportd(8) lists every security event that the code logs, with its fields, and every reason of a refused login."""
import re

from sallyport import BUILD, ROOT, run

SOURCES = {p: p.read_text() for p in sorted((ROOT / "src").glob("*/*.c"))}
HELPERS = {"log_network": "network", "put_client": "client", "log_id": "session"}  # what they log
ID = r'"([a-z0-9]+(?:-[a-z0-9]+)*)"'


def section(name):
    return (ROOT / "man/sallyportd.8").read_text().split(f".SH {name}\n")[1].split("\n.SH ")[0].replace("\\-", "-")


def described():
    """{event: the text about it}"""
    found = {}
    for part in re.split(r"\n\.TP\n(?=\.BR? )", "\n" + re.sub(r"\.RS\n(.*?)\.RE\n", lambda m: m[1].replace(".TP\n", ""), section("SECURITY EVENTS"), flags=re.S)):
        head, _, text = part.strip().partition("\n")
        for name in re.findall(r"[a-z]+(?:-[a-z]+)+", head.split("(")[0]):
            found[name] = text
    return found


def logged():
    """(event, its fields) of everything at that level"""
    for text in SOURCES.values():
        for m in re.finditer(r"log_(begin|note)\(([^;]*LOG_LEVEL_SECURITY[^;]*);", text):
            names = re.findall(ID, m[2].replace("\n", " "))
            assert names, m[0]
            rest = text[m.end():text.index("log_end", m.end())] if m[1] == "begin" else 'log_str("text"'
            fields = set(re.findall(r'log_(?:str|span|u64)\("([a-z_]+)"', rest)) | {field for call, field in HELPERS.items() if f"{call}(" in rest}
            for name in names if m[1] == "begin" else names[:1]:
                yield name, fields


def reasons():
    found = set()
    for path, text in SOURCES.items():
        if not re.fullmatch(r"service/(login\w*|kerberos|token)\.c", str(path.relative_to(ROOT / "src"))):
            continue
        for part in re.findall(r"(?:login_refuse\(l, |(?:event|useless) = )([^;]*);", text) + re.findall(r"\[(?:DOMAIN|DOVECOT|KERBEROS_NAME|NTLM|TLS_VOUCHED|TOKEN)_\w+\] *= *(\"[^\"]+\")", text):
            found.update(re.findall(ID, part))
        found.update(re.findall(r'"(dovecot-[a-z]+|wrong-secret|no-secret)"', text))
    return found - {"token-good"}


def test_every_security_event_is_in_the_manual():
    listed, events = described(), dict(logged())
    assert {"login-refused", "login-banned", "login-spray", "login-distributed", "domain-odd", "peer-lost", "status-malformed"} <= set(events)
    for name, fields in events.items():
        assert name in listed, f"{name} is not in sallyportd(8)"
        missing = [field for field in fields if not re.search(rf"\b{field}\b", listed[name])]
        assert not missing, (name, missing)
    for name in ("login-deferred", "access-changed", "login-bans-not-kept", "domain-unavailable"):
        assert name in listed and any(f'"{name}"' in text for text in SOURCES.values()), name


def test_every_reason_of_a_refused_login_is_in_the_manual():
    known = reasons()
    assert {"unknown-user", "clear", "app-expired", "token-scope", "dovecot-busy", "mic", "replay", "domain-locked", "no-certificate", "certificate-early", "ambiguous"} <= known and len(known) > 45
    listed = set(re.findall(r"[a-z0-9]+(?:-[a-z0-9]+)*", described()["login-refused"]))
    assert not known - listed


def test_what_fail2ban_needs_is_installed_where_the_manual_says(tmp_path):
    run(ROOT / "tools/install", BUILD, tmp_path, "/opt/it", cwd=ROOT)
    folder = tmp_path / "opt/it/share/sallyport/fail2ban"
    there = {str(p.relative_to(folder)): p for p in folder.rglob("*.conf")}
    assert set(there) == {str(p.relative_to(ROOT / "packaging/fail2ban")) for p in (ROOT / "packaging/fail2ban").rglob("*.conf")} and len(there) == 3
    manual = section("FAIL2BAN")
    for name in ("share/sallyport/fail2ban", *there):
        assert name in manual, name
