"""The measures by name, as paper.yaml refers to them."""

from cvqn.lab.report.audit import (
    measure_budget,
    measure_channels,
    measure_curves,
    measure_runs,
    measure_settings,
    measure_training,
)
from cvqn.lab.report.audit.claims import Claim
from cvqn.lab.report.audit.evidence import Evidence
from cvqn.lab.report.audit.verdicts import IDENTITY, SETTING_USED, Finding

ROOMS = (measure_runs, measure_curves, measure_budget, measure_channels, measure_training, measure_settings)
WHERE_IT_HOLDS: dict[str, str] = {
    **dict.fromkeys(("bound_order", "soft_quantizer", "entropy_below_bound"), IDENTITY),
    **dict.fromkeys(("setting", "drops", "widths", "groups", "rate_points", "seeds", "training_images"), SETTING_USED),
    **dict.fromkeys(("optimizer", "best_measured"), SETTING_USED),
}
"""The verdict in place of "reproduced", for measures whose claims no training could fail."""

BY_CHECKPOINT = frozenset(
    {"mean", "bpp_change", "orders", "odd_levels", "above_codec", "above_published", "crops_order"}
)
"""Measures that depend on which checkpoint is judged."""


def measure(claim: Claim, evidence: Evidence) -> Finding:
    """What the claim's measure finds in the evidence.

    Raises:
        NotMeasured: something that the measure needs is missing.
    """
    [found] = [getattr(room, claim.measure) for room in ROOMS if hasattr(room, claim.measure)]
    return found(evidence, claim.expected, **claim.arguments)
