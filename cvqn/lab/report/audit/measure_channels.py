"""Measures of claims about channels and groups: influence, content, entropy, diversity."""

import math
from collections.abc import Sequence

import numpy as np
from scipy.stats import spearmanr

from cvqn.lab.evaluation.statistics import SeedSpread, bootstrap_interval, image_weights, pooled_spread, widen
from cvqn.lab.report.audit.evidence import Evidence
from cvqn.lab.report.audit.verdicts import Finding, Measured, NotMeasured, exact, exactly
from cvqn.lab.report.channels import by_image, distinct_values, symbol_shares
from cvqn.lab.settings.runs import Run

AT_LAST = "at the last checkpoint, the only one whose channels are analysed"
EXTREMES = 3  # the paper names three significant and three negligible channels
LOWER_SHARE = 0.1  # share of the images that may agree less with the others
FLOOR_DB = 1e-3  # a smaller loss counts as this much
LOSSES = {"psnr_loss_db": "PSNR", "ms_ssim_loss_db": "MS-SSIM"}


def influence_ratio(evidence: Evidence, expected: object, experiment: str) -> Finding:
    """Mean loss (dB) of the three most influential channels over that of the three least, by PSNR and by MS-SSIM."""
    run = evidence.analysed_runs(experiment)[0]
    values = []
    for column, name in LOSSES.items():
        losses = _losses(evidence, run, column)
        ranked = np.sort(image_weights(losses.shape[1], evidence.resamplings) @ losses.T, axis=1)
        least = np.maximum(ranked[:, :EXTREMES].mean(axis=1), FLOOR_DB)
        most = np.maximum(ranked[:, -EXTREMES:].mean(axis=1), FLOOR_DB)
        values.append(
            Measured(
                f"{name} loss of the three most over the three least influential", bootstrap_interval(most / least)
            )
        )
    note = f"one trained model, {AT_LAST}; {losses.shape[1]} images; losses below {FLOOR_DB} dB count as that"
    return Finding(tuple(values), _files(evidence, run), note, (experiment,))


def influence_agreement(evidence: Evidence, expected: object, experiment: str) -> Finding:
    """Tenth percentile, over images, of the rank correlation of the channels' losses with their mean on the others."""
    run = evidence.analysed_runs(experiment)[0]
    values, lowest = [], []
    for column, name in LOSSES.items():
        losses = _losses(evidence, run, column)
        correlations = agreement(losses)
        ranked = np.sort(correlations)
        weights = image_weights(len(ranked), evidence.resamplings)[:, np.argsort(correlations)]
        tenth = ranked[(np.cumsum(weights, axis=1) >= LOWER_SHARE).argmax(axis=1)]
        what = f"rank correlation by {name} loss that nine tenths of the images exceed"
        values.append(Measured(what, bootstrap_interval(tenth)))
        image = by_image(evidence.channels, run, column).columns[int(correlations.argmin())]
        lowest.append(f"{correlations.min():.2f} on {image} by {name}")
    note = f"one trained model, {AT_LAST}; {losses.shape[1]} images; the lowest is {', '.join(lowest)}"
    return Finding(tuple(values), _files(evidence, run), note, (experiment,))


def agreement(losses: np.ndarray) -> np.ndarray:
    """Spearman's correlation `[images]` of each column of `[channels, images]` with the mean of the other columns."""
    total = losses.sum(axis=1, keepdims=True)
    others = (total - losses) / (losses.shape[1] - 1)
    return np.array([spearmanr(own, other).statistic for own, other in zip(losses.T, others.T, strict=True)])


def group_content(evidence: Evidence, expected: object, experiment: str) -> Finding:
    """By how much each group's channels exceed the previous group's, in influence and in correlation with luminance."""
    runs = evidence.analysed_runs(experiment)
    values = []
    for column, what, unit in (
        ("ms_ssim_loss_db", "influence", "dB"),
        ("luminance_correlation", "correlation with luminance", ""),
    ):
        steps = {
            name: _group_steps(evidence, evidence.analysed_runs(name), column) for name in _grouped(evidence, column)
        }
        if experiment not in steps:
            raise NotMeasured(f"the influence of the channels of {experiment} was not measured")
        spreads = _spread_of_steps(steps)
        own = steps[experiment]  # [runs, groups - 1, images]
        resampled = image_weights(own.shape[2], evidence.resamplings) @ own.mean(axis=0).T
        for step in range(own.shape[1]):
            interval = widen(bootstrap_interval(resampled[:, step]), spreads.margin(len(runs)))
            values.append(Measured(f"{what} of group {step + 2} above group {step + 1}", interval, unit))
    note = f"{len(runs)} run{'s' * (len(runs) > 1)}, {AT_LAST}"
    return Finding(tuple(values), _files(evidence, *runs), note, (experiment,))


