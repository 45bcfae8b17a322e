"""Show how often the rule about latency is wrong, on the noise of real runs.

``python -m benchmarks.bench_decisions`` takes runs of the same files, measured one after another, calls some of them
the baseline and some the current runs, makes the current ones slower by 0, 5 or 10 %, and asks the rule. A/A pairs must
not be regressions; slow-downs must be. It exits with 1 if a target is missed.

The noise is in ``benchmarks/data/host_noise.json``. For your own machine, leave it alone for an hour and run
``for i in $(seq 20); do imageqx bench artifacts/imageqx --history noise.jsonl; done``, then
``python -m benchmarks.bench_decisions --extract noise.jsonl --name mine --about "…"`` and
``python -m benchmarks.bench_decisions --name mine``.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from imageqx_export.cli.show.console import out
from imageqx_export.evaluation.intervals import wilson
from imageqx_export.report.rules.latency import RunTimes, assess_latency, measure_noise
from imageqx_export.report.rules.verdicts import PASSES, UNDECIDED, Rules, Verdict
from imageqx_export.support.files import write_aside

DATA = Path(__file__).parent / "data" / "host_noise.json"
BASELINE, CURRENT, MOST = 8, 2, 3
SLOWER = (0.0, 0.02, 0.05, 0.10)
MOST_FALSE_ALARMS, FEWEST_AT_5, FEWEST_AT_10, MOST_SILENT_AT_10 = 0.01, 0.80, 0.95, 0.05
RULES = {
    "two current runs": (Rules(), CURRENT),
    "a third where two leave it open": (Rules(), MOST),
    "… with the limit on the point estimate": (Rules(margin=0.0), MOST),
}
OURS = "a third where two leave it open"

Runs = list[list[list[float]]]
"""Per run and process the inferences, µs, in order."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the simulation, or take noise from a history; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=1000, help="per artifact and slow-down (default 1000)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, default=DATA, help="the noise (default: the file that is committed)")
    parser.add_argument("--name", help="only this set of the file; with --extract, the set to write")
    parser.add_argument("--extract", type=Path, help="take the noise from this history, and stop", metavar="HISTORY")
    parser.add_argument("--about", default="", help="with --extract: what else ran on the machine")
    parser.add_argument("--loud", action="store_true", help="with --extract: the machine was busy on purpose")
    parser.add_argument("--json", action="store_true", help="print numbers instead of tables")
    options = parser.parse_args(argv)
    if options.extract is not None:
        if not options.name:
            parser.error("--extract needs --name")
        extract(options.extract, options.data, options.name, options.about, options.loud)
        return 0
    sets: dict[str, Any] = json.loads(options.data.read_text())["sets"]
    chosen = {name: one for name, one in sets.items() if options.name in (None, name)}
    if not chosen:
        parser.error(f"--name is one of {', '.join(sets)}")
    results = [simulate(name, one, options.trials, options.seed) for name, one in chosen.items()]
    if options.json:
        print(json.dumps(results, indent=2, ensure_ascii=False))
    else:
        for one in results:
            show(one)
    return 0 if all(one["passed"] for one in results) else 1


def extract(history: Path, data: Path, name: str, about: str, loud: bool) -> None:
    """Put the timed inferences of a history of full runs on one machine into the file of noise, as whole µs.

    Args:
        history: What ``imageqx bench`` wrote.
        data: The file to add to.
        name: The set to add or replace.
        about: What else ran on the machine.
        loud: Whether the machine was busy: then nothing need be caught, but nothing may be passed silently either.
    """
    from imageqx_export.bench.history import load_history
    from imageqx_export.report.rules.comparable import is_full, list_differences

    runs = load_history(history)
    last = runs[-1]
    artifacts: dict[str, Runs] = {}
    for run in runs:
        if list_differences(run, last):
            raise SystemExit(f"{history}: {run.run_id}: {'; '.join(list_differences(run, last))}")
        for m in run.measurements:
            if is_full((run, m)):
                micro = [[round(1e6 * s) for s in sample.seconds] for sample in m.samples]
                artifacts.setdefault(m.artifact, []).append(micro)  # type: ignore[arg-type]  # ints are floats here
    machine, started = last.machine, [run.started for run in runs]
    body: dict[str, Any] = json.loads(data.read_text()) if data.exists() else {"unit": "µs", "sets": {}}
    body["sets"][name] = {
        "about": about,
        "loud": loud,
        "command": "imageqx bench artifacts/imageqx --history noise.jsonl, repeated",
        "machine": f"{machine.name}, {machine.cores} cores, {machine.system}",
        "tool_versions": last.tool_versions,
        "hours": round((max(started) - min(started)) / 3600, 2),
        "artifacts": artifacts,
    }
    with write_aside(data) as aside:
        aside.write_text(json.dumps(body, separators=(",", ":"), ensure_ascii=False) + "\n")


