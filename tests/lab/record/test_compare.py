import json
import subprocess

import pytest

from cvqn.cli import main
from cvqn.lab.record import compare as module
from cvqn.lab.record.compare import BETTER, CHANGED, GONE, NEW, SAME, WORSE, compare

BEFORE = {"c32.bpp": 0.2, "c32.ms_ssim": 0.95, "c32.psnr_db": 28.0, "codec.webp.40.bpp": 0.3, "bd_rate.webp": -10.0}


@pytest.mark.parametrize(
    ("metric", "after", "verdict", "regression"),
    [
        ("c32.bpp", 0.2009, SAME, False),
        ("c32.bpp", 0.1991, SAME, False),
        ("c32.bpp", 0.2011, WORSE, True),
        ("c32.bpp", 0.1989, BETTER, False),
        ("c32.ms_ssim", 0.9496, SAME, False),
        ("c32.ms_ssim", 0.9494, WORSE, True),
        ("c32.ms_ssim", 0.9506, BETTER, False),
        ("c32.psnr_db", 20.0, CHANGED, False),
        ("codec.webp.40.bpp", 0.3 + 1e-6, CHANGED, True),
        ("codec.webp.40.bpp", 0.3 - 1e-6, CHANGED, True),
        ("bd_rate.webp", -9.4, WORSE, True),
        ("bd_rate.webp", -11.0, BETTER, False),
        ("c32.bpp", None, GONE, True),
        ("se.bpp", 0.1, NEW, False),
        ("bd_rate.webp", "no number: why", GONE, True),
        ("bd_rate.bpg", "no number: why", SAME, False),
    ],
)
def test_verdicts_on_both_sides_of_each_tolerance(metric, after, verdict, regression):
    changed = {key: value for key, value in (BEFORE | {metric: after}).items() if value is not None}
    changes = {change.metric: change for change in compare(BEFORE, changed)}
    assert changes[metric].verdict == verdict
    assert changes[metric].regression == regression
    assert all(change.verdict == SAME for name, change in changes.items() if name != metric)


@pytest.mark.parametrize(
    ("metric", "kind"),
    [
        ("c32.best.bpp", "rate"),
        ("levels-456.cross_entropy_bpp", "rate"),
        ("c32.bpp_std", "spread of seeds"),
        ("c32.ms_ssim_db", "MS-SSIM, dB"),
        ("re.bpp_change_percent", "change of rate, percent"),
        ("codec.jpeg2000-5-3.0.2.bpp", "bytes of a conventional codec"),
        ("codec.jpeg2000.0.2.ms_ssim_db", "distortion of a conventional codec"),
        ("bd_rate.published.balle-2018", "BD-rate, percent"),
        ("bd_ms_ssim.webp", "BD-MS-SSIM, dB"),
        ("c32-seed1.group1.bits_per_symbol", "analysis of channels"),
        ("c32-seed1.influence_agreement.ms_ssim", "analysis of channels"),
        ("se-seed1.weights_rank_correlation.ms_ssim", "analysis of channels"),
    ],
)
def test_every_key_of_the_metrics_has_its_tolerance(metric, kind):
    [change] = compare({metric: 1.0}, {metric: 1.0})
    assert change.tolerance.kind == kind


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A git repository with metrics in its first commit, and others on the disk."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "results/small/metrics.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(BEFORE))
    for command in (
        ["init", "--quiet"],
        ["add", "."],
        ["-c", "user.name=t", "-c", "user.email=t", "commit", "-qm", "m"],
    ):
        subprocess.run(["git", *command], check=True)
    return path


def test_exit_code_table_and_markdown(repository, capsys):
    assert main(["compare", "HEAD"]) == 0
    assert "5 metrics, 5 not listed, 0 regressions" in capsys.readouterr().out
    repository.write_text(json.dumps(BEFORE | {"c32.bpp": 0.3, "c32.ms_ssim": 0.96}))
    assert main(["compare", "HEAD"]) == 1
    output = capsys.readouterr().out
    assert "c32.bpp" in output
    assert "bd_rate" not in output
    assert main(["compare", "HEAD", "--markdown", "--all"]) == 1
    output = capsys.readouterr().out
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in output.splitlines() if line.startswith("|")]
    assert ["c32.bpp", "0.2", "0.3", "+0.1", "lower is better, 0.5%", "**worse**"] in cells
    assert "bd_rate.webp" in [row[0] for row in cells]
    assert main(["compare", "HEAD", "HEAD"]) == 0


def test_a_reason_in_the_place_of_a_number_is_printed(repository, capsys):
    repository.write_text(json.dumps(BEFORE | {"bd_rate.webp": "no number: MS-SSIM does not rise with the rate"}))
    assert main(["compare", "HEAD", "--markdown"]) == 1
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in capsys.readouterr().out.splitlines()]
    reason = "no number: MS-SSIM does not rise with the rate"
    assert ["bd_rate.webp", "-10", reason, "", "lower is better, 0.5", "**gone**"] in rows


def test_clear_errors(repository, capsys):
    assert main(["compare", "no-such-revision"]) == 2
    assert "no-such-revision" in capsys.readouterr().err
    assert main(["compare", "HEAD", "--scale", "paper"]) == 2
    assert "results/paper/metrics.json" in capsys.readouterr().err
    for text, reason in (('{"a": NaN}', "a is not a finite number"), ('{"a": [1]}', "a is not"), ("[1]", "the file is"),
                         ("{", "not valid JSON")):  # fmt: skip
        repository.write_text(text)
        assert main(["compare", "HEAD"]) == 2
        assert reason in capsys.readouterr().err


def test_every_tolerance_can_be_reached():
    assert len({tolerance.pattern for tolerance in module.TOLERANCES}) == len(module.TOLERANCES)
    assert module.TOLERANCES[-1].pattern == ".*"
