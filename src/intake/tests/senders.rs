//! Who may send, and how much.

use super::*;

#[tokio::test]
async fn senders_that_may_not_send() {
    let mut udp = source(Listen::Udp(V4));
    udp.senders = vec!["192.0.2.0/24".parse().expect("a prefix")];
    let mut running = start(&udp, 8);
    running.udp().send(b"<13>x").expect("a sent datagram");
    running.dropped(Reason::SenderNotAllowed, 1).await;
    assert!(running.stop().await.is_empty());
    let mut tcp = Source { listen: Listen::Tcp(V4), ..udp };
    let running = start(&tcp, 8);
    let _refused = running.tcp();
    running.refused(Refusal::SenderNotAllowed, 1).await;
    tcp.senders.push("127.0.0.0/8".parse().expect("a prefix"));
    let mut running = start(&tcp, 8);
    running.tcp().write_all(b"<13>x\n").expect("a sent line");
    running.expect(&["127.0.0.1 <13>x"]).await;
}

#[tokio::test]
async fn users_that_may_not_send() {
    let folder = tempfile::tempdir().expect("a folder");
    let own = crate::system::peer::own().uid;
    for (users, may) in [(vec![], true), (vec![own.to_string()], true), (vec!["1".into()], false)] {
        let path = folder.path().join("datagrams");
        let listen = Listen::UnixDatagram { path: path.clone(), mode: SOCKET_MODE };
        let mut running = start(&Source { users: users.clone(), ..source(listen) }, 8);
        let socket = UnixDatagram::unbound().expect("a socket");
        socket.send_to(b"<13>x", &path).expect("a sent datagram");
        match may {
            true => {
                let batch = running.queue.recv().await.expect("a batch");
                let origin = batch.lines().next().and_then(|line| line.origin.cloned());
                assert_eq!(origin.expect("it is known").user, Some(own));
            }
            false => running.dropped(Reason::SenderNotAllowed, 1).await,
        }
        running.stop().await;
        let path = folder.path().join("streams");
        let listen = Listen::UnixStream { path: path.clone(), mode: SOCKET_MODE };
        let mut running = start(&Source { users, ..source(listen) }, 8);
        let mut stream = UnixStream::connect(&path).expect("a connection");
        match may {
            true => {
                stream.write_all(b"<13>x\n").expect("a sent line");
                let batch = running.queue.recv().await.expect("a batch");
                let origin = batch.lines().next().and_then(|line| line.origin.cloned());
                assert_eq!(origin.expect("it is known").user, Some(own));
            }
            false => running.refused(Refusal::SenderNotAllowed, 1).await,
        }
        running.stop().await;
    }
    let listen = Listen::UnixDatagram { path: folder.path().join("x"), mode: SOCKET_MODE };
    let nobody = Source { users: vec!["no-such-user".into()], ..source(listen) };
    let error = Opened::open(&nobody, SourceId(0)).expect_err("nobody").to_string();
    assert!(error.contains("no user `no-such-user`"), "{error}");
}

#[tokio::test]
async fn a_sender_keeps_to_its_rate() {
    let mut running = start(&limited(Listen::Udp(V4), |limits| limits.rate = Some(5)), 64);
    let socket = running.udp();
    for n in 0..20 {
        socket.send(format!("<13>{n}").as_bytes()).expect("a sent datagram");
    }
    running.expect(&["127.0.0.1 <13>0", "127.0.0.1 <13>1"]).await;
    running.until(|statistics| statistics.dropped(Reason::RateLimited) >= 10).await;
    let mut running = start(&limited(Listen::Tcp(V4), |limits| limits.rate = Some(50)), 64);
    let (mut stream, begun) = (running.tcp(), crate::system::clock::instant());
    for n in 0..75 {
        stream.write_all(format!("<13>{n}\n").as_bytes()).expect("a sent line");
        // One by one, so that it is not read at once.
        let _ = running.line().await;
    }
    assert!(begun.elapsed() >= Duration::from_millis(450), "{:?}", begun.elapsed());
    assert_eq!(running.statistics.all_dropped(), 0);
}
