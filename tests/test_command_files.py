"""`cvqn compress`, `decompress` and `info` as users call them: names, outputs that exist, batches, signals, pipes."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from cvqn.bitstream.errors import ImageTooLargeError
from cvqn.cli import main
from cvqn.cli import parser as parsing
from cvqn.cli.record import NAME as RECORD
from cvqn.codecs.store import load_model
from cvqn.compression import compress, compress_batch, decompress
from cvqn.errors import CvqnError
from cvqn.files import atomic_write
from cvqn.images import read_picture, write_png
from tests.trained import make_model, photograph


@pytest.fixture(scope="module")
def model(tmp_path_factory, tiny):
    return make_model(tmp_path_factory.mktemp("model"), tiny.experiments["c16"].model)


@pytest.fixture
def photo(tmp_path):
    write_png(tmp_path / "photo.png", photograph(20, 30))
    return tmp_path / "photo.png"


@pytest.fixture
def call(model, capsys, tmp_path, monkeypatch):
    """Call a command in a folder of its own; returns the exit code, and what was printed as output and errors."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments, model=model):
        code = main([*map(str, arguments), *(["--model", str(model)] if model else [])])
        return code, *capsys.readouterr()

    return call


def cvqn(*arguments, **options):
    command = [sys.executable, "-m", "cvqn", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, timeout=60, **options)


def test_two_pictures_of_a_pattern_destroy_neither(call, photo, tmp_path):
    shutil.copy(photo, tmp_path / "second.png")
    before = photo.read_bytes()
    for options in ([], ["--force"]):
        code, _, errors = call("compress", photo, "second.png", *options)
        assert (code, errors.count("\n")) == (2, 1)
        assert "second.png" in errors
    assert (tmp_path / "second.png").read_bytes() == before


@pytest.mark.parametrize("command", ["compress", "decompress"])
def test_what_exists_is_replaced_with_force_only(call, photo, tmp_path, command):
    call("compress", photo, "photo.cvqn")
    source, target = {"compress": (photo, "out.cvqn"), "decompress": ("photo.cvqn", "out.png")}[command]
    (tmp_path / target).write_bytes(b"precious")
    code, _, errors = call(command, source, target)
    assert (code, errors.count("\n")) == (2, 1)
    assert f"{target}: exists already; --force" in errors
    assert (tmp_path / target).read_bytes() == b"precious"
    assert call(command, source, target, "--force")[0] == 0
    assert (tmp_path / target).read_bytes() != b"precious"


@pytest.mark.parametrize("target", ["out.jpg", "out.PNGX", "out", "out.cvqn"])
def test_what_cannot_be_written_is_said_before_any_work(call, photo, tmp_path, target):
    (tmp_path / "file.cvqn").write_bytes(b"not looked at")
    code, _, errors = call("decompress", "file.cvqn", target)
    assert code == 2
    assert f"{target}: pictures are written as .png" in errors


def test_the_slow_library_is_not_loaded_to_refuse(photo, tmp_path):
    called = f"import sys; from cvqn.cli import main; code = main(['compress', {str(photo)!r}, 'a.jpg'])"
    run = subprocess.run(
        [sys.executable, "-c", f"{called}; sys.exit(10 * ('torch' in sys.modules) + code)"], cwd=tmp_path
    )
    assert run.returncode == 2


def test_an_input_is_never_an_output_not_by_a_link_either(call, photo, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "in").mkdir()
    for name in ("a.png", "b.png"):
        shutil.copy(photo, tmp_path / "in" / name)
    (tmp_path / "out" / "a.cvqn").symlink_to("../in/b.png")
    before = photo.read_bytes()
    code, _, errors = call("compress", "in", "out", "--force")
    assert code == 2
    assert "out/a.cvqn: is both input and output" in errors
    assert (tmp_path / "in" / "b.png").read_bytes() == before
    assert (tmp_path / "out" / "b.cvqn").exists()


