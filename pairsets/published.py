"""The rows published with ZACI-20, to stand beside ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pairsets.entries import Entry


def _published(rows: Sequence[tuple[str, float, float, float | None, str]]) -> tuple[Entry, ...]:
    return tuple(
        Entry(
            model=model,
            fpr=fpr / 100,
            fnr=fnr / 100,
            eer=None if eer is None else eer / 100,
            note=f"published; {note}",
            published=True,
            human=eer is None,
        )
        for model, fpr, fnr, eer, note in rows
    )


# Tables 1 and 2 of ZACI-20's README (March 2021), in percent.
PUBLISHED: Mapping[str, tuple[Entry, ...]] = {
    "random": _published(
        [
            ("Human", 1.59, 13.9, None, "by kosuke1701"),
            ("ResNet-152", 2.40, 13.9, 8.89, "0206_resnet152, contrastive"),
            ("SE-ResNet-152", 2.43, 13.9, 8.15, "0206_seresnet152, contrastive"),
            ("ResNet-152", 2.54, 13.9, 8.33, "0301_cls_resnet152, contrastive + cross entropy"),
            ("ResNet-18", 2.96, 13.9, 8.65, "0217_cls_resnet18, contrastive + cross entropy"),
            ("ResNet-18", 5.08, 13.9, 9.59, "0206_resnet18, contrastive"),
        ]
    ),
    "adversarial": _published(
        [
            ("Human", 13.6, 16.9, None, "by kosuke1701"),
            ("SE-ResNet-152", 68.9, 16.9, 39.7, "0206_seresnet152, contrastive"),
            ("ViT L-16", 70.9, 16.9, 39.9, "animesion"),
            ("ResNet-152", 70.9, 16.9, 32.6, "0301_cls_resnet152, contrastive + cross entropy"),
            ("ResNet-18", 75.7, 16.9, 34.7, "0217_cls_resnet18, contrastive + cross entropy"),
            ("ResNet-18", 94.9, 16.9, 43.0, "0206_resnet18, contrastive"),
        ]
    ),
}