def simulate(name: str, noise: dict[str, Any], trials: int, seed: int) -> dict[str, Any]:
    """Return the rates on one set of noise, and whether they keep to the targets."""
    runs = {artifact: summarise_runs(one) for artifact, one in noise["artifacts"].items()}
    spreads = {artifact: measure_noise([one]) for artifact, one in runs.items()}
    rates = {
        rule: {f"{slower:.0%}": draw_rates(runs, slower, limits, most, trials, seed) for slower in SLOWER}
        for rule, (limits, most) in RULES.items()
    }
    ordered = {f"{slower:.0%}": rate_in_order(runs, slower) for slower in SLOWER}
    ours = rates[OURS]
    held = {
        f"false alarms ≤ {MOST_FALSE_ALARMS:.0%}": ours["0%"]["caught"] <= MOST_FALSE_ALARMS,
        f"false alarms in the order of measurement ≤ {MOST_FALSE_ALARMS:.0%}": ordered["0%"]["caught"]
        <= MOST_FALSE_ALARMS,
        f"5 % slower caught ≥ {FEWEST_AT_5:.0%}": ours["5%"]["caught"] >= FEWEST_AT_5,
        f"10 % slower caught ≥ {FEWEST_AT_10:.0%}": ours["10%"]["caught"] >= FEWEST_AT_10,
        f"10 % slower passed silently ≤ {MOST_SILENT_AT_10:.0%}": ours["10%"]["passed"] <= MOST_SILENT_AT_10,
    }
    loud = bool(noise["loud"])
    needed = [name for name in held if not (loud and "caught" in name)]
    return {
        "set": name,
        "about": noise["about"],
        "machine": noise["machine"],
        "loud": loud,
        "runs": {artifact: len(one) for artifact, one in runs.items()},
        "run_sd": {artifact: round(one.deviation, 5) for artifact, one in spreads.items() if one is not None},
        "rates": rates,
        "in_order": ordered,
        "held": held,
        "passed": all(held[name] for name in needed),
        "u_test": {
            "of all inferences": rate_naively(noise["artifacts"], pooled=True),
            "of the processes' medians": rate_naively(noise["artifacts"], pooled=False),
        },
    }


def summarise_runs(runs: Runs) -> list[RunTimes]:
    """Return what the rule looks at of each run."""
    return [RunTimes.of(processes) for processes in runs]


def slow_down(run: RunTimes, slower: float) -> RunTimes:
    """Return a run of a file whose every inference takes so much more."""
    factor = 1 + slower
    return RunTimes(tuple(factor * m for m in run.medians))


def draw_rates(
    runs: dict[str, list[RunTimes]], slower: float, rules: Rules, most: int, trials: int, seed: int
) -> dict[str, Any]:
    """Return the share of each verdict when baseline and current runs are drawn at random, each run once."""
    rng = np.random.default_rng(seed)
    counts: Counter[Verdict] = Counter()
    for one in runs.values():
        for _ in range(trials):
            drawn = rng.permutation(len(one))
            current = [slow_down(one[k], slower) for k in drawn[BASELINE : BASELINE + most]]
            counts[settle([one[k] for k in drawn[:BASELINE]], current, rules)] += 1
    return count_shares(counts)


