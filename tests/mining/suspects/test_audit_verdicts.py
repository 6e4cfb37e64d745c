"""Pairs are told what an audit found of their faces, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.audits import small_audit, small_folder

from mining.suspects.audit_verdicts import verdicts_of
from mining.suspects.check import MeasuredCheck, expectations
from mining.suspects.evidence import Evidence
from pairsets import PairSet, PairSetError
from pairsets.files.audit_findings import Finding, Note

ROWS = [
    ("asuka/0.png", "rei/0.png", 0),
    ("rei/2.png", "asuka/0.png", 0),
    ("asuka/0.png", "rei/1.png", 0),
    ("mari/0.png", "mari/1.png", 1),
    ("shinji/2.png", "rei/1.png", 0),
    ("shinji/0.png", "rei/2.png", 0),
]
PAIRS = PairSet.of(*zip(*ROWS, strict=True))


@pytest.fixture
def audit(tmp_path):
    return small_audit(small_folder(tmp_path / "faces"))


@pytest.mark.parametrize(
    ("kind", "flagged"),
    [
        ("duplicate", [1, 0, 0, 1, 0, 0]),
        ("mislabel", [0, 0, 1, 0, 1, 0]),
        ("crop", [0, 0, 0, 0, 1, 0]),
    ],
)
def test_pairs_are_flagged_by_what_was_found(audit, kind, flagged):
    doubt = verdicts_of(audit, kind)(PAIRS)
    assert doubt.flagged.tolist() == [bool(one) for one in flagged]
    # An audit keeps no score of what is no finding.
    assert np.isnan(doubt.score).tolist() == [not one for one in flagged]


def test_reasons_name_the_face(audit):
    assert verdicts_of(audit, "mislabel")(PAIRS).reasons[2] == "rei/1.png: far"
    assert verdicts_of(audit, "crop")(PAIRS).reasons[4] == "shinji/2.png: nearly one colour"


def test_identities_are_told_by_name_and_of_negatives_alone(audit):
    alias = Finding("alias", (Note("", "mari", "rei", 0.7, "mari and rei: one", "ask"),))
    audit = replace(audit, findings=[*audit.findings, alias])
    others = ["mari/2.png", "rei/1.png", "asuka/1.png"]
    doubt = verdicts_of(audit, "alias")(PairSet.of(["rei/0.png"] * 3, others, [0, 1, 0]))
    assert doubt.flagged.tolist() == [True, False, False]


def test_a_pair_of_strangers_is_refused(audit):
    with pytest.raises(PairSetError, match=r"1 added \('rei/9.png'\)"):
        verdicts_of(audit, "crop")(PairSet.of(["rei/9.png"], ["asuka/0.png"], [0]))


def test_what_was_measured_is_told_and_nothing_else(audit):
    checks = [verdicts_of(audit, kind) for kind in ("duplicate", "mislabel")]
    assert [isinstance(check, MeasuredCheck) for check in checks] == [False, True]
    assert expectations(checks) == [audit.kinds["mislabel"].expected]


def test_evidence_is_enough_for_what_the_audit_speaks_of(audit):
    evidence = Evidence(audit=audit)
    # What it did not look for is looked for as without it.
    lacking = {"variant": "--faces", "source": "--faces", "veto": "--veto"}
    assert evidence.lacking == lacking
    assert {check.kind for check in evidence.checks()} >= {"duplicate", "mislabel", "crop"}
    # It abstained, so that what else there is counts: here names alone.
    assert type(evidence.checks(["alias"])[0]).__name__ == "SameIdentity"


def test_evidence_for_what_is_told_already_is_refused(audit, tmp_path):
    with pytest.raises(PairSetError, match="give --detector to the audit instead"):
        Evidence(audit=audit, detector=tmp_path / "face.onnx").checks(["crop"])


def test_a_kind_that_was_not_looked_for_has_no_verdicts(audit):
    with pytest.raises(ValueError, match="did not look for"):
        verdicts_of(audit, "outlier")
