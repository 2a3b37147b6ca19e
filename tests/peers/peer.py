"""Real mail servers, each started in a fresh layer over a root of its own (bench/peers/setup-roots.sh), with process and mount name spaces
of its own: what it writes and starts ends with it. A root that cannot be made is a failure."""
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile

from sallyport import DOMAIN, ROOT, Sallyport, wait_for

ROOTS = pathlib.Path(os.environ.get("PEERS_ROOT", pathlib.Path.home() / ".cache/sallyport-peers"))
FAR, SAFE = "far.example", "safe.example"  # every peer takes mail for these and keeps it
VMAIL = 5000
MADE = set()


def need_root_of(name):
    assert os.geteuid() == 0, "a root of its own needs root"
    if name not in MADE:
        subprocess.run([ROOT / "bench/peers/setup-roots.sh", name], check=True, timeout=900, stdin=subprocess.DEVNULL)
        MADE.add(name)


class Authority:
    """A certificate authority of this test."""
    def __init__(self, name="Test Authority"):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sallyport-authority-"))
        self.pem, self.key = self.folder / "ca.pem", self.folder / "ca.key"
        self.openssl("req", "-x509", *self.new_key(self.key), "-out", self.pem, "-days", "3", "-subj", f"/CN={name}")

    @staticmethod
    def new_key(path):
        return "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", str(path)

    @staticmethod
    def openssl(*arguments, **more):
        return subprocess.run(["openssl", *(str(a) for a in arguments)], check=True, capture_output=True, **more).stdout

    def issue(self, names, common="peer.example"):
        """(chain, key) as text, for subject alternative names like "IP:127.0.0.1,DNS:mx.example"."""
        key, request, chain = (self.folder / f"leaf.{x}" for x in ("key", "csr", "pem"))
        self.openssl("req", *self.new_key(key), "-out", request, "-subj", f"/CN={common}")
        (self.folder / "ext").write_text(f"subjectAltName={names}\n")
        self.openssl("x509", "-req", "-in", request, "-CA", self.pem, "-CAkey", self.key, "-CAcreateserial", "-days", "2", "-extfile", self.folder / "ext", "-out", chain)
        return chain.read_text() + self.pem.read_text(), key.read_text()

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)


