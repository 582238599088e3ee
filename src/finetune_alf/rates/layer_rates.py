"""LayerRates: one learning rate for each address of an encoder."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from finetune_alf.errors import RatesError
from finetune_alf.rates.address import EMBEDDINGS, HEAD, POOLER, Address, addresses, rate_source
from finetune_alf.spec import MAX_RATE

SMALL = 0.01
"""Numbers of a recipe below are written as rates are."""


class LayerRates(Mapping[Address, float]):
    """Learning rates by address, from the input up; a rate of 0 freezes the parameters at its address.

    `adapter.i` has the rate of `layer.i`, and `head.<task>` that of `head`. In a record it is a map from addresses
    to rates.
    """

    __slots__ = ("_rates",)

    def __init__(self, rates: Mapping[str, float]) -> None:
        """Check and store one rate for each address.

        Raises RatesError when an address is missing or unknown, or a rate is not from 0 to MAX_RATE.
        """
        expected = addresses(len(rates) - 2)
        if set(rates) != set(expected):
            raise RatesError(
                f"rates: must name {', '.join(expected) or 'embeddings and head'}, but got {', '.join(rates)}."
            )
        for address, rate in rates.items():
            if not 0 <= rate <= MAX_RATE:
                raise RatesError(f"rates.{address}: must be a number from 0 to {MAX_RATE:g}, but got {rate}.")
        self._rates = {address: float(rates[address]) for address in expected}

    @classmethod
    def of(cls, embeddings: float, layers: Sequence[float], head: float) -> Self:
        """Build from the embeddings' rate, the layers' from the input up, and the head's."""
        values = (embeddings, *layers, head)
        return cls(dict(zip(addresses(len(layers)), values, strict=True)))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def checked(rates: Mapping[str, float]) -> "LayerRates":
            try:
                return cls(rates)
            except RatesError as error:
                raise ValueError(str(error)) from None

        rates = core_schema.dict_schema(core_schema.str_schema(), core_schema.float_schema())
        return core_schema.json_or_python_schema(
            core_schema.no_info_after_validator_function(checked, rates),
            core_schema.union_schema(
                [core_schema.is_instance_schema(cls), core_schema.no_info_after_validator_function(checked, rates)]
            ),
            serialization=core_schema.plain_serializer_function_ser_schema(dict),
        )

    def __getitem__(self, address: Address) -> float:
        return self._rates[address if address == POOLER else rate_source(address)]

    def __iter__(self) -> Iterator[Address]:
        return iter(self._rates)

    def __len__(self) -> int:
        return len(self._rates)

    def __hash__(self) -> int:
        return hash(tuple(self._rates.items()))

    def __repr__(self) -> str:
        return f"LayerRates({', '.join(f'{address}={setting_text(rate)}' for address, rate in self._rates.items())})"

    @property
    def n_layers(self) -> int:
        """The number of layers of the encoder."""
        return len(self._rates) - 2

    @property
    def layers(self) -> tuple[float, ...]:
        """The layers' rates, from the input up."""
        return tuple(self._rates.values())[1:-1]

    @property
    def frozen(self) -> tuple[Address, ...]:
        """The addresses with a rate of 0."""
        return tuple(address for address, rate in self._rates.items() if rate == 0)

    def stretch(self, n_layers: int) -> "LayerRates":
        """Return rates for another depth, by nearest-neighbour interpolation over the relative depth of the layers.

        No rate is averaged, so that a frozen layer stays frozen. Embeddings and head keep their rates. Raises
        RatesError when either depth is 0, or no integer.
        """
        if not isinstance(n_layers, int) or isinstance(n_layers, bool) or n_layers < 1 or self.n_layers < 1:
            raise RatesError(
                f"n_layers: must be an integer of at least 1 to stretch, but got {self.n_layers} to {n_layers!r}."
            )
        layers = [self.layers[(2 * i + 1) * self.n_layers // (2 * n_layers)] for i in range(n_layers)]
        return LayerRates.of(self[EMBEDDINGS], layers, self[HEAD])


def rate_text(rate: float) -> str:
    """Write a rate as params.yaml has it: 2e-5; 0 is frozen."""
    mantissa, _, exponent = f"{rate:.2e}".partition("e")
    return "0" if rate == 0 else f"{float(mantissa):g}e{int(exponent)}"


def key_text(value: float) -> str:
    """Write a rate or a factor as the keys of fits have it: six digits are kept."""
    return f"{value:g}"


def repeated_in_keys(values: Sequence[float]) -> list[float]:
    """Return the values that keys cannot tell from one before them."""
    texts = [key_text(value) for value in values]
    return [value for index, value in enumerate(values) if texts[index] in texts[:index]]


def setting_text(value: float) -> str:
    """Write any number of a recipe: a small one as a rate, 1e-4, others as 0.25; six digits are kept."""
    text = rate_text(value)
    return text if 0 <= value < SMALL and float(text) == value else f"{value:g}".replace("e-0", "e-")