def entropy_below_bound(evidence: Evidence, expected: object) -> Finding:
    """The smallest value of log2 q minus the entropy of the symbols, over all groups of all runs, bits per symbol."""
    if evidence.groups.empty:
        raise NotMeasured("no run was analysed")
    slack, runs = {}, sorted(evidence.groups["run"].unique())
    for run in runs:
        for group, shares in symbol_shares(evidence.groups, run).items():
            used = shares[shares > 0]
            slack[run, group] = math.log2(len(shares)) + float(np.sum(used * np.log2(used)))
    (run, group), smallest = min(slack.items(), key=lambda item: item[1])
    what = f"smallest bound minus entropy, over {len(slack)} groups of {len(runs)} runs"
    note = f"reached by group {group} of {run}, {AT_LAST}; entropy of single symbols; coded bits: table of equation (7)"
    return Finding((exactly(what, smallest, "bit/symbol"),), _files(evidence, *runs), note)


def diversity(evidence: Evidence, expected: object, baseline: str, experiments: Sequence[str]) -> Finding:
    """How many more distinct values the groups of each experiment use together than the baseline's single group.

    Values that groups share count once. If one group alone has more levels than the baseline and uses all of them, the
    claim holds whatever the training did.
    """
    analysed = {run.experiment for run in evidence.analysed}
    measured = [name for name in experiments if name in analysed]
    if not measured:
        raise NotMeasured("no run with groups was analysed")
    used = {
        name: [_values_used(evidence, run) for run in evidence.analysed_runs(name)] for name in [baseline, *measured]
    }
    rows = evidence.groups.assign(experiment=evidence.groups["run"].map(lambda run: Run.parse(run).experiment))
    most = rows.groupby("experiment")["levels"].max()
    values = tuple(
        Measured(
            f"values used by {name} above those of {baseline} (fewest against most)",
            exact(min(used[name]) - max(used[baseline])),
            if_wrong=exact(most[name] - most[baseline]),
        )
        for name in measured
    )
    note = ", ".join(f"{name}: {'/'.join(map(str, counts))}" for name, counts in used.items())
    return Finding(
        values,
        _files(evidence, *(run for name in used for run in evidence.analysed_runs(name))),
        f"values used: {note}; {AT_LAST}",
        tuple(used),
    )


def _losses(evidence: Evidence, run: str, column: str) -> np.ndarray:
    table = by_image(evidence.channels, run, column)
    if table is None:
        raise NotMeasured(f"the influence of the channels of {run} was not measured")
    if table.shape[1] < 2:
        raise NotMeasured(f"the influence of the channels of {run} was measured on one image only")
    return table.to_numpy()


def _grouped(evidence: Evidence, column: str) -> list[str]:
    """Experiments with several groups whose analysed runs all have `column`."""
    groups = evidence.groups.groupby("run")["group"].nunique()
    names = dict.fromkeys(run.experiment for run in evidence.analysed if groups[run.name] > 1)
    return [
        name
        for name in names
        if all(by_image(evidence.channels, run, column) is not None for run in evidence.analysed_runs(name))
    ]


def _group_steps(evidence: Evidence, runs: Sequence[str], column: str) -> np.ndarray:
    """Differences of the mean of `column` between successive groups, `[runs, groups - 1, images]`."""
    steps = []
    for run in runs:
        rows = evidence.channels[evidence.channels["run"] == run]
        steps.append(np.diff(rows.pivot_table(index="group", columns="image", values=column).to_numpy(), axis=0))
    return np.stack(steps)


def _spread_of_steps(steps: dict[str, np.ndarray]) -> SeedSpread:
    return pooled_spread(
        [step for one in steps.values() if len(one) > 1 for step in one.mean(axis=2).T],
    )


def _values_used(evidence: Evidence, run: str) -> int:
    found = distinct_values(evidence.groups, run)
    if found is None:
        raise NotMeasured(f"the analysis of {run} does not list the values; analyse it again")
    return found


def _files(evidence: Evidence, *runs: str) -> tuple[str, ...]:
    rows = [frame[frame["run"].isin(runs)]["file"] for frame in (evidence.channels, evidence.groups)]
    return tuple(dict.fromkeys(file for files in rows for file in files))
