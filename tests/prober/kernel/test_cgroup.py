"""How long a CPU limit has throttled us, from files as kernels write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from smoker_prober.kernel.cgroup import throttled

V2 = "usage_usec 5217\nuser_usec 3129\nsystem_usec 2087\nnr_periods 40\nnr_throttled 12\nthrottled_usec 1250000\n"
V2_ROOT = "usage_usec 5217\nuser_usec 3129\nsystem_usec 2087\n"
V1 = "nr_periods 40\nnr_throttled 12\nthrottled_time 1250000000\n"


def given(folder: Path, membership: str, files: dict[str, str]) -> float | None:
    """Return the result for these contents of /proc/self/cgroup and /sys/fs/cgroup."""
    for name, text in files.items():
        path = folder / "fs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "membership").write_text(membership)
    return throttled(folder / "fs", folder / "membership")


@pytest.mark.parametrize(
    ("membership", "files"),
    [
        ("0::/\n", {"cpu.stat": V2}),  # version 2, a container with a cgroup namespace of its own
        ("0::/kubepods/pod1/abc\n", {"kubepods/pod1/abc/cpu.stat": V2, "cpu.stat": V2_ROOT}),  # on the host
        ("0::/../../outside\n", {"cpu.stat": V2}),  # seen from another namespace
        ("3:cpu,cpuacct:/pod1\n1:name=systemd:/x\n", {"cpu,cpuacct/pod1/cpu.stat": V1}),  # version 1
        ("3:cpu,cpuacct:/pod1\n0::/pod1\n", {"cpu,cpuacct/cpu.stat": V1}),  # version 1 in a container
        ("4:memory:/a\n3:cpu:/a\n", {"memory/cpu.stat": V1.replace("125", "999"), "cpu/a/cpu.stat": V1}),
    ],
)
def test_both_versions_inside_and_outside(tmp_path: Path, membership: str, files: dict[str, str]) -> None:
    """The result is in seconds, whatever the unit of the file and its mount point."""
    assert given(tmp_path, membership, files) == pytest.approx(1.25)


@pytest.mark.parametrize("files", [{}, {"cpu.stat": V2_ROOT}, {"cpu.stat": "throttled_usec many\n"}])
def test_unknown_throttling_is_none_not_zero(tmp_path: Path, files: dict[str, str]) -> None:
    """Without a file or a limit there is no number."""
    assert given(tmp_path, "0::/\n", files) is None


def test_no_proc_at_all(tmp_path: Path) -> None:
    """On another system there is no number."""
    assert throttled(tmp_path, tmp_path / "nothing") is None


def test_a_file_that_disappeared_is_searched_again(tmp_path: Path) -> None:
    """A file that has disappeared is searched for again."""
    assert given(tmp_path, "0::/a\n", {"a/cpu.stat": V2}) == pytest.approx(1.25)
    (tmp_path / "fs/a/cpu.stat").unlink()
    assert given(tmp_path, "0::/b\n", {"b/cpu.stat": V2.replace("1250000", "500000")}) == pytest.approx(0.5)
