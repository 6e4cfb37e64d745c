"""The stages from files to files, where their wiring decides what is true."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from support.flat_calls import build, evaluate_pairs, mine_pairs

from mining import Embeddings, embed, load_model
from mining.commands.embed import embed_faces
from mining.commands.random_pairs import sample_pairs
from mining.commands.run_folder import RunFolder
from mining.embeddings.options import EmbeddingOptions
from mining.errors import EmbeddingError
from mining.models.torchvision_ops import import_timm
from pairsets import Faces, PairSet, PairSetError, read_ignore_list
from pairsets.files.side_files import Named
from pairsets.pairset import ignored_rows


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    """Two checkpoints of one small architecture."""
    folder = tmp_path_factory.mktemp("checkpoints")
    specs = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        module = import_timm().create_model("test_resnet", num_classes=0)
        save_file(module.state_dict(), folder / f"{seed}.safetensors")
        specs.append(f"timm:test_resnet@{folder / f'{seed}.safetensors'}")
    return specs


def marked(made):
    return [entry.model for entry in made.leaderboard.entries if not entry.comparable]


def test_the_miner_is_known_by_its_weights(faces_folder, tmp_path, checkpoints):
    """Two checkpoints share a short name: the one that mined is marked, the other is not."""
    faces = Faces.scan(faces_folder)
    for name, spec in zip("ab", checkpoints, strict=True):
        embed(faces, load_model(spec), tmp_path / name)
    mine_pairs(tmp_path / "a", tmp_path / "adv.csv", pairs=20)

    def evaluated(**options):
        return evaluate_pairs(tmp_path / "adv.csv", encoding=EmbeddingOptions(), **options)

    assert marked(evaluated(embeddings=[tmp_path / "a"])) == ["timm:test_resnet"]
    assert marked(evaluated(embeddings=[tmp_path / "b"])) == []
    both = evaluated(embeddings=[tmp_path / "b", tmp_path / "a"])
    assert [entry.model for entry in both.leaderboard.entries] == checkpoints[::-1]
    assert marked(both) == checkpoints[:1]
    run = evaluated(faces=faces_folder, models=checkpoints)
    assert marked(run) == checkpoints[:1]


def test_a_run_of_two_checkpoints(faces_folder, tmp_path, checkpoints):
    first, second = checkpoints
    build(faces_folder, first, models=[second], out=tmp_path / "run", pairs=20)
    found = RunFolder(tmp_path / "run").embedded(faces_folder)
    assert set(found) == {first, second, "pixels"}
    made = evaluate_pairs(
        tmp_path / "run" / "adversarial.csv",
        scores=[Named(tmp_path / "run" / "adversarial.scores.csv")],
        encoding=EmbeddingOptions(),
    )
    assert marked(made) == [first]
    # Another run in its place keeps no vectors of models that are not in it.
    build(faces_folder, "pixels", out=tmp_path / "run", pairs=20, overwrite=True)
    assert set(RunFolder(tmp_path / "run").embedded(faces_folder)) == {"pixels"}


@pytest.mark.parametrize("damage", ["paths in another order", "vectors in another order", "nan"])
def test_files_that_do_not_belong_together(faces_folder, tmp_path, damage):
    folder = tmp_path / "e"
    whole = embed(Faces.scan(faces_folder), load_model("pixels"), folder)
    vectors = np.array(whole.vectors)
    if damage == "paths in another order":
        header, *lines = (folder / "images.csv").read_text().splitlines()
        (folder / "images.csv").write_text("\n".join([header, *lines[::-1]]) + "\n")
    else:
        changed = vectors[::-1] if damage != "nan" else np.full_like(vectors, np.nan)
        np.save(folder / "vectors.npy", changed)
    with pytest.raises(EmbeddingError, match="is not the one its manifest describes"):
        Embeddings.load(folder)
    again = embed(Faces.scan(faces_folder), load_model("pixels"), folder)
    np.testing.assert_array_equal(again.vectors, vectors)


@pytest.mark.parametrize("target", [1.0, "human"])
def test_a_target_that_only_an_infinite_threshold_reaches(faces_folder, tmp_path, target):
    """An FNR of 1 accepts nothing; JSON has no infinity."""
    judged = PairSet.of(["a/0.png", "a/0.png"], ["a/1.png", "b/0.png"], [1, 0], [0, 0])
    judged.write(tmp_path / "pairs.csv")
    made = evaluate_pairs(
        tmp_path / "pairs.csv", faces=faces_folder, models=["pixels"], target_fnr=target,
        out=tmp_path / "table", encoding=EmbeddingOptions(),
    )  # fmt: skip
    found = made.leaderboard.entries[1].evaluation
    assert (found.threshold, found.fpr_achieved, found.fnr_achieved) == (np.inf, 0.0, 1.0)
    rows = json.loads((tmp_path / "table.json").read_text())["rows"]
    assert rows[1]["threshold"] is None
    build(faces_folder, "pixels", out=tmp_path / "run", target_fnr=1.0, pairs=5)
    assert (tmp_path / "run" / "report.html").exists()


def test_a_partly_judged_set_has_a_human_row(tmp_path):
    pairs = PairSet.of(["a/0", "a/1", "a/2"], ["a/1", "b/1", "c/1"], [1, 0, 0], [1, 1, -1])
    pairs.write(tmp_path / "pairs.csv")
    board = evaluate_pairs(tmp_path / "pairs.csv", encoding=EmbeddingOptions()).leaderboard
    assert [entry.model for entry in board.entries] == ["Human"]
    assert (board.entries[0].fnr, board.entries[0].fpr) == (0.0, 1.0)
    assert board.entries[0].note == "judged 2 pairs, 1 not judged"


@pytest.fixture
def embedded(faces_folder, tmp_path):
    embed(Faces.scan(faces_folder), load_model("pixels"), tmp_path / "e")
    return tmp_path / "e"


IGNORED = (
    "of them with a face on the ignore list, which only keeps faces from being mined and drawn"
)


def test_given_positives_with_an_ignored_image_stay_and_are_counted(
    faces_folder, embedded, tmp_path
):
    """As in ZACI-20: the list keeps images from being mined; the random set's positives stay."""
    test = PairSet.of(
        ["a/0.png", "b/1.png", "a/1.png"], ["a/1.png", "b/2.png", "b/2.png"], [1, 1, 0]
    )
    test.write(tmp_path / "test.csv")
    (tmp_path / "ignore.csv").write_text("0.png\n")
    made = mine_pairs(
        embedded, tmp_path / "adv.csv", pairs=9, test_pairs=tmp_path / "test.csv",
        ignore_list=tmp_path / "ignore.csv",
    )  # fmt: skip
    pairs = PairSet.read(tmp_path / "adv.csv")
    positives = pairs.take(pairs.label == 1)
    assert sorted(positives.keys) == [("a/0.png", "a/1.png"), ("b/1.png", "b/2.png")]
    mined = pairs.take(pairs.label == 0)
    assert len(mined) == 9
    assert not any(path.endswith("/0.png") for path in mined.paths)
    counts = {row.what: row.count for row in made.funnel if row.stage == "positives"}
    assert counts == {"positives taken over": 2, IGNORED: 1}
    run = build(
        faces_folder, "pixels", out=tmp_path / "run", pairs=9, test_pairs=tmp_path / "test.csv",
        ignore_list=tmp_path / "ignore.csv",
    )  # fmt: skip
    assert run.adversarial == pairs
    # One threshold serves both sets, for their positives are the same.
    assert sorted(run.random.take(run.random.label == 1).keys) == sorted(positives.keys)


