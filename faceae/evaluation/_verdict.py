"""What the figures of a reconstruction mean, in words."""

from faceae.model import Variant

from ._record import EvalRecord

_EQUAL_DB = 0.1
"""Difference that two trainings with other seeds may have."""
_FEW = 4
"""Faces for each component below which PCA mostly describes the faces that it was fitted on."""

_BELOW: dict[Variant, str] = {
    "plain": "PCA is the best linear code of this size, so the model has more to learn: train "
    "longer, or start from principal components",
    "denoising": "the noise in training costs detail: train longer, lower the noise, or take a "
    "plain model",
    "regularised": "the penalty on latents costs detail: train longer, lower the penalty, or take "
    "a plain model",
    "variational": "this is expected of a variational model: noise on its latents costs detail, so "
    "that new faces are whole; a lower KL weight gives closer reconstructions, and a plain model "
    "the closest",
    "adversarial": "this is expected of an adversarial model: it is trained for sharp faces, and "
    "their detail is not that of the photograph; judge it by its new faces, and take a plain model "
    "for close reconstructions",
}


def describe_reconstruction(record: EvalRecord, variant: Variant) -> str | None:
    """Return one sentence that compares a model with PCA of its latent size.

    Returns None where PCA was not measured.

    Args:
        variant: kind of the model.
    """
    if record.pca is None:
        return None
    gain_db = record.model.psnr_db - record.pca.score.psnr_db
    pca = f"PCA of the model's latent size ({record.pca.num_components:,} components)"
    if gain_db > _EQUAL_DB and record.pca.num_fit_images < _FEW * record.pca.num_components:
        return (
            f"Reconstructions are {gain_db:.1f} dB above {pca}, which is weak here: it was fitted "
            f"on {record.pca.num_fit_images:,} faces only."
        )
    if gain_db > _EQUAL_DB:
        return (
            f"Reconstructions are {gain_db:.1f} dB above {pca}: the network has learned more about "
            "faces than a linear code of this size holds."
        )
    if gain_db >= -_EQUAL_DB:
        return (
            f"Reconstructions are as close as those of {pca}: this is where training from "
            "principal components starts; train longer for more."
        )
    return f"Reconstructions are {-gain_db:.1f} dB below {pca}; {_BELOW[variant]}."
