"""Log records of these tests."""

from tests.prober.conftest import _no_handlers, records  # noqa: F401