def rate_in_order(runs: dict[str, list[RunTimes]], slower: float) -> dict[str, Any]:
    """Return the shares over every pair of stretches of runs as they followed one another, drifts and all."""
    counts: Counter[Verdict] = Counter()
    for one in runs.values():
        for baseline, current in list_stretches(len(one)):
            after = [slow_down(one[k], slower) for k in current]
            counts[settle([one[k] for k in baseline], after, Rules())] += 1
    return count_shares(counts)


def settle(baseline: Sequence[RunTimes], current: Sequence[RunTimes], rules: Rules) -> Verdict:
    """Ask the rule about the first two current runs, and while it leaves it open, about one more: as it says to do."""
    verdict = Verdict.INSUFFICIENT
    for count in range(CURRENT, len(current) + 1):
        found = assess_latency(baseline, current[:count], rules)
        verdict = Verdict.INSUFFICIENT if found is None else found.verdict
        if verdict not in UNDECIDED:
            break
    return verdict


def list_stretches(count: int) -> Iterator[tuple[range, range]]:
    """Yield every stretch of baseline runs with every stretch of current runs that does not touch it."""
    for start in range(count - BASELINE + 1):
        baseline = range(start, start + BASELINE)
        for begin in range(count - MOST + 1):
            current = range(begin, begin + MOST)
            if current[-1] < start or begin > baseline[-1]:
                yield baseline, current


def count_shares(counts: Counter[Verdict]) -> dict[str, Any]:
    """Return the share of regressions, of passes and of the rest, with Wilson's 95 % interval of the first."""
    total = sum(counts.values())
    caught = wilson(counts[Verdict.REGRESSION], total)
    return {
        "caught": caught.value,
        "caught_ci": caught.interval,
        "trials": total,
        "suspicious": counts[Verdict.SUSPICIOUS] / total,
        "insufficient": counts[Verdict.INSUFFICIENT] / total,
        "passed": sum(counts[verdict] for verdict in PASSES) / total,
    }


def rate_naively(artifacts: dict[str, Runs], *, pooled: bool) -> float:
    """Return how often the U test alone tells two runs of the same file apart (p < 0.01)."""
    from scipy.stats import mannwhitneyu

    alarms = total = 0
    for runs in artifacts.values():
        values = [np.concatenate(run) if pooled else np.array([np.median(p) for p in run]) for run in runs]
        for one, other in pairwise(values):
            alarms += int(mannwhitneyu(one, other).pvalue < Rules().alpha)
            total += 1
    return alarms / total


def show(one: dict[str, Any]) -> None:
    """Print the rates of one set."""
    spread = ", ".join(f"{name} {100 * sd:.2f} %" for name, sd in one["run_sd"].items())
    out.print(f"[bold]{one['set']}[/]: {one['about']} ({one['machine']})", highlight=False)
    out.print(f"standard deviation between runs of the same file: {spread}", highlight=False)
    tests = ", ".join(f"{what} {share:.0%}" for what, share in one["u_test"].items())
    out.print(f"U test alone, p < 0.01 on neighbouring runs of the same file: {tests}", highlight=False)
    table = Table("", "slower", "regression", "95 % interval", "suspicious", "insufficient", "passed", "trials")
    rows = [(rule, slower, row) for rule, rates in one["rates"].items() for slower, row in rates.items()]
    rows += [("… in the order of measurement", slower, row) for slower, row in one["in_order"].items()]
    for rule, slower, row in rows:
        low, high = row["caught_ci"]
        counts = (f"{row[name]:.1%}" for name in ("suspicious", "insufficient", "passed"))
        table.add_row(rule, slower, f"{row['caught']:.1%}", f"{low:.1%}–{high:.1%}", *counts, f"{row['trials']:,}")
    out.print(table)
    for name, held in one["held"].items():
        excused = one["loud"] and "caught" in name and not held
        word = (
            "[green]held[/]" if held else "[yellow]not held: the noise is too loud[/]" if excused else "[red]MISSED[/]"
        )
        out.print(f"{name}: {word}", highlight=False)


if __name__ == "__main__":
    sys.exit(main())
