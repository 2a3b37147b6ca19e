"""What a captured process can still do: nothing. Needs a build with -Dhooks=true: a signal makes a child try (src/process/hook.c)."""
import ctypes
import errno
import fcntl
import json
import os
import pathlib
import re
import signal
import time

import pytest

from sallyport import ALL_ROLES, DOMAIN, ROOT, wait_for

ACTIONS = re.findall(r'\{"([a-z-]+)", \w+\}', (ROOT / "src/process/hook.c").read_text())
REFUSED = {errno.EPERM, errno.EACCES, errno.ENOSYS, errno.EAFNOSUPPORT, errno.EXDEV, errno.EBADF, errno.ENOTDIR}
MAY = {("connector", "connect-out"), ("connector", "unix-socket"), ("resolver", "connect-out"), ("winbind", "unix-socket")}  # what they are there for
F_GET_SEALS, F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_GROW = 1034, 1, 2, 4  # not all of them are in Python 3.11
libc = ctypes.CDLL(None, use_errno=True)


class Value(ctypes.Union):
    _fields_ = [("sival_int", ctypes.c_int), ("sival_ptr", ctypes.c_void_p)]


def caged_process(s, role):
    """The process of the role, when its cage is closed: one that was just started again is not in it yet."""
    try:
        for p in s.ask("status")[0]["processes"]:
            if p.get("name", "").startswith(role) and p.get("state") == "ready":
                return p["pid"]
    except (AssertionError, ValueError):  # the process that answers may be the one that just died
        pass
    return None


def attempt(s, role, action):
    """Makes the process try. None when it died of it (by its cage), else the line that it wrote."""
    pid = wait_for(lambda: caged_process(s, role), every=0.05)
    assert libc.sigqueue(pid, signal.SIGRTMIN, Value(sival_int=ACTIONS.index(action))) == 0

    def outcome():
        for line in s.log():
            if line.get("pid") != pid:
                continue
            if line["event"] == "hook" and line["action"] == action:
                return line
            if line["event"] == "process-exit":
                return line
        return None
    outcome.__doc__ = f"the outcome of {action} in {role}"
    line = wait_for(outcome)
    if line["event"] == "process-exit":
        assert line.get("signal") == "SYS", line
        wait_for(lambda: any(n.startswith(role) and p != pid for n, p in s.processes().items()), 5)
        return None
    return line


@pytest.fixture(scope="module", params=["root", "user"] if os.geteuid() == 0 else ["user"])
def caged(request):
    """One service for all attempts: it must survive every one. As root, and as an ordinary user where all share one uid."""
    from sallyport import Sallyport
    s = Sallyport(implicit=True, config=f"winbind CORP as {DOMAIN}\n", as_user=request.param == "user" and os.geteuid() == 0)
    s.start()
    yield s
    s.close()


def test_there_are_hooks():
    assert len(ACTIONS) > 15


@pytest.mark.parametrize("role", ALL_ROLES)
@pytest.mark.parametrize("action", ACTIONS)
def test_refused(caged, role, action):
    line = attempt(caged, role, action)
    if (role, action) in MAY:
        assert line and line["done"], line
    elif line:
        assert not line["done"], line
        # nothing to try it on is an answer for who holds no such thing
        assert line["errno"] in REFUSED or (line["seen"] == 0 and action in ("shrink-shared", "write-sealed")), line


def test_shared_memory_cannot_be_shrunk(caged):
    """Not even by who holds it: whoever maps it would die of that. The edge itself keeps no descriptor of it at all."""
    line = attempt(caged, "edge", "shrink-shared")
    assert line is None or line["seen"] == 0, line
    seen = 0
    held = pathlib.Path(f"/proc/{caged.process.pid}/fd")
    for link in held.iterdir():
        if "memfd:" not in os.readlink(link):
            continue
        fd = os.open(link, os.O_RDWR)
        try:
            seals = fcntl.fcntl(fd, F_GET_SEALS)
            assert seals & F_SEAL_SHRINK and seals & F_SEAL_GROW and seals & F_SEAL_SEAL, (os.readlink(link), seals)
            with pytest.raises(PermissionError):
                os.ftruncate(fd, 0)
            seen += 1
        finally:
            os.close(fd)
    assert seen >= 3, "edges' pools and the table of sources"


def test_the_service_survived(caged):
    assert pathlib.Path(caged.config).exists()
    assert not pathlib.Path("/tmp/sallyport-hook-was-here").exists()
    wait_for(lambda: len({re.sub(r"-\d+$", "", n) for n in caged.processes()}) == len(ALL_ROLES), 10)
    deadline = time.monotonic() + 60
    while True:
        try:
            caged.send()
            break
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.2)
    caged.wait_mails(1)
    malformed = [line for line in caged.log() if line["event"] == "process-malformed"]
    assert malformed == [], json.dumps(malformed)
