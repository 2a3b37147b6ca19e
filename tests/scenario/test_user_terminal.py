"""`sallyport user` and the person in front of it: passwords at a terminal, whose echo comes back whatever happens; readers that do not read on."""
import fcntl
import os
import pty
import select
import signal
import subprocess
import termios
import time

import pytest

from sallyport import BUILD, DOMAIN, Sallyport, wait_for

NAME = f"typed@{DOMAIN}"
PROMPTS = b"password: ", b"the same once more: "


@pytest.fixture(scope="module")
def idle():
    one = Sallyport()
    yield one
    one.close()


class Terminal:
    def __init__(self, s, *words):
        self.master, slave = pty.openpty()
        self.slave = slave
        self.said = b""
        self.child = subprocess.Popen([BUILD / "sallyport", "--config", s.config, *words], stdin=slave, stdout=slave, stderr=slave,
                                      preexec_fn=self.own)

    def own(self):
        os.setsid()
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):  # some are ignored by what a shell runs in the background, or nohup
            signal.signal(number, signal.SIG_DFL)
        fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)

    def echoes(self):
        return bool(termios.tcgetattr(self.slave)[3] & termios.ECHO)

    def read(self):
        if select.select([self.master], [], [], 0.05)[0]:
            self.said += os.read(self.master, 4096)

    def answer(self, prompt, octets):
        """At the prompt, when nothing is echoed."""
        def asked():
            self.read()
            return self.said.endswith(prompt) and not self.echoes()
        wait_for(asked)
        os.write(self.master, octets)

    def end(self):
        deadline = time.monotonic() + 30
        while self.child.poll() is None and time.monotonic() < deadline:
            self.read()
        code = self.child.wait(1)
        self.read()
        return code

    def close(self):
        if self.child.poll() is None:
            self.child.kill()
            self.child.wait()
        os.close(self.master)
        os.close(self.slave)


@pytest.fixture
def terminal(idle):
    opened = []

    def make(*words):
        opened.append(Terminal(idle, *words))
        return opened[-1]
    yield make
    for t in opened:
        t.close()


def exists(s):
    return any(u["user"] == NAME for u in s.ask("user", "list"))


def test_it_is_typed_twice_and_never_shown(idle, terminal):
    t = terminal("user", "add", NAME)
    t.answer(PROMPTS[0], b"correct horse\n")
    t.answer(PROMPTS[1], b"correct house\n")
    assert t.end() == 1 and b"two different passwords" in t.said and t.echoes() and not exists(idle)
    t = terminal("user", "add", NAME)
    for prompt in PROMPTS:
        t.answer(prompt, b"correct horse\n")
    assert t.end() == 0 and t.echoes() and exists(idle) and b"correct" not in t.said
    idle.cli("user", "remove", NAME)


@pytest.mark.parametrize("key, sig", [(b"\x03", signal.SIGINT), (b"\x1c", signal.SIGQUIT)])
@pytest.mark.parametrize("prompts", [1, 2])
def test_a_key_that_ends_it_leaves_the_echo_on(idle, terminal, key, sig, prompts):
    t = terminal("user", "add", NAME)
    for prompt in PROMPTS[:prompts - 1]:
        t.answer(prompt, b"correct horse\n")
    t.answer(PROMPTS[prompts - 1], b"corr" + key)
    assert t.end() == -sig
    wait_for(t.echoes)
    assert not exists(idle)


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_ends_it_leaves_the_echo_on(idle, terminal, sig):
    t = terminal("user", "add", NAME)
    t.answer(PROMPTS[0], b"")
    t.child.send_signal(sig)
    assert t.end() == -sig
    wait_for(t.echoes)
    assert not exists(idle)


def test_who_does_not_read_on_hears_no_complaint(idle):
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([BUILD / "sallyport", "--config", idle.config, "user", "list"], stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (-signal.SIGPIPE, b"")


def test_who_waits_for_an_import_sees_how_far_it_is(idle, terminal, tmp_path):
    file = tmp_path / "them"
    file.write_text("".join(f"n{i}@{DOMAIN}:{{PLAIN}}secret{i}\n" for i in range(60)))
    t = terminal("user", "import", file, "--dry-run")
    assert t.end() == 0 and b"\r50 of 60 lines\r" in t.said and b"60 would be added" in t.said
    t = terminal("user", "import", file)
    wait_for(lambda: t.read() or b"50 of 60" in t.said)
    os.write(t.master, b"\x03")
    assert t.end() == -signal.SIGINT
    assert len(idle.ask("user", "list")) == 1
