"""Stage `encoder`: write the identity of an encoder to a file, so that DVC sees when it changes.

Stages that fit depend on this small file: on an encoder's identity, not on how many others were trained further.
"""

from finetune_alf.json_files import write_plain_json
from finetune_alf.running.bench import encoder_spec_of
from finetune_alf.running.context import Context


def encoder(ctx: Context, name: str) -> None:
    """Write the identity of `encoders.<name>`; EncoderError, with the command to run, if an adapted one is missing."""
    kind = ctx.encoder(name).kind
    with ctx.lock(f"encoder-{name}"):
        identity = encoder_spec_of(ctx, name).identity()
        write_plain_json(ctx.paths.encoder_card(name), {"name": name, "kind": kind, "identity": identity})
    ctx.console.log(f"{name}: {identity}")
