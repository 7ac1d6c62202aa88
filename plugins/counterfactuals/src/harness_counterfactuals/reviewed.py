"""What people said of a folder's images, as the scores of a filter named ``human``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from harness_counterfactuals.contract import Score
from harness_counterfactuals.filtering import HUMAN
from harness_counterfactuals.manifest import MANIFEST, SCORES

if TYPE_CHECKING:
    from harness.descriptors import Json

    from harness_counterfactuals.folder import SetFolder
    from harness_counterfactuals.manifest import Row

REVIEWS = "reviews"
"""The folder of reviewers' decisions."""


def take_reviews(folder: SetFolder, say: Callable[[str], None]) -> bool:
    """Write the decisions of `harness review` as scores; return whether there are any.

    A base (or set) that a reviewer refused is not fit. Decisions on images that have changed since
    do not count, and are reported.

    Args:
        folder: A finished folder.
        say: Takes notes.

    Raises:
        UserError: decisions on other data, or the package that reads them is not installed.
    """
    if not any((folder.directory / REVIEWS).glob("*.jsonl")):
        if (decided_so := folder.directory / SCORES / f"{HUMAN}.jsonl").exists():
            say(f"the reviews are missing, and their decisions still apply: {decided_so}")
        return False
    if not (folder.directory / MANIFEST).is_file():
        folder.write_manifest()
    from harness.errors import UserError

    try:
        from harness_review.decisions import by_set, read_reviews
        from harness_review.images import changed
        from harness_review.sets import Columns, read_material
    except ImportError:
        raise UserError("these images were reviewed, and social-harness-review, which reads "
                        "the decisions, is not installed",
                        where=folder.directory / REVIEWS,
                        fix="pip install social-harness-review") from None  # fmt: skip

    material = read_material(folder.directory, Columns(), everything=True)
    reviews = read_reviews(folder.directory / REVIEWS, material.fingerprint)
    stale = changed(reviews, material, lambda: None)
    for who, decisions in stale.items():
        say(f"{who}: {len(decisions)} decisions do not count: the images have changed since")
        review = next(each for each in reviews if each.reviewer == who)
        for decision in decisions:
            del review.decisions[decision.set]
    decided = by_set(reviews)
    rows = {row.file: row for row in folder.rows()}

    def scores() -> Iterator[tuple[Row, Score]]:
        for group in material.sets:
            votes = Counter(each.verdict for each in decided.get(group.id, {}).values())
            if not votes["yes"] + votes["no"]:
                continue  # nobody has decided: no score
            verdicts = Counter(
                reason for each in decided[group.id].values() for reason in each.reasons
            )
            reason = verdicts.most_common(1)[0][0] if verdicts else "refused"
            values = {"yes": float(votes["yes"]), "no": float(votes["no"])}
            for item in group.items:
                assert item.image is not None
                yield rows[item.image.name], Score(values, reason if votes["no"] else "")

    names: list[Json] = [each.reviewer for each in reviews]
    settings: dict[str, Json] = {"reviewers": names, "rule": "all"}
    folder.write_scores(HUMAN, "1", settings, scores())
    return True
