"""A spool on a disk that fails: full, read-only, errors of write and sync. Clear 4xx, an alarm, nothing acknowledged is lost."""
import array
import errno
import fcntl
import os
import pathlib
import re
import struct
import threading
import time

import pytest

from sallyport import DOMAIN, USER, run, wait_for

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounts a file system: needs root")

EXT4_IOC_SHUTDOWN, NO_LOG_FLUSH = 0x8004587D, 2  # the file system is gone from one moment to the next: EIO for whatever is not in memory
LOOP_SET_STATUS64, LOOP_GET_STATUS64 = 0x4C04, 0x4C05
MIB = 1 << 20


class Disk:
    """A small ext4 of its own in an image file, mounted where the spool is; what fails is the disk, not a double of it."""
    def __init__(self, tmp_path, spool, octets=400 * MIB, journal=True):
        self.image, self.spool = tmp_path / "disk", spool
        with self.image.open("wb") as f:
            f.truncate(octets)
        run("mkfs.ext4", "-q", "-F", "-E", "nodiscard", "-O", "has_journal" if journal else "^has_journal", self.image)
        owner = spool.stat()
        self.mount("errors=remount-ro" if journal else "errors=continue")
        os.chown(spool, owner.st_uid, owner.st_gid)
        os.chmod(spool, owner.st_mode & 0o7777)

    def mount(self, options="errors=remount-ro"):
        run("mount", "-o", "loop," + options, self.image, self.spool)
        self.device = run("findmnt", "-n", "-o", "SOURCE", self.spool).stdout.decode().strip()

    def unmount(self):
        if self.spool.is_mount():
            run("umount", self.spool)

    def turn_read_only(self):
        """What the kernel does after an error of the disk: errors=remount-ro, under the feet of whoever writes."""
        (pathlib.Path("/sys/fs/ext4") / pathlib.Path(self.device).name / "trigger_fs_error").write_text("a test")
        with pytest.raises(OSError) as refused:
            (self.spool / "probe").write_bytes(b"x")
        assert refused.value.errno == errno.EROFS

    def die(self):
        fd = os.open(self.spool, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.ioctl(fd, EXT4_IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        os.close(fd)

    def shrink(self, octets):
        """Writes beyond fail with EIO until it is called again with 0; what is there stays."""
        with open(self.device, "rb") as device:
            status = array.array("B", bytes(232))
            fcntl.ioctl(device, LOOP_GET_STATUS64, status)
            struct.pack_into("=Q", status, 32, octets)  # lo_sizelimit
            fcntl.ioctl(device, LOOP_SET_STATUS64, status)


@pytest.fixture
def disk(make, tmp_path):
    """(sallyport that holds all mail and is not started, its disk)"""
    disks = []

    def one(**more):
        s = make(start=False, config="hold *")
        disks.append((s, Disk(tmp_path, s.folder / "spool", **more)))
        return disks[-1]
    yield one
    for s, d in disks:
        s.stop()
        d.unmount()


def try_one(s, content=b"Subject: one\r\n\r\nx\r\n"):
    """(code, text) of the reply that decides"""
    talk = s.connect()
    try:
        talk.say("EHLO c.example.net", 250)
        for command in ("MAIL FROM:<me@example.net>", f"RCPT TO:<{USER}@{DOMAIN}>", "DATA"):
            code, texts = talk.say(command)
            if code >= 400:
                return code, texts[0]
        talk.send(content + b".\r\n")
        code, texts = talk.reply()
        return code, texts[0]
    finally:
        talk.close()


def subjects(s):
    """Those of all mail that waits, read back from the disk by delivering it."""
    s.config.write_text(s.config.read_text().replace("hold *", ""))
    s.cli("reload")
    def gone():
        """an empty queue; what a slow machine deferred is tried again"""
        return s.queue() == [] or s.cli("queue", "flush", "--all", check=False) is None
    wait_for(gone, 60, every=1)
    return {re.search(rb"(?m)^Subject: (.*)$", m).group(1).decode() for m in s.mails()}


def alarms(s):
    return [e for e in s.log() if e["event"] in ("spool-write-failed", "spool-stuck", "spool-full")]


def stuck(s):
    """What the spooler says of itself; None when it was too busy to answer."""
    return next(p.get("stuck") for p in s.ask("status")[0]["processes"] if p["name"] == "spooler")


def all_quiet(s):
    """every process it began with"""
    return s.processes() == s.began_with and not s.log("process-exit")


def spread(s, serials, codes):
    """One client: a message for each serial until the first refusal; what was said is noted."""
    for serial in serials:
        codes[serial] = try_one(s, b"Subject: %d\r\n\r\n" % serial + b"x" * 70 + b"\r\n")[0]
        if codes[serial] != 250:
            return


@pytest.mark.parametrize("what", ["turn_read_only", "die"])
def test_nothing_acknowledged_is_lost_when_the_disk_fails(disk, what):
    """In the middle of a storm of mail: whoever waits hears 4xx within seconds, an alarm tells why, nobody dies."""
    s, d = disk()
    s.start()
    s.began_with = s.processes()
    codes = {}
    clients = [threading.Thread(target=spread, args=(s, range(i * 10000, (i + 1) * 10000), codes)) for i in range(6)]
    for c in clients:
        c.start()
    wait_for(lambda: len(codes) > 100, 30)
    getattr(d, what)()
    for c in clients:
        c.join(60)
    assert not any(c.is_alive() for c in clients), "a client waits for an answer that does not come"
    refused = [serial for serial, code in codes.items() if code != 250]
    assert len(refused) == 6 and {codes[serial] for serial in refused} <= {451, 452}
    wait_for(lambda: {"spool-write-failed", "spool-stuck"} <= {e["event"] for e in alarms(s)})
    begin = time.monotonic()
    assert try_one(s)[0] in (451, 452) and time.monotonic() - begin < 10, "what is known to fail is said at once"
    wait_for(lambda: stuck(s) == 1)
    taken = {str(serial) for serial, code in codes.items() if code == 250}
    assert len(s.queue()) == len(taken)
    assert all_quiet(s)
    assert len(alarms(s)) < 10, "an alarm is no flood"
    s.stop()
    d.unmount()
    d.mount()
    s.start()
    found = subjects(s)
    assert taken <= found
    assert found <= taken | {str(serial) for serial in refused}  # a message whose 451 was a guess may be there (RFC 1047): whole
    assert all(b"x" * 70 in m for m in s.mails())


def test_mail_flows_again_when_the_disk_writes_again(disk):
    """fdatasync fails with EIO for a while. What was answered 451 meanwhile is not there; nobody has to start anything anew."""
    s, d = disk(journal=False)
    s.start()
    s.began_with = s.processes()
    codes = {}
    for serial in range(10):
        spread(s, [serial], codes)
    d.shrink(8 * MIB)
    for serial in range(10, 13):
        spread(s, [serial], codes)
    assert [codes[serial] for serial in range(13)] == 10 * [250] + 3 * [451]
    wait_for(lambda: "spool-write-failed" in {e["event"] for e in alarms(s)})
    d.shrink(0)
    wait_for(lambda: stuck(s) == 0)
    for serial in range(20, 25):
        spread(s, [serial], codes)
    assert [codes[serial] for serial in range(20, 25)] == 5 * [250]
    assert all_quiet(s)
    assert s.ask("queue", "verify")[-1]["damaged"] == 0
    s.stop()
    s.start()
    assert subjects(s) == {str(serial) for serial, code in codes.items() if code == 250}


def test_a_start_on_a_read_only_disk_says_so(disk):
    s, d = disk()
    s.start()
    assert try_one(s)[0] == 250
    s.stop()
    d.unmount()
    d.mount("ro")
    s.start(wait=False)
    assert s.process.wait(60) == 78
    s.process = None
    error = next(e for e in s.log("config-error") if "read-only" in e["text"])
    assert error["text"].startswith("the spool ") and str(d.spool) in error["text"] and error["file"] == str(s.config)
    done = s.cli("check", check=False)
    assert done.returncode == 78 and b"is on a read-only file system" in done.stdout
    d.unmount()
    d.mount()
    s.start()
    assert len(s.queue()) == 1


def test_disk_full(make):
    """Clear 4xx, nothing acknowledged is lost, and mail flows again when there is room."""
    s = make(start=False, config="hold *")
    spool = s.folder / "spool"
    owner = spool.stat()
    run("mount", "-t", "tmpfs", "-o", "size=160m,mode=0700", "tmpfs", spool)
    try:
        os.chown(spool, owner.st_uid, owner.st_gid)
        os.chmod(spool, owner.st_mode & 0o7777)
        s.start()
        content = b"Subject: filling\r\n\r\n" + (b"f" * 76 + b"\r\n") * 60000
        taken, code = 0, 250
        while code == 250 and taken < 60:
            code, text = try_one(s, content)
            taken += code == 250
        assert code in (451, 452), (taken, code, text)
        wait_for(lambda: s.log("spool-full"), 5)
        assert len(s.queue()) == taken
        s.connect().say("NOOP", 250)
        s.stop()
        s.start()
        assert len(s.queue()) == taken
        run("mount", "-o", "remount,size=400m", spool)

        def flows():
            """mail is taken again"""
            return try_one(s)[0] == 250
        wait_for(flows, 10)
    finally:
        s.stop()
        run("umount", spool)


def fill(s, octets):
    """Messages of so many octets, in one session, until the first that is refused: how many were taken, and what was said then."""
    talk = s.connect()
    content = b"Subject: filling\r\n\r\n" + (b"f" * 76 + b"\r\n") * (octets // 78) + b".\r\n"
    talk.say("EHLO c.example.net", 250)
    for taken in range(5000):
        for command in ("MAIL FROM:<me@example.net>", f"RCPT TO:<{USER}@{DOMAIN}>", "DATA"):
            code, texts = talk.say(command)
            if code >= 400:
                return taken, command, code, texts
        talk.send(content)
        code, texts = talk.reply()
        if code != 250:
            assert code in (451, 452)
            return taken, "content", code, texts
    raise AssertionError("the disk does not get full")


@pytest.mark.parametrize("megabytes,sizes", [(100, [50000]), (150, [4000000, 50000])])
def test_a_very_small_disk_that_was_full_takes_mail_again(make, megabytes, sizes):
    """There is no room for a successor of the active segment: it starts over when the queue was emptied, without a restart."""
    s = make(start=False, config="hold *")
    spool = s.folder / "spool"
    owner = spool.stat()
    run("mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0700", "tmpfs", spool)
    try:
        os.chown(spool, owner.st_uid, owner.st_gid)
        os.chmod(spool, owner.st_mode & 0o7777)
        s.start()
        filled = [fill(s, octets) for octets in sizes]
        taken = sum(n for n, *_ in filled)
        assert taken > 100 and len(s.queue()) == taken, filled
        assert try_one(s, b"Subject: one too many\r\n\r\n" + b"x" * 70000 + b"\r\n")[0] in (451, 452)
        s.config.write_text(s.config.read_text().replace("hold *", "#hold"))
        s.cli("reload")
        wait_for(lambda: s.queue() == [], 240)

        def flows():
            """mail is taken again"""
            return try_one(s)[0] == 250
        wait_for(flows, 60)
        wait_for(lambda: s.queue() == [], 60)
        assert s.ask("queue", "verify")[-1]["damaged"] == 0
        assert all(e["level"] == "info" for e in s.log("process-exit"))
    finally:
        s.stop()
        run("umount", spool)


def test_mailboxes_on_a_full_and_then_read_only_disk(make):
    """Mail that cannot be delivered waits and says why; nothing half-written is left, and all of it arrives in the end."""
    s = make(start=False)
    mail = s.folder / "mail"
    owner = mail.stat()
    run("mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs", mail)

    def reasons():
        return {r["reason"] for row in s.queue() for r in row["recipients"] if r["state"] == "deferred"}
    try:
        os.chown(mail, owner.st_uid, owner.st_gid)
        os.chmod(mail, owner.st_mode & 0o7777)
        s.start()
        s.send(b"Subject: fits\r\n\r\nx\r\n")
        s.wait_mails(1)
        s.send(b"Subject: does not fit\r\n\r\n" + (b"y" * 70 + b"\r\n") * 30000)
        wait_for(lambda: reasons() == {"no space left where mailboxes are stored"}, 10)
        assert list((s.mail_folder() / "tmp").iterdir()) == []
        run("mount", "-o", "remount,ro", mail)
        s.send(b"Subject: read-only\r\n\r\nx\r\n")
        wait_for(lambda: "the mailbox folder is read-only" in reasons(), 10)
        wait_for(lambda: len(s.log("delivery-failed")) == 2)
        run("mount", "-o", "remount,rw,size=50m", mail)
        s.cli("queue", "flush", "--all")
        assert {re.search(rb"(?m)^Subject: (.*)$", m).group(1) for m in s.wait_mails(3)} == {b"fits", b"does not fit", b"read-only"}
        wait_for(lambda: s.queue() == [], 5)
    finally:
        s.stop()
        run("umount", mail)
