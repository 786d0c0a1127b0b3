"""Hands back the pages of libraries that only the start has needed: two fifths of what they take of a prober.

Linking, importing and a first TLS handshake touch each library nearly whole, and what was touched stays resident. What
is needed later comes back from the page cache, a fault of a microsecond.

madvise(2), MADV_DONTNEED: pages of a private mapping that nobody wrote to are read from the file again. One that has
pages of its own (relocations) would lose them: /proc/pid/smaps (proc_pid_smaps(5)) tells which have none, neither in
memory (`Anonymous`) nor in swap (`Swap`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from mmap import MADV_DONTNEED
from pathlib import Path

SMAPS = Path("/proc/self/smaps")
_EACH = re.compile(r"^(?=[0-9a-f]+-[0-9a-f]+ )", re.MULTILINE)  # where a mapping's lines begin
_OF_A_FILE = re.compile(
    r"(?P<begin>[0-9a-f]+)-(?P<end>[0-9a-f]+) .-.p \S+ \S+ [1-9]"
)  # private, not writable; with an inode
_OWN = re.compile(r"^(?:Anonymous|Swap): +(\d+) kB$", re.MULTILINE)


def clean(smaps: str) -> Iterator[tuple[int, int]]:
    """Address and length, in bytes, of each private mapping of a file that cannot be written to and never was."""
    for lines in _EACH.split(smaps):
        mapping = _OF_A_FILE.match(lines)
        if mapping and _OWN.findall(lines) == ["0", "0"]:
            begin, end = int(mapping["begin"], 16), int(mapping["end"], 16)
            yield begin, end - begin


def hand_back() -> None:
    """Let go of them. Raises `OSError` where the kernel or the C library refuses."""
    import ctypes  # noqa: PLC0415  half a MiB, which a service that ends early can do without

    madvise = ctypes.CDLL(None, use_errno=True).madvise
    madvise.argtypes = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
    for address, length in list(clean(SMAPS.read_text())):
        if madvise(address, length, MADV_DONTNEED):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
