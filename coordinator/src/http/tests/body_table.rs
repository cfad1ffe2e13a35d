//! What is no request at all, and what is one in an unusual form: a table of bodies and answers.

use axum::http::{Method, StatusCode};

use super::server::Server;

/// Body, code, exact message.
const EXACT: &[(&str, u64, &str)] = &[
    (
        r#"{"request_type": "foo"}"#,
        400,
        "invalid 'request_type' param, can be set [maintenance create delete pause resume get position list]",
    ),
    (
        r"{}",
        400,
        "invalid 'request_type' param, can be set [maintenance create delete pause resume get position list]",
    ),
    (
        r#"{"request_type": "LIST"}"#,
        400,
        "invalid 'request_type' param, can be set [maintenance create delete pause resume get position list]",
    ),
    ("", 400, "fail to unmarshal the request, error: EOF while parsing a value at line 1 column 0"),
    ("{", 400, "fail to unmarshal the request, error: EOF while parsing an object at line 1 column 1"),
    (
        "{\n\"request_type\": \"list\",\n}",
        400,
        "fail to unmarshal the request, error: trailing comma at line 3 column 1",
    ),
    (
        r#"{"request_type":"list"} {}"#,
        400,
        "fail to unmarshal the request, error: trailing characters at line 1 column 25",
    ),
    ("[]", 400, "fail to unmarshal the request, error: the body is an array, expected an object"),
    ("null", 400, "fail to unmarshal the request, error: the body is null, expected an object"),
    (
        r#"{"request_type": 5}"#,
        400,
        "fail to unmarshal the request, error: 'request_type' is a number, expected a string",
    ),
    (
        r#"{"request_type": "list", "request_data": "x"}"#,
        400,
        "fail to unmarshal the request, error: 'request_data' is a string, expected an object",
    ),
    (
        r#"{"request_type": "list", "request_type": "delete"}"#,
        400,
        "fail to unmarshal the request, error: the key \"request_type\" is given twice in one object at line 1 column 39",
    ),
    (
        r#"{"request_type": "get", "request_data": {"task_id": "a", "TASK_ID": "b"}}"#,
        400,
        "fail to decode the get request, error: 'task_id' is given twice (field names are compared without case): keep one of them",
    ),
    (
        r#"{"request_type": "get", "request_data": {"task_id": 7}}"#,
        400,
        "fail to decode the get request, error: 'task_id' is a number, expected a string",
    ),
    (
        r#"{"request_type": "delete", "request_data": {"task_id": "x", "ignore_not_found": "yes"}}"#,
        400,
        "fail to decode the delete request, error: 'ignore_not_found' is a string, expected a boolean",
    ),
    (r#"{"request_type": "get"}"#, 400, "fail to handle the get request, error: task_id is empty"),
    (
        r#"{"request_type": "pause", "request_data": null}"#,
        400,
        "fail to handle the pause request, error: task_id is empty",
    ),
    (
        r#"{"request_type": "get", "request_data": {"task_id": "X"}}"#,
        400,
        "fail to handle the get request, error: not found the task, task_id: X",
    ),
    (
        r#"{"request_type": "delete", "request_data": {"task_id": "X"}}"#,
        400,
        "fail to handle the delete request, error: not found the task, task_id: X",
    ),
    (
        r#"{"request_type": "pause", "request_data": {"task_id": "集合"}}"#,
        400,
        "fail to handle the pause request, error: not found the task, task_id: 集合",
    ),
    (
        r#"{"request_type": "resume", "request_data": {"task_id": "X"}}"#,
        400,
        "fail to handle the resume request, error: not found the task, task_id: X",
    ),
    (
        r#"{"request_type": "position", "request_data": {"task_id": "X"}}"#,
        400,
        "fail to handle the position request, error: not found the task, task_id: X",
    ),
    (
        r#"{"request_type": "maintenance", "request_data": {"operation": "explode"}}"#,
        400,
        "fail to handle the maintenance request, error: unsupported operation: explode, can be set [set_log_level]",
    ),
    (
        r#"{"request_type": "maintenance", "request_data": {"operation": "set_log_level"}}"#,
        400,
        "fail to handle the maintenance request, error: log_level is required: set 'params.log_level'",
    ),
    (
        r#"{"request_type": "maintenance", "request_data": {"operation": "set_log_level", "params": {"log_level": "loud"}}}"#,
        400,
        "fail to handle the maintenance request, error: parse log level failed: 'params.log_level' can be set \
         [trace debug info warn error]",
    ),
];

/// Body and exact answer.
const DONE: &[(&str, &str)] = &[
    (r#"{"request_type": "list"}"#, r#"{"code":200,"data":{"tasks":[]}}"#),
    (
        r#"{"REQUEST_TYPE": "list", "Request_Data": {"unknown": 5}, "more": []}"#,
        r#"{"code":200,"data":{"tasks":[]}}"#,
    ),
    (
        r#"{"request_type": "delete", "request_data": {"Task_Id": "X", "ignore_not_found": true}}"#,
        r#"{"code":200,"data":{}}"#,
    ),
    (
        r#"{"request_type": "maintenance", "request_data": {"operation": "set_log_level", "params": {"log_level": "info"}}}"#,
        r#"{"code":200,"data":{"State":"set log level to info"}}"#,
    ),
];

#[tokio::test]
async fn bodies_and_answers() {
    let server = Server::start().await;
    for (body, code, message) in EXACT {
        let reply = server.raw(*body).await;
        assert_eq!((reply.code(), reply.message().as_str()), (*code, *message), "{body}");
        assert_eq!(reply.status, StatusCode::OK, "{body}");
        assert_eq!(reply.headers["content-type"], "application/json", "{body}");
        assert!(reply.json().get("data").is_none(), "{body}");
    }
    for (body, answer) in DONE {
        let reply = server.raw(*body).await;
        assert_eq!(reply.text.trim_end(), *answer, "{body}");
    }
    assert_eq!(*server.log_levels.lock().unwrap(), ["info"]);
}

#[tokio::test]
async fn other_methods_and_paths() {
    let server = Server::start().await;
    for method in [Method::GET, Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS] {
        let reply = server.send(method, "/cdc", "{}").await;
        assert_eq!(reply.status, StatusCode::OK);
        assert_eq!(reply.text.trim_end(), r#"{"code":405,"message":"only support the POST method"}"#);
    }
    let reply = server.send(Method::POST, "/elsewhere", "{}").await;
    assert_eq!((reply.status, reply.code()), (StatusCode::NOT_FOUND, 404));
    assert_eq!(server.send(Method::GET, "/healthz", "").await.text, "ok\n");
    assert_eq!(server.send(Method::GET, "/readyz", "").await.status, StatusCode::OK);
}

#[tokio::test]
async fn bodies_that_are_too_large_or_too_deep_or_not_text() {
    let server = Server::start_with(|config| config.request_bytes_max = 4 * 1024 * 1024).await;
    let large = format!(r#"{{"request_type":"list","filler":"{}"}}"#, "x".repeat(10 * 1024 * 1024));
    let reply = server.raw(large).await;
    assert_eq!((reply.status, reply.code()), (StatusCode::OK, 400));
    assert_eq!(
        reply.message(),
        "fail to read the request body, error: the request is larger than 4194304 bytes (request_bytes_max)"
    );

    let just_fits = format!(r#"{{"request_type":"list","filler":"{}"}}"#, "x".repeat(4 * 1024 * 1024 - 40));
    assert_eq!(server.raw(just_fits).await.code(), 200);

    let deep = format!(
        r#"{{"request_type":"list","request_data":{{"a":{}1{}}}}}"#,
        "[".repeat(9999),
        "]".repeat(9999)
    );
    let reply = server.raw(deep).await;
    assert_eq!(reply.code(), 400);
    assert!(reply.message().contains("recursion limit exceeded at line 1 column"), "{}", reply.message());

    let reply = server.raw(&b"{\"request_type\":\n\"li\xffst\"}"[..]).await;
    assert_eq!(reply.code(), 400);
    assert_eq!(
        reply.message(),
        "fail to unmarshal the request, error: the body is not valid UTF-8 at line 2 column 4"
    );
}

/// Over a real connection: who is still sending when the answer is clear must get the answer, not a broken pipe.
#[tokio::test]
async fn a_client_that_sends_too_much_still_gets_its_answer() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let server = Server::start().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(axum::serve(listener, server.router()).into_future());
    let body = vec![b' '; 10 * 1024 * 1024];
    for expect in ["", "Expect: 100-continue\r\n"] {
        let mut connection = tokio::net::TcpStream::connect(address).await.unwrap();
        let head = format!("POST /cdc HTTP/1.1\r\nHost: x\r\n{expect}Content-Length: {}\r\n\r\n", body.len());
        connection.write_all(head.as_bytes()).await.unwrap();
        if expect.is_empty() {
            connection.write_all(&body).await.unwrap();
        }
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
        assert!(
            answer.contains(r#"{"code":400,"message":"fail to read the request body, error: "#),
            "{answer}"
        );
    }
    serving.abort();
}
