"""The built pages: nothing from the network, nothing missing, math and sliders that work. Run after `hepml book`."""

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import nbformat
import pytest

from hepml_labs import book_build, book_pages

ROOT = book_build.ROOT
HTML = ROOT / "_build" / "html"
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NAMES = book_pages.toc_files((ROOT / "_toc.yml").read_text())

pytestmark = pytest.mark.skipif(not HTML.is_dir(), reason="the book has not been built: run `hepml book` first")

#: Elements whose content the browser fetches, with the attribute that says from where.
FETCHED = {
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "embed": "src",
    "link": "href",
}
FETCHED_LINKS = {"stylesheet", "preload", "prefetch", "icon", "manifest", "modulepreload"}


class Resources(HTMLParser):
    """Collect what a page makes the browser fetch, and the images without a text alternative."""

    def __init__(self):
        super().__init__()
        self.fetched, self.silent_images, self.solutions = [], 0, 0

    def handle_starttag(self, tag, attributes):
        """Look at one element."""
        values = dict(attributes)
        address = values.get(FETCHED.get(tag, ""))
        if address and (tag != "link" or set((values.get("rel") or "").split()) & FETCHED_LINKS):
            self.fetched.append(address)
        self.fetched += re.findall(r"url\(['\"]?(https?:[^)'\"]+)", values.get("style") or "")
        self.silent_images += tag == "img" and not (values.get("alt") or "").strip()
        self.solutions += tag == "details" and "hepml-solution" in (values.get("class") or "")


def read(path):
    resources = Resources()
    resources.feed(path.read_text(encoding="utf-8"))
    return resources


@pytest.fixture(scope="module")
def pages():
    files = [path for path in HTML.rglob("*.html") if "_static" not in path.parts]
    return {path: read(path) for path in files if not path.name.startswith(PROBED)}  # another worker may be at those


def test_every_page_of_the_table_of_contents_was_built():
    assert [name for name in NAMES if not (HTML / f"{name}.html").is_file()] == []


def test_no_page_fetches_anything_from_the_network(pages):
    outside = {
        (path.name, address)
        for path, page in pages.items()
        for address in page.fetched
        if re.match(r"(https?:)?//", address)
    }
    assert not outside


def test_everything_a_page_fetches_is_there(pages):
    missing = set()
    for path, page in pages.items():
        for address in page.fetched:
            if not address.startswith(("data:", "http:", "https:", "//")):
                file = unquote(re.sub(r"[?#].*", "", address))
                if not (path.parent / file).exists():
                    missing.add((path.name, address))
    assert not missing


def test_style_sheets_import_nothing_from_the_network():
    sheets = {sheet.name: sheet.read_text(encoding="utf-8") for sheet in HTML.rglob("*.css")}
    pattern = re.compile(r"(@import[^;]*|url\(\s*['\"]?)https?://")
    assert [name for name, text in sheets.items() if pattern.search(re.sub(r"/\*.*?\*/", "", text, flags=re.S))] == []


def test_every_image_has_a_text_alternative(pages):
    assert {path.name: page.silent_images for path, page in pages.items() if page.silent_images} == {}


def test_no_page_shows_a_warning_of_a_library():
    texts = {name: (HTML / f"{name}.html").read_text(encoding="utf-8") for name in NAMES}
    assert [name for name, text in texts.items() if 'class="output stderr' in text] == []


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("notebooks/")])
def test_solutions_stand_behind_a_click(name, pages):
    lab = nbformat.read(ROOT / f"{name}.ipynb", as_version=4)
    solutions = sum("### BEGIN SOLUTION" in cell.source for cell in lab.cells if cell.cell_type == "code")
    page = HTML / f"{name}.html"
    assert pages[page].solutions == solutions > 0
    assert "BEGIN SOLUTION" not in page.read_text(encoding="utf-8")


