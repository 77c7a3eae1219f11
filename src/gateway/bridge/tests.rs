//! Both translations, message by message.

use serde_json::{Value, json};

use super::*;
use crate::gateway::era::{META_CAPABILITIES, META_SUBSCRIPTION, META_VERSION, MODERN};
use crate::jsonrpc::MessageKind;

fn request(id: u64, method: &str, params: &Value) -> (Message, Value) {
    let text = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string();
    let (message, whole) = Message::parse_strictly(text.as_bytes()).unwrap();
    (message, whole["params"].clone())
}

fn of_server(message: &Value) -> Message {
    let mut all = message.as_object().unwrap().clone();
    all.insert("jsonrpc".to_owned(), json!("2.0"));
    Message::parse(Value::Object(all).to_string()).unwrap()
}

fn json_of(messages: &[Message]) -> Vec<Value> {
    messages.iter().map(|message| serde_json::from_str(&message.text).unwrap()).collect()
}

fn meta(capabilities: &Value) -> Value {
    json!({META_VERSION: MODERN, META_CAPABILITIES: capabilities, "progressToken": 7})
}

fn legacy_server() -> LegacyServer {
    LegacyServer::new(json!({
        "protocolVersion": "2025-11-25", "serverInfo": {"name": "s", "version": "1"},
        "capabilities": {"tools": {"listChanged": true}, "resources": {"subscribe": true}, "tasks": {}},
    }))
}

#[test]
fn a_question_becomes_an_answer_that_asks_and_the_next_request_its_answer() {
    let mut server = legacy_server();
    let params =
        json!({"name": "t", "arguments": {"a": 1}, "_meta": meta(&json!({"elicitation": {}}))});
    let (call, params) = request(1, "tools/call", &params);
    let out = json_of(&server.take_from_client(call, &params).to_server);
    // What says what the client is does not reach a server that had a handshake; the rest does.
    assert_eq!(out[0]["params"]["_meta"], json!({"progressToken": 7}));
    let question =
        json!({"id": "q", "method": "elicitation/create", "params": {"message": "name?"}});
    let asked = json_of(&server.take_from_server(of_server(&question)).to_client);
    assert_eq!(asked[0]["result"]["inputRequests"]["input"]["params"]["message"], "name?");
    let state = &asked[0]["result"]["requestState"];
    // Another call with the state of this one, and the same call with a state that was made up.
    for (name, state) in [("other", state.clone()), ("t", json!("made up"))] {
        let mut wrong = params.clone();
        (wrong["name"], wrong["requestState"]) = (json!(name), state);
        let (call, wrong) = request(2, "tools/call", &wrong);
        let refused = server.take_from_client(call, &wrong);
        assert!(
            refused.to_server.is_empty()
                && json_of(&refused.to_client)[0]["error"]["code"] == -32602
        );
    }
}

#[test]
fn the_answer_to_a_question_reaches_the_server_and_the_result_the_last_request() {
    let mut server = legacy_server();
    let params = json!({"name": "t", "_meta": meta(&json!({"sampling": {}}))});
    let (call, params) = request(1, "tools/call", &params);
    let sent = json_of(&server.take_from_client(call, &params).to_server);
    let own = &sent[0]["id"];
    let refused = server.take_from_server(of_server(&json!({"id": 8, "method": "roots/list"})));
    assert_eq!(json_of(&refused.to_server)[0]["error"]["code"], -32601);
    let question = json!({"id": 9, "method": "sampling/createMessage", "params": {}});
    let asked = json_of(&server.take_from_server(of_server(&question)).to_client);
    let mut again = params.clone();
    again["requestState"] = asked[0]["result"]["requestState"].clone();
    again["inputResponses"] = json!({"input": {"role": "assistant"}});
    let (call, again) = request(2, "tools/call", &again);
    let out = json_of(&server.take_from_client(call, &again).to_server);
    assert_eq!(out, [json!({"jsonrpc": "2.0", "id": 9, "result": {"role": "assistant"}})]);
    let answer = server.take_from_server(of_server(&json!({"id": own, "result": {"content": []}})));
    assert_eq!(
        json_of(&answer.to_client),
        [json!({"jsonrpc": "2.0", "id": 2, "result": {"content": [], "resultType": "complete"}})]
    );
}

#[test]
fn subscriptions_are_counted_and_lists_say_how_long_they_hold() {
    let mut server = legacy_server();
    let listen = |id, uri: &str| {
        let wanted = json!({"toolsListChanged": true, "promptsListChanged": true, "resourceSubscriptions": [uri]});
        request(
            id,
            "subscriptions/listen",
            &json!({"notifications": wanted, "_meta": meta(&json!({}))}),
        )
    };
    for id in [1, 2] {
        let (message, params) = listen(id, "a://b");
        let told = json_of(&server.take_from_client(message, &params).to_client);
        assert_eq!(
            told[0]["params"]["notifications"],
            json!({"toolsListChanged": true, "resourceSubscriptions": ["a://b"]})
        );
    }
    let told =
        server.take_from_server(of_server(&json!({"method": "notifications/tools/list_changed"})));
    let ids: Vec<Value> = json_of(&told.to_client)
        .iter()
        .map(|it| it["params"]["_meta"][META_SUBSCRIPTION].clone())
        .collect();
    assert_eq!(ids, [1, 2]);
    for (id, unsubscribes) in [(1, false), (2, true)] {
        let params = json!({"requestId": id});
        let cancel = Message::notification("notifications/cancelled", Some(&params));
        let out = server.take_from_client(cancel, &params);
        assert_eq!(
            out.to_server.iter().any(|it| it.method() == Some("resources/unsubscribe")),
            unsubscribes
        );
    }
    let (list, params) = request(3, "tools/list", &json!({"_meta": meta(&json!({}))}));
    let sent = json_of(&server.take_from_client(list, &params).to_server);
    let lists =
        server.take_from_server(of_server(&json!({"id": sent[0]["id"], "result": {"tools": []}})));
    assert_eq!(
        json_of(&lists.to_client)[0]["result"],
        json!({"tools": [], "resultType": "complete", "ttlMs": 0, "cacheScope": "private"})
    );
    let future = json!({"_meta": {META_VERSION: "2027-01-01", META_CAPABILITIES: {}}});
    let (list, params) = request(4, "tools/list", &future);
    assert_eq!(
        json_of(&server.take_from_client(list, &params).to_client)[0]["error"]["code"],
        -32022
    );
}

