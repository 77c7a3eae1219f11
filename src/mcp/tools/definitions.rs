//! The names of the tools, and their definitions as listed to clients.

use std::sync::Arc;

use rmcp::model::{Tool, ToolAnnotations};

use crate::mcp::answer::{EndpointAnswer, PatternsAnswer};
use crate::mcp::arguments::{EndpointArguments, PatternsArguments, input_schema, output_schema};
use crate::mcp::messages;
use crate::mcp::questions::{
    AuthAnswer, AuthQuestion, CompareAnswer, CompareQuestion, ExplainAnswer, ExplainQuestion,
    OpenApiAnswer, OpenApiQuestion, SampleAnswer, SampleQuestion, SchemaAnswer, SchemaQuestion,
    SearchAnswer, SearchQuestion,
};

pub(in crate::mcp) const GET_API_PATTERNS: &str = "get_api_patterns";
pub(in crate::mcp) const GET_ENDPOINT: &str = "get_endpoint";
pub(in crate::mcp) const GET_SCHEMA: &str = "get_schema";
pub(in crate::mcp) const GET_OPENAPI: &str = "get_openapi";
pub(in crate::mcp) const GET_AUTH: &str = "get_auth";
pub(in crate::mcp) const COMPARE_CAPTURES: &str = "compare_captures";
pub(in crate::mcp) const EXPLAIN_URL: &str = "explain_url";
pub(in crate::mcp) const SEARCH_ENDPOINTS: &str = "search_endpoints";
pub(in crate::mcp) const GET_SAMPLE: &str = "get_sample";

/// Names of all tools.
pub(crate) const NAMES: [&str; 9] = [
    GET_API_PATTERNS,
    GET_ENDPOINT,
    GET_SCHEMA,
    GET_OPENAPI,
    GET_AUTH,
    COMPARE_CAPTURES,
    EXPLAIN_URL,
    SEARCH_ENDPOINTS,
    GET_SAMPLE,
];

/// Returns the definitions of the tools, as listed to clients.
pub(in crate::mcp) fn definitions() -> Vec<Tool> {
    let tool = |name, title, description, input, output| {
        Tool::new(name, description, Arc::new(input))
            .with_title(title)
            .with_raw_output_schema(Arc::new(output))
            // Answers contain text that strangers wrote, so the tools are open-world although they fetch nothing.
            .with_annotations(
                ToolAnnotations::with_title(title)
                    .read_only(true)
                    .destructive(false)
                    .idempotent(true)
                    .open_world(true),
            )
    };
    vec![
        tool(
            GET_API_PATTERNS,
            messages::PATTERNS_TITLE,
            messages::PATTERNS,
            input_schema::<PatternsArguments>(),
            output_schema::<PatternsAnswer>(),
        ),
        tool(
            GET_ENDPOINT,
            messages::ENDPOINT_TITLE,
            messages::ENDPOINT,
            input_schema::<EndpointArguments>(),
            output_schema::<EndpointAnswer>(),
        ),
        tool(
            GET_SCHEMA,
            messages::SCHEMA_TITLE,
            messages::SCHEMA,
            input_schema::<SchemaQuestion>(),
            output_schema::<SchemaAnswer>(),
        ),
        tool(
            GET_OPENAPI,
            messages::OPENAPI_TITLE,
            messages::OPENAPI,
            input_schema::<OpenApiQuestion>(),
            output_schema::<OpenApiAnswer>(),
        ),
        tool(
            GET_AUTH,
            messages::AUTH_TITLE,
            messages::AUTH,
            input_schema::<AuthQuestion>(),
            output_schema::<AuthAnswer>(),
        ),
        tool(
            COMPARE_CAPTURES,
            messages::COMPARE_TITLE,
            messages::COMPARE,
            input_schema::<CompareQuestion>(),
            output_schema::<CompareAnswer>(),
        ),
        tool(
            EXPLAIN_URL,
            messages::EXPLAIN_TITLE,
            messages::EXPLAIN,
            input_schema::<ExplainQuestion>(),
            output_schema::<ExplainAnswer>(),
        ),
        tool(
            SEARCH_ENDPOINTS,
            messages::SEARCH_TITLE,
            messages::SEARCH,
            input_schema::<SearchQuestion>(),
            output_schema::<SearchAnswer>(),
        ),
        tool(
            GET_SAMPLE,
            messages::SAMPLE_TITLE,
            messages::SAMPLE,
            input_schema::<SampleQuestion>(),
            output_schema::<SampleAnswer>(),
        ),
    ]
}