class Peer:
    """where: "address:port" of its listeners. back: the port that mail for everybody else goes to (its notifications)."""
    name = None
    longest = 70000
    tls_works = True
    offers = ()
    used_chunking = None  # what its log says then
    later_words = ("4.2.1", "come again")  # of a recipient that is let in after open()
    mail = "var/vmail"
    fresh = ("var/log", )  # what others left in these folders of the root is not seen

    def __init__(self, where, certificate, back=25, through=(), domains=(FAR, SAFE), root=None):
        self.root_name = root or self.name
        need_root_of(self.root_name)
        self.where, self.chain, self.key, self.back, self.through, self.domains = list(where), *certificate, back, list(through), domains
        self.top = pathlib.Path(tempfile.mkdtemp(prefix=f"sallyport-{self.name}-"))
        self.top.chmod(0o755)
        for part in ("upper", "work", "merged", "shared"):
            (self.top / part).mkdir()
        self.upper, self.shared, self.process = self.top / "upper", self.top / "shared", None
        self.shared.chmod(0o777)
        users = (ROOTS / self.root_name / "etc/passwd").read_text()
        self.write("etc/passwd", users + f"vmail:x:{VMAIL}:{VMAIL}::/var/vmail:/bin/sh\n")
        self.write("etc/group", (ROOTS / self.root_name / "etc/group").read_text() + f"vmail:x:{VMAIL}:\n")
        self.write("etc/hosts", "127.0.0.1 localhost\n")
        self.write("etc/resolv.conf", "")
        self.write("etc/test/chain.pem", self.chain)
        self.write("etc/test/key.pem", self.key, 0o640)
        for folder in self.fresh:
            (self.upper / folder).mkdir(parents=True)
            (self.upper / folder).chmod(0o755 if folder != "var/spool/smtpd" else 0o711)  # as OpenSMTPD wants it
            os.setxattr(self.upper / folder, "trusted.overlay.opaque", b"y")
        (self.upper / self.mail).mkdir(parents=True)
        os.chown(self.upper / self.mail, VMAIL, VMAIL)
        self.configure()

    def write(self, path, text, mode=0o644):
        file = self.upper / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)

    def start(self):
        top = self.top
        script = (f"mount -t overlay overlay -o lowerdir={ROOTS / self.root_name},upperdir={top}/upper,workdir={top}/work {top}/merged && "
                  f"mkdir -p {top}/merged/shared && mount --bind {top}/shared {top}/merged/shared && mount -t proc proc {top}/merged/proc && "
                  f"exec chroot {top}/merged /bin/sh -c '{self.command()}'")
        self.process = subprocess.Popen([*self.through, "unshare", "-m", "-p", "--fork", "--kill-child", "sh", "-c", script], stdin=subprocess.DEVNULL,
                                        stdout=(top / "out").open("ab"), stderr=subprocess.STDOUT)
        self.wait()
        return self

    def wait(self):
        for where in self.where:
            def greets():
                assert self.process.poll() is None, f"{self.name} ended:\n{self.log()[-3000:]}"
                address, port = where.rsplit(":", 1)
                if self.through:
                    return subprocess.run([*self.through, "python3", "-c", f"import socket; socket.create_connection(('{address}', {port}), 1)"], capture_output=True).returncode == 0
                try:
                    with socket.create_connection((address, int(port)), 2) as s:
                        return s.recv(3) == b"220"
                except OSError:
                    return False
            greets.__doc__ = f"{self.name} at {where}:\n{self.log()[-3000:]}"
            wait_for(greets, 30, 0.1)

    def end(self):
        if self.process:
            try:
                os.kill(self.first(), signal.SIGKILL)  # the first process of its name space: all others go with it
            except (OSError, IndexError):
                self.process.kill()
            self.process.wait()
            self.process = None

    def close(self):
        self.end()
        if os.environ.get("SALLYPORT_KEEP") != "1":
            shutil.rmtree(self.top, ignore_errors=True)

    def first(self):
        return int(pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()[0])

    def shut(self):
        """What it does by itself for those who come later."""

    def log(self):
        found = [self.top / "out", *self.upper.glob("var/log/**/*")]
        return "\n".join(f.read_text(errors="replace") for f in found if f.is_file())

    def mails(self, token=b""):
        """What was kept and has the token in it, with LF line ends."""
        found = []
        for folder, _, names in os.walk(self.upper / self.mail):
            if not folder.endswith("/tmp"):
                found += [pathlib.Path(folder, n).read_bytes().replace(b"\r\n", b"\n") for n in names if not n.startswith("dovecot")]
        return [m for m in found if token in m]

    def wait_mail(self, token, seconds=20):
        def there():
            return self.mails(token)
        there.__doc__ = f"{token} at {self.name}"
        try:
            mail, = wait_for(there, seconds, 0.05)
        except AssertionError as e:
            raise AssertionError(f"{e}\n{self.log()[-2000:]}") from None
        return mail

    def addresses(self):
        return [w.rsplit(":", 1) for w in self.where]


class Postfix(Peer):
    name = "postfix"
    offers = ("PIPELINING", "CHUNKING", "SMTPUTF8", "DSN", "STARTTLS", "8BITMIME")
    used_chunking = "bdat="
    fresh = ("var/log", "var/spool/postfix", "var/lib/postfix")
    refusal = "550 5.1.1 <gone@far.example>: Recipient address rejected: User unknown in virtual mailbox table"

    def later(self, open_now):
        text = "" if open_now else "/^later@/ 450 4.2.1 come again\n"
        self.write("etc/postfix/later", text)

    def configure(self):
        self.later(False)
        self.write("etc/postfix/boxes", "if !/^gone@/\n/./ box/\nendif\n")
        self.write("etc/postfix/main.cf", f"""compatibility_level = 3.6
queue_directory = /var/spool/postfix
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
data_directory = /var/lib/postfix
mail_owner = postfix
myhostname = postfix.test.example
mydestination =
inet_interfaces = all
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
virtual_mailbox_domains = {", ".join(self.domains)}
virtual_mailbox_base = /{self.mail}
virtual_mailbox_maps = regexp:/etc/postfix/boxes
virtual_uid_maps = static:{VMAIL}
virtual_gid_maps = static:{VMAIL}
relayhost = [127.0.0.1]:{self.back}
smtpd_recipient_restrictions = reject_unauth_destination, check_recipient_access regexp:/etc/postfix/later, permit
smtpd_peername_lookup = no
smtpd_tls_security_level = may
smtpd_tls_chain_files = /etc/test/key.pem /etc/test/chain.pem
smtpd_tls_loglevel = 1
smtpd_tls_received_header = yes
smtp_dns_support_level = disabled
smtp_host_lookup = native
smtputf8_enable = yes
message_size_limit = 104857600
virtual_mailbox_limit = 0
maillog_file = /var/log/postfix.log
biff = no
alias_maps =
alias_database =
""")
        self.write("etc/postfix/master.cf", "".join(f"{w} inet n - n - - smtpd\n" for w in self.where) + """pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - 100 smtp
relay unix - - n - 100 smtp
virtual unix - n n - - virtual
tlsmgr unix - - n 1000? 1 tlsmgr
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
""")

    def command(self):
        return "rm -f /var/spool/postfix/pid/master.pid; mkdir -p /var/spool/postfix/pid; chown postfix /var/lib/postfix; exec postfix start-fg"

    def open(self):
        self.end()
        self.later(True)
        self.start()


