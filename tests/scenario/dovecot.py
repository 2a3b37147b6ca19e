"""Dovecot's authentication service, real or played."""
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import threading

from sallyport import alive, run, wait_for

DOVECOT = shutil.which("dovecot") or "/usr/sbin/dovecot"


class Dovecot:
    """The real one: nothing but auth, with users in a file."""
    def __init__(self, top, mechanisms, users, masters="", failure_delay=0, more=""):
        self.top = pathlib.Path(top)
        self.top.mkdir()
        self.top.chmod(0o755)
        self.users, self.socket, self.log = self.top / "users", self.top / "run/auth-client", self.top / "log"
        self.users.write_text(users)
        (self.top / "masters").write_text(masters)
        for file in (self.users, self.top / "masters"):
            file.chmod(0o644)
        self.config = self.top / "dovecot.conf"
        self.config.write_text(f"""protocols =
base_dir = {self.top}/run
state_dir = {self.top}/state
log_path = {self.log}
ssl = no
disable_plaintext_auth = no
auth_mechanisms = {mechanisms}
auth_failure_delay = {failure_delay} secs
auth_master_user_separator = *
passdb {{
  driver = passwd-file
  master = yes
  args = {self.top}/masters
}}
passdb {{
  driver = passwd-file
  args = {self.users}
}}
userdb {{
  driver = static
  args = uid=65534 gid=65534 home=/nonexistent
}}
{more}
service auth {{
  unix_listener auth-client {{
    mode = 0666
  }}
}}
""")
        self.process = None

    def start(self):
        self.process = subprocess.Popen([DOVECOT, "-F", "-c", self.config], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        def listens():
            """Dovecot's socket"""
            assert self.process.poll() is None, self.log.read_text() if self.log.exists() else "no log"
            return answers(self.socket)
        wait_for(listens, 20)
        return self

    def all(self):
        """Its processes."""
        return [self.process.pid, *map(int, run("pgrep", "-P", self.process.pid, check=False).stdout.split())]

    def signal(self, number):
        for pid in self.all():
            os.kill(pid, number)

    def stop(self):
        if self.process and self.process.poll() is None:
            children = self.all()[1:]
            self.signal(signal.SIGCONT)
            self.process.terminate()
            self.process.wait(30)
            for pid in filter(alive, children):  # who still has a conversation lives on
                os.kill(pid, signal.SIGKILL)
        self.process = None


def answers(path):
    try:
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(5)
            s.connect(str(path))
            s.sendall(b"VERSION\t1\t1\nCPID\t4000000\n")
            return s.recv(8) == b"VERSION\t"
    except OSError:
        return False


class Fake:
    """Whatever stands in its place: script(heard) -> what is said, for each line that is heard; None: it hangs up."""
    HELLO = b"VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nMECH\tSCRAM-SHA-256\tmutual-auth\nSPID\t1\nCUID\t1\nCOOKIE\t0\nDONE\n"

    def __init__(self, path):
        self.path, self.hello, self.script, self.heard, self.numbers = str(path), self.HELLO, lambda line: b"", [], []
        self.conversations = []  # what each said
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        os.chmod(self.path, 0o666)
        self.listener.listen(64)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.talk, args=(s,), daemon=True).start()

    def talk(self, s):
        try:
            with s, s.makefile("rb") as lines:
                conversation = []
                self.conversations.append(conversation)
                s.sendall(self.hello)
                for line in lines:
                    self.heard.append(line)
                    conversation.append(line)
                    if line.startswith(b"CPID\t"):
                        self.numbers.append(int(line[5:]))
                    said = self.script(line)
                    if said is None:
                        return
                    s.sendall(said)
        except OSError:
            pass