#[test]
fn a_client_with_a_handshake_is_asked_and_its_request_sent_again() {
    let discovered =
        json!({"supportedVersions": [MODERN], "capabilities": {"tools": {"listChanged": true}}});
    let initialize = json!({"protocolVersion": "2025-06-18", "capabilities": {"elicitation": {}}, "clientInfo": {"name": "c"}});
    let mut server = ModernServer::new(discovered, &initialize);
    assert_eq!(server.initialized(&initialize)["protocolVersion"], "2025-06-18");
    let (call, params) = request(1, "tools/call", &json!({"name": "t", "arguments": {"big": 1}}));
    let sent = json_of(&server.take_from_client(call, &params).to_server);
    assert_eq!(sent[0]["params"]["_meta"][META_VERSION], MODERN);
    let needs = json!({"id": 1, "result": {"resultType": "input_required", "requestState": "s", "inputRequests": {
        "k": {"method": "elicitation/create", "params": {"message": "name?"}}}}});
    let asked = server.take_from_server(of_server(&needs)).to_client;
    let MessageKind::Request { id, method } = &asked[0].kind else { panic!("{asked:?}") };
    assert_eq!(method, "elicitation/create");
    let out = server
        .take_from_client(Message::result(id.clone(), r#"{"action":"accept"}"#), &Value::Null);
    let again = json_of(&out.to_server);
    assert_eq!(again[0]["params"]["inputResponses"], json!({"k": {"action": "accept"}}));
    assert_eq!(
        (&again[0]["params"]["requestState"], &again[0]["params"]["name"]),
        (&json!("s"), &json!("t"))
    );
    // The server did not get it: the client is told under its own id.
    let own = crate::jsonrpc::RequestId::of(&again[0]["id"]).unwrap();
    assert_eq!(server.forget_unreached(&own).unwrap().as_json(), "1");
    let pong = request(2, "ping", &json!({}));
    assert_eq!(
        json_of(&server.take_from_client(pong.0, &pong.1).to_client)[0]["result"],
        json!({})
    );
}

#[test]
fn content_that_is_not_an_object_is_given_as_text_to_a_client_with_a_handshake() {
    let mut server = ModernServer::new(json!({"capabilities": {}}), &json!({}));
    let (call, params) = request(1, "tools/call", &json!({"name": "t"}));
    server.take_from_client(call, &params);
    let answer = json!({"id": 1, "result": {"content": [], "structuredContent": [1, 2], "resultType": "complete"}});
    let told = json_of(&server.take_from_server(of_server(&answer)).to_client);
    assert_eq!(told[0]["result"]["content"], json!([{"type": "text", "text": "[1,2]"}]));
    assert!(told[0]["result"].get("structuredContent").is_none());
}

#[test]
fn an_id_that_is_used_again_is_that_of_another_request() {
    let mut server = legacy_server();
    let params = json!({"name": "t", "_meta": meta(&json!({"elicitation": {}}))});
    let (call, params) = request(1, "tools/call", &params);
    let first = json_of(&server.take_from_client(call, &params).to_server);
    let question = json!({"id": "q", "method": "elicitation/create", "params": {}});
    server.take_from_server(of_server(&question));
    let (list, params) = request(1, "tools/list", &json!({"_meta": meta(&json!({}))}));
    let second = json_of(&server.take_from_client(list, &params).to_server);
    assert_ne!(first[0]["id"], second[0]["id"]);
    let answer = json!({"id": second[0]["id"], "result": {"tools": []}});
    assert_eq!(json_of(&server.take_from_server(of_server(&answer)).to_client)[0]["id"], 1);
    // A call that was taken back may be what a question is about, so that it is about no other.
    let cancel = json!({"requestId": 1});
    let (call, params) =
        request(1, "tools/call", &json!({"name": "t", "_meta": meta(&json!({"elicitation": {}}))}));
    server.take_from_client(call, &params);
    server
        .take_from_client(Message::notification("notifications/cancelled", Some(&cancel)), &cancel);
    let (call, params) =
        request(2, "tools/call", &json!({"name": "u", "_meta": meta(&json!({"elicitation": {}}))}));
    server.take_from_client(call, &params);
    let out = server.take_from_server(of_server(
        &json!({"id": "r", "method": "elicitation/create", "params": {}}),
    ));
    assert!(out.to_client.is_empty() && json_of(&out.to_server)[0]["error"]["code"] == -32601);
}
