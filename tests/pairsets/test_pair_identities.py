"""Pair sets of faces whose identity is not their folder, and all that goes by identities."""

import numpy as np
import pytest

from pairsets import PairSet, PairSetError, random_pairs
from pairsets.evaluation.clusters import Clusters
from pairsets.evaluation.confusion import Confusion, representatives
from pairsets.evaluation.hubness import Hubness
from pairsets.faces import Faces
from pairsets.pairset import identities_of

WHO = {"1.jpg": "rei", "2.jpg": "rei", "3.jpg": "asuka", "4.jpg": "mari"}


def flat():
    first, second = ["1.jpg", "1.jpg", "2.jpg"], ["2.jpg", "3.jpg", "4.jpg"]
    return PairSet.of(first, second, [1, 0, 0], identities=WHO)


def test_they_are_kept_beside_the_pair_file(tmp_path):
    path = flat().write(tmp_path / "pairs.csv")
    lines = identities_of(path).read_text().splitlines()
    assert lines == ["path,identity", "1.jpg,rei", "2.jpg,rei", "3.jpg,asuka", "4.jpg,mari"]
    assert path.read_text().splitlines()[0] == "pathA,pathB,label,human_prediction,invalid"
    again = PairSet.read(path)
    assert again == flat()
    assert again.names(1) == ("rei", "asuka")


def test_only_where_folders_do_not_say_it(tmp_path):
    pairs = PairSet.of(["rei/1"], ["asuka/1"], 0, identities={"rei/1": "rei", "asuka/1": "asuka"})
    assert pairs.named is None
    path = flat().write(tmp_path / "pairs.csv")
    pairs.write(path)
    assert not identities_of(path).exists()
    assert PairSet.read(path).identities is None


def test_of_some_rows_only_their_faces_are_written(tmp_path):
    path = flat().take(np.array([0])).write(tmp_path / "pairs.csv")
    assert identities_of(path).read_text().splitlines() == [
        "path,identity",
        "1.jpg,rei",
        "2.jpg,rei",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,identity\n1.jpg,rei\n", "'2.jpg' and 2 more are not in it"),
        ("path,who\n1.jpg,rei\n", "expected the header path,identity"),
        ("path,identity\n1.jpg,rei\n1.jpg,asuka\n", "line 3: '1.jpg' is 'asuka' and 'rei'"),
    ],
    ids=["of-other-pairs", "header", "two-identities"],
)
def test_a_file_of_identities_that_does_not_fit(tmp_path, text, message):
    path = flat().write(tmp_path / "pairs.csv")
    identities_of(path).write_text(text)
    with pytest.raises(PairSetError) as caught:
        PairSet.read(path)
    assert message in str(caught.value)
    assert "pairs.identities.csv" in str(caught.value)


def test_a_face_without_an_identity_is_refused():
    with pytest.raises(PairSetError, match=r"no identity of '2\.jpg' is known"):
        PairSet.of(["1.jpg"], ["2.jpg"], 0, identities={"1.jpg": "rei"})


def test_equality_goes_by_who_is_shown():
    folders = PairSet.of(["rei/1"], ["asuka/1"], 0)
    same = folders.with_identities({"rei/1": "rei", "asuka/1": "asuka"})
    assert folders == same
    assert folders != folders.with_identities({"rei/1": "x", "asuka/1": "asuka"})


def test_clusters_are_identities():
    clusters = Clusters.of(flat())
    assert clusters.used == 3
    assert clusters.a[0] == clusters.b[0] == clusters.a[1] == clusters.a[2]
    assert Clusters.of(flat().with_identities(None)).used == 1


def test_hubs_are_identities():
    found = Hubness.of_negatives(flat())
    assert (found.images, found.identities) == (4, 3)
    assert found.identity.names == ("rei",)


def test_who_is_confused_are_identities():
    found = Confusion.of(flat(), [0.9, 0.8, 0.7], 0.5)
    assert sorted(found.identities) == ["asuka", "mari", "rei"]
    assert representatives(flat(), [0.9, 0.8, 0.7], 0.5, ["rei"]) == {"rei": "1.jpg"}


def test_labels_that_contradict_who_is_shown():
    assert not flat().contradicting.any()
    assert flat().with_identities(None).contradicting.tolist() == [False, True, True]
    apart = {path: path for path in WHO}
    assert flat().with_identities(apart).contradicting.tolist() == [True, False, False]


def test_random_pairs_know_who_is_shown(tmp_path):
    faces = Faces.of_paths(tmp_path, list(WHO), identities=WHO)
    pairs = random_pairs(faces, positives=1, negatives=5)
    assert pairs.names(int(np.flatnonzero(pairs.label)[0])) == ("rei", "rei")
    assert not pairs.contradicting.any()
