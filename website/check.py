"""Check the built site: every link and anchor, and pages in a headless Chromium, phone-wide and in the dark."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from tests.slow.chromium import browser, find_chromium

WIDTH: Final = 360


class Page(HTMLParser):
    """What a page links to, loads and can be linked to.

    Attributes:
        links: Addresses of its links, pictures, scripts and styles.
        loads: Of these, what it loads by itself.
        anchors: Its elements' ids.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag links to."""
        values = dict(attrs)
        self.anchors.update(value for name in ("id", "name") if (value := values.get(name)))
        for name in ("href", "src"):
            if value := values.get(name):
                self.links.append(value)
                if tag in ("script", "img", "iframe", "source") or (
                    tag == "link" and "stylesheet" in str(values["rel"])
                ):
                    self.loads.append(value)


def find_dead(site: Path) -> list[str]:
    """Return every link of the site's pages that leads nowhere, and everything that they load from elsewhere."""
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    pages = {path: page for path, page in pages.items() if "demo" not in path.relative_to(site).parts[:1]}
    dead = []
    for path, page in pages.items():
        where = path.relative_to(site)
        dead += [f"{where}: loads {load}" for load in page.loads if urlsplit(load).scheme not in ("", "data")]
        for link in page.links:
            address = urlsplit(link)
            if address.scheme or address.netloc:
                continue
            target = (path.parent / unquote(address.path)).resolve() if address.path else path
            target = target / "index.html" if target.is_dir() else target
            if not target.is_file():
                dead.append(f"{where}: {link}")
            elif address.fragment and target in pages and unquote(address.fragment) not in pages[target].anchors:
                dead.append(f"{where}: {link}: no such anchor")
    return dead


def look(site: Path, pictures: Path) -> list[str]:
    """Look at every page in Chromium as a phone shows it, the first by night too, and return what is wrong.

    Args:
        site: The built site.
        pictures: Gets a screenshot a page.
    """
    executable = find_chromium()
    assert executable, "needs Chromium: apt install chromium"
    pictures.mkdir(parents=True, exist_ok=True)
    pages = [path.relative_to(site).as_posix() for path in sorted(site.rglob("*.html"))]
    wrong, grounds = [], set()
    with browser(executable) as tab:
        for name in (page for page in pages if not page.startswith("demo/")):
            for dark in (False, True) if name == "index.html" else (False,):
                tab.open(site / name, width=WIDTH, dark=dark)
                grounds.add(tab.value("getComputedStyle(document.body).backgroundColor"))
                wide = tab.value("document.documentElement.scrollWidth")
                if wide > WIDTH:
                    wrong.append(f"{name}: {wide} pixels wide on {WIDTH}")
                wrong += [f"{name}: {message[:300]}" for message in tab.complaints() if "demo/" not in message]
                tab.screenshot(pictures / f"{name.replace('/', '-')}-{'dark' if dark else 'light'}.png")
    if len(grounds) < 2:
        wrong.append(f"the dark looks like the light: {grounds}")
    return wrong
