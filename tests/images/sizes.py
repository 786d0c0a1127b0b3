"""Prints the compressed size of each image here, for docs/support.md: `python -m tests.images.sizes [TAG]`."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
import tarfile

from tests.images.engine import SERVICES

MEBIBYTE = 2**20


def layers(image: str) -> dict[str, int]:
    """Return the bytes of each layer, compressed as registries get it, by what tells it from others."""
    saved = subprocess.run(["docker", "image", "save", image], check=True, stdout=subprocess.PIPE).stdout
    with tarfile.open(fileobj=io.BytesIO(saved)) as archive:

        def read(name: str) -> bytes:
            file = archive.extractfile(name)
            assert file is not None
            return file.read()

        (manifest,) = json.loads(read("manifest.json"))
        ids = json.loads(read(manifest["Config"]))["rootfs"]["diff_ids"]
        return {id_: len(gzip.compress(read(name), 6)) for id_, name in zip(ids, manifest["Layers"], strict=True)}


def main(tag: str = "dev") -> None:
    found = {service: layers(f"smoker-{service}:{tag}") for service in SERVICES}
    shared = set.intersection(*map(set, found.values()))
    print("| image | compressed | of which its own |\n|---|---|---|")
    for service, sizes in found.items():
        own = sum(size for id_, size in sizes.items() if id_ not in shared)
        print(f"| `smoker-{service}` | {sum(sizes.values()) / MEBIBYTE:.0f} MiB | {own / MEBIBYTE:.1f} MiB |")


if __name__ == "__main__":
    main(*sys.argv[1:])