PROBED = "probe-"
#: Put into a copy of each page: move every slider to its end, count, and tell the page around.
PROBE = """<script>
window.addEventListener('load', () => MathJax.startup.promise.then(() => {
  const moved = [...document.querySelectorAll('figure.hepml-explore')].map(figure => {
    const slider = figure.querySelector('input[type=range]');
    slider.value = slider.max;
    slider.dispatchEvent(new Event('input'));
    const shown = [...figure.querySelectorAll('img')].map(image => getComputedStyle(image).display !== 'none');
    return shown.filter(Boolean).length === 1 && shown[shown.length - 1];
  });
  parent.postMessage({
    formulas: document.querySelectorAll('mjx-container').length,
    errors: document.querySelectorAll('mjx-merror, [data-mjx-error]').length,
    sliders: moved.length, moved: moved.filter(Boolean).length,
    quizzes: document.querySelectorAll('.Quiz').length,
  }, '*');
}));
</script>"""
#: The page around: shows one page after the other, for at most 20 seconds each, and collects what they tell.
AROUND = """<html><body><script>
const pages = PAGES, found = {};
function open([page, ...rest]) {
  if (!page) { document.title = 'PROBED ' + JSON.stringify(found); return; }
  const frame = document.createElement('iframe');
  frame.width = 1200;
  frame.height = 900;
  frame.src = page;
  const close = event => {
    if (event && event.source !== frame.contentWindow) return;
    clearTimeout(timer);
    window.removeEventListener('message', close);
    found[page] = event ? event.data : null;
    frame.remove();
    open(rest);
  };
  const timer = setTimeout(close, 20000);
  window.addEventListener('message', close);
  document.body.append(frame);
}
open(pages);
</script></body></html>"""
CHROMIUM = "--headless --no-sandbox --disable-gpu --disable-background-networking --no-first-run"
CHROMIUM += " --disable-component-update --disable-sync --enable-logging=stderr --dump-dom"


@pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")
@pytest.mark.parametrize("chapter", sorted({name.split("/")[1] for name in NAMES if name.count("/") == 2}))
def test_math_and_sliders_work_in_a_browser_without_a_network(chapter, tmp_path):
    """All pages of a chapter in one browser, which takes longer to start than to set the formulas of a page."""
    names = [name for name in NAMES if name.startswith((f"book/{chapter}/", f"notebooks/{chapter}/"))]
    texts = {name: (HTML / f"{name}.html").read_text(encoding="utf-8") for name in names}
    texts = {name: text for name, text in texts.items() if "MathJax" in text}
    probes = {name: HTML / Path(name).with_name(f"{PROBED}{Path(name).name}.html") for name in texts}
    around = HTML / f"{PROBED}{chapter}.html"
    command = [BROWSER, *CHROMIUM.split(), "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={tmp_path}"]
    command += [f"--virtual-time-budget={20_000 * (len(names) + 1)}", around.as_uri()]
    try:
        for name, text in texts.items():
            probes[name].write_text(text.replace("</body>", PROBE + "</body>"), encoding="utf-8")
        pages = [probe.as_uri() for probe in probes.values()]
        around.write_text(AROUND.replace("PAGES", json.dumps(pages)), encoding="utf-8")
        done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    finally:
        for probe in [around, *probes.values()]:
            probe.unlink(missing_ok=True)
    title = re.search(r"<title>PROBED (\{.*?\})</title>", done.stdout)
    assert title, done.stderr[-2000:]
    found = json.loads(title.group(1))
    for name, probe in probes.items():
        counts = found[probe.as_uri()]
        assert counts, f"{name}: its formulas were not set"
        assert counts["formulas"] > 0 and counts["errors"] == 0, (name, counts)
        assert counts["moved"] == counts["sliders"], (name, counts)
        if name.startswith("notebooks/"):
            assert counts["sliders"] >= 1 and counts["quizzes"] >= 1, (name, counts)
    assert not [line for line in done.stderr.splitlines() if "CONSOLE" in line and "Uncaught" in line]
