"""Fixtures of the scenario, privilege and peer tests."""
import pytest

from sallyport import Sallyport


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
    """A shared sallyport's mailbox is empty when a test begins."""
    if "shared" in request.fixturenames:
        it = request.getfixturevalue("shared")
        for mail in (it.folder / "mail").glob("*/*/*/*"):
            if mail.is_file() and mail.parent.name in ("new", "cur"):
                mail.unlink()
    yield
