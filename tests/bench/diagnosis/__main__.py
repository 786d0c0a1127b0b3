"""Measure how well the diagnosis names simulated faults: recall, precision and time, by fault, size and background.

python -m tests.bench.diagnosis [--sizes 3,5,20] [--background 0,5e-4] [--faults 1,2,3] [--looks N] [--class NAME]
"""

from __future__ import annotations

import sys

from .run import main

if __name__ == "__main__":
    sys.exit(main())
