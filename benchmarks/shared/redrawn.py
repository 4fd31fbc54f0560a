"""Compares edits of drawn faces with the truth: the same picture drawn with that attribute.

Shapes: N faces, K attributes, S image size, Z latent size.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from faceae.editing import Directions
from faceae.evaluation.edits import Judge, train_judge
from faceae.framing import Framing, frame_face
from faceae.synthetic import (
    ATTRIBUTE_NAMES,
    Face,
    Identity,
    Picture,
    attributes,
    draw_face,
    sample_identity,
    sample_picture,
)

log = logging.getLogger(__name__)

STRENGTH = 2.0
_JUDGE_SEED, _HELD_OUT_SEED = 101, 102
"""Not the seed of the training set, so all persons are new."""
_MIN_FACES = 5
_CROP = 178

Traits = tuple[Identity, Picture]


@dataclass(frozen=True, kw_only=True)
class RedrawnQuality:
    """An edit of faces without an attribute, and the same faces drawn again with it."""

    name: str
    num_faces: int
    """Faces that are drawn and judged to be without the attribute."""
    edited_on: float
    """Share of them that the judge sees with it after the edit."""
    redrawn_on: float
    """Share of them that the judge sees with it in the reconstructions of the redrawn pictures:
    the most that can be expected of the edit."""
    likeness: float
    """Mean cosine between the changes of the pixels by the edit and by the redrawing. 1: the edit
    changes what the redrawing changes and nothing else. 0: nothing in common."""
    edited_drift: float
    """Mean absolute drift of the other attributes by the edit; see `EditQuality.drift`."""
    redrawn_drift: float
    """The same by the redrawing."""
    excess: Mapping[str, float]
    """Drift by the edit less that by the redrawing, for each other attribute."""


def redrawn_table(qualities: list[RedrawnQuality]) -> str:
    """Return the figures as Markdown."""
    lines = [
        "| attribute | faces | edited: on | redrawn: on | likeness | drift | redrawn | excess |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for each in qualities:
        other, most = max(each.excess.items(), key=lambda item: abs(item[1]), default=("", 0.0))
        lines.append(
            f"| {each.name} | {each.num_faces} | {each.edited_on:.0%} | {each.redrawn_on:.0%} | "
            f"{each.likeness:.2f} | {each.edited_drift:.2f} | {each.redrawn_drift:.2f} | "
            f"{other} {most:+.2f} |"
        )
    return "\n".join(lines)


@dataclass(frozen=True, kw_only=True, eq=False)
class RedrawnBench:
    """Faces of people whom a model never saw, and a judge of their attributes."""

    model: Any
    """A `faceae.FaceModel` that was trained on drawn faces."""
    judge: Judge
    traits: list[Traits]
    labels: NDArray[np.int8]
    """N x K of the drawn pictures."""
    latents: NDArray[np.float32]
    """N x Z."""
    scores: NDArray[np.float64]
    """N x K of the reconstructions."""

    @classmethod
    def make(cls, model: Any, *, judged: int, held_out: int, judge_steps: int) -> "RedrawnBench":
        """Draw the faces and train the judge.

        Args:
            judged: number of faces that the judge learns from.
            held_out: number of other people's faces to choose from.
            judge_steps: training steps of the judge, of 64 faces.
        """
        log.info("drawing %d faces to judge by, and %d to edit", judged, held_out)
        photographs_NHWC, judge_labels = _draw(
            model, [_sample(_JUDGE_SEED, i) for i in range(judged)]
        )
        judge = train_judge(
            torch.cat(
                [_to_planes(photographs_NHWC), _to_planes(_rebuild(model, photographs_NHWC))]
            ),
            np.concatenate([judge_labels, judge_labels]),
            steps=judge_steps,
            device=torch.device("cpu"),
        )
        traits = [_sample(_HELD_OUT_SEED, number) for number in range(held_out)]
        pictures_NHWC, labels_NK = _draw(model, traits)
        z_NZ = model.encode(list(pictures_NHWC), align=False)
        return cls(
            model=model,
            judge=judge,
            traits=traits,
            labels=labels_NK,
            latents=z_NZ,
            scores=judge.score(_to_planes(model.decode(z_NZ))),
        )

    def measure(self, directions: Directions) -> list[RedrawnQuality]:
        """Return the quality of each direction whose attribute can be redrawn."""
        names = [name for name in directions.names if name in _CHANGES]
        qualities = [self._measure(name, directions) for name in names]
        return [quality for quality in qualities if quality is not None]

    def _measure(self, name: str, directions: Directions) -> RedrawnQuality | None:
        """Return the quality of a direction; None where too few faces lack its attribute."""
        k = ATTRIBUTE_NAMES.index(name)
        change = _CHANGES[name]
        lacks = (self.labels[:, k] == -1) & (self.scores[:, k] <= 0)
        rows = [row for row in np.flatnonzero(lacks) if _shows(change(*self.traits[row]), name)]
        if len(rows) < _MIN_FACES or not self._seen[k]:
            return None
        redrawn_NHWC, _ = _draw(self.model, [change(*self.traits[row]) for row in rows])
        change_Z = directions.change({name: STRENGTH})
        plain = self.model.decode(self.latents[rows])
        edited = self.model.decode(self.latents[rows] + change_Z)
        redrawn = _rebuild(self.model, redrawn_NHWC)
        edited_MK, redrawn_MK = (self.judge.score(_to_planes(x)) for x in (edited, redrawn))
        edited_K, redrawn_K = (
            (x_MK - self.scores[rows]).mean(axis=0) / self._gaps for x_MK in (edited_MK, redrawn_MK)
        )
        others = [row for row in np.flatnonzero(self._seen) if row != k]
        return RedrawnQuality(
            name=name,
            num_faces=len(rows),
            edited_on=float((edited_MK[:, k] > 0).mean()),
            redrawn_on=float((redrawn_MK[:, k] > 0).mean()),
            likeness=_cosine(edited, redrawn, plain),
            edited_drift=float(np.abs(edited_K[others]).mean()),
            redrawn_drift=float(np.abs(redrawn_K[others]).mean()),
            excess={ATTRIBUTE_NAMES[row]: float((edited_K - redrawn_K)[row]) for row in others},
        )

    @property
    def _seen(self) -> NDArray[np.bool_]:
        """Attributes that the judge recognises, K."""
        counts_2K = np.stack([(self.labels == sign).sum(axis=0) for sign in (1, -1)])
        hits_2K = np.stack(
            [
                ((self.labels == 1) & (self.scores > 0)).sum(axis=0),
                ((self.labels == -1) & (self.scores <= 0)).sum(axis=0),
            ]
        )
        accuracies_K = (hits_2K / np.maximum(counts_2K, 1)).mean(axis=0)
        seen_K: NDArray[np.bool_] = (counts_2K >= _MIN_FACES).all(axis=0) & (accuracies_K >= 0.6)
        return seen_K

    @property
    def _gaps(self) -> NDArray[np.float64]:
        """Distances between the mean scores of both classes, K."""
        means_2K = np.stack(
            [
                (self.scores * (self.labels == sign)).sum(axis=0)
                / np.maximum((self.labels == sign).sum(axis=0), 1)
                for sign in (1, -1)
            ]
        )
        gaps_K: NDArray[np.float64] = means_2K[0] - means_2K[1]
        return np.where(np.abs(gaps_K) > 1e-6, gaps_K, 1e-6)


def _sample(seed: int, number: int) -> Traits:
    identity = sample_identity(seed, number)
    return identity, sample_picture(seed, number, identity)


def _draw(model: Any, traits: list[Traits]) -> tuple[NDArray[np.uint8], NDArray[np.int8]]:
    """Return pictures of a model's size, N x S x S x 3 uint8, and their attributes, N x K."""
    size = model.image_size
    framing = Framing(crop=_CROP, align=False)
    pictures = [frame_face(draw_face(*each), size, framing).pixels for each in traits]
    labels = [list(attributes(Face(*each)).values()) for each in traits]
    return np.stack(pictures), np.where(np.array(labels), 1, -1).astype(np.int8)


