"""Text from files on its way into the terminal, Markdown and HTML, each of which has one place where it enters."""

from __future__ import annotations

import re

# All of C0 but tab and line end, DEL, C1, line separators, and what turns the direction of text around.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
_SPACE = "&#8203;"  # a space without width: what it parts is linked to nothing, and reads as before


def show_controls(text: str) -> str:
    r"""Return text whose control characters are written out: they would move a cursor, or end an XML document.

    >>> print(show_controls("a\x1b[31m.onnx"))
    a\x1b[31m.onnx
    """
    return _CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def escape_markdown(text: str) -> str:
    r"""Return text that Markdown and HTML leave as it is, on one line, and that GitHub links to nobody and nothing.

    >>> print(escape_markdown("a|b_<c>"))
    a\|b\_&lt;c&gt;
    >>> print(escape_markdown("@octocat GH-1 www.a.b https://c"))
    @&#8203;octocat GH&#8203;-1 www&#8203;.a.b https:&#8203;//c
    """
    escaped = re.sub(r"([\\`*_\[\]|~#])", r"\\\1", " ".join(show_controls(text).split()))
    escaped = escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    escaped = re.sub(r"\\#(?=[0-9])", rf"\\#{_SPACE}", escaped)
    escaped = re.sub(r"(?i)@|\bGH(?=-[0-9])|www(?=\.)|(?:https?|ftp|mailto|xmpp):", rf"\g<0>{_SPACE}", escaped)
    return escaped


def escape_code(text: str) -> str:
    """Return text as it stands in a code span or a fenced block: on one line, without a backtick that would end it.

    >>> escape_code("a`b" + chr(10) + "c")
    "a'b c"
    """
    return " ".join(show_controls(text).split()).replace("`", "'")
