"""The audit by its command: files, links, and the gates for CI."""

import html.parser
import json
import subprocess
from pathlib import Path

import pytest
from made_up import PAPER, MadeUp, whole_paper

from cvqn.cli import main
from cvqn.lab.report.audit.claims import paper
from tests import ROOT


def audit(made: MadeUp, *more: str) -> int:
    return made.cvqn("audit", "--extras", "--output", "audit.json", *more)


@pytest.fixture(scope="module")
def audited(tmp_path_factory):
    made = whole_paper(tmp_path_factory.mktemp("paper"))
    assert audit(made) == 0
    return made


class Page(html.parser.HTMLParser):
    """Claims, links and anything that would be fetched."""

    def __init__(self, text):
        super().__init__()
        self.claims, self.links, self.fetched, self.open = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "article":
            self.claims.append(attributes["id"])
        if tag == "a":
            self.links.append(attributes["href"])
        self.fetched += [
            value for key, value in attributes.items() if key == "src" or (tag == "link" and key == "href")
        ]
        if tag not in ("meta", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_every_claim_stands_in_all_three_files(audited):
    names = [claim.id for claim in paper()]
    result = json.loads((audited.folder / "audit.json").read_text())
    assert [claim["id"] for claim in result["claims"]] == names
    assert result["scale"] == "paper"
    assert sum(result["counts"].values()) == len(names)
    page = Page((audited.folder / "audit.html").read_text())
    itself = [one["id"] for one in result["itself"]["statements"]]
    assert page.claims[: len(itself)] == itself  # the paper against itself comes first
    assert sorted(page.claims[len(itself) :]) == sorted(names)
    assert page.fetched == []
    assert page.open == []
    markdown = (audited.folder / "audit.md").read_text()
    assert all(f"`{name}`" in markdown for name in [*names, *itself])
    assert (
        markdown.index("## The paper against itself")
        < markdown.index("## Measured here")
        < markdown.index("## Table 1")
    )


def test_evidence_is_named_and_what_a_clone_has_of_it_is_linked(audited):
    result = json.loads((audited.folder / "audit.json").read_text())
    linked = {path for claim in result["claims"] for path in claim["evidence"]}
    missing = {path for path in linked if not (audited.folder / path).exists()}
    assert all("bitstreams/" in path or path.endswith("config.yaml") for path in missing)  # which nobody made up
    files = {"config.yaml", "analysis/identities.json", "measurements/cvqn/c32-seed2-best.csv"}
    assert {f"results/paper/{file}" for file in files} <= linked
    text = (audited.folder / "audit.html").read_text()
    assert all(path in text for path in linked)
    links = {link for link in Page(text).links if not link.startswith("#")}
    ignored = {line.removeprefix("/results/*/").rstrip("/") for line in (ROOT / ".gitignore").read_text().split()}
    parts = {path: path.split("/")[2] for path in linked}
    assert {"bitstreams", "analysis", "runs"} < set(parts.values())
    assert {path for path, part in parts.items() if part not in ignored} == links & linked


def test_every_verdict_names_its_measurement_and_its_tolerance(audited):
    for claim in json.loads((audited.folder / "audit.json").read_text())["claims"]:
        if claim["verdict"] not in ("not measured", "not measurable"):
            assert claim["measured"]
            assert claim["tolerance"]["class"]
            assert claim["tolerance"]["reason"]
        else:
            assert claim["reason"]


def test_an_inconclusive_claim_prints_what_could_have_been_resolved(tmp_path):
    made = whole_paper(tmp_path, noise=(0.004, 0.03, 2.0))
    assert audit(made) == 0
    claims = {claim["id"]: claim for claim in json.loads((tmp_path / "audit.json").read_text())["claims"]}
    claim = claims["table1.c32.bpp_change"]
    assert claim["verdict"] == "inconclusive"
    assert claim["measured"][0]["resolution"] > 1
    resolved = f"smallest resolvable difference: {claim['measured'][0]['resolution']:.2g} %"
    for name in ("audit.md", "audit.html"):
        assert resolved in (tmp_path / name).read_text()
        assert claim["power"]["words"] in (tmp_path / name).read_text()
    low, estimate, high = sorted(claim["measured"][0]["if_right"])
    shown = f"BPP of predefined against one-group {estimate:.5g} % [{low:.5g}, {high:.5g}]"
    assert shown.replace("predefined", "c32") in (tmp_path / "audit.html").read_text()


def test_a_scale_below_papers_says_so_in_every_file(tmp_path):
    made = whole_paper(tmp_path, scale="mini", images=["china", "coffee", "flower"])
    assert audit(made) == 0
    for name in ("audit.md", "audit.html"):
        assert "Scale mini: a demonstration, not a reproduction" in (tmp_path / name).read_text()
    assert json.loads((tmp_path / "audit.json").read_text())["counts"]["not reproduced"] == 0


def test_a_verdict_can_fail_the_command(audited, capsys):
    check = ["audit", "--check", str(audited.folder / "audit.json")]
    assert main([*check, "--fail-on", "not reproduced"]) == 0
    capsys.readouterr()
    assert main([*check, "--fail-on", "not measurable"]) == 1
    assert "figure4.spire: not measurable" in capsys.readouterr().out
    assert main([*check, "--fail-on", "wrong"]) == 2
    assert "no such verdict; there are reproduced" in capsys.readouterr().err


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)


def test_verdicts_against_a_revision(tmp_path, capsys):
    made = MadeUp(tmp_path)
    made.experiment("c32", PAPER["c32"], (1e-5, 1e-5, 1e-3))
    assert audit(made) == 0
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "first")
    capsys.readouterr()

    assert audit(made, "--against", "HEAD") == 0
    assert "no verdict differs from HEAD" in capsys.readouterr().out

    made.experiment("c32", (0.95, 0.2576, 28.0), (1e-5, 1e-5, 1e-3))
    assert audit(made, "--against", "HEAD") == 1
    out = capsys.readouterr().out
    assert "figure3.c32.ms_ssim_db: reproduced -> not reproduced (worse)" in out
    assert "table1.c32.bpp:" not in out

    git(tmp_path, "commit", "-q", "-a", "-m", "second")
    check = ["audit", "--check", str(made.folder / "audit.json"), "--against"]
    assert main([*check, "HEAD"]) == 0
    capsys.readouterr()
    assert main([*check, "HEAD~1"]) == 1
    made.experiment("c32", PAPER["c32"], (1e-5, 1e-5, 1e-3))
    assert audit(made, "--against", "HEAD") == 0  # better is no failure
    assert "figure3.c32.ms_ssim_db: not reproduced -> reproduced\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--check", "nowhere.json"], "cannot be read"),
        (["--check", "{folder}/plan.json"], "not an audit"),
        (["--plan", "{folder}/plan.json"], "--plan needs --output"),
        (["--plan", "{folder}/nowhere.json", "--output", "{folder}/a.json"], "nowhere.json: cannot be read"),
        (["--plan", "{folder}/plan.json", "--output", "{folder}"], "the name must end in .json"),
        (["--check", "{folder}/audit.json", "--against", "no-such-revision"], "at no-such-revision"),
    ],
)
def test_bad_input_is_named(audited, tmp_path, capsys, arguments, message):
    assert main(["audit", *(part.format(folder=audited.folder) for part in arguments)]) == 2
    assert message in capsys.readouterr().err
