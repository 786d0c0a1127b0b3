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
from pathlib import Path

SMAPS = Path("/proc/self/smaps")
DONTNEED = 4  # <asm-generic/mman-common.h>: the same on every architecture that Python runs on
_MAPPING = re.compile(r"(?P<begin>[0-9a-f]+)-(?P<end>[0-9a-f]+) (?P<may>[-rwxps]{4}) \S+ \S+ (?P<inode>\d+)", re.ASCII)


def clean(smaps: str) -> Iterator[tuple[int, int]]:
    """Address and length, in bytes, of each private mapping of a file that cannot be written to and never was."""
    mapping, own = None, {""}
    for line in smaps.splitlines():
        found = _MAPPING.match(line)
        if found:
            mapping, own = found, {"Anonymous:", "Swap:"}
            continue
        name, *value = line.split()
        if mapping is None or name not in own or value != ["0", "kB"]:
            continue
        own.remove(name)
        if not own and mapping["inode"] != "0" and mapping["may"][1] == "-" and mapping["may"][3] == "p":
            begin, end = int(mapping["begin"], 16), int(mapping["end"], 16)
            yield begin, end - begin


def hand_back() -> None:
    """Let go of them. Raises `OSError` where the kernel or the C library refuses."""
    import ctypes  # noqa: PLC0415  half a MiB, which a service that ends early can do without

    madvise = ctypes.CDLL(None, use_errno=True).madvise
    madvise.argtypes = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
    for address, length in list(clean(SMAPS.read_text())):
        if madvise(address, length, DONTNEED):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
