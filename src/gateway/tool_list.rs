//! Lists of tools, cut and changed without writing anew what stays.

use std::borrow::Cow;

use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct NamedTool<'t> {
    #[serde(borrow)]
    name: Cow<'t, str>,
}

/// The result of `tools/list` without tools that are not listed, and with those that are changed; `None` if all stays as it is. A
/// tool whose name cannot be read is not listed.
pub(super) fn rewrite_tools(
    result: &str,
    is_listed: impl Fn(&str) -> bool,
    changed: impl Fn(&str, &str) -> Option<String>,
) -> Option<String> {
    let members: IndexMap<Cow<'_, str>, &RawValue> = serde_json::from_str(result).ok()?;
    let tools: Vec<&RawValue> = serde_json::from_str(members.get("tools")?.get()).ok()?;
    let mut is_same = true;
    let mut kept: Vec<Cow<'_, str>> = Vec::with_capacity(tools.len());
    for tool in &tools {
        let name = serde_json::from_str::<NamedTool<'_>>(tool.get()).ok();
        let Some(name) = name.map(|tool| tool.name).filter(|name| is_listed(name)) else {
            is_same = false;
            continue;
        };
        match changed(&name, tool.get()) {
            Some(new) => {
                is_same = false;
                kept.push(Cow::Owned(new));
            }
            None => kept.push(Cow::Borrowed(tool.get())),
        }
    }
    if is_same {
        return None;
    }
    let list = format!("[{}]", kept.join(","));
    crate::jsonrpc::replace_members(result, &[("tools", Some(&list))])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_listed_stays_as_it_was_written() {
        let result =
            r#"{"tools": [{"name":"a", "x": 1.0}, {"name":"b"}, {"title":"c"}], "nextCursor":"2"}"#;
        let cut_list = rewrite_tools(result, |name| name == "a", |_, _| None).unwrap();
        assert_eq!(cut_list, r#"{"tools":[{"name":"a", "x": 1.0}],"nextCursor":"2"}"#);
        let whole = r#"{"tools": [{"name":"a"}]}"#;
        assert_eq!(rewrite_tools(whole, |_| true, |_, _| None), None);
        let new = rewrite_tools(whole, |_| true, |_, _| Some("{}".to_owned())).unwrap();
        assert_eq!(new, r#"{"tools":[{}]}"#);
    }
}
