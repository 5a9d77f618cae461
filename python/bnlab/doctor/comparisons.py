"""All comparisons with what the caller gave beside model and loader."""
from typing import Any, Callable

from bnlab._library import first_line
from bnlab.doctor import formats, masked, mates, origins, references
from bnlab.doctor.batches import WrongArgument
from bnlab.doctor.state import as_found


def compare(found: Any, wanted: Any) -> None:
    """With what the caller gave; without it, a sentence says what to give."""
    for what, given, sentence, compare in (
        ("padding", wanted.mask, "no mask was given", masked.compare),
        ("sources", wanted.origin, "no function source was given, and no steps were watched", origins.compare),
        ("reference", wanted.reference, "no reference was given: the model before it was folded or quantized", references.compare),
        ("mates", wanted.contrastive, "contrastive=True was not given: a loss over two views of each sample", mates.compare),
        ("precision", True, "", formats.compare),
    ):  # fmt: skip
        if given is None:
            found.miss(what, sentence)
        elif found.source is None:
            found.miss(what, "no loader was given")
        else:
            attempt(found, what, compare, given)


def attempt(found: Any, what: str, compare: Callable[[Any, Any], None], given: Any) -> None:
    """compare(found, given), whose error goes to the report unless the caller can correct it."""
    try:
        with as_found(found.model, None if found.source is None else found.source.loader):
            compare(found, given)
    except WrongArgument:
        raise
    except Exception as error:
        found.miss(what, f"{type(error).__name__}: {first_line(error)}")
