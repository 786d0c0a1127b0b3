"""The README's table of probes is what the probes declare."""

from __future__ import annotations

from .probes_table import BEGIN, README, rows, written


def test_the_table_is_up_to_date() -> None:
    """Each probe has its row; `python -m tests.prober.probes_table --write` renews it."""
    assert BEGIN in README.read_text()
    assert "| `tls` | `tls://host[:port]` | a TLS handshake with a verified certificate |" in list(rows())
    assert README.read_text() == written()
