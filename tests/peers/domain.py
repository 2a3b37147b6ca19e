"""A domain controller of Active Directory: Samba in a root of its own (bench/peers/setup-roots.sh), with a network, processes and a host name of its
own. Its winbindd's sockets are where libwbclient looks for them, for whoever is started with `through`."""
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

from peer import ROOTS, need_root_of
from sallyport import wait_for

ADDRESS, PASSWORD = "10.53.0.1", "Password"
SOCKETS, PRIVILEGED, GROUP = "/run/samba", "/var/lib/samba/winbindd_privileged", "winbindd_priv"

# in the root, once: the domain
PROVISION = """
mkdir -p /var/lib/samba/private /var/cache/samba /var/log/samba /run/samba /etc/samba
rm -f /etc/samba/smb.conf
samba-tool domain provision --realm=DOM.EXAMPLE --domain=DOM --adminpass=Adm1n-secret --server-role=dc --dns-backend=SAMBA_INTERNAL --host-name=dc1 \
  --host-ip=10.53.0.1 --option='interfaces=10.53.0.1' --option='bind interfaces only=yes'
"""
# by winbindd it is asked which group may use the socket: the folder's
RUN = f"mkdir -p {PRIVILEGED} && chgrp {GROUP} {PRIVILEGED} && chmod 750 {PRIVILEGED} && exec samba -F --no-process-group --debug-stdout"


class Domain:
    """DOM, also dom.example. users: made with PASSWORD; then commands of samba-tool."""

    def __init__(self, users, commands=()):
        need_root_of("samba")
        self.process = None
        self.top = pathlib.Path(tempfile.mkdtemp(prefix="sallyport-domain-"))
        self.top.chmod(0o755)
        for part in ("upper/etc", "work", "merged", "run", "lib", "names/run/samba", "names/lib/samba/winbindd_privileged"):
            (self.top / part).mkdir(parents=True)
        (self.top / "upper/etc/hosts").write_text(f"127.0.0.1 localhost\n{ADDRESS} dc1.dom.example dc1\n")
        (self.top / "upper/etc/resolv.conf").write_text(f"nameserver {ADDRESS}\n")
        try:
            self.make(users, commands)
        except BaseException:
            self.close()
            raise

    def make(self, users, commands):
        self.run(PROVISION)
        self.start()
        self.tool("domain passwordsettings set --complexity=off --min-pwd-length=4 --min-pwd-age=0 --account-lockout-threshold=3", "group add 'Mail Users'",
                  *(f"user create {u} {PASSWORD}" for u in users), *commands)

    def inside(self, script):
        t = self.top
        return ["unshare", "-m", "-n", "-u", "-p", "--fork", "--kill-child", "sh", "-c",
                f"""set -e; hostname dc1; ip link set lo up; ip addr add {ADDRESS}/32 dev lo
                mount -t overlay overlay -o lowerdir={ROOTS}/samba,upperdir={t}/upper,workdir={t}/work {t}/merged
                mkdir -p {t}/merged/run/samba {t}/merged/var/lib/samba
                mount --bind {t}/run {t}/merged/run/samba; mount --bind {t}/lib {t}/merged/var/lib/samba; mount -t proc proc {t}/merged/proc
                exec chroot {t}/merged /bin/sh -c "$1" """, "sh", script]

    def run(self, script):
        done = subprocess.run(self.inside(script), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self):
        self.process = subprocess.Popen(self.inside(RUN), stdin=subprocess.DEVNULL, stdout=(self.top / "out").open("ab"), stderr=subprocess.STDOUT)

        def answers():
            assert self.process.poll() is None, f"samba ended:\n{(self.top / 'out').read_text(errors='replace')[-3000:]}"
            return self.children() and self.call("wbinfo -p && wbinfo -t").returncode == 0
        wait_for(answers, 60, 0.5)

    def children(self):
        return pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()

    def first(self):
        """The first process of its name space."""
        return int(self.children()[0])

    def call(self, script):
        return subprocess.run(["nsenter", "-t", str(self.first()), "-m", "-n", "-u", "-p", "-r", "-w", "sh", "-c", script], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=120)

    def tool(self, *commands):
        done = self.call(" && ".join(f"samba-tool {c}" for c in commands))
        assert done.returncode == 0, done.stdout + done.stderr

    def winbindds(self):
        ours, found = os.readlink(f"/proc/{self.first()}/ns/pid"), []
        for entry in pathlib.Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and os.readlink(entry / "ns/pid") == ours and "winbind" in (entry / "cmdline").read_text() + (entry / "comm").read_text():
                    found.append(int(entry.name))
            except OSError:
                pass
        assert found
        return found

    def signal(self, which):
        for pid in self.winbindds():
            os.kill(pid, which)

    def through(self):
        """For Sallyport.start: names of winbindd's sockets, and its group, as if Samba were installed on this host."""
        t = self.top
        group = next(line for line in (ROOTS / "samba/etc/group").read_text().splitlines() if line.startswith(f"{GROUP}:"))
        others = [line for line in pathlib.Path("/etc/group").read_text().splitlines() if not line.startswith(f"{GROUP}:")]
        (t / "group").write_text("\n".join([*others, group]) + "\n")
        return ["unshare", "-m", "sh", "-c",
                f"""set -e
                mount -t overlay overlay -o lowerdir={t}/names/run:/run /run; mount -t overlay overlay -o lowerdir={t}/names/lib:/var/lib /var/lib
                mount --bind {t}/run {SOCKETS}; mount --bind {t}/lib/winbindd_privileged {PRIVILEGED}; mount --bind {t}/group /etc/group
                exec "$@" """, "sh"]

    def end(self):
        if not self.process:
            return
        try:
            os.kill(self.first(), signal.SIGKILL)  # all others go with it
        except (OSError, IndexError):
            self.process.kill()
        self.process.wait()
        self.process = None

    def close(self):
        self.end()
        if os.environ.get("SALLYPORT_KEEP") != "1":
            shutil.rmtree(self.top, ignore_errors=True)