def test_drawn_positives_are_said_to_be_drawn_and_none_is_ignored(embedded, tmp_path):
    (tmp_path / "ignore.csv").write_text("0.png\n")
    made = mine_pairs(
        embedded, tmp_path / "adv.csv", pairs=9, ignore_list=tmp_path / "ignore.csv", positives=5
    )
    counts = {row.what: row.count for row in made.funnel if row.stage == "positives"}
    assert counts == {"positives drawn at random": 5}
    assert not any(path.endswith("/0.png") for path in PairSet.read(tmp_path / "adv.csv").paths)


def test_the_positives_of_the_published_set_are_those_of_its_random_set(real_data):
    """What `adversarial_pairs` holds to, in ZACI-20's own files."""
    random, adversarial = (
        PairSet.read(real_data / "zaci20" / f"zaci20_test_pairs{name}.csv")
        for name in ("", "_adversarial")
    )
    ignored = read_ignore_list(real_data / "zaci20" / "ignore_images.csv")
    listed = ignored_rows(adversarial, ignored)
    assert (listed & (adversarial.label == 1)).sum() == 12
    assert not (listed & (adversarial.label == 0)).any()
    ours = random.take(random.label == 1)
    assert len(ours) == 855
    assert {*adversarial.take(adversarial.label == 1).keys} == {*ours.keys}


