"""Who a picture shows, the whole way: embedded, drawn, mined, built, evaluated, suspected."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from PIL import Image
from support.drawn import draw_face
from support.flat_calls import build, compare_models, evaluate_pairs, mine_pairs

from mining import Embeddings
from mining.commands.embed import embed_faces
from mining.commands.random_pairs import sample_pairs
from mining.commands.suspects import find_suspects
from mining.embeddings.options import EmbeddingOptions
from mining.errors import EmbeddingError
from mining.miners.inputs import contradictions
from mining.suspects.evidence import Evidence
from pairsets import FacesError, PairSet, PairSetError
from pairsets.files.folds import Folds
from pairsets.files.side_files import Named, folds_of
from pairsets.identities.lists import ByList
from pairsets.identities.patterns import ByPattern
from pairsets.identities.rules import ByLevel
from pairsets.pairset import identities_of
from pairsets.review.exchange.export import export
from pairsets.review.store.store import Store
from pairsets.review.store.verdicts import Verdict

PEOPLE = ByLevel(1)


@pytest.fixture
def videos(tmp_path):
    """Three persons, each in two videos of two frames: much alike within a person."""
    for person in range(3):
        pixels = np.asarray(draw_face(person), np.int16)
        for video in (1, 2):
            folder = tmp_path / "faces" / "abc"[person] / f"video{video}"
            folder.mkdir(parents=True)
            for frame in (1, 2):
                noise = np.random.default_rng([person, video, frame]).integers(-9, 10, pixels.shape)
                image = np.clip(pixels + noise, 0, 255).astype(np.uint8)
                Image.fromarray(image).save(folder / f"{frame}.png")
    return tmp_path / "faces"


def told(path):
    """The pairs of a file, and whether each positive, and no other, is of one person."""
    pairs = PairSet.read(path)
    first, second = ([face.split("/")[0] for face in side] for side in (pairs.path_a, pairs.path_b))
    same = [a == b for a, b in zip(first, second, strict=True)]
    return pairs, same == (pairs.label == 1).tolist()


def embedded(videos, folder, rule=PEOPLE):
    embed_faces(videos, "pixels", folder, identities=rule, encoding=EmbeddingOptions())
    return folder


def test_random_pairs_are_of_persons(videos, tmp_path):
    out = tmp_path / "random.csv"
    made = sample_pairs(videos, out, identities=PEOPLE)
    pairs, right = told(out)
    assert right
    assert (int(pairs.positives.sum()), int(pairs.negatives.sum())) == (18, 48)
    assert identities_of(out) in made.files
    # Of folders that say it, no file of identities stays behind.
    sample_pairs(videos / "a", out, overwrite=True)
    assert not identities_of(out).exists()


def test_without_a_rule_it_is_asked_before_anything_is_written(videos, tmp_path):
    for call in (
        lambda out: sample_pairs(videos, out),
        lambda out: embed_faces(videos, "pixels", out, encoding=EmbeddingOptions()),
        lambda out: build(videos, "pixels", out=out),
    ):
        with pytest.raises(FacesError, match="3 identities by --identity-level 1"):
            call(tmp_path / "out")
        assert not (tmp_path / "out").exists()


def test_embeddings_know_who_is_shown(videos, tmp_path):
    folder = embedded(videos, tmp_path / "e")
    found = Embeddings.load(folder)
    assert sorted(set(found.faces.identities)) == ["a", "b", "c"]
    assert (folder / "images.csv").read_text().splitlines()[0] == "path,sha256"
    file = folder / "identities.csv"
    file.write_text(file.read_text().replace(",a\n", ",b\n"))
    with pytest.raises(EmbeddingError, match=r"identities\.csv is not the one its manifest"):
        Embeddings.load(folder)


def test_other_identities_need_no_new_vectors(videos, tmp_path, monkeypatch):
    folder = embedded(videos, tmp_path / "e")
    before = (folder / "vectors.npy").read_bytes()
    monkeypatch.setattr("mining.embeddings.batches.images", None)
    embedded(videos, folder, ByLevel(2))
    assert Embeddings.load(folder).faces.count_identities == 6
    # These are the folders: no file is needed, and the older one is gone.
    assert not (folder / "identities.csv").exists()
    assert (folder / "vectors.npy").read_bytes() == before


def test_a_list_that_was_edited_is_noticed(videos, tmp_path):
    paths = [path.relative_to(videos).as_posix() for path in sorted(videos.rglob("*.png"))]
    for who in ("one", "another"):
        lines = [f"{path} {who if path[0] == 'a' else 'third'}\n" for path in paths]
        (tmp_path / "list.txt").write_text("".join(lines))
        folder = embedded(videos, tmp_path / "e", ByList(tmp_path / "list.txt"))
        assert {*Embeddings.load(folder).faces.identities} == {who, "third"}


def test_mined_pairs_are_of_persons(videos, tmp_path):
    folder, out = embedded(videos, tmp_path / "e"), tmp_path / "mined.csv"
    mine_pairs(folder, out, pairs=48)
    pairs, right = told(out)
    assert right
    assert int(pairs.negatives.sum()) == 48
    inputs = json.loads(out.with_suffix(".json").read_text())["inputs"]
    assert inputs["identities_sha256"] == Embeddings.load(folder).manifest["identities_sha256"]
    mine_pairs(folder, out, pairs=6, folds=None, label="positive", overwrite=True)
    assert told(out)[1]


def test_test_pairs_take_the_identities_of_the_embeddings(videos, tmp_path):
    folder, test = embedded(videos, tmp_path / "e"), tmp_path / "random.csv"
    sample_pairs(videos, test, identities=PEOPLE)
    identities_of(test).unlink()
    mine_pairs(folder, tmp_path / "mined.csv", pairs=9, test_pairs=test)
    assert told(tmp_path / "mined.csv")[1]
    sample_pairs(videos, test, identities=ByLevel(2), overwrite=True)
    PairSet.read(test).with_identities(dict.fromkeys(PairSet.read(test).paths, "x")).write(test)
    with pytest.raises(PairSetError, match="is 'x' by the identities of the pair file, and 'a'"):
        mine_pairs(folder, tmp_path / "more.csv", pairs=9, test_pairs=test)


def test_a_run_is_of_persons(videos, tmp_path):
    run = build(videos, "pixels", out=tmp_path / "run", identities=PEOPLE, pairs=20)
    for name in ("random", "adversarial"):
        pairs, right = told(tmp_path / "run" / f"{name}.csv")
        assert right
        assert not pairs.contradicting.any()
    assert run.hubness["mined pairs"].identities == 3
    assert {row.what: row.count for row in run.funnel}["identities, by --identity-level 1"] == 3
    text = (tmp_path / "run" / "faces.csv").read_text().splitlines()
    assert text[:2] == ["path,identity", "a/video1/1.png,a"]


def test_labels_that_contradict_the_folders_are_refused(videos, tmp_path):
    path = tmp_path / "random.csv"
    sample_pairs(videos, path, identities=PEOPLE)
    identities_of(path).unlink()
    embeddings = [embedded(videos, tmp_path / "e")]

    def evaluated(**options):
        return evaluate_pairs(
            path, embeddings=embeddings, draws=0, encoding=EmbeddingOptions(), **options
        ).leaderboard

    with pytest.raises(PairSetError, match="12 of 66 pairs contradict who is shown by their fold"):
        evaluated()
    with pytest.raises(PairSetError, match="contradict who is shown"):
        compare_models(videos, [path], out=tmp_path / "compared", embeddings=embeddings, draws=0)
    assert not (tmp_path / "compared").exists()
    assert evaluated(identities=PEOPLE).comparison is not None
    assert evaluated(clusters="image").comparison is not None


def test_given_positives_with_an_ignored_face_keep_who_they_show(videos, tmp_path):
    folder, test, out = embedded(videos, tmp_path / "e"), tmp_path / "t.csv", tmp_path / "m.csv"
    sample_pairs(videos, test, identities=PEOPLE)
    (tmp_path / "ignored.txt").write_text("1.png\n")
    mine_pairs(folder, out, pairs=6, test_pairs=test, ignore_list=tmp_path / "ignored.txt")
    pairs, right = told(out)
    assert right
    assert any(path.endswith("/1.png") for path in pairs.paths)
    assert pairs.named == {path: path[0] for path in pairs.paths}


@pytest.mark.parametrize("folds", [None, 2])
def test_given_positives_without_a_score_keep_who_they_show(videos, tmp_path, folds):
    shutil.copytree(videos / "a", videos / "d")
    test, out, broken = tmp_path / "t.csv", tmp_path / "m.csv", "a/video1/1.png"
    sample_pairs(videos, test, identities=PEOPLE)
    (videos / broken).write_bytes(b"")
    skipping = EmbeddingOptions(on_error="skip")
    embed_faces(videos, "pixels", tmp_path / "e", identities=PEOPLE, encoding=skipping)
    options = {"test_pairs": test, "missing": "reject", "folds": folds}
    mine_pairs(tmp_path / "e", out, pairs=6, **options)
    pairs, right = told(out)
    assert right
    assert broken in pairs.paths


def test_few_contradictions_are_told(tmp_path):
    labels = np.array([1] * 20 + [0] * 20)
    first = [f"p{n}/1" for n in range(40)]
    second = [f"p{n}/2" for n in range(20)] + [f"q{n}/1" for n in range(20)]
    labels[[0, 20]] = [0, 1]
    PairSet.of(first, second, labels).write(tmp_path / "pairs.csv")
    rows = [f"{a},{b},{at / 40}" for at, (a, b) in enumerate(zip(first, second, strict=True))]
    (tmp_path / "s.csv").write_text("\n".join(["pathA,pathB,score", *rows]) + "\n")
    made = evaluate_pairs(
        tmp_path / "pairs.csv",
        scores=[Named(tmp_path / "s.csv")],
        draws=0,
        encoding=EmbeddingOptions(),
    )
    assert "2 of 40 pairs contradict who is shown" in made.warnings[0]


@pytest.mark.parametrize("wrong", [2, 3])
def test_positives_are_not_hidden_by_many_negatives(wrong):
    """Of eight positives two, or three, are of two folders; so few are nothing beside all pairs."""
    second = [f"p{n}{'x' * (n < wrong)}/2" for n in range(8)] + [f"q{n}/1" for n in range(192)]
    first = [f"p{n}/1" for n in range(200)]
    pairs = PairSet.of(first, second, [1] * 8 + [0] * 192)
    assert contradictions(pairs, "image", "s.csv") == []
    if wrong == 2:
        (text,) = contradictions(pairs, "identity", "s.csv")
        assert "2 of 200 pairs contradict" in text
    else:
        with pytest.raises(PairSetError, match="3 of 200 pairs contradict"):
            contradictions(pairs, "identity", "s.csv")


def test_suspects_go_by_identities(videos, tmp_path):
    folder, path = embedded(videos, tmp_path / "e"), tmp_path / "mined.csv"
    mine_pairs(folder, path, pairs=9)
    identities_of(path).unlink()
    evidence = Evidence(references=[Embeddings.load(folder)])
    made = find_suspects(path, evidence=evidence, kinds=["alias", "mislabel"])
    assert not any("contradict" in text for text in made.warnings)


def test_suspects_of_pictures_do_not_ask_who_is_shown(videos, tmp_path):
    path = tmp_path / "pairs.csv"
    sample_pairs(videos, path, identities=PEOPLE)
    identities_of(path).unlink()
    others = "--kinds duplicate,variant,source,crop"
    with pytest.raises(PairSetError, match=f"alias and mislabel .* alone: {others}"):
        find_suspects(path, evidence=Evidence(faces=videos))
    made = find_suspects(path, evidence=Evidence(faces=videos), kinds=["crop"])
    assert not made.warnings


def flat(folder, count, each):
    folder.mkdir()
    for person in range(count):
        for number in range(1, each + 1):
            draw_face(person).save(folder / f"P_{person:02}_{number:04}.png")
    return folder


def test_single_pictures_are_asked_about_unless_said(tmp_path):
    for person in range(6):
        (tmp_path / "faces" / f"clip{person}").mkdir(parents=True)
        draw_face(person).save(tmp_path / "faces" / f"clip{person}" / "1.png")
    options = {"positives": 0, "negatives": 5}
    with pytest.raises(FacesError, match="6 of 6 identities have a single picture"):
        sample_pairs(tmp_path / "faces", tmp_path / "r.csv", **options)
    with pytest.raises(FacesError, match="6 of 6 identities have a single picture"):
        build(tmp_path / "faces", "pixels", out=tmp_path / "run", **options)
    sample_pairs(tmp_path / "faces", tmp_path / "r.csv", identities=PEOPLE, **options)
    folder = embedded(tmp_path / "faces", tmp_path / "e", None)
    with pytest.raises(FacesError, match="6 of 6 identities have a single picture"):
        mine_pairs(folder, tmp_path / "m.csv", pairs=3, positives=0)
    embedded(tmp_path / "faces", folder, PEOPLE)
    mine_pairs(folder, tmp_path / "m.csv", pairs=3, positives=0)


def test_a_flat_folder_by_its_pattern(tmp_path):
    source = flat(tmp_path / "flat", 3, 2)
    sample_pairs(source, tmp_path / "r.csv", identities=ByPattern("lfw"))
    pairs = PairSet.read(tmp_path / "r.csv")
    assert (int(pairs.positives.sum()), int(pairs.negatives.sum())) == (3, 12)
    assert sorted({*pairs.identity_a, *pairs.identity_b}) == ["P_00", "P_01", "P_02"]


def test_no_identities_of_older_pairs_stay_behind(videos, tmp_path):
    folder, out = embedded(videos, tmp_path / "e"), tmp_path / "mined.csv"
    mine_pairs(folder, out, pairs=9)
    assert identities_of(out).exists()
    embedded(videos, folder, ByLevel(2))
    mine_pairs(folder, out, pairs=9, overwrite=True)
    assert not identities_of(out).exists()


def test_folds_share_no_identity(videos, tmp_path):
    for person in "abc":
        shutil.copytree(videos / person, videos / f"{person}2")
    folder, out = embedded(videos, tmp_path / "e"), tmp_path / "mined.csv"
    mine_pairs(folder, out, pairs=6, folds=2, seed=1)
    pairs = PairSet.read(out)
    folds = Folds.read(folds_of(out), pairs).numbers
    one, two = (
        {*pairs.identity_a[folds == fold], *pairs.identity_b[folds == fold]} for fold in (1, 2)
    )
    assert one
    assert two
    assert not one & two
    assert not pairs.contradicting.any()


def test_a_review_keeps_who_is_shown(videos, tmp_path):
    sample_pairs(videos, tmp_path / "random.csv", identities=PEOPLE)
    pairs = PairSet.read(tmp_path / "random.csv")
    with Store.begin(tmp_path / "r.sqlite", pairs) as store:
        store.judge(store.annotator("Rei"), 0, Verdict(1), key="1")
        made = export(store, tmp_path / "judged.csv")
    assert identities_of(tmp_path / "judged.csv") in made.files
    assert PairSet.read(tmp_path / "judged.csv").named == pairs.named


def test_compared_sets_agree_on_who_is_shown(videos, tmp_path):
    sample_pairs(videos, tmp_path / "one.csv", identities=PEOPLE)
    sample_pairs(videos, tmp_path / "two.csv", identities=ByLevel(2), seed=1)
    files = [tmp_path / "one.csv", tmp_path / "two.csv"]
    with pytest.raises(PairSetError, match="tell who is shown alike in all sets"):
        compare_models(videos, files, out=tmp_path / "c", models=["pixels"], draws=0)
    made = compare_models(videos, files[:1], out=tmp_path / "c", models=["pixels"], draws=0)
    assert made.hubness["one pairs"].identities == 3
