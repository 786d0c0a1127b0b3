"""Results as metrics: what is counted and shown, and the bounds."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from smoker_diagnosis.flows import Flows
from smoker_diagnosis.train import Train
from smoker_prober.probes import tls
from smoker_prober.result import Details, KeptFlow, Measure, Method, Outcome, Result, Rtt
from smoker_prober.sinks import metrics
from smoker_prober.sinks.counts import FATES
from smoker_prober.sinks.metrics import Metrics
from smoker_prober.snapshot import MeshView
from smoker_prober.target import Target, service_path
from tests.prober.store.test_windows import TRAIN, made
from tests.prober.targets import Stepped, peer_path, target

WHERE = {"target": "smoker-server:8080"}
OF_TCP = len(Outcome) - 1  # outcomes: nothing large follows it


class Kept:
    """A metrics sink and its values."""

    def __init__(self, *results: Result, throttled: float | None = None) -> None:
        self.registry = CollectorRegistry()
        self.sink = Metrics(self.registry, interval=30.0, throttled=lambda: throttled)
        for result in results:
            self.sink.keep(result)

    def __call__(self, name: str, **labels: str) -> float | None:
        """Return the value of a series; None if there is none."""
        return self.registry.get_sample_value(name, labels)

    def number(self, name: str) -> int:
        """Return how many series a metric has."""
        return generate_latest(self.registry).decode().count(f"\n{name}{{")


def train(**counts: int) -> Train:
    """Return a train of ten with these counts."""
    return replace(TRAIN, **{"lost": 0, "requests_lost": 0, **counts})  # type: ignore[arg-type]


@pytest.mark.parametrize(("probe", "never"), [("tcp", {Outcome.MTU: None}), ("udp", {})])
def test_results_are_counted_by_outcome(probe: str, never: dict[Outcome, None]) -> None:
    """Each path has every possible outcome from its first result on, so that a rate sees the first failure."""
    kept = Kept(*(made(outcome, probe=probe) for outcome in (Outcome.SUCCESS, Outcome.SUCCESS, Outcome.TIMEOUT)))
    found = {outcome: kept("smoker_probe_total", probe=probe, outcome=outcome.value, **WHERE) for outcome in Outcome}
    assert found == dict.fromkeys(Outcome, 0.0) | {Outcome.SUCCESS: 2.0, Outcome.TIMEOUT: 1.0} | never


def test_unreadable_answers_are_neither_lost_nor_received() -> None:
    """If none can be read there is no loss ratio, and no packet counts as answered or lost."""
    kept = Kept(made(probe="udp", train=train(unreadable=10)))
    assert kept("smoker_probe_unreadable_total", probe="udp", **WHERE) == 10
    assert kept("smoker_probe_loss_ratio", probe="udp", **WHERE) is None
    assert {kept("smoker_probe_packets_total", probe="udp", fate=fate, **WHERE) for fate in FATES} == {0.0}


def test_lost_large_packets_do_not_count_as_loss() -> None:
    """If only the small packet is answered there is no loss; if nothing is, everything is lost."""
    for outcome, loss in (Outcome.MTU, None), (Outcome.TIMEOUT, 1):
        assert Kept(made(outcome, probe="udp"))("smoker_probe_loss_ratio", probe="udp", **WHERE) == loss


@pytest.mark.parametrize("step", [1000.0, -1000.0])
def test_the_date_of_the_last_success_is_by_the_wall_clock_of_now(step: float) -> None:
    """A scrape shows how long ago it was, also after the wall clock was set."""
    clock, registry = Stepped(), CollectorRegistry()
    sink = Metrics(registry, interval=30.0, clock=clock)
    sink.keep(made())
    clock.passes(40, step=step)
    date = registry.get_sample_value("smoker_probe_last_success_timestamp_seconds", {"probe": "tcp", **WHERE})
    assert date == clock.wall_time() - 40


def test_paths_that_are_expected_are_there_before_any_result() -> None:
    """Known label sets exist from the start."""
    kept = Kept()
    kept.sink.expect("tcp", service_path("smoker-server", 8080))
    assert kept("smoker_probe_total", probe="tcp", outcome="refused", **WHERE) == 0
    assert kept("smoker_probe_last_success_timestamp_seconds", probe="tcp", **WHERE) is None


def test_rtt_comes_from_the_kernel_and_duration_from_the_clock() -> None:
    """Each result with an RTT counts its RTT; only successes count duration and phases."""
    good = made(rtt=Rtt(0.0003, Method.TCP_INFO), duration=0.04, phases={"resolve": 0.03, "connect": 0.01})
    kept = Kept(good, made(Outcome.TIMEOUT, duration=5.0))
    assert kept("smoker_probe_rtt_seconds_sum", probe="tcp") == 0.0003
    assert kept("smoker_probe_rtt_seconds_bucket", probe="tcp", le="0.0002") == 0
    assert kept("smoker_probe_rtt_seconds_bucket", probe="tcp", le="0.0005") == 1
    assert kept("smoker_probe_duration_seconds_sum", probe="tcp") == 0.04
    assert kept("smoker_probe_phase_seconds_count", probe="tcp", phase="resolve") == 1
    assert kept("smoker_probe_duration_seconds_count", probe="udp") == 0


def test_the_last_rtt_disappears_when_a_probe_fails() -> None:
    """An old RTT during an outage would look like health, so it disappears."""
    good = made(rtt=Rtt(0.0003, Method.TCP_INFO))
    assert Kept(good)("smoker_probe_last_rtt_seconds", probe="tcp", **WHERE) == 0.0003
    assert Kept(good, made(Outcome.TIMEOUT))("smoker_probe_last_rtt_seconds", probe="tcp", **WHERE) is None


@pytest.mark.parametrize(
    ("found", "fates", "loss"),
    [
        (train(), {"answered": 10}, 0.0),
        (train(lost=3, requests_lost=2, replies_lost=1), {"answered": 7, "request_lost": 2, "reply_lost": 1}, 0.3),
        (train(delayed=4), {"answered": 6, "delayed": 4}, 0.0),
        (train(lost=10, requests_lost=10), {"lost": 10}, 1.0),  # the direction is not known
    ],
)
def test_packets_of_trains_by_fate(found: Train, fates: dict[str, int], loss: float) -> None:
    """Every packet sent has one fate; other fates are 0."""
    kept = Kept(made(probe="udp", train=replace(found, jitter=0.001, duplicates=2, reordered=1)))
    told = {fate: kept("smoker_probe_packets_total", probe="udp", fate=fate, **WHERE) for fate in FATES}
    assert told == dict.fromkeys(FATES, 0.0) | fates
    assert kept("smoker_probe_loss_ratio", probe="udp", **WHERE) == loss
    assert kept("smoker_probe_jitter_seconds", probe="udp", **WHERE) == 0.001
    assert kept("smoker_probe_duplicates_total", probe="udp", **WHERE) == 2
    assert kept("smoker_probe_reordered_total", probe="udp", **WHERE) == 1


def test_a_failed_probe_counts_all_packets_lost_and_a_local_error_none() -> None:
    """A failed probe has a loss of 1, a local error has none, and TCP has no loss."""
    name = "smoker_probe_loss_ratio"
    good, failed = made(probe="udp", train=TRAIN), made(Outcome.TIMEOUT, probe="udp")
    assert Kept(good, failed)(name, probe="udp", **WHERE) == 1.0
    assert Kept(good, made(Outcome.LOCAL_ERROR, probe="udp"))(name, probe="udp", **WHERE) == 0.1
    assert Kept(failed, made(probe="udp"))(name, probe="udp", **WHERE) is None  # nothing reflects there
    assert Kept(made(Outcome.TIMEOUT))(name, probe="tcp", **WHERE) is None


def test_retransmits_are_of_tcp() -> None:
    """Retransmits are counted for probes over TCP, where an outcome does not show loss."""
    kept = Kept(made(retransmits=2), made(retransmits=1), made(probe="udp"))
    assert kept("smoker_probe_retransmits_total", probe="tcp", **WHERE) == 3
    assert kept("smoker_probe_retransmits_total", probe="udp", **WHERE) is None


def test_the_prober_exports_metrics_about_itself() -> None:
    """It has its rounds, their lateness and its interval; throttling only if the kernel has it."""
    kept = Kept(throttled=1.5)
    kept.sink.began(0.003)
    kept.sink.ended()
    assert kept("smoker_prober_rounds_total") == 1
    assert kept("smoker_prober_lateness_seconds_sum") == 0.003
    assert kept("smoker_prober_interval_seconds") == 30
    assert kept("smoker_prober_throttled_seconds_total") == 1.5
    assert Kept()("smoker_prober_throttled_seconds_total") is None


def test_the_first_paths_show_all_and_later_ones_only_what_occurred() -> None:
    """From the thirteenth path on zeros are left out, as docs/metrics.md says."""
    many = [replace(made(), target=target("tcp", port, "peer")) for port in range(1, metrics.WHOLE + 1)]
    assert Kept(*many).number("smoker_probe_total") == metrics.WHOLE * OF_TCP
    one_more = replace(made(), target=target("tcp", 9999, "peer"))
    assert Kept(*many, one_more).number("smoker_probe_total") == metrics.WHOLE * OF_TCP + 1


def test_a_peer_is_known_by_name_and_path() -> None:
    """Two families of one node are two paths. No label has an address, and a peer that left has no series."""
    paths = [peer_path(family=family, zone="zone-b") for family in ("ipv4", "ipv6")]
    kept = Kept(*(replace(made(), target=Target("tcp", "10.0.0.2", 8080, path)) for path in paths))
    labels = {"probe": "tcp", "target": "node-2", "plane": "pod", "target_zone": "zone-b", "outcome": "success"}
    assert kept("smoker_probe_total", family="ipv4", **labels) == 1
    assert kept("smoker_probe_total", family="ipv6", **labels) == 1
    assert "10.0.0.2" not in generate_latest(kept.registry).decode()
    kept.sink.forget("tcp", paths[0])
    assert kept("smoker_probe_total", family="ipv4", **labels) is None
    assert kept("smoker_probe_total", family="ipv6", **labels) == 1
    assert kept("smoker_prober_paths") == 1


def test_peers_and_the_age_of_their_list() -> None:
    """A mesh has the numbers of known and probed peers and the age of its list.

    Without a mesh there is none of these.
    """
    assert Kept()("smoker_prober_peers", state="known") is None
    assert Kept()("smoker_prober_discovery_stale_seconds") is None
    clock = Stepped()
    views = [MeshView(known=4, probers=8, probed=3, paths=18, stale_since=None)]
    registry = CollectorRegistry()
    Metrics(registry, interval=30.0, mesh=lambda: views[-1], clock=clock)
    read = registry.get_sample_value
    assert (read("smoker_prober_peers", {"state": "known"}), read("smoker_prober_peers", {"state": "probed"})) == (4, 3)
    assert read("smoker_prober_discovery_stale_seconds") == 0
    views.append(MeshView(known=4, probers=8, probed=3, paths=18, stale_since=clock.date(clock.now())))
    clock.passes(90)
    assert read("smoker_prober_discovery_stale_seconds") == 90


def test_paths_beyond_the_bound_have_no_series(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are probed, logged and counted in the histograms, and the number of paths shows that there are more."""
    monkeypatch.setattr(metrics, "LISTED", 2)
    kept = Kept(*(replace(made(), target=target("tcp", port, "peer")) for port in (1, 2, 3, 4, 4)))
    assert kept("smoker_probe_total", probe="tcp", outcome="success", target="peer:2") == 1
    assert kept("smoker_probe_total", probe="tcp", outcome="success", target="peer:3") is None
    assert kept("smoker_prober_paths") == 4
    assert kept("smoker_probe_duration_seconds_count", probe="tcp") == 5


