"""The house rules for words: phrases that are not used in documentation, help, messages and comments."""

import re
import subprocess

import pytest

from tests import ROOT

PHRASES = {
    "a rate with 'a' in place of 'per'": r"\b(bits?|nats?|rows?|minutes|seconds|hours|lines?|entry|one|two|three) an? "
    r"(channel|group|image|model|layer|row|job|run|codec|symbol|pixel|picture|step|crop|epoch|stage|element|file)\b",
    "'held against' in place of 'compared with'": r"\b(hold|holds|held) [\w'\s]{0,30}\bagainst\b",
    "'for ever' in place of 'forever'": r"\bfor ever\b",
    "'anew' in place of 'again'": r"\banew\b",
    "'lies' in place of 'is'": r"\b(lies|lie) (in|on|under|beside|there|here|within)\b",
    "'stands' in place of 'is'": r"\bstands? (beside|in its place|in their place|in place of|twice)\b",
    "'goes on where' in place of 'resumes'": r"\bgoes? on where\b",
    "'has a say in' in place of 'affects'": r"\b(has|have) (a|no) say\b",
}  # fmt: skip
TEXTS = ("*.md", "*.rst", "*.py", "*.yaml", "*.j2", "*.smk", "*.toml", "*.sh")
OTHERS = ("tests/test_words.py", "data/", "results/", "THIRD_PARTY.md")


@pytest.mark.parametrize("what", PHRASES)
def test_the_house_rules_for_words(what):
    listed = subprocess.run(["git", "ls-files", *TEXTS], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    pattern, found = re.compile(PHRASES[what].replace(" ", r"[\s#]+")), []
    for name in (one for one in listed.splitlines() if not one.startswith(OTHERS)):
        text = (ROOT / name).read_text(encoding="utf-8")
        found += [f"{name}:{text.count(chr(10), 0, one.start()) + 1}: {one.group()}" for one in pattern.finditer(text)]
    assert not found, what
