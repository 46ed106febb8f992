//! Status lines, and what is asked for; conversations over TLS are tested with `conversation`.

use std::net::SocketAddr;

use tokio::io::duplex;

use super::*;

const STATUS: RangeInclusive<u16> = 200..=299;

fn page(server_name: &str) -> Page<'_> {
    Page { secure: false, server_name, port: 80, path: "/connecttest.txt", status: &STATUS }
}

/// What `fetch` makes of an answer, and what it sent.
async fn fetched(server_name: &str, answer: &[u8]) -> (Result<(), ProbeFailure>, String) {
    let (mut near, mut far) = duplex(64 * 1024);
    far.write_all(answer).await.unwrap();
    far.shutdown().await.unwrap();
    let result = fetch(&mut near, page(server_name)).await;
    drop(near);
    let mut request = String::new();
    far.read_to_string(&mut request).await.unwrap();
    (result, request)
}

#[tokio::test]
async fn it_asks_as_a_polite_client_does() {
    let (result, request) = fetched("2620:1ec:4::152", b"HTTP/1.0 204 No Content\r\n\r\n").await;
    assert_eq!(result, Ok(()));
    let lines: Vec<&str> = request.split("\r\n").collect();
    assert_eq!(lines[..2], ["GET /connecttest.txt HTTP/1.1", "Host: [2620:1ec:4::152]"]);
    assert!(lines.contains(&"Connection: close") && request.ends_with("\r\n\r\n"), "{request}");
    assert!(request.contains("\r\nUser-Agent: peerward/"), "{request}");
}

#[tokio::test]
async fn the_host_is_named_with_its_port_unless_that_is_the_usual_one() {
    for (secure, port, host) in [
        (false, 80, "a.example"),
        (false, 8080, "a.example:8080"),
        (false, 443, "a.example:443"),
        (true, 443, "a.example"),
        (true, 8443, "a.example:8443"),
    ] {
        let (mut near, mut far) = duplex(1024);
        far.write_all(b"HTTP/1.1 200 OK\r\n").await.unwrap();
        fetch(&mut near, Page { secure, port, ..page("a.example") }).await.unwrap();
        drop(near);
        let mut request = String::new();
        far.read_to_string(&mut request).await.unwrap();
        assert!(request.contains(&format!("\r\nHost: {host}\r\n")), "{request}");
    }
}

#[tokio::test]
async fn interim_answers_are_passed_over() {
    let hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nLink: </b.css>\r\n\r\n";
    let twice = [b"HTTP/1.1 100 Continue\r\n\r\n", hints.as_slice()].concat();
    for interim in [b"HTTP/1.1 100\n\n".as_slice(), hints, &twice] {
        let (result, _) = fetched("a.example", &[interim, b"HTTP/1.1 200 OK\r\n\r\n"].concat()).await;
        assert_eq!(result, Ok(()), "{:?}", String::from_utf8_lossy(interim));
        for end in [b"".as_slice(), b"HTTP/1.1 302 Found\r\n\r\n", b"HTTP/1.1 200"] {
            let (result, _) = fetched("a.example", &[interim, end].concat()).await;
            assert_eq!(result, Err(ProbeFailure::Unexpected), "{:?}", String::from_utf8_lossy(end));
        }
    }
    let endless = [b"HTTP/1.1 103 Early Hints\r\n".as_slice(), &b"Link: </a.css>\r\n".repeat(3_000)].concat();
    for answer in [endless, b"HTTP/1.1 100 Continue\r\n\r\n".repeat(1_000)] {
        let (result, _) = fetched("a.example", &[&answer, b"\r\nHTTP/1.1 200 OK\r\n".as_slice()].concat()).await;
        assert_eq!(result, Err(ProbeFailure::Unexpected), "it has an end");
    }
}

#[tokio::test]
async fn another_protocol_is_no_interim_answer() {
    let switched = b"HTTP/1.1 101 Switching Protocols\r\n\r\nHTTP/1.1 200 OK\r\n\r\n";
    assert_eq!(fetched("a.example", switched).await.0, Err(ProbeFailure::Unexpected));
}

#[tokio::test]
async fn an_interim_answer_counts_where_it_is_asked_for() {
    let (mut near, mut far) = duplex(1024);
    far.write_all(b"HTTP/1.1 103 Early Hints\r\n").await.unwrap();
    assert_eq!(fetch(&mut near, Page { status: &(103..=103), ..page("a.example") }).await, Ok(()));
}

#[tokio::test]
async fn anything_but_an_expected_status_is_unexpected() {
    let long = vec![b'x'; 100_000];
    for answer in [
        b"HTTP/1.1 302 Found\r\nLocation: http://portal.example/\r\n\r\n".as_slice(),
        b"HTTP/1.1 20",
        b"HTTP/1.1 2000 Odd\r\n",
        b"HTTP/1.1 +20 Odd\r\n",
        b"HTTP/2 200\r\n",
        b"\r\nHTTP/1.1 200 OK\r\n",
        b"",
        &long[..60_000],
    ] {
        let (result, _) = fetched("portal.example", answer).await;
        assert_eq!(
            result,
            Err(ProbeFailure::Unexpected),
            "{:?}",
            String::from_utf8_lossy(answer.get(..20).unwrap_or(answer))
        );
    }
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_refused_as_any_connection_is() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let check = crate::domain::Check::Http {
        secure: false,
        server_name: "a.example".into(),
        path: "/".into(),
        status: STATUS,
    };
    let ask = |address: SocketAddr| {
        let check = check.clone();
        async move {
            let timeout = std::time::Duration::from_secs(5);
            let attempt =
                Attempt { interface: "lo", source: None, address, check: &check, timeout, trust: None, ports: None };
            attempt.carry_out().await.unwrap()
        }
    };
    assert_eq!(ask(closed).await, Measured::failed(ProbeFailure::Refused));
}
