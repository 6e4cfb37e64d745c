"""Whatever a library does when it is tried, the others are tried as well."""

from __future__ import annotations

import signal

import pytest

from mining.diagnosis.trials import Answer, Trial, try_all

# Where processes find the probes of this file.
HOME = "support.probes"


def tried(*names, needs=(), limit=300.0):
    return try_all([Trial(name, f"{HOME}:{name}", needs) for name in names], limit)


def test_facts_come_back_whatever_is_printed_meanwhile():
    assert tried("prints", "fine") == {
        "prints": Answer({"printed": True}),
        "fine": Answer({"answer": 42}),
    }


@pytest.mark.parametrize(
    ("name", "fault", "missing"),
    [
        ("raises", "ImportError: libcudart.so.99: cannot open shared object file", ""),
        ("lacks", "ModuleNotFoundError: No module named 'nothing_of_this_name'",
         "nothing_of_this_name"),
        ("panics", "Panic: a library in Rust gave up", ""),
        ("leaves", "SystemExit: 3", ""),
        ("no_such_probe", "AttributeError", ""),
    ],
)  # fmt: skip
def test_an_error_is_an_answer(name, fault, missing):
    found = tried(name, "fine")
    assert found[name].fault.startswith(fault)
    assert (found[name].missing, found[name].ended) == (missing, "")
    assert found["fine"] == Answer({"answer": 42})


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="ends by signals")
@pytest.mark.parametrize(
    ("name", "ended", "said"),
    [
        ("aborts", "SIGABRT", ": OMP: Error #15: two of them"),
        ("is_for_another_processor", "SIGILL", ""),
        ("exits", "status 9", ""),
    ],
)
def test_one_that_ends_the_process_is_told_and_the_next_ones_are_tried(name, ended, said):
    found = tried("fine", name, "prints")
    assert found[name].ended == ended
    assert found[name].fault == f"it ends the process ({ended}){said}"
    assert found["fine"].facts
    assert found["prints"].facts


def test_what_needs_one_that_failed_is_not_tried():
    trials = [
        Trial("raises", f"{HOME}:raises"),
        Trial("aborts", f"{HOME}:aborts", ["raises"]),
        Trial("exits", f"{HOME}:exits"),
        Trial("fine", f"{HOME}:fine", ["exits"]),
        Trial("prints", f"{HOME}:prints"),
    ]
    found = try_all(trials)
    assert {*found} == {"raises", "exits", "prints"}
    assert found["prints"].facts


def test_one_that_never_answers_is_ended():
    found = tried("waits", limit=1.0)
    assert found["waits"].ended == "no answer in 1 s"


def test_processes_have_the_modules_of_this_one(tmp_path, monkeypatch):
    (tmp_path / "only_here.py").write_text("def tell():\n    return {'here': 1}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert try_all([Trial("it", "only_here:tell")])["it"].facts == {"here": 1}
