"""The scenarios, each played alike on the bare limit and on Trunkline; figures in events per second or milliseconds."""

from dataclasses import dataclass

from tests.bench.rig import Rig, Sink, load


@dataclass(frozen=True, slots=True)
class Size:
    """How much of each: the bare limit needs more to be measured well, Trunkline less to end in time."""

    ingest: int
    drain: int
    both: int
    calm: int
    rate: int  # events a second in the calm scenario


type Figures = dict[str, float]

CONNECTIONS, CALM_CONNECTIONS, BATCH = 128, 16, 100
WARM_UP = 200


def ingest_then_drain(rig: Rig, sink: Sink, size: Size) -> Figures:
    """Single events in with no engine running, then all of them out with nothing coming in."""
    with rig.edge():
        taken = load(rig.url, rig.headers, connections=CONNECTIONS, count=size.ingest)
        figures: Figures = {"ingest/s": taken["events_per_s"], "ingest p99 ms": taken["latency_ms"]["p99"]}
        if rig.headers:  # the bare limit knows no batches
            batched = load(f"{rig.url}/batch", rig.headers, connections=8, count=size.drain, batch=BATCH)
            figures["ingest in batches/s"] = batched["events_per_s"]
            taken["events"] += batched["events"]
    with rig.engine(taken["events"]):
        seen = sink.wait_for(taken["events"])
    return {**figures, "drain/s": round(taken["events"] / (seen["last"] - seen["first"]))}


def both_at_once(rig: Rig, sink: Sink, size: Size) -> Figures:
    """In and out at the same time, as fast as both go."""
    with rig.edge(), rig.engine(size.both + WARM_UP):
        _warm_up(rig, sink)
        load(rig.url, rig.headers, connections=CONNECTIONS // 2, count=size.both)
        seen = sink.wait_for(size.both)
    return {"in and out/s": round(size.both / (seen["last"] - seen["first"]))}


def calm(rig: Rig, sink: Sink, size: Size) -> Figures:
    """Publish to receipt at a rate far from the limit."""
    with rig.edge(), rig.engine(size.calm + WARM_UP):
        _warm_up(rig, sink)
        load(rig.url, rig.headers, connections=CALM_CONNECTIONS, count=size.calm, rate=size.rate)
        latency = sink.wait_for(size.calm)["latency_ms"]
    return {f"{name} ms": latency[name] for name in ("p50", "p95", "p99")}


def _warm_up(rig: Rig, sink: Sink) -> None:
    """The engine is up and has its connections before anything is measured."""
    load(rig.url, rig.headers, connections=8, count=WARM_UP)
    sink.wait_for(WARM_UP)
    sink.reset()


SCENARIOS = {"drain": ingest_then_drain, "both": both_at_once, "calm": calm}
