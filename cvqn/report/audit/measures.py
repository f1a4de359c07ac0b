"""The measures by name, as the paper's data file calls them: from evidence and expectation to what was measured."""

from collections.abc import Callable

from cvqn.report.audit import measure_channels, measure_curves, measure_runs, measure_settings, measure_training
from cvqn.report.audit.claims import Claim
from cvqn.report.audit.evidence import Evidence
from cvqn.report.audit.verdicts import IDENTITY, SETTING_USED, Measured

MEASURES: dict[str, Callable[..., Measured]] = {
    measure.__name__: measure
    for measure in (
        measure_runs.mean,
        measure_runs.bpp_change,
        measure_runs.orders,
        measure_runs.odd_levels,
        measure_runs.best_measured,
        measure_curves.above_codec,
        measure_curves.above_published,
        measure_curves.crops_order,
        measure_channels.influence_ratio,
        measure_channels.influence_agreement,
        measure_channels.group_content,
        measure_channels.entropy_below_bound,
        measure_channels.diversity,
        measure_training.training_memory,
        measure_training.training_stability,
        measure_settings.setting,
        measure_settings.widths,
        measure_settings.groups,
        measure_settings.rate_points,
        measure_settings.seeds,
        measure_settings.training_images,
        measure_settings.optimizer,
        measure_settings.bound_order,
        measure_settings.soft_quantizer,
    )
}


WHERE_IT_HOLDS: dict[str, str] = {
    **dict.fromkeys(("bound_order", "soft_quantizer", "entropy_below_bound"), IDENTITY),
    **dict.fromkeys(("setting", "widths", "groups", "rate_points", "seeds", "training_images"), SETTING_USED),
    **dict.fromkeys(("optimizer", "best_measured"), SETTING_USED),
}
"""The verdict in place of "reproduced" of measures that no result could fail: nothing was reproduced by them."""


def measure(claim: Claim, evidence: Evidence) -> Measured:
    """What the claim's measure finds in the evidence.

    Raises:
        NotMeasured: something that it needs is not there.
    """
    return MEASURES[claim.measure](evidence, claim.expected, **claim.arguments)
