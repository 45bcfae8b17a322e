"""Results that are found in a store, or made and kept there: one way for answers, findings and measurements."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from numpy.typing import NDArray
from pydantic import BaseModel

from imageqx_export.errors import MeasurementError
from imageqx_export.support.arrays import pack_arrays, read_arrays
from imageqx_export.support.store import Store

Item = TypeVar("Item")
Result = TypeVar("Result")
Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class Form(Generic[Result]):
    """How a result lies in a store.

    Args:
        write: Returns its files by name; none where it is not to be kept.
        read: Returns the result of such files, or raises KeyError, ValueError or MeasurementError.
    """

    write: Callable[[Result], Mapping[str, bytes]]
    read: Callable[[Mapping[str, bytes]], Result]


ARRAYS: Form[dict[str, NDArray[Any]]] = Form(
    lambda arrays: {"arrays.npz": pack_arrays(arrays)},
    lambda files: read_arrays(files["arrays.npz"], "the cache"),
)


def hold_model(kind: type[Model]) -> Form[Model]:
    """Return the form of a value that is written as JSON."""
    return Form(
        lambda value: {"value.json": value.model_dump_json().encode()},
        lambda files: kind.model_validate_json(files["value.json"]),
    )


def recall_each(
    store: Store,
    items: Sequence[Item],
    make_key: Callable[[Item], str],
    make: Callable[[list[Item]], Iterable[Result]],
    form: Form[Result],
) -> list[Result]:
    """Return a result for each item: the one that is kept, or one that is made now, and kept.

    Args:
        store: Where results are kept; where that is nowhere no key is made, so nothing is digested.
        items: What there is a result of.
        make_key: Returns the key of one.
        make: Returns the results of those that are not kept, in their order; it is not called without any.
        form: How a result is kept.
    """
    keys = [make_key(item) for item in items] if store.folder is not None else [""] * len(items)
    results = {place: found for place, key in enumerate(keys) if (found := _find(store, key, form)) is not None}
    if missing := [place for place in range(len(items)) if place not in results]:
        for place, made in zip(missing, make([items[place] for place in missing]), strict=True):
            if store.folder is not None:
                store.keep(keys[place], form.write(made))
            results[place] = made
    return [results[place] for place in range(len(items))]


def _find(store: Store, key: str, form: Form[Result]) -> Result | None:
    with suppress(KeyError, ValueError, MeasurementError):
        files = store.find(key)
        return None if files is None else form.read(files)
    return None
