"""Runs the blocks of Python in the documents: those of one document in order, in a folder with the captures that they name."""

import json
import pathlib
import re
import shutil

import pytest

import api_patterns

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "python" / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
BLOCK = re.compile(r"^(?P<comment><!-- [^\n]* -->\n)?```python\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(document):
    """Return number of line, comment and code of each block."""
    text = document.read_text()
    for match in BLOCK.finditer(text):
        line = text.count("\n", 0, match.start("code")) + 1
        yield line, (match["comment"] or "").strip("<!- >\n"), match["code"]


@pytest.mark.parametrize("document", [path for path in DOCUMENTS if any(blocks(path))], ids=lambda path: path.name)
def test_blocks_run(document, tmp_path, monkeypatch):
    for name in ("dump", "monday", "tuesday", "new", "old"):
        shutil.copy(ROOT / "fixtures" / "demo.mitm", tmp_path / f"{name}.mitm")
    shutil.copy(ROOT / "fixtures" / "demo.chromium.har", tmp_path / "session.har")
    shutil.copy(ROOT / "fixtures" / "demo.db", tmp_path / "mitm_mcp_traffic.db")
    monkeypatch.chdir(tmp_path)
    described = api_patterns.analyze("dump.mitm", bodies=True).to_openapi("api.shop.example")
    pathlib.Path("openapi.yaml").write_text(json.dumps(described))
    flows = [{"method": "GET", "url": f"https://api.shop.example/v1/users/{user}", "status": 200} for user in range(20)]
    names = {"__name__": "document", "flows": flows}
    for line, comment, code in blocks(document):
        if comment.startswith("not run: "):
            print(f"skipped: {document.name}:{line} {comment}")
            continue
        exec(compile("\n" * (line - 1) + code, str(document), "exec"), names)  # noqa: S102 -- our own documents
