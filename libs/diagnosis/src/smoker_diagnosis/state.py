"""The state that a prober serves at `GET /api/v1/state`: the contract between prober and hub.

Every instant is in seconds on the prober's own steady clock, which starts with its process and never steps. An age is
the difference between two instants of one document, so no other machine's wall clock has to be trusted.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from smoker_diagnosis.sharing import share

VERSION = 1
LARGEST = 64 * 1024 * 1024  # bytes of a document that `decode` reads

Role = Literal["service", "peer", "dns", "external", "cluster"]
Large = Literal["", "ok", "black_hole"]  # whether a packet of the path's full size passes; "": not known
#: How the API server answers; "": it is not asked.
Api = Literal["", "ok", "waiting", "refused", "unanswered"]

PEER: Role = "peer"
SERVICE: Role = "service"
RESOLVER: Role = "dns"  # the cluster's DNS: by its Service (plane as of an echo service), and each pod behind it


class StateError(ValueError):
    """Not a state of this version. The message is one sentence without its full stop."""


class LastFailure(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The last failed result of a path, whatever came after it."""

    at: float  # when its probe began
    outcome: str
    count: int = 1  # failed results since the prober knows the path, this one included
    error: str = ""  # its cause, in words for people


class FailingFlows(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Flows of a path that always fail while others work, as the last check found them."""

    at: float  # when the probe before the check began
    tried: int  # source ports
    failing: int  # of these, the ones from which every packet was lost


class Traced(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a trace found that followed a failure of a path. A new field goes to the end, with a default."""

    at: float  # when it began
    hop: int = 0  # the last hop that answers, from 1; 0: none does
    address: str = ""  # of that hop
    reached: bool = False  # whether the target answered
    hops: list[str] = []  # the address of each up to the last that answers; `*`: it does not
    before: list[str] = []  # the same of the last trace while the path worked; empty: not known


class KeptFlow(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A kept flow to a Service that fails while fresh flows work."""

    since: float  # when the first of the failures was seen
    port: int  # its source port
    rounds: int  # failures in a row


class AskedAgain(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Look-ups that followed half answers of the DNS Service: many at once by the Service, and at its pods.

    A new field goes to the end, with a default.
    """

    of: int  # look-ups by the Service
    halved: int  # of these, the ones of which only some queries were answered
    of_pods: int  # look-ups at the pods at the same moments
    halved_pods: int
    at: float = 0.0  # when the last check with a half answer by the Service began; 0: there is none
    whole: int = 0  # look-ups by the Service since the last half answer, also that of a round
    since: float = 0.0  # when the first check of these began
    silent_pods: int = 0  # look-ups at the pods to which no query was answered


class HalfAnswers(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Look-ups of which only some queries were answered that left together, over more rounds than the other counts.

    A new field goes to the end, with a default.
    """

    count: int
    of: int  # look-ups
    at: float = 0.0  # when the last of them began; 0: there is none
    first: float = 0.0  # when the first of them began; 0: there is none, or an older prober does not say
    again: AskedAgain | None = None  # of the Service, where half answers were followed by more look-ups


class PathState(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a prober knows of one path and probe. Counts cover the last rounds (three by default).

    On the wire it is an array: a new field goes to the end, with a default, so that older and newer programs agree.
    """

    role: Role
    target: (
        str  # a peer's node; `host:port` of an echo service; of a DNS server its place; the name of any other target
    )
    plane: str  # "pod", "host", "pod-host", "host-pod"; "service", "host-service"; "other", "host-other"
    family: str  # "ipv4" or "ipv6"; empty where the target is a name
    probe: str  # "tcp", "udp", "http", …
    zone: str = ""  # of the target, where it is known
    last: str = ""  # outcome of the last result; empty before the first
    at: float = 0.0  # when the probe of the last result began
    attempts: int = 0
    failures: dict[str, int] = {}  # by outcome, without local_error
    streak: int = 0  # failures in a row, the last result included; confirmations count
    since: float = 0.0  # when the first probe of the streak began
    sent: int = 0  # packets of the trains
    lost: int = 0
    requests_lost: int = 0  # of the lost ones, those that the reflector did not number
    replies_lost: int = 0
    large: Large = ""
    mtu: int = 0  # bytes that the path should take; 0: not known
    passes: int = 0  # bytes of the largest packet that did pass, where large ones are lost
    rtt_p50: float = 0.0  # seconds; 0: no sample
    rtt_p99: float = 0.0
    offender: str = ""  # who sent the ICMP error of the last failure
    large_at: float = 0.0  # when a large packet was tried last; not every round does
    connected: bool = False  # whether TCP connected in this streak of failures, so that only an answer was missing
    error: str = ""  # cause of the last result's failure, in words for people; empty on success
    expires: float = 0.0  # when the target's certificate expires, in seconds since the epoch, where that is soon
    expires_in: float = 0.0  # seconds from the last result until then, negative after it
    partly: int = 0  # of the last rounds' failures, those in which some queries were answered that left with the others
    past: int = 0  # results of the last 120 rounds, without local_error and confirmations
    flaps: int = 0  # of these rounds: short streaks of failures that are over
    lossy: int = 0  # of these rounds: trains that lost packets
    last_failure: LastFailure | None = None  # for ten minutes: what a confirmation hides that succeeds soon after
    interval: float = 0.0  # seconds between two probes, of a target that has an interval of its own; 0: the prober's
    flows: FailingFlows | None = None  # where a check has found some
    traced: Traced | None = None  # of this streak of failures, where a trace followed one
    kept: KeptFlow | None = None  # of a path to a Service, where its kept flow fails
    lost_at: float = 0.0  # where packets are counted as lost: when the last probe that lost any began
    halves: HalfAnswers | None = None  # of a path to the cluster's DNS
    counted: tuple[tuple[float, int], ...] = ()  # where packets are counted as lost: when each counted train (or PING
    # without an answer) began, and how many packets it had

    @property
    def failed(self) -> int:
        """Results of the last rounds that failed."""
        return sum(self.failures.values())


class Heard(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """When this prober's responder last answered a UDP probe of a peer."""

    node: str
    plane: str  # as the peer sees it
    family: str
    at: float


class Bandwidth(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The last transfer between a prober and a peer. Rates are in bytes per second, 0 where not known.

    On the wire it is an array: a new field goes to the end, with a default.
    """

    node: str  # of the peer
    plane: str
    family: str
    at: float  # when it began
    out: float  # to the peer
    back: float  # from the peer
    out_retransmits: int = 0  # segments that TCP sent again
    back_retransmits: int = 0


class Left(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A peer that Kubernetes still lists as not ready, and that is therefore no longer probed."""

    node: str
    network: str
    at: float  # when it became not ready
    failing: bool  # whether its paths failed before that


class EchoMove(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The last move of an echo service's pods. A new field goes to the end, with a default."""

    at: float  # when their nodes changed last
    since: float  # when that began: before `at` if no pod was ready in between
    before: list[str]  # nodes of the ready pods until then; empty: not known


class State(msgspec.Struct, frozen=True, kw_only=True, weakref=True):
    """One prober's state."""

    version: int = VERSION
    cluster: str = ""
    node: str
    network: Literal["pod", "host"] = "pod"
    zone: str = ""
    time: float = 0.0  # seconds since the epoch when the document was made, for display
    at: float  # the same moment on the steady clock
    interval: float  # seconds from one round to the next
    timeout: float  # seconds for one probe
    starved: bool = False  # whether the prober lacked CPU during the last rounds
    api: Api = ""
    peers: int = 0  # other probers that it knows
    paths: list[PathState] = []
    heard: list[Heard] = []
    left: list[Left] = []
    echoes: dict[str, list[str]] = {}  # by probe, the nodes on which its echo service has ready pods, where known
    moves: dict[str, EchoMove] = {}  # by probe, how these nodes changed last, if they have since the prober started
    dns_pods: dict[str, str] = {}  # by the target of a path of role "dns": `namespace/name` of the pod there
    bandwidth: list[Bandwidth] = []  # one for each peer, plane and family at most
    replaced: dict[str, float] = {}  # by probe, when its echo's ready pods last changed, or were first seen


class _Head(msgspec.Struct):
    """The part of a document that every version has."""

    version: int


_encoder = msgspec.json.Encoder()
_head = msgspec.json.Decoder(_Head)
_decoder = msgspec.json.Decoder(State)


def encode(state: State) -> bytes:
    """Return `state` as JSON, about 80 bytes a path."""
    return _encoder.encode(state)


def decode(document: bytes, before: State | None = None) -> State:
    """Return the state in `document`. Raises `StateError` for anything that is not a state of this version.

    `before`: an older state of the same prober. Paths that have not changed since are the same objects.
    """
    if len(document) > LARGEST:
        raise StateError(f"the state has {len(document)} bytes, more than {LARGEST}")
    try:
        version = _head.decode(document).version
        if version != VERSION:
            raise StateError(f"the state has version {version}, this program reads version {VERSION}")
        return share(_decoder.decode(document), before)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise StateError(f"this is no state of a prober: {error}") from None
