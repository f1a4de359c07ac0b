import json

import pytest

from cvqn.lab.record.differences import difference

HEADER = "image,bytes,ms_ssim,decode_s\n"
ROW = "a,100,0.95,1\n"


@pytest.mark.parametrize(
    ("second", "found"),
    [
        (HEADER + "a,100,0.95005,9\n", ""),
        (HEADER + "a,100,0.9502,1\n", "line 2, ms_ssim: 0.95 became 0.9502"),
        (HEADER + "a,100.001,0.95,1\n", "line 2, bytes: 100 became 100.001"),
        (HEADER + "b,100,0.95,1\n", "line 2, image: a became b"),
        (HEADER + "a,100,,1\n", "line 2, ms_ssim: 0.95 became "),
        (HEADER + ROW + ROW, "line 3, image: None became a"),
        (HEADER, "line 2, image: a became None"),
        ("image,bytes,psnr_db,decode_s\n" + ROW, "line 2, ms_ssim: 0.95 became None"),
    ],
)
def test_tables(tmp_path, second, found):
    paths = tmp_path / "first.csv", tmp_path / "second.csv"
    for path, text in zip(paths, (HEADER + ROW, second), strict=True):
        path.write_text(text)
    assert difference(*paths, 1e-4, {"bytes"}) == found


def test_reasons_may_differ_but_not_whether_there_is_a_number(tmp_path):
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    first.write_text("anchor,bd_rate_percent,bd_rate_percent_reason\nwebp,,20.1 % is shared\n")
    second.write_text("anchor,bd_rate_percent,bd_rate_percent_reason\nwebp,,20.2 % is shared\n")
    assert difference(first, second, 1e-4) == ""
    second.write_text("anchor,bd_rate_percent,bd_rate_percent_reason\nwebp,-3,\n")
    assert difference(first, second, 1e-4) == "line 2, bd_rate_percent:  became -3"


CLAIM = {"verdict": "reproduced", "note": "0.123", "value": 1.0}


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ([CLAIM | {"value": 1.00005}], ""),
        ([CLAIM | {"note": "0.124"}], ""),
        ([CLAIM | {"verdict": "inconclusive"}], "claims[0].verdict: reproduced became inconclusive"),
        ([CLAIM | {"value": 1.1}], "claims[0].value: 1.0 became 1.1"),
        ([{"verdict": "reproduced"}], "claims[0].value: 1.0 became None"),
        ([CLAIM, CLAIM], "claims[1].verdict: None became reproduced"),
    ],
)
def test_json(tmp_path, change, found):
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    first.write_text(json.dumps({"claims": [CLAIM]}))
    second.write_text(json.dumps({"claims": change}))
    assert difference(first, second, 1e-4) == found
