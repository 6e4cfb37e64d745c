"""Checks that measure themselves: what they say of worlds whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from support.identities import all_pairs, embedded, one_pair_each, people, said_of

from mining.suspects.abstention import abstentions, refuse_abstaining
from mining.suspects.check import MeasuredCheck, expectations
from mining.suspects.evidence import Evidence
from mining.suspects.identity.measurement import Measurement
from mining.suspects.identity.own_identities import OwnIdentities
from mining.suspects.identity.plants import moved_faces, split_identities
from mining.suspects.measured_aliases import MeasuredAliases, near_names
from mining.suspects.measured_mislabels import MeasuredMislabels
from mining.suspects.measured_vetoes import MeasuredVeto, nearest_strangers
from pairsets import PairSet
from pairsets.errors import PairSetError
from pairsets.files.expectations import Expectation, Share

MOVED = {7: "p020", 103: "p002", 200: "p030", 311: "p090", 402: "p051"}


def world_of(moved=MOVED, *, noise=0.45, count=120, each=5, seed=0):
    """People of five pictures, some of which lie in another's folder; their paths there."""
    vectors, names = people(count, each, seed=seed, noise=noise)
    for row, name in moved.items():
        names[row] = name
    return embedded(vectors, names), {f"{name}/{row:04}" for row, name in moved.items()}


def flagged_by(check, world):
    paths = world.faces.paths.tolist()
    scores, reasons = check.of_faces(paths)
    assert [bool(reason) for reason in reasons] == (scores >= 0.5).tolist()
    return {path for path, reason in zip(paths, reasons, strict=True) if reason}


def test_moved_faces_are_flagged_and_it_says_how_surely():
    world, wrong = world_of()
    check = MeasuredMislabels([OwnIdentities(world)])
    found = flagged_by(check, world)
    assert found <= wrong
    assert len(found) >= 4
    expected = check.expected
    assert not expected.abstains
    assert expected.precision.value >= 0.9
    assert expected.precision.low < 1
    assert expected.recall.value > 0.2
    assert expected.planted >= 10
    assert isinstance(check, MeasuredCheck)
    assert expectations([check, object()]) == [expected]


def test_the_same_faces_give_the_same_answer_again_in_any_order():
    world, _ = world_of()
    paths = world.faces.paths.tolist()
    one, _ = MeasuredMislabels([OwnIdentities(world)]).of_faces(paths)
    other, _ = MeasuredMislabels([OwnIdentities(world)]).of_faces(paths[::-1])
    assert one.tolist() == other[::-1].tolist()


def test_where_identities_are_hard_to_tell_it_abstains():
    world, _ = world_of(noise=3.0)
    check = MeasuredMislabels([OwnIdentities(world)])
    assert flagged_by(check, world) == set()
    assert check.expected.abstains
    assert "at an EER of" in check.expected.why
    assert abstentions([check]) == [f"mislabelled face (mislabel) {check.expected.sentence()}."]
    with pytest.raises(PairSetError, match="--trust-suspects mislabel"):
        refuse_abstaining([check])
    trusted = MeasuredMislabels([OwnIdentities(world)], trusted=True)
    assert flagged_by(trusted, world)
    refuse_abstaining([trusted])
    assert abstentions([trusted])[0].startswith("mislabelled face (mislabel) speaks as told")


def test_one_picture_each_or_one_identity_make_all_abstain():
    for vectors, names in (people(200, 1), people(1, 200), people(3, 2)):
        world = embedded(vectors, names)
        own = [OwnIdentities(world)]
        pairs = one_pair_each(world) if len(set(names)) > 1 else all_pairs(world)
        for check in (MeasuredMislabels(own), MeasuredAliases(own)):
            assert check(pairs).count == 0
            assert check.expected.abstains
            assert "could be planted" in check.expected.why


