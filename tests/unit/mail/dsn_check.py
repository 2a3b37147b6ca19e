"""Notifications as another program reads them: the parser of Python's email package."""
import email
import email.policy
import subprocess
import sys

PRINT = sys.argv[1]
MESSAGE = b"From: alice@example.org\r\nMessage-ID: <1@x>\r\nSubject: hi\r\n\r\nbody\r\n"


def dsn(recipients, content=MESSAGE, utf8=False, full=False):
    arguments = [PRINT, "01"[utf8], "01"[full]] + [field for r in recipients for field in r]
    raw = subprocess.run(arguments, input=content, stdout=subprocess.PIPE, check=True).stdout
    assert b"\n" not in raw.replace(b"\r\n", b""), "a bare LF"
    message = email.message_from_bytes(raw, policy=email.policy.default.clone(utf8=utf8))
    assert not message.defects, message.defects
    parts = message.get_payload()
    assert message.get_content_type() == "multipart/report" and len(parts) == 3, message
    assert message.get_param("report-type") == "delivery-status"
    assert message["auto-submitted"] == "auto-replied" and message["to"].addresses[0].addr_spec == "alice@example.org"
    assert message["in-reply-to"] == "<1@x>" or b"Message-ID" not in content
    for part in parts:
        assert not part.defects, part.defects
    return message, parts


def blocks(part):
    """The groups of fields of a status part. message/global-delivery-status is not known to the package."""
    if part.get_content_type() == "message/delivery-status":
        return part.get_payload()
    text = part.get_payload(0).as_bytes(policy=email.policy.default.clone(utf8=True)).decode() if part.is_multipart() else part.get_payload()
    text = text.replace("\r\n", "\n")
    return [email.message_from_string(block) for block in text.strip("\n").split("\n\n")]


def check(recipients, **how):
    message, (text, status, returned) = dsn(recipients, **how)
    groups = blocks(status)
    assert len(groups) == 1 + len(recipients), [str(g) for g in groups]
    assert groups[0].keys() == ["Original-Envelope-Id", "Reporting-MTA", "Arrival-Date"], groups[0].keys()
    for group in groups[1:]:
        known = {"Original-Recipient", "Final-Recipient", "Action", "Status", "Remote-MTA", "Diagnostic-Code"}
        assert set(group.keys()) <= known and len(group.keys()) == len(set(group.keys())), group.keys()
        assert group["Action"] == "failed"
    return message, text, groups, returned


# a plain one
message, text, groups, returned = check([["bob@example.com", "rfc822;Bob@example.com", "5.1.1", "550 5.1.1 no such user", "mx.example.com"]])
assert groups[0]["Original-Envelope-Id"] == "env id=1"
assert groups[1]["Final-Recipient"] == "rfc822; bob@example.com" and groups[1]["Status"] == "5.1.1"
assert groups[1]["Diagnostic-Code"] == "smtp; 550 5.1.1 no such user"
assert "<bob@example.com>" in text.get_payload() and "Check the address" in text.get_payload()
assert returned.get_content_type() == "text/rfc822-headers" and "Subject: hi" in returned.get_payload()

# the whole message
_, _, _, returned = check([["bob@example.com", "", "5.2.2", "full", ""]], full=True)
assert returned.get_content_type() == "message/rfc822"
assert returned.get_payload(0)["subject"] == "hi" and returned.get_payload(0).get_payload().strip() == "body"

# a message that is a multipart itself, with a boundary like ours
inner = (b"Message-ID: <1@x>\r\nContent-Type: multipart/mixed; boundary=\"=_sallyport_000000000000002a\"\r\n\r\n"
         b"--=_sallyport_000000000000002a\r\n\r\nA\r\n--=_sallyport_000000000000002a--\r\n")
_, _, _, returned = check([["bob@example.com", "", "5.2.2", "full", ""]], content=inner, full=True)
assert returned.get_payload(0).get_payload(0).get_payload().strip() == "A"

# hostile text everywhere
evil = "x\r\n\r\nFinal-Recipient: rfc822; victim@example.net\r\nAction: delivered\r\n\r\n--=_sallyport_000000000000002a\r\nContent-Type: text/html\r\n\r\n<b>"
for utf8 in (False, True):
    for full in (False, True):
        check([[evil, "rfc822;" + evil, evil, evil, evil], ["a@b", evil, "5.0.0", "\t" + evil, ""]], utf8=utf8, full=full)
check([["a@b", "", "5.0.0", "x" * 900, ""], ["a@b", "", "5.0.0", "y z " * 300, "r"]])

# long and strange content
check([["a@b", "", "5.0.0", "d", ""]], content=b"Message-ID: <1@x>\r\nX: " + b"a" * 5000 + b"\r\n\r\nz\r\n")
check([["a@b", "", "5.0.0", "d", ""]], content=b"no header\x00\x01\r\n", full=True)
check([["a@b", "", "5.0.0", "d", ""]], content=b"", full=True)

# internationalized
_, _, groups, _ = check([["j\u00f6rg@example.com", "utf-8;j\u00f6rg@example.com", "5.1.1", "f\u00fcr", ""]])
assert groups[1]["Final-Recipient"] == "utf-8; j\\x{F6}rg@example.com"
message, text, groups, returned = check([["j\u00f6rg@example.com", "", "5.1.1", "f\u00fcr", ""]], utf8=True,
                                        content="Message-ID: <1@x>\r\nSubject: gr\u00fc\u00dfe\r\n\r\n".encode())
assert groups[1]["Final-Recipient"] == "utf-8; j\u00f6rg@example.com", groups[1]["Final-Recipient"]
assert returned.get_content_type() == "message/global-headers"
print("dsn_check: all passed")
