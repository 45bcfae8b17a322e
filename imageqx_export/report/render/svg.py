"""Turn a matplotlib figure into inline SVG that takes its colours from the page, and names nothing outside it."""

from __future__ import annotations

import io
import re
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from imageqx_export.support.escapes import show_controls

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Colours that stand for the page's own, which differ between light and dark.
INK, MUTED, LINE, PAPER = "#0b0b01", "#0b0b02", "#0b0b03", "#0b0b04"
SERIES = tuple(f"#0c0c{k:02x}" for k in range(6))
_VARIABLES = {INK: "--ink", MUTED: "--muted", LINE: "--line", PAPER: "--paper"} | {
    color: f"--series-{k}" for k, color in enumerate(SERIES)
}
_STYLE: Any = {
    "svg.fonttype": "none",
    "font.size": 10.5,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "grid.color": LINE,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "legend.frameon": False,
}
_UNNEEDED = ("metadata", "title", "style")


def apply_style(name: str = "") -> AbstractContextManager[None]:
    """Return a context with the settings that a figure must be made under.

    Args:
        name: Of the plot; the same name and numbers give the same bytes.
    """
    from matplotlib import rc_context

    return rc_context({**_STYLE, "svg.hashsalt": name, "text.parse_math": False})


def write_inline(figure: Figure, name: str, title: str, description: str) -> str:
    """Return a figure as an ``<svg>`` element for an HTML page.

    Args:
        figure: Drawn under :func:`apply_style` with this module's colours.
        name: Unique on the page: it begins every id.
        title: What a screen reader says first.
        description: What the picture shows, for those who do not see it.
    """
    buffer = io.StringIO()
    with apply_style(name):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    root = ElementTree.fromstring(show_controls(buffer.getvalue()))
    _strip_metadata(root, name)
    view = root.attrib["viewBox"]
    root.attrib.clear()
    root.attrib.update(
        {
            "viewBox": view,
            "role": "img",
            "aria-labelledby": f"{name}-title {name}-description",
            "style": "stroke-linejoin: round; stroke-linecap: butt",
        }
    )
    for place, (tag, text) in enumerate((("title", title), ("desc", description))):
        element = ElementTree.Element(tag, {"id": f"{name}-{'title' if tag == 'title' else 'description'}"})
        element.text = show_controls(text)
        root.insert(place, element)
    return ElementTree.tostring(root, encoding="unicode", short_empty_elements=False)


def _strip_metadata(element: ElementTree.Element, name: str) -> None:
    """Drop namespaces, which HTML does not need, and what matplotlib says of itself; make ids the page's own."""
    element.tag = _make_ids_local(element.tag)
    attributes = {_make_ids_local(key): value for key, value in element.attrib.items()}
    element.attrib.clear()
    for key, value in attributes.items():
        if key == "id":
            value = f"{name}-{value}"
        elif key == "href":
            value = f"#{name}-{value.removeprefix('#')}"
        elif key == "style":
            value = re.sub(r"font: ([^;']*?px) [^;]*", r"font: \1 system-ui, sans-serif", value)
        value = re.sub(r"url\(#", f"url(#{name}-", value)
        element.set(key, re.sub(r"#0[bc]0[bc]0[0-9a-f]", lambda found: f"var({_VARIABLES[found[0]]})", value))
    for child in list(element):
        if _make_ids_local(child.tag) in _UNNEEDED:
            element.remove(child)
        else:
            _strip_metadata(child, name)


def _make_ids_local(name: str) -> str:
    return name.rpartition("}")[2]
