import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "scenario"))
from fixtures import fresh_mailbox, make, pytest_collection_modifyitems, pytest_configure, pytest_exception_interact, shared  # noqa: E402,F401