class Exim(Peer):
    name = "exim"
    offers = ("PIPELINING", "CHUNKING", "SMTPUTF8", "DSN", "STARTTLS", "8BITMIME")
    used_chunking = " K "
    fresh = ("var/log", "var/spool/exim4")
    refusal = "550 nobody of that name"
    mechanisms = ("PLAIN", "LOGIN")
    auth_only = False

    def configure(self):
        login = """plain:
  driver = plaintext
  public_name = PLAIN
  server_condition = ${if and {{eq{$auth2}{joe}}{eq{$auth3}{to0 secret}}}}
  server_advertise_condition = ${if def:tls_in_cipher}
  server_set_id = $auth2
"""
        other = """login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = ${if and {{eq{$auth1}{joe}}{eq{$auth2}{to0 secret}}}}
  server_advertise_condition = ${if def:tls_in_cipher}
  server_set_id = $auth1
"""
        self.write("etc/exim4/exim4.conf", f"""primary_hostname = exim.test.example
local_interfaces = {" : ".join(".".join(w.rsplit(":", 1)) for w in self.where)}
exim_user = Debian-exim
exim_group = Debian-exim
spool_directory = /var/spool/exim4
log_file_path = /var/log/exim4/%slog
log_selector = +all
domainlist kept = {" : ".join(self.domains)}
message_size_limit = 100M
check_spool_space = 0
check_log_space = 0
host_lookup =
rfc1413_hosts =
tls_advertise_hosts = *
tls_certificate = /etc/test/chain.pem
tls_privatekey = /etc/test/key.pem
dsn_advertise_hosts = *
keep_environment =
acl_smtp_rcpt = rcpt
acl_smtp_data = accept
begin acl
rcpt:
{"  deny !authenticated = *" if self.auth_only else ""}
  deny message = nobody of that name
    local_parts = gone
  defer message = 450 4.2.1 come again
    local_parts = later
    condition = ${{if exists{{/shared/open}}{{no}}{{yes}}}}
  accept
begin routers
keep:
  driver = accept
  domains = +kept
  transport = keep
back:
  driver = manualroute
  transport = out
  route_list = * 127.0.0.1::{self.back} byname
  self = send
begin transports
keep:
  driver = appendfile
  directory = /{self.mail}
  maildir_format
  user = vmail
  group = vmail
  envelope_to_add
  return_path_add
out:
  driver = smtp
  allow_localhost
  hosts_avoid_tls = *
begin retry
* * F,2h,1m
begin authenticators
{login if "PLAIN" in self.mechanisms else ""}{other if "LOGIN" in self.mechanisms else ""}
""")

    def command(self):
        return ("mkdir -p /run/exim4 /var/log/exim4 && chown Debian-exim:Debian-exim /run/exim4 /var/spool/exim4 /var/log/exim4 && chgrp Debian-exim /etc/test/key.pem && "
                "exec exim4 -bdf -q10s")

    def open(self):
        (self.shared / "open").touch()