def test_a_batch_goes_on_and_says_what_failed_and_what_was_left_out(call, photo, tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("a.png", "c.PNG", "d.jfif", "same.png", "same.bmp", "._a.png"):
        shutil.copy(photo, tmp_path / "in" / name)
    (tmp_path / "in" / "b.png").write_bytes(photo.read_bytes()[:100])
    (tmp_path / "in" / "notes.txt").touch()
    (tmp_path / "in" / "sub").mkdir()
    code, output, errors = call("compress", "in", "out")
    assert code == 2
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [RECORD, "a.cvqn", "c.cvqn", "d.cvqn"]
    assert output.count("\n") == 3
    same = "in/same.bmp, in/same.png: would all become out/same.cvqn"
    for line in ("in/b.png: damaged", same, "3 of 6 done"):
        assert line in errors
    for name in ("._a.png", "notes.txt", "sub"):
        assert name in errors
    (tmp_path / "out" / "a.cvqn").rename(tmp_path / "out" / "a.CVQN")
    (tmp_path / "out" / "bad.cvqn").write_bytes(b"CVQN")
    code, _, errors = call("decompress", "out", "back")
    assert code == 2
    assert "out/bad.cvqn: " in errors
    assert RECORD not in errors
    assert sorted(path.name for path in (tmp_path / "back").iterdir()) == [RECORD, "a.png", "c.png", "d.png"]


def test_a_batch_called_again_does_what_is_missing(call, photo, tmp_path):
    (tmp_path / "in").mkdir()
    shutil.copy(photo, tmp_path / "in" / "a.png")
    assert call("compress", "in", "out")[0] == 0
    shutil.copy(photo, tmp_path / "in" / "b.png")
    code, output, errors = call("compress", "in", "out")
    assert code == 0
    assert output.startswith("out/b.cvqn: ")
    assert (
        errors == "cvqn: 1 skipped, already made from the same inputs with the same options; --force makes them again\n"
    )
    code, output, errors = call("compress", "in", "out", "--force")
    assert (code, output.count("\n"), errors) == (0, 2, "")


def test_outputs_that_are_one_file_do_not_replace_each_other(call, photo, tmp_path):
    for folder in ("in", "out"):
        (tmp_path / folder).mkdir()
    write_png(tmp_path / "in" / "b.png", photograph(16, 16))
    shutil.copy(photo, tmp_path / "in" / "a.png")
    (tmp_path / "out" / "b.cvqn").symlink_to("a.cvqn")
    code, _, errors = call("compress", "in", "out", "--force")
    assert code == 2
    assert "out/b.cvqn: already written from another input" in errors


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["", "a.cvqn"], "name is empty"),
        (["photo.png", ""], "name is empty"),
        (["none.png", "a.cvqn"], "none.png: cannot be read"),
        (["photo.png"], "photo.png: an input without an output"),
        (["photo.png", "b.png", "c.cvqn"], "3 names: .*--output FOLDER"),
        (["photo.png", "-", "--output", "out"], "standard stream"),
        (["photo.png", "--output", "-"], "standard stream"),
        (["photo.png", "--output", ""], "name is empty"),
        (["photo.png", "--output", "photo.png"], "photo.png: a file"),
        (["photo.png", "-", "--json"], "with --json the output must be a regular file"),
        (["line\nbreak\x1b.png", "a.cvqn"], r"line\\nbreak\\x1b.png: cannot be read"),
        (["photo.png", "a" * 256 + ".cvqn"], "name too long"),
        (["a" * 256 + ".png", "a.cvqn"], "name too long"),
        (["photo.png", "photo.png/a.cvqn"], "photo.png/a.cvqn: cannot be used"),
        (["photo.png", "."], "a folder"),
        ([".", "photo.png"], "input and output|a file"),
    ],
)
def test_bad_names_are_one_line(call, photo, tmp_path, arguments, named):
    code, output, errors = call("compress", *arguments)
    assert (code, output, errors.count("\n")) == (2, "", 1)
    assert re.search(named, errors)
    assert [path.name for path in tmp_path.iterdir()] == ["photo.png"]


@pytest.mark.parametrize("name", ["x" * 245, os.fsdecode(b"\xff\xe9"), "é", "a b[c]"])
def test_odd_names_work(call, photo, tmp_path, name):
    photo.rename(tmp_path / f"{name}.png")
    assert call("compress", f"{name}.png", f"{name}.cvqn")[0] == 0
    assert call("decompress", f"{name}.cvqn", f"{name}.ppm")[0] == 0
    assert read_picture(tmp_path / f"{name}.ppm").shape == (20, 30, 3)