def test_positives_across_two_folders_are_refused_before_the_work(faces_folder, embedded, tmp_path):
    test = PairSet.of(["a/0.png", "b/1.png"], ["a/1.png", "c (twin)/2.png"], [1, 1])
    rows = PairSet.of(["a/0.png"], ["d & e/0.png"], [0])
    PairSet.of([*test.path_a, *rows.path_a], [*test.path_b, *rows.path_b], [1, 1, 0]).write(
        tmp_path / "test.csv"
    )
    message = r"test\.csv: pair 2 \(b/1\.png, c \(twin\)/2\.png\) has label 1, but"
    with pytest.raises(PairSetError, match=message):
        mine_pairs(embedded, tmp_path / "adv.csv", pairs=9, test_pairs=tmp_path / "test.csv")
    with pytest.raises(PairSetError, match=message):
        build(faces_folder, "pixels", out=tmp_path / "run", test_pairs=tmp_path / "test.csv")
    assert not (tmp_path / "run").exists()


def test_names_on_the_ignore_list_that_no_face_has_are_counted(faces_folder, tmp_path):
    (tmp_path / "ignore.csv").write_text("0.png\n 1.png\n")
    made = sample_pairs(faces_folder, tmp_path / "random.csv", ignore_list=tmp_path / "ignore.csv")
    counts = {row.what: row.count for row in made.funnel}
    assert counts["names on the ignore list that no face has"] == 1
    assert counts["faces on the ignore list"] == 6


def test_a_run_folder_that_is_not_ours_is_kept(faces_folder, tmp_path):
    out = tmp_path / "run"
    (out / "embeddings" / "notes").mkdir(parents=True)
    build(faces_folder, "pixels", out=out, pairs=5, overwrite=True)
    assert (out / "embeddings" / "notes").is_dir()
    shutil.rmtree(out)


def test_what_was_taken_of_a_checkpoint_is_said_and_kept(faces_folder, tmp_path):
    state = import_timm().create_model("test_resnet", num_classes=7).state_dict()
    saved = {"state_dict": {f"model.{name}": tensor for name, tensor in state.items()}}
    torch.save(saved, tmp_path / "last.ckpt")
    spec = f"timm:test_resnet@{tmp_path / 'last.ckpt'}"
    made = embed_faces(faces_folder, spec, tmp_path / "e", encoding=EmbeddingOptions(device="cpu"))
    (note,) = made.warnings
    assert "from the names after 'model.' in 'state_dict'" in note
    assert json.loads((tmp_path / "e" / "manifest.json").read_text())["notes"] == [note]
    again = embed_faces(faces_folder, spec, tmp_path / "e", encoding=EmbeddingOptions(device="cpu"))
    assert again.warnings == [note]
    files = mine_pairs([tmp_path / "e"], tmp_path / "pairs.csv", pairs=9).files
    origin = json.loads(files[1].read_text())["reference"]
    assert origin["notes"] == [note]