class OpenSMTPD(Peer):
    name = "opensmtpd"
    offers = ("PIPELINING", "DSN", "STARTTLS", "8BITMIME")
    longest = 60000
    tls_works = False  # Debian 12's (6.8.0p2 with OpenSSL 3) offers STARTTLS and fails in every handshake, with any client
    fresh = ("var/log", "var/spool/smtpd")
    refusal = "550 5.1.1 nobody of that name"

    def configure(self, later='filter "later" phase rcpt-to match rcpt-to { "later@far.example" } reject "450 4.2.1 come again"'):
        self.write("etc/mailname", "opensmtpd.test.example\n")
        self.write("etc/resolv.conf", "lookup file\n")
        chained = '"gone", "later"' if later else '"gone"'
        listen = "\n".join(f'listen on {a} port {p} tls pki here hostname opensmtpd.test.example filter "all"' for a, p in self.addresses())
        self.write("etc/smtpd.conf", f"""pki here cert "/etc/test/chain.pem"
pki here key "/etc/test/key.pem"
smtp max-message-size 100M
table boxes {{ {", ".join(f'"@{d}" = vmail' for d in self.domains)} }}
table kept {{ {", ".join(f'"{d}"' for d in self.domains)} }}
filter "gone" phase rcpt-to match rcpt-to {{ "gone@far.example" }} reject "{self.refusal}"
{later}
filter "all" chain {{ {chained} }}
{listen}
action "keep" maildir "/{self.mail}/%{{rcpt.user}}" virtual <boxes>
action "back" relay host smtp://127.0.0.1:{self.back}
match from any for domain <kept> action "keep"
match from any for any action "back"
""")

    def command(self):
        return "chmod 600 /etc/test/key.pem; exec /usr/sbin/smtpd -d"

    def open(self):
        self.end()
        self.configure("")
        self.start()


class Haraka(Peer):
    """Not in a root: a folder with its packages, never installed."""
    name = "haraka"
    offers = ("PIPELINING", "SMTPUTF8", "STARTTLS", "8BITMIME")
    refusal = "550 5.1.1 nobody of that name"
    longest = 900
    mechanisms = ()

    def __init__(self, where, certificate, back=25, through=(), domains=(FAR, SAFE)):
        need_root_of(self.name)
        self.where, (self.chain, self.key), self.through = list(where), certificate, list(through)
        self.top = pathlib.Path(tempfile.mkdtemp(prefix="sallyport-haraka-"))
        self.upper = self.shared = self.top
        self.mail = "mail"
        self.process = None
        for part in ("mail", "plugins"):
            (self.top / part).mkdir()
        shutil.copytree(ROOTS / "haraka/node_modules/Haraka/config", self.top / "config")
        self.write("config/me", "haraka.test.example\n")
        self.write("config/smtp.ini", f"listen={','.join(self.where)}\nnodes=0\ndaemonize=false\n")
        self.write("config/databytes", "104857600\n")
        self.write("config/log.ini", "[main]\nlevel=info\n")
        self.write("config/tls_cert.pem", self.chain)
        self.write("config/tls_key.pem", self.key)
        self.write("config/plugins", "tls\n" + ("auth/flat_file\n" if self.mechanisms else "") + "keep\n")
        self.write("config/auth_flat_file.ini", f"[core]\nmethods={','.join(self.mechanisms)}\n[users]\njoe=to0 secret\n")
        self.write("plugins/keep.js", f"""'use strict';
const fs = require('fs');
let count = 0;
exports.register = function () {{ this.register_hook('mail', 'm'); this.register_hook('rcpt', 'r'); this.register_hook('queue', 'q'); this.register_hook('queue_outbound', 'q'); }};
exports.m = (next, c) => {'c.notes.auth_user ? next(OK) : next(DENY, "login first")' if self.mechanisms else 'next(OK)'};
exports.r = function (next, c, params) {{
    const user = params[0].user;
    if (user === 'gone') return next(DENY, '5.1.1 nobody of that name');
    if (user === 'later' && !fs.existsSync('{self.top}/open')) return next(DENYSOFT, '4.2.1 come again');
    next(OK);
}};
exports.q = function (next, c) {{
    const out = fs.createWriteStream(`{self.top}/mail/tmp-${{++count}}`), kept = `{self.top}/mail/m-${{count}}`;
    out.on('close', () => {{ fs.renameSync(out.path, kept); next(OK); }});
    c.transaction.message_stream.pipe(out);
}};
""")

    def start(self):
        self.process = subprocess.Popen([*self.through, "unshare", "-p", "--fork", "--kill-child", "node", ROOTS / "haraka/node_modules/Haraka/bin/haraka", "-c", self.top],
                                        cwd=ROOTS / "haraka", stdin=subprocess.DEVNULL, stdout=(self.top / "out").open("ab"), stderr=subprocess.STDOUT)
        self.wait()
        return self

    def open(self):
        (self.top / "open").touch()

    def mails(self, token=b""):
        return [m for m in (f.read_bytes().replace(b"\r\n", b"\n") for f in (self.top / "mail").glob("m-*")) if token in m]


