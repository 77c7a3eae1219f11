#!/usr/bin/env python3
"""MCP server with the Python SDK whose get_api_patterns is one call over the database of mitmproxy-mcp.

usage: mcp_server.py mitm_mcp_traffic.db

Needs the packages mcp (2.3 or newer) and api-patterns. It shows how mitmproxy-mcp's tool
can be implemented with this package.
"""

import sys

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

import api_patterns

server = MCPServer("traffic")
database = sys.argv[1] if len(sys.argv) > 1 else "mitm_mcp_traffic.db"


@server.tool()
def get_api_patterns(domain: str | None = None, limit: int | None = None, compat: bool = False) -> str:
    """Cluster captured traffic into endpoint patterns.

    Args:
        domain: Filter traffic by domain
        limit: Max number of flows to analyze. None = all flows.
        compat: Answer byte for byte as mitmproxy-mcp 0.6 does.
    """
    try:
        return api_patterns.get_api_patterns(database, domain, limit, compat)
    except api_patterns.ApiPatternsError as error:
        # The message tells the agent what to do.
        raise ToolError(str(error)) from error


if __name__ == "__main__":
    server.run()