def test_names_of_no_encoding_are_printed(photo, tmp_path, model):
    target = os.fsdecode(b"\xff\xe9.cvqn")
    run = cvqn(
        "compress", photo, target, "--model", model, cwd=tmp_path, env=os.environ | {"PYTHONIOENCODING": "ascii"}
    )
    assert (run.returncode, run.stderr) == (0, b"")
    assert (tmp_path / target).exists()


def test_standard_input_and_output(photo, tmp_path, model):
    made = cvqn("compress", "-", "-", "--model", model, input=photo.read_bytes())
    assert made.stdout == compress(load_model(model), photograph(20, 30))
    assert b"bytes" in made.stderr
    (tmp_path / "back.png").write_bytes(cvqn("decompress", "-", "-", "--model", model, input=made.stdout).stdout)
    assert np.array_equal(read_picture(tmp_path / "back.png"), decompress(load_model(model), made.stdout))
    assert b"30x20" in cvqn("info", "-", input=made.stdout).stdout


def test_an_output_pipe_is_written_to_without_force(call, photo, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    read = []
    reader = threading.Thread(target=lambda: read.append((tmp_path / "pipe").read_bytes()))
    reader.start()
    code, output, errors = call("compress", photo, "pipe")
    reader.join()
    assert (code, output) == (0, "")
    assert f"pipe: {len(read[0])} bytes" in errors


def test_a_closed_output_and_a_full_one_are_one_line(photo, tmp_path, model):
    call = f"{sys.executable} -m cvqn"
    cvqn("compress", photo, tmp_path / "a.cvqn", "--model", model)
    ended = {(2, 1), (0, 0), (0, 1)}  # `true` may end before or after the command
    for command, expected in {
        f"{call} info a.cvqn | true": ended,
        f"{call} compress photo.png - --model {model} | true": ended,
        f"{call} info a.cvqn > /dev/full": {(74, 1)},
    }.items():
        run = subprocess.run(
            ["bash", "-c", f"{command}; exit ${{PIPESTATUS[0]}}"], cwd=tmp_path, capture_output=True, text=True
        )
        assert (run.returncode, run.stderr.count("\n")) in expected
        assert "Traceback" not in run.stderr
        assert "Exception ignored" not in run.stderr


def test_a_limit_on_file_size_is_one_line(photo, tmp_path, model):
    command = f"ulimit -f 0; exec {sys.executable} -m cvqn compress photo.png a.cvqn --model {model}"
    run = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (2, "cvqn: error: a.cvqn: cannot write (File too large)\n")
    assert [path.name for path in tmp_path.iterdir()] == ["photo.png"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody who may not read")
def test_what_may_not_be_read_is_one_line(tmp_path, photo, capsys):
    (tmp_path / "closed").mkdir(mode=0o700)
    photo.chmod(0o600)
    child = os.fork()
    if not child:
        os.seteuid(65534)
        codes = [main(["compress", str(tmp_path / name), str(tmp_path / "out")]) for name in ("photo.png", "closed")]
        codes += [main(["info", str(photo)]), main(["compress", str(tmp_path / "closed" / "a.png"), "b.cvqn"])]
        os._exit(codes != [2] * 4)
    assert os.waitpid(child, 0)[1] == 0


def test_endless_input_is_refused_at_once(call):
    started = time.monotonic()
    for command in (["info", "/dev/zero"], ["decompress", "/dev/zero", "a.png"], ["compress", "/dev/zero", "a.cvqn"]):
        assert call(*command)[0] == 2
    assert time.monotonic() - started < 10


@pytest.mark.parametrize(("number", "name"), [(signal.SIGTERM, "SIGTERM"), (signal.SIGHUP, "SIGHUP")])
def test_signals_leave_nothing_behind(tmp_path, monkeypatch, capsys, number, name):
    """In the middle of writing, at the rename, and at the removal."""
    for moment in ("write", "replace", "fsync", "unlink"):
        path = tmp_path / moment

        def work(_, path=path, moment=moment):
            with monkeypatch.context() as patch:
                if moment != "write":
                    real = getattr(os, moment)

                    def interrupted(*arguments):
                        os.kill(os.getpid(), number)
                        return real(*arguments)

                    patch.setattr(os, moment, interrupted)
                with atomic_write(path, "w") as file:
                    file.write("whole")
                    if moment == "write":
                        os.kill(os.getpid(), number)

        class Parser:
            def parse_args(self, _, work=work):
                return type("Arguments", (), {"handler": staticmethod(work)})

        monkeypatch.setattr(parsing, "parser", Parser)
        assert main([]) == 128 + number
        assert capsys.readouterr().err == f"cvqn: ended by {name}\n"
        assert not path.exists() or path.read_text() == "whole"
        assert not list(tmp_path.glob(".*"))
    assert signal.getsignal(number) is signal.SIG_DFL


def test_a_signal_that_is_ignored_stays_ignored(monkeypatch):
    monkeypatch.setattr(parsing, "parser", lambda: pytest.fail(signal.getsignal(signal.SIGHUP).name))
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with pytest.raises(pytest.fail.Exception, match="SIG_IGN"):
            main([])
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("delay", [0.02, 0.1, 0.3, 0.8])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_while_starting_print_no_traceback(photo, tmp_path, delay, number):
    """From the parsing of arguments on; before it, Python itself is loading."""
    called = ["compress", str(photo), str(tmp_path / "a.cvqn")]
    code = (
        "import sys; from cvqn.cli import main, parser; parse = parser.parser; "
        f"parser.parser = lambda: (print(flush=True), parse())[1]; sys.exit(main({called}))"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    process.stdout.readline()
    time.sleep(delay)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert "Traceback" not in errors
    assert process.returncode in (-number, 128 + number, 0)
    assert not list(tmp_path.glob(".*"))


def test_a_signal_that_python_swallows_comes_again():
    """An exception within a callback ends there: the program must not go on as if nobody had asked it to stop."""
    code = (
        "import os, signal, sys, time, weakref\n"
        "from cvqn.cli import main, parser\n"
        "class Held: pass\n"
        "def work():\n"
        "    held = Held()\n"
        "    kept = weakref.ref(held, lambda _: (signal.raise_signal(signal.Signals[sys.argv[1]]), time.sleep(0.01)))\n"
        "    del held\n"
        "    time.sleep(20)\n"
        "parser.parser = lambda: work()\n"
        "sys.exit(main([]))\n"
    )
    for name, expected in (("SIGINT", 130), ("SIGTERM", 143)):
        run = subprocess.run([sys.executable, "-c", code, name], capture_output=True, text=True, timeout=15)
        assert run.returncode == expected, run.stderr
        assert "Traceback" not in run.stderr


@pytest.mark.parametrize("wrong", ["float", "deep", "bool", "one channel", "four channels", "empty", "list", "nan"])
def test_compress_takes_pictures_only(model, wrong):
    picture = photograph(16, 16)
    made = {
        "float": lambda: picture / 255, "deep": lambda: picture.astype(np.uint16), "bool": lambda: picture > 9,
        "one channel": lambda: picture[:, :, :1], "four channels": lambda: np.pad(picture, ((0, 0), (0, 0), (0, 1))),
        "empty": lambda: picture[:0], "list": lambda: picture.tolist(), "nan": lambda: picture * np.nan,
    }[wrong]()  # fmt: skip
    with pytest.raises(ValueError, match="uint8"):
        compress(load_model(model), made)


def test_a_batch_is_of_one_size_and_sides_are_looked_at_first(model):
    stored = load_model(model)
    with pytest.raises(ValueError, match="one size"):
        compress_batch(stored, [photograph(16, 16), photograph(16, 17)])
    with pytest.raises(ValueError, match="at least"):
        compress_batch(stored, [])
    with pytest.raises(ImageTooLargeError, match="65536"):
        compress(stored, np.zeros((1, 65536, 3), np.uint8))
    with pytest.raises(ValueError, match="bytes"):
        decompress(stored, "text")
    with pytest.raises(CvqnError):
        decompress(stored, bytearray(b"CVQN"))
    picture = photograph(20, 30)
    before = picture.copy()
    view = picture[::-1, ::2]
    assert compress(stored, view) == compress(stored, np.ascontiguousarray(view))
    assert np.array_equal(picture, before)