class Dovecot(Peer):
    """LMTP over TCP and over a UNIX socket; submission that hands on to `back`."""
    name = "dovecot"
    offers = ("PIPELINING", "CHUNKING", "STARTTLS", "8BITMIME")
    refusal = "550 5.1.1 <gone@far.example> User doesn't exist: gone@far.example"
    later_words = ("4.2.2", "uota")
    submission = 0
    mechanisms = ("PLAIN", "LOGIN")

    def quota(self, rule):
        names = ("r", "later", "verified", "exact", "many0", "many1", "many2")
        self.write("etc/dovecot/users", f"joe:{{PLAIN}}to0 secret:{VMAIL}:{VMAIL}::/var/vmail/joe\n" + "".join(
            f"{u}@{d}:{{PLAIN}}x:{VMAIL}:{VMAIL}::/var/vmail/{d}/{u}::{'userdb_quota_rule=*:storage=' + rule if u == 'later' else ''}\n" for d in self.domains for u in names))

    def configure(self):
        self.quota("1B")
        listeners = "".join(f"  inet_listener lmtp{i} {{\n    address = {a}\n    port = {p}\n  }}\n" for i, (a, p) in enumerate(self.addresses()))
        self.write("etc/dovecot/dovecot.conf", f"""protocols = lmtp submission
log_path = /var/log/dovecot.log
mail_debug = no
hostname = dovecot.test.example
ssl = yes
ssl_cert = </etc/test/chain.pem
ssl_key = </etc/test/key.pem
auth_mechanisms = {" ".join(self.mechanisms).lower()}
auth_username_format = %u
mail_location = maildir:~/Maildir
quota_full_tempfail = yes
submission_relay_host = 127.0.0.1
submission_relay_port = {self.back}
submission_relay_trusted = no
protocol lmtp {{
  mail_plugins = quota
}}
plugin {{
  quota = maildir:User quota
}}
passdb {{
  driver = passwd-file
  args = /etc/dovecot/users
}}
userdb {{
  driver = passwd-file
  args = /etc/dovecot/users
}}
service lmtp {{
  unix_listener /shared/lmtp {{
    mode = 0666
  }}
{listeners}}}
service submission-login {{
  inet_listener submission {{
    address = 127.0.0.1
    port = {self.submission or 1}
  }}
}}
service anvil {{
  chroot =
}}
""")

    def command(self):
        return "chmod 600 /etc/test/key.pem; exec dovecot -F"

    def open(self):
        self.quota("10M")


class Ours(Peer):
    """A second sallyport."""
    name = "sallyport"
    offers = ("PIPELINING", "CHUNKING", "SMTPUTF8", "DSN", "STARTTLS", "8BITMIME")
    refusal = "550 5.1.1 "
    later_words = ("refused", )

    def __init__(self, where, certificate, back=25, through=(), domains=(FAR, SAFE)):
        self.s = Sallyport(config=f"recipients {' '.join(domains)}\nrelay {DOMAIN} via smarthost 127.0.0.1:{back}\n"
                           f"server far {{ listen {' '.join(where)}  tls starttls certificate tls/chain.pem key tls/key.pem }}\n")
        self.s.config.write_text(re.sub(r"(?m)^hostname .*$", "hostname sallyport.test.example", self.s.config.read_text()))
        (self.s.folder / "tls/chain.pem").write_text(certificate[0])
        (self.s.folder / "tls/key.pem").write_text(certificate[1])
        for d in domains:
            self.s.serve_domain(d, ("r", "later", "verified", "exact", "grün", "many0", "many1", "many2"))

    def start(self):
        self.s.start()
        return self

    def shut(self):
        self.s.stop()

    def open(self):
        self.s.start()

    def close(self):
        self.s.close()

    def log(self):
        return self.s.log_text()

    def mails(self, token=b""):
        return [m for m in (f.read_bytes() for f in (self.s.folder / "mail").glob("*/*/new/*")) if token in m]
