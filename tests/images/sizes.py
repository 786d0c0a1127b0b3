"""Prints the compressed size of each image here, for docs/support.md: `python -m tests.images.sizes [TAG]`."""

from __future__ import annotations

import sys

from tests.images.engine import SERVICES, compressed

MEBIBYTE = 2**20


def main(tag: str = "dev") -> None:
    found = {service: compressed(f"smoker-{service}:{tag}") for service in SERVICES}
    shared = set.intersection(*map(set, found.values()))
    print("| image | compressed | of which its own |\n|---|---|---|")
    for service, sizes in found.items():
        own = sum(size for id_, size in sizes.items() if id_ not in shared)
        print(f"| `smoker-{service}` | {sum(sizes.values()) / MEBIBYTE:.0f} MiB | {own / MEBIBYTE:.1f} MiB |")


if __name__ == "__main__":
    main(*sys.argv[1:])
