#!/usr/bin/python3
"""Plays the hostile corpus to a sallyport of its own: what is delivered is looked for in its Maildirs.

  against_sallyport.py [--build DIR] [--logins] [arguments for run.py, --quick when there are none]

--logins: to one on which somebody may log in, too, and then relay, from any address.
"""
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
arguments = sys.argv[1:]
if arguments[:1] == ["--build"]:
    os.environ["SALLYPORT_BUILD"] = arguments[1]
    arguments = arguments[2:]
logins = arguments[:1] == ["--logins"]
if logins:
    arguments = arguments[1:]
sys.path.insert(0, str(HERE.parent / "scenario"))
from sallyport import DOMAIN, PASSWORD, PATIENCE, USER, Sallyport  # noqa: E402

s = Sallyport(implicit=True, config="recipients dest.example\ndeliver dest.example to maildir mail\n")
s.serve_domain("dest.example", ["user", "late"])
if logins:
    text = s.config.read_text()
    assert "server mx {" in text
    s.config.write_text(text.replace("server mx {", "server mx {\n    access both mechanisms SCRAM-SHA-256-PLUS SCRAM-SHA-256 NTLM PLAIN LOGIN", 1))
    s.cli("user", "grant", f"{USER}@{DOMAIN}", "any-sender")
    arguments += ["--auth", f"{USER}@{DOMAIN}:{PASSWORD}"]
try:
    s.start()
    code = subprocess.run([sys.executable, HERE / "run.py", "--port", str(s.smtp), "--tls-port", str(s.implicit), "--pid", str(s.process.pid),
                           "--log", str(s.log_file), "--rcpt", "user@dest.example", "--sink-maildir", str(s.folder / "mail"), "--patience", str(PATIENCE),
                           *(arguments or ["--quick"])], stdin=subprocess.DEVNULL).returncode
    if s.process.poll() is not None:
        print(f"sallyportd ended with {s.process.returncode}")
        code = 1
finally:
    s.close()
sys.exit(code)