def _rebuild(model: Any, pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    faces: NDArray[np.uint8] = model.decode(model.encode(list(pictures), align=False))
    return faces


def _to_planes(pictures: NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).contiguous()


def _cosine(
    edited: NDArray[np.uint8], redrawn: NDArray[np.uint8], plain: NDArray[np.uint8]
) -> float:
    one_ND, other_ND = (
        (x.astype(np.float64) - plain).reshape(len(plain), -1) for x in (edited, redrawn)
    )
    lengths = np.linalg.norm(one_ND, axis=1) * np.linalg.norm(other_ND, axis=1)
    return float(((one_ND * other_ND).sum(axis=1) / np.maximum(lengths, 1e-9)).mean())


def _shows(traits: Traits, name: str) -> bool:
    """Whether a change gives the attribute: bangs under a hat, for example, are not seen."""
    return attributes(Face(*traits))[name]


def _expression(**fields: Any) -> Callable[[Identity, Picture], Traits]:
    return lambda person, picture: (
        person,
        replace(picture, expression=replace(picture.expression, **fields)),
    )


def _outfit(identity: Identity, picture: Picture, **fields: Any) -> Traits:
    return identity, replace(picture, outfit=replace(picture.outfit, **fields))


def _hair(**fields: Any) -> Callable[[Identity, Picture], Traits]:
    return lambda person, picture: (replace(person, hair=replace(person.hair, **fields)), picture)


def _rejuvenate(identity: Identity, picture: Picture) -> Traits:
    return replace(identity, age=0.15), replace(picture, wrinkles=0.15)


def _make_up(identity: Identity, picture: Picture) -> Traits:
    return identity, replace(picture, makeup=replace(picture.makeup, lipstick=0.85))


_CHANGES: Mapping[str, Callable[[Identity, Picture], Traits]] = {
    "Smiling": _expression(smile=0.8),
    "Mouth_Slightly_Open": _expression(mouth_open=0.6),
    "Eyeglasses": lambda person, picture: _outfit(person, picture, glasses=person.glasses),
    "Wearing_Hat": lambda person, picture: _outfit(person, picture, hat="beanie"),
    "Bangs": _hair(bangs=True),
    "Black_Hair": _hair(tone="black"),
    "Blond_Hair": _hair(tone="blond"),
    "Gray_Hair": _hair(tone="grey"),
    "Mustache": lambda person, picture: (person, replace(picture, beard="mustache")),
    "No_Beard": lambda person, picture: (person, replace(picture, beard="none")),
    "Wearing_Lipstick": _make_up,
    "Young": _rejuvenate,
}
"""How a picture is drawn with an attribute that it lacks, and otherwise the same."""
