"""What is resident of libraries: which mappings can be let go, and that the program goes on without."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

from smoker_common.resident import clean
from tests.conftest import PATIENCE, free_port

SMAPS = """\
55d0c0000000-55d0c0002000 r-xp 00001000 fd:00 77 /usr/bin/python3.13
Rss:                   8 kB
Anonymous:             0 kB
Swap:                  0 kB
VmFlags: rd ex mr mw me
55d0c0002000-55d0c0003000 r--p 00003000 fd:00 77 /usr/bin/python3.13
Anonymous:             4 kB
Swap:                  0 kB
55d0c0002800-55d0c0003000 r--p 00003000 fd:00 77 /usr/bin/python3.13
Anonymous:             0 kB
Swap:                  4 kB
55d0c0003000-55d0c0004000 rw-p 00003000 fd:00 77 /usr/bin/python3.13
Anonymous:             0 kB
Swap:                  0 kB
7f0000000000-7f0000001000 r--s 00000000 fd:00 78 /usr/lib/gconv.cache
Anonymous:             0 kB
Swap:                  0 kB
7f0000001000-7f0000002000 r--p 00000000 00:00 0
Anonymous:             0 kB
Swap:                  0 kB
7ffd00000000-7ffd00002000 r-xp 00000000 00:00 0 [vdso]
Anonymous:             0 kB
Swap:                  0 kB
"""

PROGRAM = """
import hashlib, pathlib, ssl
from smoker_common.resident import hand_back

def of_files():
    status = pathlib.Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("RssFile:"))

ssl.create_default_context()
expected, before = hashlib.sha256(b"smoker").hexdigest(), of_files()
hand_back()
after = of_files()
ssl.create_default_context()
print(after < 0.8 * before, hashlib.sha256(b"smoker").hexdigest() == expected, before, after)
"""

SERVICE = """
import sys
from smoker_tcp_echo.__main__ import command
from smoker_common import service

service.SETTLED = 0.1
service.hand_back = lambda: print("handed back", flush=True)
sys.exit(command())
"""


def test_what_was_written_to_is_kept() -> None:
    """Relocations, those in swap too, data, what is shared and what has no file are left alone."""
    assert list(clean(SMAPS)) == [(0x55D0C0000000, 0x2000)]


def test_the_program_goes_on_with_less() -> None:
    """A fifth of what libraries take is let go at least, and they work as before."""
    asked = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=True)
    assert asked.stdout.startswith("True True"), asked.stdout


def test_a_service_does_it_once_it_has_settled() -> None:
    """And goes on until it is told to stop."""
    ports = {name: str(free_port(socket.SOCK_STREAM)) for name in ("TCP_PORT", "ADMIN_PORT")}
    with subprocess.Popen(
        [sys.executable, "-c", SERVICE], env=os.environ | ports, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"handed back\n"
        assert process.poll() is None
        process.terminate()
        assert process.wait(PATIENCE) == 0