def test_rounds_in_which_a_kept_flow_fails() -> None:
    """A flow that works counts 0; a result that says nothing of it has no series."""
    kept = Kept(made(probe="udp", kept=KeptFlow(40_000)))
    assert kept("smoker_probe_kept_flow_failed_rounds", probe="udp", **WHERE) == 0
    kept = Kept(made(probe="udp", kept=KeptFlow(40_000, 2, 30.0)))
    assert kept("smoker_probe_kept_flow_failed_rounds", probe="udp", **WHERE) == 2
    kept = Kept(made(probe="udp", kept=KeptFlow(40_000, 2, 30.0)), made(probe="udp"))
    assert kept("smoker_probe_kept_flow_failed_rounds", probe="udp", **WHERE) is None


def test_flows_that_always_fail() -> None:
    """The value of the last check stays until the next one; a path without a check has no series."""
    kept = Kept(made(probe="udp"))
    assert kept("smoker_probe_flows_failing", probe="udp", **WHERE) is None
    kept = Kept(made(probe="udp", flows=Flows(16, 4)), made(probe="udp"))
    assert kept("smoker_probe_flows_failing", probe="udp", **WHERE) == 4
    kept = Kept(made(probe="udp", flows=Flows(16, 4)), made(probe="udp", flows=Flows(16, 0)))
    assert kept("smoker_probe_flows_failing", probe="udp", **WHERE) == 0


