"""What the thesis says about the importance of layers, beside a study's own ranking."""

from collections.abc import Iterator

from finetune_alf.rates.address import layer as layer_address
from finetune_alf.report.numbers import rate, score
from finetune_alf.schedules.published import IMPORTANT_LAYERS, LOWER_IS_BETTER, THESIS_NAMES, published, thesis_encoder
from finetune_alf.study.documents import ImportanceShare, LayerImportance


def beside_the_thesis(identity: str, record: LayerImportance) -> Iterator[str]:
    """Yield the thesis's claim about this encoder and our shares of its layers; else what it says of its own."""
    encoder = thesis_encoder(identity)
    if encoder is None:
        firsts = ", ".join(f"layer {layers[0]} of {THESIS_NAMES[name]}" for name, layers in IMPORTANT_LAYERS.items())
        yield (
            f"The thesis ranks {firsts} first, layers counted from 0: each lies above the middle, and none is the top "
            "layer. It makes no claim about this encoder."
        )
        return
    layers = [f"`{layer_address(layer)}`" for layer in IMPORTANT_LAYERS[encoder]]
    then = f", then {' and '.join(layers[1:])}" if layers[1:] else ""
    yield f"The thesis ranks {layers[0]} of {THESIS_NAMES[encoder]} first{then}, by fANOVA without intervals."
    for evaluator, shares in record.evaluators.items():
        yield f"Here, by {evaluator}: {'; '.join(_places(encoder, record, shares))}."
    if encoder in LOWER_IS_BETTER:
        yield _direction(encoder)


def _places(encoder: str, record: LayerImportance, shares: dict[str, ImportanceShare]) -> Iterator[str]:
    ranked = sorted(shares, key=lambda address: -shares[address].mean)
    for layer in IMPORTANT_LAYERS[encoder]:
        address = layer_address(layer)
        own = next((first for first, block in record.blocks.items() if address in block), address)
        if own in shares:
            yield f"`{address}` is number {ranked.index(own) + 1} of {len(ranked)}, share {score(shares[own].mean)}"
        else:
            yield f"`{address}` has no rate that varies"


def _direction(encoder: str) -> str:
    layer = layer_address(LOWER_IS_BETTER[encoder])
    best = published(f"{encoder}-alf-1").rates[layer]
    return f"The thesis adds that low rates of `{layer}` score best; its own best schedule has {rate(best)} there."
