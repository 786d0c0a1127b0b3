"""The DNS probe: one look-up, from one socket, over UDP, TCP or TLS.

    dns://10.96.0.10/kubernetes.default.svc.cluster.local   what every pod asks
    dns:///example.org?type=A+AAAA                          from the name server of this pod, both at once, as libc does
    dns://9.9.9.9/example.org?transport=tls                 over TLS (RFC 7858)

Several types leave one socket together. A conntrack race can lose one of two such packets (docs/troubleshooting.md): a
program then waits five seconds for it. The probe says which type was not answered.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NoReturn

from smoker_common.host import authority
from smoker_outcome.failure import BadReply, DeadlineExceeded, ResolveError
from smoker_prober.network import resolv_conf
from smoker_prober.probes import dns_message
from smoker_prober.probes.base import Attempt, Probe
from smoker_prober.probes.certified import Certified, expiry_of
from smoker_prober.probes.connection import count_retransmits
from smoker_prober.probes.datagram import Exchange, connected
from smoker_prober.probes.dns_message import Question, Reply, Unasked
from smoker_prober.probes.dns_options import PORT, SHOWN, Options, comparable, from_url
from smoker_prober.probes.handshake import Security
from smoker_prober.probes.handshake import connected as connected_stream
from smoker_prober.probes.stream import receive, send

_LENGTH = 2  # bytes before a message over TCP (RFC 1035 section 4.2.2)


@dataclass(frozen=True)
class Details(Certified):
    """What only a DNS probe finds. Several types have one of each, the worst."""

    server: str
    name: str
    transport: str
    rcode: str | None = None  # of the answers; of several the first that is not NOERROR
    answers: str | None = None  # by commas
    ttl: int | None = None  # seconds, the least
    unanswered: str | None = None  # the types without an answer, by commas

    @property
    def of_failure(self) -> dict[str, Any]:
        """Return the code, and the types without an answer where others had one."""
        shown = {"rcode": self.rcode, "unanswered": self.unanswered if self.partly else None}
        return {name: value for name, value in shown.items() if value is not None}

    @property
    def partly(self) -> bool:
        """Whether some of several queries sent together were answered, and others not."""
        return self.rcode is not None and self.unanswered is not None


class _LookUp:
    """The questions of one attempt, and the replies so far."""

    def __init__(self, attempt: Attempt, options: Options) -> None:
        self._attempt, self.options = attempt, options
        self.name = options.name or f"kubernetes.default.svc.{resolv_conf.read().domain}."
        self.questions = dns_message.questions(self.name, options.type)
        self._replies: dict[int, Reply] = {}  # by number
        self._over("udp")

    def _over(self, transport: str) -> None:
        """Begin over this transport, without a reply."""
        self._replies.clear()
        server = authority(self._attempt.target.host, self._attempt.target.port)
        self._attempt.details = self._details = Details(server, self.name, transport)

    def udp(self) -> bool:
        """Ask over UDP. Return whether all answers came whole."""
        attempt = self._attempt
        address = attempt.resolve()
        with attempt.phase("send"):
            sock = connected(address, *Exchange.ENABLE)
        with sock:
            exchange = Exchange(attempt, address, sock)
            with attempt.phase("send"):
                for question in self.questions:
                    exchange.send(question.wire)
            with attempt.phase("wait"), attempt.deadline.reading():
                while self._waits():
                    arrival = exchange.receive()
                    number = self._take(arrival.data)
                    if number is None:
                        continue
                    rtt = exchange.rtt([each.number for each in self.questions].index(number), arrival)
                    if rtt is not None and (attempt.rtt is None or rtt.seconds > attempt.rtt.seconds):
                        attempt.rtt = rtt
        return not any(each.truncated for each in self._replies.values())

    def tcp(self) -> None:
        """Ask over TCP, or over TLS where the options say so."""
        attempt, options = self._attempt, self.options
        secure = options.transport == "tls"
        self._over("tls" if secure else "tcp")
        with connected_stream(attempt, Security(options.server_name, options.ca, alpn=()) if secure else None) as sock:
            self._details = replace(self._details, **expiry_of(sock))
            attempt.details = self._details
            with attempt.phase("send"):
                messages = [len(each.wire).to_bytes(_LENGTH) + each.wire for each in self.questions]
                send(sock, b"".join(messages), attempt.deadline)
            with attempt.phase("wait"), attempt.deadline.reading():
                stream = _Messages(attempt, sock)
                while self._waits():
                    self._take(stream.next())
                count_retransmits(attempt, sock)  # while it is open

    def _waits(self) -> bool:
        return len(self._replies) < len(self.questions)

    def _take(self, data: bytes) -> int | None:
        """Take a message. Return its number if it answers a question that had no answer. Raises `BadReply`."""
        self._attempt.received += len(data)
        try:
            number = dns_message.number_of(data)
            question = self._question(number)
            if number in self._replies:
                return None
            self._replies[number] = dns_message.reply(data, question)
        except Unasked as other:
            self._attempt.stray = str(other)
            return None
        self._note()
        return number

    def _question(self, number: int) -> Question:
        for each in self.questions:
            if each.number == number:
                return each
        raise Unasked("got an answer with another ID")

    def _note(self) -> None:
        """Bring the details up to date."""
        replies = [self._replies[each.number] for each in self.questions if each.number in self._replies]
        rcodes = [each.rcode for each in replies]
        ttls = [each.ttl for each in replies if each.ttl is not None]
        missing = [each.kind for each in self.questions if each.number not in self._replies]
        self._attempt.details = self._details = replace(
            self._details,
            rcode=next((each for each in rcodes if each != "NOERROR"), rcodes[0]),
            answers=_listed([text for each in replies for text in each.answers]) or None,
            ttl=min(ttls, default=None),
            unanswered=",".join(missing) or None,
        )

    def silent(self, error: DeadlineExceeded) -> NoReturn:
        """Raise that some questions had no answer, where others had one."""
        missing = [each.kind for each in self.questions if each.number not in self._replies]
        answered = [each.kind for each in self.questions if each.number in self._replies]
        if not answered or not missing:
            raise error
        self._attempt.stray = ""
        raise DeadlineExceeded(
            f"{error} to {' and '.join(missing)}; {' and '.join(answered)}, sent from the same socket, was answered"
        )

    def judge(self) -> None:
        """Raise `ResolveError` or `BadReply` if the answers are not those that are expected."""
        expect = self.options.expect
        self._attempt.phase_name = ""  # the answers came: no phase is to blame
        for question in self.questions:
            found = self._replies[question.number]
            if found.rcode != expect.rcode:
                raise ResolveError(f"{found.rcode} for {question.kind} of {self.name}")
        answers = [text for each in self._replies.values() for text in each.answers]
        if expect.rcode == "NOERROR" and not answers:
            raise ResolveError(f"{self.name} has no {' or '.join(self.options.type)} record")
        known = {comparable(text) for text in answers}
        missing = [text for text in expect.answers if comparable(text) not in known]
        if missing:
            raise BadReply(f"{', '.join(missing)} is not among the answers for {self.name}: {_listed(answers)}")


def _listed(answers: list[str]) -> str:
    """Return the first answers by commas, and how many more there are."""
    more = len(answers) - SHOWN
    return ",".join(answers[:SHOWN]) + (f" and {more} more" if more > 0 else "")


class _Messages:
    """The messages of a TCP connection, each with its length before it."""

    def __init__(self, attempt: Attempt, sock: Any) -> None:
        self._attempt, self._sock = attempt, sock
        self._data = b""

    def next(self) -> bytes:
        """Return the next message. Raises `BadReply` if it is too large, or the connection ends before it does."""
        length = int.from_bytes(self._exactly(_LENGTH))
        if length > dns_message.LARGEST:
            raise BadReply(f"got an answer of {length} bytes")
        return self._exactly(length)

    def _exactly(self, count: int) -> bytes:
        while len(self._data) < count:
            data = receive(self._sock, self._attempt.deadline, dns_message.LARGEST)
            if not data:
                raise BadReply("the connection was closed before the answer")
            self._data += data
        taken, self._data = self._data[:count], self._data[count:]
        return taken


def run(attempt: Attempt) -> None:
    """Look a name up, and judge the answers."""
    look_up = _LookUp(attempt, attempt.target.options or Options())
    try:
        if look_up.options.transport != "udp" or not look_up.udp():
            look_up.tcp()
    except DeadlineExceeded as error:
        look_up.silent(error)
    look_up.judge()


def _prepare(_options: object) -> None:
    import dns.message  # noqa: F401, PLC0415  2 MiB that only DNS targets need


probe = Probe(
    run,
    "udp",
    "look a name up at one DNS server",
    options=Options,
    default_port=PORT,
    default_host=resolv_conf.server,
    schemes=("dns",),
    form="dns://[server][:port]/[name][?type=A]",
    from_url=from_url,
    prepare=_prepare,
)
