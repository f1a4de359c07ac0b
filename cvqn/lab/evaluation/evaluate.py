"""The job that evaluates a trained run: encode the images, measure the files, analyse the channels."""

from cvqn.codecs import registry
from cvqn.compression import StoredCodec
from cvqn.lab.data.index import read_index
from cvqn.lab.evaluation.analysis import analyse, require_image
from cvqn.lab.evaluation.encode import encode_set
from cvqn.lab.evaluation.measure import measure
from cvqn.lab.provenance.plan import Plan
from cvqn.lab.settings.runs import Run


def evaluate_run(plan: Plan, run: Run, index: str, device: str) -> None:
    """Write the archive and the measurements of a run and, for the last checkpoint, the analysis of its channels.

    Args:
        index: index.json of the evaluation set.
        device: of the transforms.

    Raises:
        CvqnError: the model, the set or an image is damaged.
    """
    results, report = plan.results, plan.configuration.report
    codec = StoredCodec(results.model(run.training, run.checkpoint), device)
    archive = results.archive(codec.name, run.name)
    analysed = run.checkpoint == "last" and registry.learned(codec.name).has_channels
    if analysed:  # before the long work
        require_image(read_index(index), report.shown_image(run.experiment), index)
    encode_set(codec, None, index, archive)
    measure(codec, index, [archive], results.measurements(codec.name, run.name))
    if analysed:
        analyse(
            run.name,
            codec.stored.model,
            index,
            results.analysis(codec.name, run.name),
            maps_of=report.shown_image(run.experiment),
            influence=report.shows_influence(run.experiment),
        )