@pytest.mark.parametrize(("probe", "most"), [("tcp", 12), ("http", 12), ("udp", 23), ("dns", 11), ("tls", 13)])
def test_series_of_a_path_are_as_documented(probe: str, most: int) -> None:
    """Each kind of path has at most as many series as docs/metrics.md says."""
    whole = made(probe=probe, rtt=Rtt(0.1, Method.KERNEL), train=replace(TRAIN, jitter=0.1) if probe == "udp" else None)
    whole = replace(whole, kept=KeptFlow(40_000)) if probe == "udp" else whole
    whole = replace(whole, details=tls.Details(not_after=1.0)) if probe == "tls" else whole
    text = generate_latest(Kept(whole).registry).decode()
    assert sum('target="' in line for line in text.splitlines()) == most


@dataclass(frozen=True)
class Certificate(Details):
    """Details that one probe has."""

    expires: float

    @property
    def measures(self) -> tuple[Measure, ...]:
        """Return the date as a gauge."""
        return (Measure("smoker_certificate_seconds", "When it expires", self.expires),)


def test_a_measure_of_one_probe_is_a_gauge_of_its_path() -> None:
    """The last result counts: a result without it, and a path that left, remove the series."""
    found = replace(made(), details=Certificate(17.0))
    kept = Kept(found)
    labels = {"probe": "tcp", **WHERE}
    assert kept("smoker_certificate_seconds", **labels) == 17.0
    kept.sink.keep(made())
    assert kept("smoker_certificate_seconds", **labels) is None
    kept.sink.keep(found)
    kept.sink.forget("tcp", found.target.path)
    assert kept("smoker_certificate_seconds", **labels) is None
