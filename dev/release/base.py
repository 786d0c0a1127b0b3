"""Pin the base of the images: `make base` asks its registry for the digest and writes it into dev/release/base.txt.

`make base BASE=registry.example/python:3.13-slim` takes another one. The digest is that of the list of platforms.
"""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys

FILE = pathlib.Path(__file__).with_name("base.txt")
PINNED = re.compile(r"[^\s@]+@sha256:[0-9a-f]{64}")


def pinned(image: str) -> str:
    """Return an image's name with the present digest in its registry."""
    name = image.partition("@")[0]
    command = ["docker", "buildx", "imagetools", "inspect", name]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=120).stdout
    digest = re.search(r"^Digest:\s+(sha256:[0-9a-f]{64})$", said, re.MULTILINE)
    return f"{name}@{digest[1]}" if digest else name


def main() -> None:
    image = pinned(sys.argv[1] if len(sys.argv) > 1 and sys.argv[1] else FILE.read_text().strip())
    if not PINNED.fullmatch(image):
        sys.exit(f"the registry gave no digest: {image}")
    FILE.write_text(f"{image}\n")
    print(image)


if __name__ == "__main__":
    main()
