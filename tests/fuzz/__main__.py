"""Fuzz every decoder of bytes from outside, each for some minutes, guided by coverage: `make fuzz`.

    python -m tests.fuzz --seconds 60 dns http2
    python -m tests.fuzz --again .fuzz/dns-crash-… dns

Exit code 1 if a decoder raises what is not its own exception, takes too long, or takes too much memory.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fuzz.decoders import DECODERS

FOUND = Path(".fuzz")
LIMITS = ("-timeout=20", "-rss_limit_mb=512", "-max_len=4096")  # seconds an input, MiB, bytes
LAST = re.compile(r"^#(\d+)\s.* cov: (\d+)", re.MULTILINE)
SHOWN = 60  # lines of a failure


def arguments() -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz", description="Fuzz the decoders of bytes from outside."
    )
    parser.add_argument("--seconds", type=int, default=600, help="for each decoder (default: %(default)s)")
    parser.add_argument("--again", type=Path, metavar="FILE", help="run one decoder with this input alone")
    parser.add_argument("decoder", nargs="*", help=f"which ones (default: all): {', '.join(DECODERS)}")
    parsed = parser.parse_args()
    if unknown := set(parsed.decoder) - DECODERS.keys():
        parser.error(f"there is no decoder {', '.join(sorted(unknown))}")
    if parsed.again and len(parsed.decoder) != 1:
        parser.error("--again needs one decoder")
    return parsed


def fuzz(name: str, seconds: int) -> bool:
    """Fuzz one decoder and print a line, with the failure if there is one. Return whether there is none."""
    FOUND.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(DECODERS[name].seeds):
            (Path(corpus) / str(number)).write_bytes(seed)
        command = [sys.executable, "-m", "tests.fuzz.target", name, *LIMITS, f"-max_total_time={seconds}"]
        command += [f"-artifact_prefix={FOUND}/{name}-", corpus]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    said = done.stdout + done.stderr
    inputs, places = LAST.findall(said)[-1] if LAST.search(said) else ("?", "?")
    verdict = f"FAILED ({done.returncode})" if done.returncode else "passed"
    print(f"{name:20} {inputs:>10} inputs {places:>6} places {verdict}", flush=True)
    if done.returncode:
        print("\n".join([line for line in said.splitlines() if not line.startswith("#")][-SHOWN:]), flush=True)
    return not done.returncode


def main() -> int:
    """Fuzz."""
    asked = arguments()
    if asked.again:
        DECODERS[asked.decoder[0]].run(asked.again.read_bytes())
        return 0
    passed = [fuzz(name, asked.seconds) for name in asked.decoder or DECODERS]
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
