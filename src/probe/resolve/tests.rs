//! With name servers of our own on loopback.

use std::net::UdpSocket as Server;

use super::*;

const TIMEOUT: Duration = Duration::from_secs(6);

/// Datagrams in answer to a query.
type Answer = fn(&[u8]) -> Vec<Vec<u8>>;

/// A server that makes these answers, one for each query, of the query; silence where there is none.
fn server(answers: Vec<Answer>) -> SocketAddr {
    let server = Server::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    std::thread::spawn(move || {
        for answer in answers {
            let mut query = [0; 512];
            let Ok((length, client)) = server.recv_from(&mut query) else { return };
            for datagram in answer(&query[..length]) {
                let _ = server.send_to(&datagram, client);
            }
        }
    });
    address
}

/// The query as an answer with this code.
fn coded(query: &[u8], code: u8) -> Vec<u8> {
    let mut answer = query.to_vec();
    answer[2] = 0x81;
    answer[3] = 0x80 | code;
    answer
}

/// With one address, believed for a minute.
fn good(query: &[u8]) -> Vec<u8> {
    let mut answer = coded(query, 0);
    answer[7] = 1;
    answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 7]);
    answer
}

async fn ask_all(servers: &[SocketAddr], timeout: Duration) -> Result<(Vec<IpAddr>, Duration), ResolveError> {
    look_up("lo", Some([127, 0, 0, 1].into()), servers, "a.example", Family::Ipv4, timeout).await
}

fn found() -> (Vec<IpAddr>, Duration) {
    (vec![[192, 0, 2, 7].into()], Duration::from_secs(60))
}

#[tokio::test]
async fn a_name_is_looked_up() {
    assert_eq!(ask_all(&[server(vec![|query| vec![good(query)]])], TIMEOUT).await, Ok(found()));
}

#[tokio::test]
async fn a_server_that_fails_or_is_gone_is_followed_by_the_next() {
    let gone = Server::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let failing = server(vec![|query| vec![coded(query, 2)]]);
    let working = server(vec![|query| vec![good(query)]]);
    assert_eq!(ask_all(&[gone, failing, working], TIMEOUT).await, Ok(found()));
}

#[tokio::test]
async fn a_query_that_was_lost_is_repeated() {
    let forgetful = server(vec![|_| vec![], |query| vec![good(query)]]);
    assert_eq!(ask_all(&[forgetful], TIMEOUT).await, Ok(found()));
}

#[tokio::test]
async fn datagrams_that_do_not_answer_the_query_are_passed_over() {
    let noisy = server(vec![|query| {
        let mut forged = good(query);
        forged[0] ^= 1;
        vec![b"nonsense".to_vec(), forged, good(query)]
    }]);
    assert_eq!(ask_all(&[noisy], TIMEOUT).await, Ok(found()));
}

/// Nothing but that there is more.
fn truncated(query: &[u8]) -> Vec<u8> {
    let mut answer = coded(query, 0);
    answer[2] |= 0b10;
    answer
}

#[tokio::test]
async fn an_answer_that_does_not_fit_is_asked_for_once_more_with_more_room() {
    let server = server(vec![
        |query| {
            assert_eq!(query[11], 0, "not said without need");
            vec![truncated(query)]
        },
        |query| {
            let (question, options) = query.split_at(query.len() - 11);
            assert_eq!((query[11], &options[..5]), (1, &[0, 0, 41, 4, 208][..]));
            let mut question = question.to_vec();
            question[11] = 0;
            vec![good(&question)]
        },
    ]);
    assert_eq!(ask_all(&[server], TIMEOUT).await, Ok(found()));
}

#[tokio::test]
async fn an_answer_that_never_fits_is_not_taken_for_a_name_without_address() {
    let error = ask_all(&[server(vec![|query| vec![truncated(query)]; 3])], TIMEOUT).await.unwrap_err();
    let told = "a.example could not be looked up through lo: 127.0.0.1 has more to say than fits into its answer";
    assert_eq!(error.to_string(), told);
}

#[tokio::test]
async fn what_a_server_denies_is_said() {
    let missing = ask_all(&[server(vec![|query| vec![coded(query, 3)]])], TIMEOUT).await.unwrap_err();
    assert_eq!(missing.to_string(), "a.example does not exist, says 127.0.0.1");
    let empty = ask_all(&[server(vec![|query| vec![coded(query, 0)]])], TIMEOUT).await.unwrap_err();
    assert_eq!(empty.to_string(), "a.example has no ipv4 address, says 127.0.0.1");
}

#[tokio::test]
async fn three_tries_in_all_and_not_longer_than_the_deadline() {
    let silent = server(vec![|_| vec![], |_| vec![], |_| vec![], |query| vec![good(query)]]);
    let started = Instant::now();
    let error = ask_all(&[silent], Duration::from_millis(600)).await.unwrap_err();
    assert_eq!(error.to_string(), "a.example could not be looked up through lo: 127.0.0.1 did not answer in time");
    assert!((Duration::from_millis(590)..Duration::from_secs(10)).contains(&started.elapsed()));
}

#[tokio::test]
async fn refusals_nonsense_and_the_lack_of_servers_have_reasons() {
    let refusing = server(vec![|query| vec![coded(query, 5)]; 3]);
    let error = ask_all(&[refusing], TIMEOUT).await.unwrap_err();
    assert_eq!(error.to_string(), "a.example could not be looked up through lo: 127.0.0.1 answered with \"refused\"");
    let error = resolve("wan0", None, &[], "a.example", Family::Ipv4, TIMEOUT).await.unwrap_err();
    assert!(error.to_string().starts_with("no name server is known that can be asked through wan0"));
    let nowhere = [IpAddr::from([127, 0, 0, 1])];
    let error = resolve("lo", None, &nowhere, "a..example", Family::Ipv4, TIMEOUT).await.unwrap_err();
    assert_eq!(error, ResolveError::NotAName { name: "a..example".to_owned() });
    let error = resolve("no-such-wan", None, &nowhere, "a.example", Family::Ipv4, TIMEOUT).await.unwrap_err();
    assert!(error.to_string().contains("could not be asked"), "{error}");
}

#[tokio::test]
async fn a_server_of_the_other_family_is_asked_from_an_address_of_its_own() {
    let server = server(vec![|query| vec![good(query)]]);
    let source = Some("::1".parse().unwrap());
    let found = look_up("lo", source, &[server], "a.example", Family::Ipv4, TIMEOUT).await.unwrap();
    assert_eq!(found.0, [IpAddr::from([192, 0, 2, 7])]);
}