def test_identities_that_were_split_are_flagged_where_all_others_are_far():
    vectors, names = people(250, 8, seed=1, noise=0.45)
    split = set()
    for person in range(6):
        names[8 * person : 8 * person + 4] = [f"zz{person}"] * 4
        split.add((f"p{person:03}", f"zz{person}"))
    world = embedded(vectors, names)
    own = OwnIdentities(world)
    near = near_names(own.as_they_are)
    paths = dict(zip(world.faces.identities, world.faces.paths, strict=True))
    pairs = PairSet.of([paths[a] for a, _ in near], [paths[b] for _, b in near], 0)
    check = MeasuredAliases([own])
    found = said_of(check(pairs), pairs)
    assert found <= split
    assert len(found) >= 5
    assert not check.expected.abstains
    assert check.expected.precision.value >= 0.9


def test_twins_are_not_taken_for_one():
    """A quarter of all have a look-alike, nearer than anybody else and still another."""
    vectors, names = people(120, 6, noise=0.5)
    vectors = vectors.copy()
    generator = np.random.default_rng(3)
    twins = set()
    for person in range(0, 30, 2):
        one, other = slice(6 * person, 6 * person + 6), slice(6 * person + 6, 6 * person + 12)
        vectors[other] = vectors[one] + generator.normal(size=vectors[one].shape) * 0.02
        twins.add((f"p{person:03}", f"p{person + 1:03}"))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    world = embedded(vectors.astype(np.float32), names)
    pairs = one_pair_each(world)
    check = MeasuredAliases([OwnIdentities(world)])
    assert said_of(check(pairs), pairs) & twins == set()
    assert check.expected.abstains
    trusted = MeasuredAliases([OwnIdentities(world)], trusted=True)
    assert said_of(trusted(pairs), pairs) & twins


def test_names_speak_where_pictures_abstain():
    vectors, names = people(3, 2)
    names = [{"p000": "hatsune_miku", "p001": "miku_hatsune"}.get(name, name) for name in names]
    world = embedded(vectors, names)
    pairs = one_pair_each(world)
    check = MeasuredAliases([OwnIdentities(world)])
    assert said_of(check(pairs), pairs) == {("hatsune_miku", "miku_hatsune")}
    assert abstentions([check])[0].endswith("Names and --aliases still speak.")
    refuse_abstaining([check])


def test_several_references_have_to_agree():
    one, wrong = world_of()
    vectors, names = people(120, 5, seed=8, noise=0.45)
    for row, name in MOVED.items():
        names[row] = name
    other = embedded(vectors, names, "timm:other")
    # The second model finds everybody where they lie, but those of which it was told the same.
    settled = vectors.copy()
    for row, name in MOVED.items():
        settled[row] = vectors[names.index(name, 5 * int(name[1:]))]
    contradicting = embedded(settled, names, "timm:third")
    assert flagged_by(MeasuredMislabels([OwnIdentities(one), OwnIdentities(other)]), one) <= wrong
    against = MeasuredMislabels([OwnIdentities(one), OwnIdentities(contradicting)])
    assert flagged_by(against, one) == set()


def test_a_veto_measures_itself_on_the_second_model():
    world, _ = world_of({}, noise=0.25)
    strangers = nearest_strangers(world)
    vectors, codes = np.asarray(world.vectors, np.float64), world.faces.groups
    scores = vectors @ vectors.T
    scores[codes[:, None] == codes] = -np.inf
    np.testing.assert_allclose(strangers, scores.max(axis=1), atol=2e-6)
    check = MeasuredVeto(world)
    pairs = all_pairs(world)
    doubt = check(pairs)
    negatives = pairs.label == 0
    values = np.array(
        [
            vectors[a] @ vectors[b]
            for a, b in zip(
                world.faces.positions(pairs.path_a),
                world.faces.positions(pairs.path_b),
                strict=True,
            )
        ]
    )
    assert doubt.flagged[~negatives].sum() == 0
    if check.expected.abstains:
        assert doubt.count == 0
    else:
        level = values[negatives & doubt.flagged].min(initial=np.inf)
        assert not (values[negatives & ~doubt.flagged] > level + 1e-5).any()


