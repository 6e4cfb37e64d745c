"""Names that look like one identity's, and pictures that say so."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from support.identities import (
    embedded,
    one_pair_each,
    people,
    refuses_to_depend_on_company,
    said_of,
)

from mining.suspects.aliases import SameIdentity
from mining.suspects.identity.identities import Identities
from mining.suspects.identity.names import Likeness, Name, likeness
from mining.suspects.identity.nearness import nearness
from mining.suspects.mislabels import Mislabelled
from pairsets import PairSet
from pairsets.errors import FacesError, PairSetError
from pairsets.files.aliases import Aliases
from pairsets.files.cannot_links import CannotLinks

SAME = [
    (Likeness.SPELLING, "ayanami_rei", "Ayanami-Rei"),
    (Likeness.SPELLING, "renée_&_roux", "renee & roux"),
    (Likeness.SPELLING, "zoe\u0308", "zo\xeb"),
    (Likeness.SPELLING, "sakura-hime", "sakurahime"),
    (Likeness.SPELLING, "souryuu_asuka", "souryuuasuka"),
    (Likeness.SPELLING, "rei_ayanami_(eva)", "reiayanami_(eva)"),
    (Likeness.SPELLING, "綾波レイ", "綾波_レイ"),
    (Likeness.SPELLING, "rem_(re:zero)", "rem_(rezero)"),
    (Likeness.SPELLING, "ＡＢＣ_ｄｅ", "abc_de"),
    (Likeness.SPELLING, "saber_(fate/zero)", "saber_(fate__zero)"),
    (Likeness.SPELLING, "d'arcy", "darcy"),
    (Likeness.SPELLING, "straße_(a)", "STRASSE_(A)"),
    (Likeness.COSTUME, "abigail_(fate)", "abigail_(swimsuit_foreigner)_(fate)"),
    (Likeness.COSTUME, "asuka_(eva)", "asuka_(eva)_(plugsuit)"),
    (Likeness.COSTUME, "abigail_(santa)_(fate)", "abigail_(swimsuit)_(fate)"),
    (Likeness.COSTUME, "akemi_homura", "akemi_homura_(swimsuit)"),
    (Likeness.COSTUME, "rem_(re:zero)", "rem_(new_year_ver.)_(re:zero)"),
    (Likeness.COSTUME, "fubuki_(kancolle)", "fubuki_kai_ni_(kancolle)"),
    (Likeness.ORDER, "hatsune_miku", "miku_hatsune"),
    (Likeness.ORDER, "mio_akiyama_(k-on!)", "akiyama_mio_(k-on)"),
]
PERHAPS = [
    (Likeness.STEM, "rin_(fate)", "rin_(vocaloid)"),
    (Likeness.STEM, "seren", "seren_(angry_num)"),
    (Likeness.STEM, "kaguya", "kaguya_(new_year)"),
    (Likeness.STEM, "akemi_homura", "akemi_homura_(black)"),
    (Likeness.STEM, "jeanne_d'arc_(fate)", "jeanne_d'arc_(alter)_(fate)"),
    (Likeness.STEM, "robin_(male)_(fire_emblem)", "robin_(female)_(fire_emblem)"),
    (Likeness.STEM, "sakura_(blue)_(x)", "sakura_(red)_(x)"),
    # One of many whom the same word names.
    (Likeness.STEM, "assassin_(fate)", "assassin_(jack)_(fate)"),
    (Likeness.STEM, "trainer_(pokemon)", "trainer_(red)_(pokemon)"),
    (Likeness.STEM, "trainer_(pokemon)", "trainer_(pokemon)_(red)"),
    (Likeness.STEM, "professor_(x)", "professor_(oak)_(x)"),
    (Likeness.STEM, "mob_(s)", "mob_(1)_(s)"),
    (Likeness.STEM, "guard_(s)", "guard_(light)_(s)"),
    (Likeness.STEM, "guard_(s)", "guard_(new)_(s)"),
    (Likeness.STEM, "guard_(s)", "guard_two_(s)"),
    (Likeness.STEM, "police_officer_(s)", "police_officer_(jenny)_(s)"),
    (Likeness.STEM, "saber", "saber_alter"),
    (Likeness.STEM, "Fubuki", "Fubuki Kai"),
    (Likeness.STEM, "akiyama_mio", "mio_akiyama_(k-on!)"),
    (Likeness.SHARED, "jeanne_(summer)_(fate)", "jeanne_d'arc_(fate)"),
    (Likeness.SHARED, "souryuu_asuka_langley", "shikinami_asuka_langley"),
    (Likeness.SHARED, "ashley_williams", "ashley_j_williams"),
    (Likeness.SHARED, "souryuu_asuka", "soryu_asuka"),
    (Likeness.SHARED, "rei", "ayanami_rei"),
    # A space that makes another name.
    (Likeness.SHARED, "maria_n", "marian"),
    (Likeness.SHARED, "ann_a", "anna"),
    (Likeness.SHARED, "mari_anne_(x)", "marianne_(x)"),
    (Likeness.SHARED, "マリア・ン", "マリアン"),
    (Likeness.SHARED, "catherine_a", "catherinea"),
]
STRANGERS = [
    ("flandre_scarlet", "remilia_scarlet"),
    ("akiyama_mio", "akiyama_yukari"),
    ("admiral_(kancolle)", "admiral_hipper_(blue_oath)"),
    ("rei_(a)", "ayanami_rei_(b)"),
    ("i_13", "i_14"),
    ("z1", "z3"),
    ("no.1_2", "no.12"),
    ("unit_01_(x)", "unit_02_(x)"),
    ("ann_a_(x)", "anna_(y)"),
    ("a_aa_(x)", "aa_b_(x)"),
    ("か", "が"),
    ("mikazuki", "minazuki"),
    ("!!!", "???"),
    ("", "a"),
    ("(swimsuit)", "(santa)"),
]


@pytest.mark.parametrize(("kind", "a", "b"), SAME + PERHAPS)
def test_likeness_of_names(kind, a, b):
    assert likeness(a, b) is likeness(b, a) is kind


@pytest.mark.parametrize(("a", "b"), STRANGERS)
def test_names_of_strangers(a, b):
    assert likeness(a, b) is likeness(b, a) is Likeness.NONE


def test_brackets_that_do_not_close_or_hold_others():
    assert Name.of("kazen_(buran_(kure))") == Name(("kazen",), (("buran", "kure"),))
    assert Name.of("a_(b") == Name(("a",), (("b",),))
    assert Name.of("a)_b") == Name(("a)", "b"), ())


def test_published_names_are_left_alone(real_data):
    """None of the half million pairs of 1,003 published names is flagged by the names alone."""
    pairs = [
        PairSet.read(real_data / "zaci20" / f"zaci20_test_pairs{which}.csv")
        for which in ("", "_adversarial")
    ]
    names = sorted({path.partition("/")[0] for one in pairs for path in one.paths})
    assert len(names) > 900
    assert [
        both for both in itertools.combinations(names, 2) if likeness(*both) > Likeness.STEM
    ] == []


def faces_of(*names: str) -> PairSet:
    """A negative of each two names."""
    both = list(itertools.combinations(names, 2))
    return PairSet.of([f"{a}/1.jpg" for a, _ in both], [f"{b}/1.jpg" for _, b in both], 0)


def test_names_alone():
    pairs = faces_of("hatsune_miku", "miku_hatsune", "rin_(fate)", "rin_(vocaloid)", "hatsune_rin")
    found = SameIdentity()(pairs)
    assert said_of(found, pairs) == {("hatsune_miku", "miku_hatsune")}
    assert found.kind == "alias"
    assert found.reasons[0] == "hatsune_miku and miku_hatsune: the same words in another order"
    # What is not flagged is still ranked.
    rows = {pairs.names(row): score for row, score in enumerate(found.score.tolist())}
    assert rows["rin_(fate)", "rin_(vocaloid)"] > rows["rin_(fate)", "hatsune_rin"] == 0


def test_the_list_is_believed_whatever_the_names():
    aliases = Aliases.of([("verniy", "hibiki"), ("hibiki", "bep/1")])
    pairs = faces_of("verniy", "hibiki", "bep__1", "inazuma")
    found = SameIdentity(aliases=aliases)(pairs)
    assert said_of(found, pairs) == {
        ("hibiki", "verniy"),
        ("bep__1", "verniy"),
        ("bep__1", "hibiki"),
    }
    assert found.score[found.flagged].tolist() == [1, 1, 1]
    assert found.reasons[0] == "hibiki and verniy: one identity by the list of aliases"


def test_positives_and_pairs_within_a_folder_are_none_of_its_business():
    pairs = PairSet.of(["a_b/1", "a_b/1", "a_b/2"], ["b_a/1", "a_b/2", "b_a/2"], [1, 0, 0])
    found = SameIdentity()(pairs)
    assert np.isnan(found.score).tolist() == [True, True, False]
    assert found.flagged.tolist() == [False, False, True]


SPLIT = range(0, 50, 5)


def split_world(model="pixels", *, seed=0, namesakes=False, apart=0.0):
    """60 people of 8 pictures; ten are under two names, one half of each moved apart.

    Returns the two names of each.
    """
    vectors, names = people(60, 8, seed=seed)
    vectors = vectors.copy()
    generator = np.random.default_rng(seed + 1)
    planted = set()
    for person in SPLIT:
        both = (
            (f"rin_(p{person})", f"rin_(q{person})") if namesakes else (f"a{person}", f"b{person}")
        )
        rows = np.arange(8 * person, 8 * person + 8)
        for row in rows.tolist():
            names[row] = both[row % 2]
        push = generator.normal(size=vectors.shape[1])
        vectors[rows[1::2]] += apart * push / np.linalg.norm(push)
        planted.add(both)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return embedded(vectors, names, model), planted


def test_pictures_find_those_that_were_split():
    world, planted = split_world()
    pairs = one_pair_each(world)
    found = SameIdentity([world])(pairs)
    assert said_of(found, pairs) <= planted
    assert found.count >= 7
    row = int(np.flatnonzero(found.flagged)[0])
    a, b = sorted(pairs.names(row))
    assert found.reasons[row].startswith(
        f"{a} and {b}: 16 pairs of them, as alike as their own (0."
    )
    # All ten score higher than anybody else.
    order = np.argsort(-found.score)[:10]
    assert {tuple(sorted(pairs.names(row))) for row in order.tolist()} == planted
    some = pairs.take(np.arange(0, len(pairs), 7))
    refuses_to_depend_on_company(lambda: SameIdentity([world]), some)


def test_similar_names_make_less_of_the_pictures_do():
    """Moved apart by as much, more namesakes than strangers are still taken for one."""
    counts = {}
    for namesakes in (False, True):
        counts[namesakes] = 0
        for apart in (0.0, 0.2, 0.4):
            world, planted = split_world(namesakes=namesakes, apart=apart)
            # Namesakes that were not split are too many to ask about, and another matter.
            paths = dict(zip(world.faces.identities, world.faces.paths, strict=True))
            pairs = PairSet.of([paths[a] for a, _ in planted], [paths[b] for _, b in planted], 0)
            counts[namesakes] += SameIdentity([world])(pairs).count
    assert 0 < counts[False] < counts[True] < 30


def test_namesakes_who_are_two_people_are_left_alone():
    vectors, names = people(60, 4)
    names = [f"rin_({name})" for name in names]
    world = embedded(vectors, names)
    pairs = one_pair_each(world)
    found = SameIdentity([world])(pairs)
    assert found.count == 0
    assert found.score.min() == 0.4


def test_a_model_whose_identities_are_points():
    """Two people are thousands of spreads apart; that is no more than apart."""
    vectors, names = people(20, 4, noise=1e-4)
    world = embedded(vectors, names)
    pairs = one_pair_each(world)
    identities = Identities(world)
    assert nearness(identities, 0, 1).strength < -1e4
    assert SameIdentity([world])(pairs).score.tolist() == [0.0] * len(pairs)


def test_all_models_have_to_agree():
    one, planted = split_world()
    other, _ = split_world("timm:other", seed=5)
    contradicting, _ = split_world("timm:third", seed=7, apart=2.0)
    pairs = one_pair_each(one)
    together = SameIdentity([one, other])(pairs)
    assert said_of(together, pairs) <= planted
    assert together.count >= 6
    assert {reason.rpartition(", ")[2] for reason in together.reasons if reason} == {
        "pixels)",
        "timm:other)",
    }
    assert SameIdentity([one, contradicting])(pairs).count == 0


def test_the_mean_decides_where_no_model_objects():
    """The same ten are split in both models; what the second says is planted.

    Moved apart a little, the second alone would not take all for one, and still does not object:
    the first makes up for it. Moved apart by more it objects to all, however many are sure.
    """
    sure, planted = split_world()
    pairs = one_pair_each(sure)
    alone = said_of(SameIdentity([sure])(pairs), pairs)
    little, _ = split_world("timm:unsure", seed=5, apart=0.3)
    unsure = said_of(SameIdentity([little])(pairs), pairs)
    found = SameIdentity([sure, little])(pairs)
    both = said_of(found, pairs)
    assert both <= planted
    # Some that one model is not sure of are carried by the other.
    assert both - unsure
    assert alone & both
    # The least sure is named: for those that it does not flag alone, the second.
    least = {
        tuple(sorted(pairs.names(row))): found.reasons[row].rpartition(", ")[2]
        for row in np.flatnonzero(found.flagged).tolist()
    }
    assert {least[pair] for pair in both - unsure} == {"timm:unsure)"}
    much, _ = split_world("timm:objecting", seed=5, apart=0.6)
    outvoted = [sure, sure, sure, sure]
    assert SameIdentity(outvoted)(pairs).count == len(alone)
    assert SameIdentity([*outvoted, much])(pairs).count == 0


@pytest.mark.parametrize("scale", [1e-4, 1e4, 2.0**-20, 2.0**20])
def test_flags_do_not_change_with_the_length_of_vectors(scale):
    world, _ = split_world()
    pairs = one_pair_each(world)
    plain = SameIdentity([world])(pairs)
    array = world.vectors * np.float32(scale)
    array.setflags(write=False)
    scaled = SameIdentity([replace(world, vectors=array)])(pairs)
    assert plain.count >= 7
    assert scaled.flagged.tolist() == plain.flagged.tolist()
    np.testing.assert_allclose(scaled.score, plain.score, atol=2e-5)
    if np.log2(scale).is_integer():
        # Then vectors are scaled without an error.
        assert scaled.score.tolist() == plain.score.tolist()


def test_characters_may_be_shared_by_checks():
    """Faces are searched once for both, and verdicts are the same."""
    world, _ = split_world()
    pairs = one_pair_each(world)
    alone, faces = SameIdentity([world])(pairs), world.faces.paths.tolist()
    expected = Mislabelled([world]).of_faces(faces)
    for first in ("alias", "mislabel"):
        shared = Identities(world)
        one, other = SameIdentity([shared]), Mislabelled([shared])
        told = []
        if first == "mislabel":
            other.of_faces(faces)
        found = one(pairs, lambda _, total, told=told: told.append(total))
        assert shared.unsearched(np.arange(len(faces))).size == 0
        assert told[-1] == len(pairs) + (len(faces) if first == "alias" else 0)
        scores, reasons = other.of_faces(faces)
        assert found.score.tolist() == alone.score.tolist()
        assert found.reasons == alone.reasons
        np.testing.assert_array_equal(scores, expected[0])
        assert reasons == expected[1]


def test_listed_names_that_nobody_has():
    world, _ = split_world()
    aliases = Aliases.of([("a0", "p001"), ("p002", "ayanami rei"), ("zoe", "elsewhere")])
    pairs = PairSet.of(["elsewhere/1.jpg"], ["p003/1.jpg"], 0)
    assert SameIdentity([world], aliases=aliases).unknown(pairs) == ["ayanami rei", "zoe"]
    assert SameIdentity(aliases=aliases).unknown(pairs) == [
        "a0",
        "ayanami rei",
        "p001",
        "p002",
        "zoe",
    ]
    assert SameIdentity([world]).unknown(pairs) == []


def test_faces_that_were_not_embedded():
    world, _ = split_world()
    with pytest.raises(FacesError, match="'p001/9999' is not among the 480 faces"):
        SameIdentity([world])(PairSet.of(["p001/9999"], ["a0/0000"], 0))


def test_progress_ends_with_all():
    """It counts the faces that are searched, of each model, and the names that are compared."""
    world, _ = split_world()
    check = SameIdentity([world, split_world("timm:other", seed=5)[0]])
    for faces in (2 * 480, 0):
        told = []
        check(one_pair_each(world), lambda done, total, told=told: told.append((done, total)))
        assert {faces // 2, faces} - {0} <= {done for done, _ in told}
        assert told[-1] == (2415 + faces, 2415 + faces)
        assert {total for _, total in told} == {2415 + faces}
        assert [done for done, _ in told] == sorted({done for done, _ in told})


def test_faces_of_one_picture_are_no_aliases():
    """Neither by names nor by pictures; all others are judged as they were."""
    world, _ = split_world()
    pairs = one_pair_each(world)
    plain = SameIdentity([world])(pairs)
    a, b = sorted(sorted(said_of(plain, pairs))[0])
    faces = world.faces
    one, other = (faces.paths[faces.identities == name][1] for name in (a, b))
    cannot = CannotLinks([], [[one, other]], ["x.csv"])
    found = SameIdentity([world], cannot=cannot)(pairs)
    assert said_of(found, pairs) == said_of(plain, pairs) - {(a, b)}
    rows = [row for row in range(len(pairs)) if tuple(sorted(pairs.names(row))) == (a, b)]
    assert rows
    assert found.score[rows].tolist() == [0.0] * len(rows)
    rest = np.setdiff1d(np.arange(len(pairs)), rows)
    assert found.score[rest].tobytes() == plain.score[rest].tobytes()
    some = pairs.take(np.arange(0, len(pairs), 7))
    refuses_to_depend_on_company(lambda: SameIdentity([world], cannot=cannot), some)


def test_names_are_outdone_by_faces_that_cannot_be_one():
    pairs = faces_of("hatsune_miku", "miku_hatsune", "hatsune__miku")
    every = {("hatsune__miku", "hatsune_miku")}
    every |= {("hatsune_miku", "miku_hatsune"), ("hatsune__miku", "miku_hatsune")}
    assert said_of(SameIdentity()(pairs), pairs) == every
    # By faces that are in no pair, too.
    cannot = CannotLinks([("miku_hatsune/7.jpg", "hatsune_miku/8.jpg")], [], ["x.csv"])
    found = SameIdentity(cannot=cannot)(pairs)
    assert said_of(found, pairs) == every - {("hatsune_miku", "miku_hatsune")}


def test_a_list_that_says_the_opposite_is_refused():
    aliases = Aliases.of([("verniy", "hibiki")])
    cannot = CannotLinks([("hibiki/1.jpg", "verniy/1.jpg")], [], ["x.csv"])
    with pytest.raises(PairSetError, match=r"x\.csv: 'hibiki' and 'verniy' cannot be one"):
        SameIdentity(aliases=aliases, cannot=cannot)(faces_of("verniy", "hibiki"))


def test_misfits_are_counted_and_strangers_refused():
    world, _ = split_world()
    pairs, paths = one_pair_each(world), world.faces.paths
    twin = [path for path in paths if path.startswith(paths[0].split("/")[0] + "/")][:2]
    links = [(paths[0], paths[-1]), (paths[0], "nobody/1"), tuple(twin)]
    check = SameIdentity([world], cannot=CannotLinks(links, [], ["x.csv"]))
    assert check.misfits(pairs) == (1, 1)
    strange = SameIdentity([world], cannot=CannotLinks([("n/1", "m/1")], [], ["x.csv"]))
    with pytest.raises(PairSetError, match="none of its paths is of these pairs and faces"):
        strange(pairs)
