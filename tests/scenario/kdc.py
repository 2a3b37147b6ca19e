"""Two realms of MIT Kerberos on the loopback, for a test: principals, keytabs, tickets. Clients of both trust the first realm's service."""
import contextlib
import os
import pathlib
import socket
import subprocess
import tempfile

from sallyport import free_ports, run, wait_for

CORP, PARTNER = "CORP.EXAMPLE", "PARTNER.EXAMPLE"
SECRET = "tick or treat"
SERVICE = "smtp/mail.example.org"


class Kdc:
    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sallyport-kdc-"))
        self.folder.chmod(0o755)
        self.ports = dict(zip((CORP, PARTNER), free_ports(2)))
        realms = "".join(f" {r} = {{\n  kdc = 127.0.0.1:{p}\n  pkinit_anchors = FILE:{self.folder}/ca.pem\n }}\n" for r, p in self.ports.items())
        self.conf = self.folder / "krb5.conf"
        self.conf.write_text(f"""[libdefaults]
 default_realm = {CORP}
 dns_lookup_kdc = false
 dns_lookup_realm = false
 dns_canonicalize_hostname = false
 rdns = false
 udp_preference_limit = 1
[realms]
{realms}[domain_realm]
 mail.example.org = {CORP}
 localhost = {CORP}
[capaths]
 {PARTNER} = {{
  {CORP} = .
 }}
""")
        self.profile = self.folder / "kdc.conf"
        self.profile.write_text("[realms]\n" + "".join(
            f" {r} = {{\n  database_name = {self.folder}/{r}\n  key_stash_file = {self.folder}/{r}.stash\n  acl_file = {self.folder}/acl\n"
            f"  kdc_listen = 127.0.0.1:{p}\n  kdc_tcp_listen = 127.0.0.1:{p}\n  pkinit_identity = FILE:{self.folder}/kdc.pem,{self.folder}/kdc.key\n"
            f"  pkinit_anchors = FILE:{self.folder}/ca.pem\n }}\n" for r, p in self.ports.items()))
        self.env = {**os.environ, "KRB5_CONFIG": str(self.conf), "KRB5_KDC_PROFILE": str(self.profile), "LC_ALL": "C", "PATH": os.environ["PATH"] + ":/usr/sbin"}
        for realm in self.ports:
            self.run("kdb5_util", "create", "-s", "-r", realm, "-P", "master of " + realm)
        self.number, self.process = 0, None
        self.certificate()
        self.start()

    def run(self, *arguments, **more):
        return run(*arguments, env=self.env, **more)

    def start(self, *through):
        self.stop()
        self.process = subprocess.Popen([*through, "krb5kdc", "-n", *(x for r in self.ports for x in ("-r", r))], env=self.env, stdin=subprocess.DEVNULL,
                                        stdout=(self.folder / "kdc.log").open("ab"), stderr=subprocess.STDOUT, start_new_session=True)

        wait_for(self.reachable)

    def reachable(self):
        """the KDC"""
        for port in self.ports.values():
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", port)):
                    return False
        return True

    def stop(self):
        if self.process:
            os.killpg(self.process.pid, 15)  # a session of its own
            self.process.wait(20)
        self.process = None

    def close(self):
        self.stop()
        run("rm", "-rf", self.folder)

    def admin(self, command, realm=CORP):
        """kadmin.local says what went wrong, and ends with 0 all the same."""
        done = self.run("kadmin.local", "-r", realm, "-q", command)
        said = done.stderr.decode() + done.stdout.decode()
        assert "while" not in said and "not found" not in said, said
        return said

    def user(self, *names, realm=CORP):
        for name in names:
            self.admin(f'addprinc -pw "{SECRET}" {name}', realm)

    def keytab(self, *principals, realm=CORP, options=""):
        """A file with fresh keys of these."""
        self.number += 1
        file = self.folder / f"{self.number}.keytab"
        for principal in principals:
            if "does not exist" in self.run("kadmin.local", "-r", realm, "-q", f"getprinc {principal}").stderr.decode():
                self.admin(f"addprinc -randkey {principal}", realm)
            self.admin(f"ktadd -k {file} {options} {principal}", realm)
        return file

    def ticket(self, name, *options, realm=CORP, through=()):
        """The cache of somebody who has logged in."""
        self.number += 1
        cache = self.folder / f"{self.number}.cache"
        self.run(*through, "kinit", "-c", cache, *options, f"{name}@{realm}", stdin=SECRET.encode() + b"\n")
        return cache

    def anonymous(self):
        """Tickets of nobody, by PKINIT (RFC 8062)."""
        self.number += 1
        cache = self.folder / f"{self.number}.cache"
        self.run("kinit", "-c", cache, "-n", f"@{CORP}")
        return cache

    def certificate(self):
        """The KDC's, for PKINIT (RFC 4556 3.2.4): whom clients believe before anonymous ones ask it anything."""
        (self.folder / "ext").write_text(f"""[kdc]
extendedKeyUsage = 1.3.6.1.5.2.3.5
keyUsage = digitalSignature,keyAgreement
subjectAltName = otherName:1.3.6.1.5.2.2;SEQUENCE:name
[name]
realm = EXP:0,GeneralString:{CORP}
principal = EXP:1,SEQUENCE:principal
[principal]
type = EXP:0,INTEGER:1
parts = EXP:1,SEQUENCE:parts
[parts]
one = GeneralString:krbtgt
two = GeneralString:{CORP}
""")
        f = self.folder
        self.run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=ca", "-keyout", f / "ca.key", "-out", f / "ca.pem")
        self.run("openssl", "req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=kdc", "-keyout", f / "kdc.key", "-out", f / "kdc.csr")
        self.run("openssl", "x509", "-req", "-in", f / "kdc.csr", "-CA", f / "ca.pem", "-CAkey", f / "ca.key", "-CAcreateserial", "-days", "2", "-extfile", f / "ext",
                 "-extensions", "kdc", "-out", f / "kdc.pem")

    @contextlib.contextmanager
    def client(self, cache):
        """In this process: the library is this client."""
        before = {k: os.environ.get(k) for k in ("KRB5_CONFIG", "KRB5CCNAME")}
        os.environ.update(KRB5_CONFIG=str(self.conf), KRB5CCNAME=f"FILE:{cache}")
        try:
            yield
        finally:
            for k, v in before.items():
                os.environ.pop(k) if v is None else os.environ.update({k: v})