def test_plants_are_what_they_are_said_to_be():
    codes = np.repeat(np.arange(60), 5)
    for world in range(3):
        moved = moved_faces(codes, world)
        assert (moved.codes != codes).nonzero()[0].tolist() == moved.rows.tolist()
        assert len(moved.rows) == 6
        kept = np.bincount(codes[np.setdiff1d(np.arange(300), moved.rows)], minlength=60)
        assert kept.min() >= 2
        split = split_identities(codes, world)
        assert len(split.pairs) == 2
        for a, b in split.pairs.tolist():
            halves = [np.flatnonzero(split.codes == code) for code in (a, b)]
            assert sorted(map(len, halves)) == [2, 3]
            assert {*codes[np.concatenate(halves)]} == {a}
    assert moved_faces(codes, 0).rows.tolist() != moved_faces(codes, 1).rows.tolist()


def test_near_names_are_each_ones_nearest():
    world, _ = world_of({}, count=40)
    identities = OwnIdentities(world).as_they_are
    centres = np.stack(
        [np.asarray(identities.centres[code], np.float64) for code in range(len(identities.names))]
    )
    scores = centres @ centres.T
    np.fill_diagonal(scores, -np.inf)
    expected = set()
    for code, row in enumerate(scores):
        for other in np.argsort(-row)[:3].tolist():
            expected.add((min(code, other), max(code, other)))
    assert near_names(identities) == [
        (identities.names[a], identities.names[b]) for a, b in sorted(expected)
    ]


def test_only_kinds_that_measure_themselves_can_be_trusted():
    with pytest.raises(PairSetError, match="'crop' cannot be trusted"):
        Evidence(trusted=["crop"])


def test_the_order_of_references_does_not_matter():
    one, _ = world_of()
    other, _ = world_of(noise=0.9, seed=5)
    answers = []
    for models in ([one, other], [other, one]):
        own = [OwnIdentities(each) for each in models]
        aliases, labels = MeasuredAliases(own), MeasuredMislabels(own)
        scores, _ = labels.of_faces(one.faces.paths.tolist())
        answers.append((aliases.expected, labels.expected, scores.tolist()))
    assert answers[0] == answers[1]


def test_trust_changes_nothing_where_it_speaks():
    world, _ = world_of()
    paths = world.faces.paths.tolist()
    plain = MeasuredMislabels([OwnIdentities(world)])
    trusted = MeasuredMislabels([OwnIdentities(world)], trusted=True)
    assert plain.of_faces(paths)[0].tolist() == trusted.of_faces(paths)[0].tolist()
    # Nor where nothing could be planted: there is no level to flag from.
    vectors, names = people(200, 1)
    alone = embedded(vectors, names)
    check = MeasuredMislabels([OwnIdentities(alone)], trusted=True)
    assert check.expected.abstains
    with pytest.raises(PairSetError, match="could be planted"):
        refuse_abstaining([check])


def test_copies_under_two_names_reach_the_veto_that_they_set():
    """A level is taken of rounded scores, and so is what is held against it."""
    vectors, names = people(200, 4, noise=0.2, seed=3)
    vectors = vectors.copy()
    rows = list(range(0, 160, 8))
    for row in rows:
        vectors[row + 4] = vectors[row]
    world = embedded(vectors, names)
    check = MeasuredVeto(world)
    level = float(nearest_strangers(world).max())
    sure = Expectation("veto", Share(0.95, 0.9, 1), None, 100, flagged=len(rows))
    check.__dict__["_measured"] = Measurement(level, sure)
    paths = world.faces.paths
    copies = PairSet.of([paths[row] for row in rows], [paths[row + 4] for row in rows], 0)
    assert check(copies).flagged.all()
