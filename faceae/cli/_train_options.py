"""Options of `faceae train`, by the sections of its help."""

import click

from ._command import option, section


def _parse_keep(text: str) -> int | str:
    if text == "best":
        return text
    try:
        return int(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is neither a number nor 'best'") from None


training_options = section(
    "Training",
    option("--epochs", type=int, metavar="N", show_default="20", help="Passes over the faces."),
    option(
        "--early-stop",
        type=int,
        metavar="N",
        show_default="no early stop",
        help="Stop after N epochs in a row without a better PSNR on held-out faces.",
    ),
    option(
        "--keep-checkpoints",
        type=_parse_keep,
        metavar="N|best",
        show_default="2",
        help="Keep the last N checkpoints. best: the last one and that of the best epoch. Each "
        "takes about three times the disk space of the weights, of an adversarial model over four.",
    ),
    option(
        "--batch-size",
        type=int,
        metavar="N",
        show_default="64",
        help="Faces per step, over all processes.",
    ),
    option(
        "--accumulate",
        type=int,
        metavar="N",
        show_default="1",
        help="Compute each batch in N micro-batches, which takes less memory.",
    ),
    option(
        "--lr",
        type=float,
        metavar="RATE",
        show_default="0.0002; with --init random 0.002, unless adversarial",
        help="Peak learning rate.",
    ),
    option(
        "--clip-norm",
        type=float,
        metavar="NORM",
        show_default="no clipping",
        help="Clip the norm of the gradient to this value.",
    ),
    option(
        "--init",
        metavar="components|random|RUN|FILE",
        show_default="components",
        help="First weights. components: principal components of the faces. random: random "
        "weights. RUN: the best weights of another run, and its architecture. FILE: weights of the "
        "whole model or of the decoder, as .safetensors or as a PyTorch state dict (.pt, .pth).",
    ),
    option(
        "--seed",
        type=int,
        metavar="N",
        show_default="0",
        help="Seed of the first weights, the order of the faces and their mirroring.",
    ),
    option(
        "--sync-batchnorm/--no-sync-batchnorm",
        default=None,
        show_default="no-sync-batchnorm",
        help="With several processes and --init random or FILE: compute BatchNorm's statistics "
        "over the faces of all processes, not of each.",
    ),
)

tracking_options = section(
    "Tracking",
    option(
        "--tracker",
        multiple=True,
        metavar="NAME",
        show_default="TensorBoard alone",
        help="Also report to a tracker: wandb, mlflow, clearml (extras of these names), or one "
        "that another package offers. May be given several times. --resume continues the "
        "tracker's run.",
    ),
)

model_options = section(
    "Model",
    option(
        "--model",
        type=click.Choice(["plain", "denoising", "variational", "regularised", "adversarial"]),
        show_default="plain",
        help="Kind of autoencoder. plain: closest reconstructions. denoising: reconstructs from "
        "noisy faces. variational: a VAE, whose new faces are smooth. regularised: a "
        "penalty keeps latents small. adversarial: a VAE trained against a discriminator, for "
        "sharp new faces; its reconstructions are less close.",
    ),
    option(
        "--image-size",
        type=int,
        metavar="N",
        show_default="as packed if that is one of these, else 64",
        help="Height and width of faces in pixels: 32, 64, 128 or 256.",
    ),
    option(
        "--latent-size",
        type=int,
        metavar="N",
        show_default="1024",
        help="Number of values that describe one face.",
    ),
    option(
        "--width",
        type=int,
        metavar="N",
        show_default="64",
        help="Channels after the first convolution; more make a larger network.",
    ),
    option(
        "--noise-std",
        type=float,
        metavar="STD",
        show_default="0.1",
        help="denoising: standard deviation of the noise; pixels are in [-1, 1].",
    ),
    option(
        "--kl-weight",
        type=float,
        metavar="WEIGHT",
        show_default="1",
        help="variational, adversarial: weight of the KL divergence. Less gives sharper and less "
        "regular faces.",
    ),
    option(
        "--free-bits",
        type=float,
        metavar="NATS",
        show_default="0",
        help="variational, adversarial: KL divergence of each latent value that is not penalised.",
    ),
    option(
        "--latent-penalty",
        type=float,
        metavar="WEIGHT",
        show_default="0.01",
        help="regularised: weight of the penalty on the squared length of latents.",
    ),
)

speed_options = section(
    "Speed and memory",
    option(
        "--device",
        type=click.Choice(["auto", "cpu", "cuda"]),
        show_default="auto",
        help="Device to train on. auto: the GPU if there is one.",
    ),
    option(
        "--amp/--no-amp",
        default=None,
        show_default="amp",
        help="Use bfloat16 or float16 where the device has instructions for it.",
    ),
    option(
        "--compile/--no-compile",
        default=None,
        show_default="no-compile",
        help="Compile the network with torch.compile. The first step then takes some minutes.",
    ),
    option(
        "--cuda-graph/--no-cuda-graph",
        default=None,
        show_default="no-cuda-graph",
        help="Record a step as a CUDA graph and replay it, which starts kernels faster.",
    ),
    option(
        "--loader",
        type=click.Choice(["auto", "dali", "webdataset"]),
        show_default="auto",
        help="Library that reads the shards. auto: DALI if it is installed.",
    ),
    option(
        "--cache",
        type=click.Choice(["auto", "none", "ram", "vram"]),
        show_default="auto",
        help="Where to keep decoded faces after the first epoch. vram: GPU memory. auto: where "
        "they take at most half of the free memory.",
    ),
)
