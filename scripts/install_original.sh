#!/usr/bin/env bash
# Installs mitmproxy 11.0.2 and mitmproxy-mcp 0.6.0 into a virtual environment of Python 3.11: install_original.sh VENV
set -euo pipefail
pip=$1/bin/pip
"$pip" -q install mitmproxy==11.0.2
# mitmproxy-mcp requires a newer Python than its measured parts need.
"$pip" -q install 'mcp==1.26.0' curl-cffi structlog jsonpath-ng beautifulsoup4 google-re2 --no-deps
"$pip" -q install pydantic pydantic-settings python-dotenv httpx httpx-sse anyio starlette sse-starlette \
  uvicorn jsonschema python-multipart pyjwt soupsieve jsonpath-ng cffi --no-deps
"$pip" -q install pydantic-core annotated-types typing-inspection typing-extensions httpcore sniffio idna \
  certifi click referencing rpds-py attrs jsonschema-specifications pycparser ply --no-deps
"$pip" -q install mitmproxy-mcp==0.6.0 --no-deps --ignore-requires-python
