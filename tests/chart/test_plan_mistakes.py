"""Mistakes in the plan that Helm refuses, so that no prober has to."""

from __future__ import annotations

from typing import Any

import pytest

from .render import Helm, HelmError
from .test_plan import plan_of

MANY = [{"name": f"t{number}", "url": "tls://h"} for number in range(1024)]
TWICE = "prober.config.targets: two targets have the name a, here or in prober.targets; each needs a name of its own"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"config": {"intervall": 5}}, "intervall"),
        ({"config": {"mesh": {"peers": -1}}}, "peers"),
        ({"config": {"targets": [{"name": "A"}]}}, "config.targets.0.name|config/targets/0/name"),
        ({"targets": {"a": {"probe": "smtp"}}}, "probe"),
        ({"targets": {"a": "ftp://h"}}, "targets"),
        ({"config": {"interval": "2m"}}, "prober.config.interval: use prober.intervalSeconds"),
        ({"config": {"timeout": 1}}, "prober.config.timeout: use prober.timeoutSeconds"),
        ({"config": {"service": {"ports": {"tcp": 7}}}}, "prober.config.service.ports: use tcpEcho.port"),
        ({"config": {"service": {"host": "h"}}}, "prober.config.service.host: use prober.serverHost"),
        ({"config": {"bandwidth": {"enabled": True}}}, "prober.config.bandwidth.enabled: use bandwidth.enabled"),
        ({"config": {"dns": {"name": "a.b."}}}, "prober.config.dns.name: use dns.name"),
        ({"config": {"dns": {"replicas": {"namespace": "d"}}}}, "dns.replicas.namespace: use dns.replicas.namespace"),
        ({"config": {"dns": {"replicas": {"service": "d"}}}}, "dns.replicas.service: use dns.replicas.service"),
        ({"config": {"apiServer": True}}, "prober.config.apiServer: use prober.probeApiServer"),
        ({"targets": {"a": {"probe": "grpc", "host": "h"}}}, "port"),
        ({"targets": {"a": {"probe": "http"}}}, "host"),
        ({"targets": {"a": {"url": "https://h/", "host": "h"}}}, "a[./]host"),
        ({"targets": {"a": {"url": "https://h/", "port": 1}}}, "a[./]port"),
        ({"targets": {"a": {"url": "tls://h", "http": {"path": "/"}}}}, "a[./]http"),
        ({"targets": {"a": {"probe": "tls", "host": "h", "http": {"path": "/"}}}}, "a[./]http"),
        ({"targets": {"a": {"host": "h", "port": 1}}}, "probe"),
        ({"targets": {"a": {"probe": "tls", "url": "https://h/"}}}, "a[./]probe"),
        ({"targets": {"a": {"url": "https://h/", "http": {"tls": False}}}}, "a[./]http[./]tls"),
        ({"targets": {"a": {"url": "ftp://h"}}}, "a[./]url"),
        ({"targets": {"a": {"probe": "tls", "host": "h:1"}}}, "a[./]host"),
        ({"config": {"targets": [{"probe": "grpc", "host": "h"}]}}, "port"),
        ({"config": {"service": {"host": "http://h"}}}, "service[./]host"),
        ({"targets": {"a": "tls://h"}, "config": {"targets": [{"name": "a", "url": "tls://i"}]}}, TWICE),
        ({"config": {"targets": [{"name": "a", "url": "tls://h"}, {"name": "a", "url": "tls://i"}]}}, TWICE),
        ({"targets": {"a": "tls://h"}, "config": {"targets": MANY}}, "more than 1024 targets"),
        ({"config": {"targets": [{"url": "tls://h"}, {"probe": "connect", "host": "H", "port": 443}]}}, "name h:443,"),
        (
            {"config": {"targets": [{"url": "tls://[::1]:7"}, {"probe": "tls", "host": "::1", "port": 7}]}},
            "::1.:7,",
        ),
        ({"config": {"targets": [{"url": "https://h/a"}, {"url": "https://h/b"}]}}, "name h:443,"),
        (
            {"targets": {"a": {"url": "tls://h", "interval": "50ms"}}},
            "target a: interval: 50ms is not .* from 100ms",
        ),
        ({"targets": {"a": {"url": "tls://h", "interval": "1.5d"}}}, "target a: interval: 1.5d is not .* to 1d"),
        ({"config": {"targets": [{"url": "tls://h", "timeout": "61m"}]}}, "target h:443: timeout: 61m is not .* to 1h"),
        ({"config": {"targets": [{"url": "dns://", "timeout": "0"}]}}, "target without a name: timeout: 0 is not"),
        (
            {"targets": {"a": {"url": "tls://h", "tls": {"expiryWarning": "9999d"}}}},
            "a: tls.expiryWarning: 9999d",
        ),
        ({"config": {"probes": {"tls": {"expiryWarning": "9999d"}}}}, "prober.config: probes.tls.expiryWarning: 9999d"),
        ({"config": {"probes": {"udp": {"mtuInterval": "25h"}}}}, "prober.config: probes.udp.mtuInterval: 25h"),
        ({"config": {"bandwidth": {"every": "59m"}}}, "prober.config: bandwidth.every: 59m is not .* from 1h to 7d"),
        ({"targets": {"a": {"url": "https://h/", "http": {"path": "x y"}}}}, "a[./]http[./]path"),
        ({"targets": {"a": {"url": "https://h/", "http": {"headers": {"Host:": "x"}}}}}, "http[./]headers"),
        ({"targets": {"a": {"url": "https://h/", "http": {"headers": {"connection": "close"}}}}}, "http[./]headers"),
        ({"targets": {"a": {"url": "https://h/", "http": {"expect": {"status": "2xy"}}}}}, "http[./]expect[./]status"),
        ({"targets": {"a": {"probe": "dns", "dns": {"name": "a..b"}}}}, "a[./]dns[./]name"),
        ({"targets": {"a": "dns://h/a..b"}}, "targets[./]a"),
        ({"targets": {"a": "tls://h?expiry=3d"}}, "targets[./]a"),
        ({"targets": {"a": {"url": "grpc://h:1", "grpc": {"service": "a b"}}}}, "a[./]grpc[./]service"),
        ({"targets": {"a": {"url": "ws://h", "websocket": {"subprotocol": "a b"}}}}, "a[./]websocket[./]subprotocol"),
    ],
)
def test_a_mistake_is_refused(helm: Helm, values: dict[str, Any], words: str) -> None:
    """The chart refuses before installation what a prober would refuse in the file.

    It also refuses keys that another value sets, which other objects follow.
    """
    with pytest.raises(HelmError, match=words):
        helm.render({"prober": values})


@pytest.mark.parametrize(
    "targets",
    [
        [{"url": "https://h/"}, {"url": "http://h/"}, {"probe": "tls", "host": "h", "port": 8443}],
        [{"probe": "dns"}, {"name": "second", "probe": "dns"}],
        [{"url": "dns://a"}, {"url": "dns://a?transport=tls"}],
        [{"url": "tls://[fe80::1%eth0]"}, {"url": "tls://[fe80::1%25eth1]"}],
        [{"url": "tls://h", "interval": "1d", "timeout": ".5h", "tls": {"expiryWarning": "3650d"}}],
        [{"url": "tls://h", "interval": "100ms", "timeout": "1ms", "tls": {"expiryWarning": "0"}}],
    ],
)
def test_what_a_prober_takes_is_no_mistake(any_helm: Helm, targets: list[dict[str, Any]]) -> None:
    """Targets without a name that differ in their host and port, and durations at their limits, are accepted."""
    values = {"prober": {"config": {"targets": targets}}, "networkPolicy": {"enabled": True}}
    assert len(plan_of(any_helm, values).targets) == len(targets)
