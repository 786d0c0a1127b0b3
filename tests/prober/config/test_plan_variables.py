"""The variables of the plan: each overrides its keys of the file."""

from __future__ import annotations

import pytest

from smoker_prober.config.load import load
from smoker_prober.config.plan import differences, keys
from tests.prober.config.test_plan import WHOLE


def test_variables_override_the_file() -> None:
    """A variable overrides its keys, and a wrong one is reported together with the mistakes of the file."""
    environ = {"TEST_INTERVAL": "5", "PROBES": "tcp", "TARGETS": "a=tcp://h:1", "SERVER_HOST": " "}
    loaded = load(environ, "plan.yaml", WHOLE)
    assert (loaded.problems, loaded.winners) == ((), ("TEST_INTERVAL", "PROBES", "TARGETS"))
    assert (loaded.plan.interval, loaded.plan.service.probes, loaded.plan.mesh.probes) == (5.0, ("tcp",), ("tcp",))
    assert (list(loaded.plan.targets), loaded.plan.service.host) == (["a"], "echoes.example")
    wrong = load({"TEST_TIMEOUT": "x"}, "plan.yaml", b"interval: y").problems
    assert [problem.partition(" is not")[0] for problem in wrong] == [
        "plan.yaml:1: interval: 'y'",
        "TEST_TIMEOUT='x'",
    ]


#: Texts of the variables, none of which says what the file above says.
TEXTS = {
    "TEST_INTERVAL": "7",
    "TEST_TIMEOUT": "2",
    "LATENCY": "network",
    "LOG_LEVEL": "ERROR",
    "SERVER_HOST": "other.example",
    **{f"{name}_PORT": "7" for name in ("TCP", "UDP", "HTTP", "STAMP")},
    "PROBES": "tcp",
    "MESH_PEERS": "3",
    "DNS_NAME": "other.shop",
    "DNS_NAMESPACE": "other",
    "DNS_SERVICE": "other",
    "UDP_PACKETS": "3",
    "MTU_INTERVAL": "7",
    **dict.fromkeys(("FLOWS", "KEPT_FLOW", "TRACE"), "true"),
    "TARGETS": "a=tcp://h:1",
    "PROBE_API_SERVER": "false",
}


def test_the_texts_are_of_all_variables() -> None:
    """The test below has each variable of the plan."""
    assert TEXTS.keys() == {key.variable for key in keys() if key.variable}


@pytest.mark.parametrize("variable", TEXTS)
def test_each_variable_overrides_its_keys_and_no_other(variable: str) -> None:
    """The file sets every key; a variable changes those that name it, and leaves the others as the file says."""
    in_file = load({}, "plan.yaml", WHOLE).plan
    loaded = load({variable: TEXTS[variable]}, "plan.yaml", WHOLE)
    assert (loaded.problems, loaded.winners) == ((), (variable,))
    assert differences(in_file, loaded.plan) == [key.name for key in keys() if key.variable == variable]
