"""What a user asks of a miner is checked when it is said, and told in its manifest."""

from __future__ import annotations

import pytest

from mining.errors import FusionError, RulesError
from mining.miners.inputs import MinerInputs, MiningOptions, RandomSet
from mining.miners.search import Search
from mining.ranking.rules import Rules
from mining.suspects.evidence import Drop
from pairsets import Faces, PairSetError
from pairsets.errors import FacesError
from pairsets.storage.digests import sha256

FACES = Faces.of_paths("faces", [f"{name}/{number}.png" for name in "abc" for number in range(3)])


def test_no_such_fusion() -> None:
    with pytest.raises(FusionError, match="fusion by 'max'; expected one of mean, min"):
        MiningOptions(fusion="max")  # type: ignore[arg-type]


def test_pairs_of_a_file_are_not_drawn() -> None:
    with pytest.raises(PairSetError, match="has its pairs"):
        RandomSet("random.csv", positives=3)


def test_a_random_set_of_one_label() -> None:
    asked = RandomSet(positives=3, negatives=4, seed=2)
    both = asked.draw(FACES, ())
    assert (both.positives.sum(), both.negatives.sum()) == (3, 4)
    assert [asked.draw(FACES, (), label=one).label.tolist() for one in (0, 1)] == [[0] * 4, [1] * 3]
    assert not {path[-5:] for path in asked.draw(FACES, ["1.png"]).paths} & {"1.png"}


def test_lists_are_read_and_told_by_their_digests(tmp_path) -> None:
    (tmp_path / "ignore.txt").write_text("1.png\n")
    (tmp_path / "seen.csv").write_text("pathA,pathB\na/0.png,b/0.png\n")
    mining = MiningOptions(rules=Rules(max_per_image=2), exclude=[tmp_path / "seen.csv"])
    given = MinerInputs.read(mining, RandomSet(ignore_list=tmp_path / "ignore.txt"))
    assert given.ignored == {"1.png"}
    assert [one.path_a.tolist() for one in given.excluded] == [["a/0.png"]]
    assert given.random.digests == {
        "test_pairs_sha256": None,
        "ignore_list_sha256": sha256(tmp_path / "ignore.txt"),
    }
    assert given.exclusions_digest == {"exclude_sha256": [sha256(tmp_path / "seen.csv")]}
    assert given.look_for_suspects([]) == ([], {}, [])
    given.refuse_misfit(FACES, tmp_path)
    assert mining.parameters["max_per_image"] == 2
    assert mining.parameters["drop_suspects"] == []


def test_faces_that_nothing_can_be_mined_of(tmp_path) -> None:
    given = MinerInputs.read(MiningOptions(), RandomSet())
    alone = Faces.of_paths("faces", ["a/0.png", "a/1.png"])
    with pytest.raises(FacesError, match="pairs of different identities need two"):
        given.refuse_misfit(alone, tmp_path)
    given.refuse_misfit(alone, tmp_path, label=1)


@pytest.mark.parametrize(
    ("search", "given", "error", "told"),
    [
        (Search(), (0,), FusionError, "no reference to mine with"),
        (Search(rules=Rules(min_score=0.1)), (2,), RulesError, "min_score with several references"),
        (Search("positive"), (2,), FusionError, "hard positives of several references"),
        (Search(index="Flat"), (2,), FusionError, "an approximate index of several references"),
        (Search("positive", rules=Rules(margin=0.1)), (1,), RulesError, "hard positives"),
        (Search("positive"), (1, (), Drop(("veto",))), PairSetError, "veto: a doubt about pairs"),
        (Search(index="Flat"), (1, ["seen.csv"]), RulesError, "exclude with an approximate index"),
        (Search(index="Flat"), (1, (), Drop(("alias",))), RulesError, "suspects cannot be dropped"),
    ],
)
def test_what_does_not_go_together(search, given, error, told) -> None:
    with pytest.raises(error, match=told):
        search.refuse_unfit(*given)
