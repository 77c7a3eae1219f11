"""Observes the traffic of a proxy: mitmdump -s "$(api-patterns addon)" --set patterns_file=report.json

`api_patterns.mitmproxy` says what it does and which options it has.
"""

import importlib.util
import sys
from pathlib import Path

# The proxy may have an environment of its own; the module runs in any Python from 3.10 on.
if importlib.util.find_spec("api_patterns") is None:
    sys.path.append(str(Path(__file__).resolve().parents[2]))

from api_patterns.mitmproxy import PatternsAddon  # noqa: E402 -- after the path is known

addons = [PatternsAddon()]
