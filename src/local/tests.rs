use std::{
    fs,
    io::{self, Read, Write},
    os::unix::{
        fs::{PermissionsExt, symlink},
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;
use tokio::{
    runtime::Builder,
    sync::{mpsc, oneshot, watch},
};

use super::{
    ask::{ask_within, failure},
    *,
};

fn place() -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("control.sock");
    (folder, path)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

/// A served socket whose agent answers what is forwarded with the given function, or never.
struct Served {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Served {
    fn new(path: &Path, answer: Option<fn(Request) -> Answer>) -> Self {
        let socket = ControlSocket::bind(path).unwrap();
        let (stop, stopped) = oneshot::channel();
        let thread = thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(agent(socket, answer, stopped));
        });
        Self { stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.thread.take().unwrap().join();
        assert!(ended.is_ok() || thread::panicking());
    }
}

async fn agent(socket: ControlSocket, answer: Option<fn(Request) -> Answer>, stopped: oneshot::Receiver<()>) {
    let snapshot = Snapshot { site: "branch".to_owned(), ..Snapshot::default() };
    let (_sender, receiver) = watch::channel(Arc::new(snapshot));
    let (forward, mut forwarded) = mpsc::channel::<Forwarded>(1);
    let answering = async {
        let mut kept = Vec::new();
        while let Some((request, back)) = forwarded.recv().await {
            match answer {
                Some(answer) => back.send(answer(request)).unwrap(),
                None => kept.push(back),
            }
        }
    };
    tokio::select! {
        () = socket.serve(receiver, forward) => panic!("ended by itself"),
        () = answering => panic!("nobody forwards any more"),
        _ = stopped => (),
    }
}

/// Sends raw bytes and reads whatever comes back.
fn raw(path: &Path, bytes: &[u8]) -> String {
    let mut stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    // The agent may close before it has read everything.
    let _ = stream.write_all(bytes);
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok();
    answer
}

#[test]
fn missing_folder_is_made_for_the_group_and_the_socket_is_closed_to_others() {
    let (folder, _) = place();
    let path = folder.path().join("run/peerward/control.sock");
    let socket = ControlSocket::bind(&path).unwrap();
    assert_eq!(mode(&path), 0o660);
    assert_eq!(mode(path.parent().unwrap()) & 0o007, 0);
    assert_eq!(socket.path(), path);
}

#[test]
fn second_agent_on_a_socket_is_refused_and_told_what_to_do() {
    let (_folder, path) = place();
    let first = ControlSocket::bind(&path).unwrap();
    let refusal = ControlSocket::bind(&path).unwrap_err();
    assert!(matches!(refusal, LocalError::Busy(_)), "{refusal:?}");
    let text = refusal.to_string();
    assert!(text.contains("another peerward is running") && text.contains(path.to_str().unwrap()), "{text}");
    assert!(text.contains("stop it first, or give this one another [control] socket"), "{text}");
    drop(first);
    ControlSocket::bind(&path).unwrap();
}

#[test]
fn listener_without_our_lock_counts_as_a_live_agent() {
    let (_folder, path) = place();
    let _other = UnixListener::bind(&path).unwrap();
    assert!(matches!(ControlSocket::bind(&path), Err(LocalError::Busy(_))));
    UnixStream::connect(&path).unwrap();
}

#[test]
fn socket_of_a_killed_agent_is_replaced() {
    let (_folder, path) = place();
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "a listener of std leaves its file behind, as a kill does");
    ControlSocket::bind(&path).unwrap();
}

#[test]
fn file_that_is_no_socket_is_left_alone() {
    let (_folder, path) = place();
    fs::write(&path, "precious").unwrap();
    assert!(matches!(ControlSocket::bind(&path), Err(LocalError::NotASocket(_))));
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
}

#[test]
fn file_is_gone_after_an_orderly_stop_but_not_the_file_of_another() {
    let (_folder, path) = place();
    drop(ControlSocket::bind(&path).unwrap());
    assert!(!path.exists());

    let socket = ControlSocket::bind(&path).unwrap();
    fs::remove_file(&path).unwrap();
    fs::write(&path, "someone else's").unwrap();
    drop(socket);
    assert!(path.exists());
}

#[test]
fn of_many_agents_that_start_at_once_exactly_one_gets_the_socket() {
    for _ in 0..20 {
        let (_folder, path) = place();
        // A stale file, so that every starter would like to remove it.
        drop(UnixListener::bind(&path).unwrap());
        let starters: Vec<_> = (0..8)
            .map(|_| {
                let path = path.clone();
                thread::spawn(move || ControlSocket::bind(&path))
            })
            .collect();
        let results: Vec<_> = starters.into_iter().map(|starter| starter.join().unwrap()).collect();
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
        UnixStream::connect(&path).unwrap();
    }
}

#[test]
fn agents_that_come_and_go_at_once_never_hold_the_socket_together() {
    let (folder, _) = place();
    let path = folder.path().join("run/control.sock");
    let holders = Arc::new(AtomicUsize::new(0));
    let starters: Vec<_> = (0..4)
        .map(|_| {
            let (path, holders) = (path.clone(), Arc::clone(&holders));
            thread::spawn(move || {
                let mut held = 0;
                while held < 50 {
                    match ControlSocket::bind(&path) {
                        Ok(socket) => {
                            assert_eq!(holders.fetch_add(1, Ordering::SeqCst), 0);
                            thread::yield_now();
                            holders.fetch_sub(1, Ordering::SeqCst);
                            drop(socket);
                            held += 1;
                        }
                        Err(LocalError::Busy(_)) => thread::sleep(Duration::from_millis(1)),
                        Err(error) => panic!("{error}"),
                    }
                }
            })
        })
        .collect();
    for starter in starters {
        starter.join().unwrap();
    }
}

#[test]
fn orderly_stop_leaves_nothing_behind() {
    let (folder, _) = place();
    drop(ControlSocket::bind(&folder.path().join("run/control.sock")).unwrap());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn link_in_place_of_the_lock_is_not_followed() {
    let (folder, path) = place();
    let elsewhere = folder.path().join("elsewhere");
    symlink(&elsewhere, folder.path().join("control.sock.lock")).unwrap();
    assert!(matches!(ControlSocket::bind(&path), Err(LocalError::Prepare { .. })));
    assert!(!elsewhere.exists());
}

#[test]
fn path_beyond_the_limit_of_unix_sockets_is_refused_in_words() {
    let path = PathBuf::from(format!("/tmp/{}", "x".repeat(200)));
    assert!(matches!(ControlSocket::bind(&path), Err(LocalError::TooLong(_))));
    assert!(matches!(ask(&path, &Request::Snapshot), Err(LocalError::TooLong(_))));
}

#[test]
fn snapshot_is_answered_even_when_the_agent_is_busy() {
    let (_folder, path) = place();
    let served = Served::new(&path, None);
    let Answer::Snapshot(snapshot) = ask(&path, &Request::Snapshot).unwrap() else { panic!("another answer") };
    assert_eq!(snapshot.site, "branch");
    drop(served);
    assert!(!path.exists(), "removed on orderly shutdown");
}

#[test]
fn other_requests_are_answered_by_the_agent() {
    let (_folder, path) = place();
    let _served = Served::new(
        &path,
        Some(|request| {
            assert_eq!(request, Request::Withdraw);
            Answer::Withdrawn { removed: 7 }
        }),
    );
    assert_eq!(ask(&path, &Request::Withdraw).unwrap(), Answer::Withdrawn { removed: 7 });
}

#[test]
fn agent_that_never_answers_is_said_to_be_busy() {
    let (_folder, path) = place();
    let _served = Served::new(&path, None);
    let query = Subject::Prefix("13.107.6.152/32".parse().unwrap());
    let Answer::Error { reason } = ask(&path, &Request::Explain { query, from: None }).unwrap() else {
        panic!("another answer")
    };
    assert!(reason.contains("busy"), "{reason}");
}

#[test]
fn nonsense_is_refused_with_the_reason() {
    let (_folder, path) = place();
    let _served = Served::new(&path, None);
    for bytes in [&b"\n"[..], b"{\"request\":\"dance\"}\n", b"\xff\xfe\n", b"[[[[\n"] {
        let answer = raw(&path, bytes);
        assert!(answer.contains("not understood"), "{answer}");
    }
}

#[test]
fn request_beyond_64_kib_is_refused_and_the_next_client_served() {
    let (_folder, path) = place();
    let _served = Served::new(&path, None);
    let answer = raw(&path, &vec![b' '; 10 * REQUEST_BYTES]);
    assert!(answer.contains("more than 65536 bytes"), "{answer}");
    ask(&path, &Request::Snapshot).unwrap();
}

#[test]
fn silent_clients_hold_up_others_only_until_their_deadline() {
    let (_folder, path) = place();
    let _served = Served::new(&path, None);
    let silent: Vec<_> = (0..40).map(|_| UnixStream::connect(&path).unwrap()).collect();
    let started = Instant::now();
    ask_within(&path, &Request::Snapshot, Duration::from_secs(60)).unwrap();
    assert!(started.elapsed() < Duration::from_secs(30), "three rounds of two seconds, generously");
    drop(silent);
}

#[test]
fn nobody_there_is_no_agent() {
    let (folder, path) = place();
    assert!(matches!(ask(&path, &Request::Snapshot), Err(LocalError::NoAgent(_))));
    drop(UnixListener::bind(&path).unwrap());
    assert!(matches!(ask(&path, &Request::Snapshot), Err(LocalError::NoAgent(_))));
    let below_a_file = folder.path().join("file");
    fs::write(&below_a_file, "").unwrap();
    assert!(matches!(ask(&below_a_file.join("x.sock"), &Request::Snapshot), Err(LocalError::NoAgent(_))));
}

#[test]
fn refused_access_is_told_apart_and_says_who_may() {
    let (_folder, path) = place();
    let _listener = UnixListener::bind(&path).unwrap();
    // Root, which tests may be, is never refused: hence the kernel's word for it instead of the refusal itself.
    let error = failure(&path, Duration::ZERO, io::ErrorKind::PermissionDenied.into());
    assert!(error.is_permission());
    assert!(error.to_string().contains("run the command as root"), "{error}");
}

#[test]
fn stuck_agent_is_a_time_out() {
    let (_folder, path) = place();
    let _stuck = UnixListener::bind(&path).unwrap();
    let asked = ask_within(&path, &Request::Snapshot, Duration::from_millis(200));
    assert!(matches!(asked, Err(LocalError::Timeout { .. })), "{asked:?}");
}

#[test]
fn stuck_agent_with_a_full_backlog_is_a_time_out_too() {
    let (_folder, path) = place();
    let socket = ControlSocket::bind(&path).unwrap();
    for _ in 0..70 {
        let asked = ask_within(&path, &Request::Snapshot, Duration::from_millis(20));
        assert!(matches!(asked, Err(LocalError::Timeout { .. })), "{asked:?}");
    }
    assert!(matches!(ControlSocket::bind(&path), Err(LocalError::Busy(_))));
    drop(socket);
}

#[test]
fn answer_of_another_version_is_not_understood() {
    for answer in ["{\"answer\":\"song\"}\n", "", "not json\n"] {
        let (_folder, path) = place();
        let listener = UnixListener::bind(&path).unwrap();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = String::new();
            stream.read_to_string(&mut request).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
        });
        let error = ask(&path, &Request::Snapshot).unwrap_err();
        server.join().unwrap();
        assert!(matches!(error, LocalError::BadAnswer { .. }), "{error:?}");
        assert!(error.to_string().contains("same version"), "{error}");
    }
}

#[test]
fn fields_added_by_a_newer_agent_do_not_disturb() {
    let newer = r#"{"answer":"withdrawn","value":{"removed":3,"since":"a later version"}}"#;
    assert_eq!(serde_json::from_str::<Answer>(newer).unwrap(), Answer::Withdrawn { removed: 3 });
}
