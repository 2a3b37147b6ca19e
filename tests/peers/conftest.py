import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "scenario"))
from conftest import fresh_mailbox, make, shared  # noqa: E402,F401
