"""One decoder under atheris, which follows what the bytes reach in the code: `python -m tests.fuzz.target NAME …`.

The arguments after the name are libFuzzer's. `tests.fuzz` starts this with them.
"""

from __future__ import annotations

import sys

import atheris
from loguru import logger

OURS = ("smoker_common", "smoker_diagnosis", "smoker_echo", "smoker_kube", "smoker_outcome", "smoker_prober")
THEIRS = ("asn1crypto", "dns", "h11", "h2", "hpack", "hyperframe", "wsproto", "yaml")


def main() -> None:
    """Fuzz until a time that libFuzzer's arguments say, or until something is raised."""
    logger.remove()
    with atheris.instrument_imports(include=[*OURS, *THEIRS]):
        from tests.fuzz.decoders import DECODERS  # noqa: PLC0415
    name = sys.argv.pop(1)
    for seed in DECODERS[name].seeds:
        DECODERS[name].run(seed)
    atheris.Setup(sys.argv, DECODERS[name].run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
