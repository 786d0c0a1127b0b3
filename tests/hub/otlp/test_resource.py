"""The attributes of the resource: how they are decoded, which name wins, and the sentence for a bad entry."""

from __future__ import annotations

import pytest

from smoker_hub.otlp.options import read
from smoker_hub.otlp.resource import LONGEST_KEY, LONGEST_VALUE, MOST
from tests.conftest import eventually
from tests.hub.notify.receivers import become, looking, receiver

from .exports import running
from .messages import resource

ENDPOINT = "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"
ATTRIBUTES, SERVICE = "OTEL_RESOURCE_ATTRIBUTES", "OTEL_SERVICE_NAME"


def attributes(text: str, name: str = "") -> tuple[dict[str, str], list[str]]:
    """Return the attributes of two variables, and the mistakes."""
    found, mistakes = read({ENDPOINT: "http://collector/", ATTRIBUTES: text, SERVICE: name})
    return dict(found.resource), mistakes


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", {}),
        ("a=b,c.d/e=f", {"a": "b", "c.d/e": "f"}),
        (" a = b , ,c=d, ", {"a": "b", "c": "d"}),
        ("a=x%2Cy%3Dz%25%20,b%3D=1", {"a": "x,y=z% ", "b=": "1"}),
        ("a=b=c;d=e,f=+", {"a": "b=c;d=e", "f": "+"}),
        ("a=caf%C3%A9,b=café", {"a": "café", "b": "café"}),
        ("a=1,a=2", {"a": "2"}),
        ("a=", {"a": ""}),
        ("service.name=", {}),
    ],
)
def test_entries_are_decoded(text: str, found: dict[str, str]) -> None:
    """Keys and values are percent-decoded as UTF-8, spaces around them do not count, and of two the last one wins."""
    assert attributes(text) == (found, [])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a=b,secret", ": entry 2 is not KEY=VALUE"),
        ("=secret", ": entry 1 needs a key of 1 to 255 printable characters"),
        (f"{'k' * (LONGEST_KEY + 1)}=secret", ": entry 1 needs a key of 1 to 255 printable characters"),
        ("a%0A=secret", ": entry 1 needs a key of 1 to 255 printable characters"),
        ("a=,,b=secret%0A", ": entry 3 needs a value of at most 1024 printable characters"),
        (f"a={'v' * (LONGEST_VALUE + 1)}", ": entry 1 needs a value of at most 1024 printable characters"),
        ("a=secret\udc80", ": entry 1 needs a value of at most 1024 printable characters"),
        ("a=secret%", ": entry 1 has a % that is not followed by two hexadecimal digits"),
        ("a=secret%zz", ": entry 1 has a % that is not followed by two hexadecimal digits"),
        ("a=secret%ff", ": entry 1 is not UTF-8 once it is decoded"),
        (",".join(f"k{number}=v" for number in range(MOST + 1)), " has 129 entries, but may have at most 128"),
    ],
)
def test_a_bad_entry_is_named(text: str, words: str) -> None:
    """One sentence names the variable and the entry's number, without the text, which may be a secret."""
    (mistake,) = attributes(text)[1]
    assert mistake.startswith(ATTRIBUTES + words)
    assert "secret" not in mistake


def test_every_mistake_is_reported() -> None:
    """All bad entries are reported at once, together with a bad name of the service."""
    assert len(attributes("a,b,c=d", "x\x07")[1]) == 3


def test_the_service_name_wins() -> None:
    """OTEL_SERVICE_NAME wins over service.name, and is taken as it is."""
    assert attributes("service.name=one,a=b", "two%20=") == ({"service.name": "two%20=", "a": "b"}, [])
    assert attributes("service.name=one") == ({"service.name": "one"}, [])


def test_the_attributes_arrive() -> None:
    """The attributes are those of the resource that the collector gets, and win over the hub's own."""
    variables = {ATTRIBUTES: "service.version=,service.instance.id=x%2Cy,team=net", SERVICE: "smoker-eu"}
    with looking() as (hub, found), receiver(200) as there:
        otlp, mistakes = read({ENDPOINT: there.url, **variables})
        assert mistakes == []
        with running(hub, otlp):
            become(found, "node-2")
            hub.look()
            about = resource(eventually("a request is there", lambda: there.got)[0])
    assert about.items() >= {"service.name": "smoker-eu", "service.instance.id": "x,y", "team": "net"}.items()
    assert about["k8s.cluster.name"] == "blue"  # the hub's own stay
    assert "service.version" not in about
