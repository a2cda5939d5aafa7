"""Hypothesis strategies for the values of core."""

from array import array

from hypothesis import strategies as st

from tanzheng.core.attestation import Act, Attestation, Domain
from tanzheng.core.batch import Batch, ClockState, Column, Event, Gap
from tanzheng.core.closed import INTEGER_MAX
from tanzheng.core.quality import Quality

identifiers = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,12}", fullmatch=True)
instants = st.integers(1_500_000_000_000, 1_500_000_000_000 + 2**31)
finite = st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def columns(draw: st.DrawFn) -> Column:
    times = sorted(draw(st.sets(instants, max_size=6)))
    values = draw(st.lists(finite, min_size=len(times), max_size=len(times)))
    codes = draw(st.lists(st.sampled_from(Quality), min_size=len(times), max_size=len(times)))
    return Column(array("q", times), array("d", values), bytes(codes))


@st.composite
def gaps(draw: st.DrawFn, points: int) -> Gap:
    chosen = draw(st.sets(st.integers(0, points - 1), min_size=1))
    start, length = draw(instants), draw(st.integers(1, 10**9))
    every = draw(st.integers(1, 10**6))
    return Gap(tuple(sorted(chosen)), start, start + length, every, draw(identifiers))


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    names = draw(st.sets(st.tuples(identifiers, identifiers), min_size=1, max_size=4))
    points = tuple(f"{device}/{name}" for device, name in sorted(names))
    events = st.builds(
        Event,
        instants,
        identifiers,
        st.dictionaries(st.text(max_size=8), st.text(max_size=8) | st.integers(-(2**40), 2**40)),
    )
    return Batch(
        gw=draw(identifiers),
        epoch=draw(st.integers(1, 5)),
        seq=draw(st.integers(1, 10**6)),
        prev=draw(st.binary(min_size=32, max_size=32)),
        made_ms=draw(instants),
        clock=ClockState(
            draw(identifiers), draw(st.booleans()), draw(st.integers(-(10**9), 10**9))
        ),
        points=points,
        columns=tuple(draw(columns()) for _ in points),
        gaps=tuple(draw(st.lists(gaps(len(points)), max_size=3))),
        events=tuple(draw(st.lists(events, max_size=2))),
    )


# ------------------------------------------------------------------ verified emissions

digests = st.binary(min_size=32, max_size=32).filter(any)
attestations = st.builds(
    Attestation,
    act=st.sampled_from(Act),
    subject=st.builds("{}/{}".format, identifiers, identifiers),
    year=st.integers(0, 2**16 - 1),
    version=st.integers(1, 2**32 - 1),
    sequence=st.integers(0, 2**16 - 1),
    tonnes=st.integers(0, INTEGER_MAX),
    statement=digests,
    document=digests,
    deadline=st.integers(0, INTEGER_MAX),
)
domains = st.builds(Domain, st.integers(1, 2**64 - 1), st.binary(min_size=20, max_size=20))
