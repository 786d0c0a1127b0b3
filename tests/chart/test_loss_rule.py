"""How reliable SmokerPacketLoss is: simulated packets of a hundred nodes, judged by Prometheus' own rule engine."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import yaml

from tests.promtool import promtool

from .alert_cases import NAMESPACE, RELEASE, expanded, rule_file
from .render import Helm, merged, nested

ON = merged(nested("metrics.prometheusRule.enabled", True), {"hub": {"enabled": False}})
NODES, ROUNDS, TRAIN = 100, 720, 10  # six hours of a round each 30 s
# The rule of this chart once compared the plain share in rounds: a window of ten minutes has twenty samples.
WINDOW, PATIENCE = 19, 20


def lost(ratio: float, seed: int, rounds: int = ROUNDS) -> list[int]:
    """Return the packets that a node loses in each round, at random with this true share."""
    chance = random.Random(seed)
    return [sum(chance.random() < ratio for _ in range(TRAIN)) for _ in range(rounds)]


def series(node: str, counts: list[int]) -> list[dict[str, str]]:
    """Return a node's counters as promtool reads them."""
    of = expanded('$release,app_kubernetes_io_component="prober",probe="udp",target="lungs-server:8081"')
    answered = itertools.accumulate(TRAIN - count for count in counts)
    both = {"answered": answered, "lost": itertools.accumulate(counts)}
    return [
        {
            "series": f'smoker_probe_packets_total{{{of},node="{node}",fate="{fate}"}}',
            "values": " ".join(map(str, values)),
        }
        for fate, values in both.items()
    ]


def alarms_by_ratio(counts: list[int], limit: float = 0.01) -> int:
    """Return how often a rule that compares the plain share would fire."""
    total = [0, *itertools.accumulate(counts)]
    above = [(total[at] - total[at - WINDOW]) / (WINDOW * TRAIN) > limit for at in range(WINDOW, len(total))]
    return sum(len(list(some)) > PATIENCE for is_above, some in itertools.groupby(above) if is_above)


def firing(helm: Helm, folder: Path, found: list[dict[str, str]], rounds: int, *nodes: str) -> None:
    """Run the chart's rules on the series; fail unless SmokerPacketLoss fires for exactly these nodes."""
    others = ("probeFailing", "targetFailing", "targetGone", "latencyHigh", "proberMissing")
    off = nested("metrics.prometheusRule", {key: {"enabled": False} for key in others})
    release = helm.render(merged(ON, off), release=RELEASE, namespace=NAMESPACE)
    (folder / "rules.yaml").write_text(rule_file(release))
    fired = f'count_over_time(ALERTS{{alertname="SmokerPacketLoss",alertstate="firing"}}[{rounds * 30}s])'
    expected = [{"labels": f'{{node="{node}"}}', "value": 1} for node in nodes]
    test = {
        "interval": "30s",
        "input_series": found,
        "promql_expr_test": [
            {"expr": f"max by (node) ({fired} > bool 0)", "eval_time": f"{rounds * 30}s", "exp_samples": expected}
        ],
    }
    # The rules look between the samples, as in life: then a window has twenty of them.
    whole = {"rule_files": ["rules.yaml"], "evaluation_interval": "29s", "tests": [test]}
    (folder / "test.yaml").write_text(yaml.safe_dump(whole, width=10**9))
    done = promtool("test", "rules", "test.yaml", folder=folder)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_false_alarm(any_helm: Helm, tmp_path: Path) -> None:
    """A hundred nodes that lose 0.3 % for six hours fire no alert at 1 %; the plain share would fire dozens."""
    counts = [lost(0.003, seed) for seed in range(NODES)]
    assert sum(map(alarms_by_ratio, counts)) > 30
    firing(any_helm, tmp_path, [one for n, each in enumerate(counts) for one in series(f"n{n}", each)], ROUNDS)


def test_true_loss_is_found(any_helm: Helm, tmp_path: Path) -> None:
    """A node that loses 6 % fires the alert within two hours, among nine that lose 0.3 %."""
    rounds = 240
    found = series("a", lost(0.06, 1, rounds))
    for seed in range(9):
        found += series(f"n{seed}", lost(0.003, seed, rounds))
    firing(any_helm, tmp_path, found, rounds, "a")
