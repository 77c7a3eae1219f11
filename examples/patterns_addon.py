"""mitmdump -s examples/patterns_addon.py --set patterns_file=report.json

Observes the traffic while the proxy runs, and writes the report when it ends; with --set patterns_schemas=schemas.json the JSON
Schemas of the bodies as well. Needs the package api-patterns in mitmproxy's environment.
"""

from api_patterns.mitmproxy import PatternsAddon

addons = [PatternsAddon()]
