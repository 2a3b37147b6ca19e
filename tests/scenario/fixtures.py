"""Fixtures of the scenario, privilege and peer tests."""
import pytest

from sallyport import Sallyport, wait_for


def pytest_configure(config):
    config.addinivalue_line("markers", "takes(seconds): a long test: it begins before the others")
    config.addinivalue_line("markers", "xdist_group(name): for one process, when there are several (pytest-xdist registers it, too)")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """For pytest-xdist with --dist loadgroup: tests on the same server of a file go to one process, and the longest begin first."""
    def takes(item):
        mark = item.get_closest_marker("takes")
        return mark.args[0] if mark else 0
    for item in items:
        of_the_file = [n for n in item.fixturenames for f in item._fixtureinfo.name2fixturedefs.get(n, ())[-1:] if f.scope == "module"]
        if of_the_file:
            group = [item.module.__name__, *(str(item.callspec.params[n]) for n in of_the_file if hasattr(item, "callspec") and n in item.callspec.params)]
            item.add_marker(pytest.mark.xdist_group("-".join(group)))
    items.sort(key=takes, reverse=True)


def pytest_exception_interact(node, report):
    """What the servers of a test that fails have to say: they are gone, and their logs with them, when somebody reads of it."""
    for it in Sallyport.running:
        lines = [line for line in it.log_text().splitlines() if '"level":"info"' not in line][-5:]
        try:
            lines += ["waits: " + str(m) for m in it.queue()[:2]]
        except Exception as e:  # whatever keeps it from answering is the news
            lines.append(f"the queue is not told: {e}")
        report.sections.append((f"sallyport in {it.folder}", "\n".join(line[:400] for line in lines)))


@pytest.fixture
def make():
    """Makes sallyports that end with the test: make(config="...", implicit=True)."""
    made = []

    def one(start=True, **more):
        it = Sallyport(**more)
        made.append(it)
        return it.start() if start else it
    yield one
    for it in made:
        it.close()


@pytest.fixture(scope="module")
def shared():
    """One sallyport for the tests of a file that do not disturb each other; with an implicit-TLS listener that takes mail."""
    it = Sallyport(implicit=True)
    it.start()
    yield it
    it.close()


@pytest.fixture(autouse=True)
def fresh_mailbox(request):
    """A shared sallyport's mailbox is empty when a test begins, and nothing of the test before is on its way there."""
    if "shared" in request.fixturenames:
        it = request.getfixturevalue("shared")
        wait_for(lambda: it.queue() == [])
        for mail in (it.folder / "mail").glob("*/*/*/*"):
            if mail.is_file() and mail.parent.name in ("new", "cur"):
                mail.unlink()
    yield
