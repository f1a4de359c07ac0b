import json

import pytest

from cvqn.lab.record.differences import json_difference, table_difference


@pytest.fixture
def tables(tmp_path):
    def write(first, second):
        paths = tmp_path / "first.csv", tmp_path / "second.csv"
        for path, text in zip(paths, (first, second), strict=True):
            path.write_text(text)
        return paths

    return write


@pytest.mark.parametrize(
    ("second", "difference"),
    [
        ("image,bytes,ms_ssim,decode_s\na,100,0.95005,9\n", ""),
        ("image,bytes,ms_ssim,decode_s\na,100,0.9502,1\n", "line 2, ms_ssim: 0.95 became 0.9502"),
        ("image,bytes,ms_ssim,decode_s\na,100.001,0.95,1\n", "line 2, bytes: 100 became 100.001"),
        ("image,bytes,ms_ssim,decode_s\nb,100,0.95,1\n", "line 2, image: a became b"),
        ("image,bytes,ms_ssim,decode_s\na,100,,1\n", "line 2, ms_ssim: 0.95 became "),
        ("image,bytes,ms_ssim,decode_s\na,100,0.95,1\na,100,0.95,1\n", "1 rows"),
        ("image,bytes,psnr_db,decode_s\na,100,0.95,1\n", "1 rows of image, bytes, ms_ssim"),
    ],
)
def test_tables(tables, second, difference):
    paths = tables("image,bytes,ms_ssim,decode_s\na,100,0.95,1\n", second)
    found = table_difference(*paths, 1e-4, {"bytes"})
    assert found.startswith(difference)
    assert bool(found) == bool(difference)


def test_an_empty_table_is_not_like_one_with_rows(tables):
    paths = tables("a,b\n", "a,b\n1,2\n")
    assert table_difference(*paths, 1e-4)
    assert not table_difference(paths[0], paths[0], 1e-4)


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ({"claims": [{"verdict": "reproduced", "note": "0.123", "value": 1.00005}]}, ""),
        ({"claims": [{"verdict": "reproduced", "note": "0.124", "value": 1.0}]}, ""),
        ({"claims": [{"verdict": "inconclusive", "note": "0.123", "value": 1.0}]}, "claims[0].verdict: reproduced"),
        ({"claims": [{"verdict": "reproduced", "note": "0.123", "value": 1.1}]}, "claims[0].value: 1.0 became 1.1"),
        ({"claims": [{"verdict": "reproduced", "note": "0.123"}]}, "claims[0].value: 1.0 became None"),
        ({"claims": [{"verdict": "reproduced", "value": 1.0}] * 2}, "claims[1].verdict: None became reproduced"),
    ],
)
def test_json(tmp_path, change, difference):
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    first.write_text(json.dumps({"claims": [{"verdict": "reproduced", "note": "0.123", "value": 1.0}]}))
    second.write_text(json.dumps(change))
    found = json_difference(first, second, 1e-4)
    assert found.startswith(difference)
    assert bool(found) == bool(difference)
