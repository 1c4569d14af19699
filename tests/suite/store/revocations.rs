use std::collections::HashSet;

use portcullis::SessionId;

use super::backend;
use crate::records::{self, NOW, later, race};

#[tokio::test]
async fn a_revocation_reads_back_as_it_was_put_and_in_order() {
    let (stores, _keep) = backend::stores().await;
    assert_eq!(stores.revocations.after(0, NOW).await.unwrap(), []);
    let sessions: Vec<SessionId> = (0..3).map(|_| records::id()).collect();
    stores.revocations.put(&sessions[..2], later(10)).await.unwrap();
    stores.revocations.put(&sessions[2..], later(20)).await.unwrap();
    let read = stores.revocations.after(0, NOW).await.unwrap();
    let what: Vec<_> = read.iter().map(|one| (one.session, one.until)).collect();
    assert_eq!(what, [(sessions[0], later(10)), (sessions[1], later(10)), (sessions[2], later(20))]);
    assert!(read[0].sequence > 0 && read.is_sorted_by(|a, b| a.sequence < b.sequence), "{read:?}");
}

#[tokio::test]
async fn a_reader_gets_only_what_came_after_its_last_sequence() {
    let (stores, _keep) = backend::stores().await;
    let (old, new): (SessionId, SessionId) = (records::id(), records::id());
    stores.revocations.put(&[old], later(10)).await.unwrap();
    let seen = stores.revocations.after(0, NOW).await.unwrap()[0].sequence;
    assert_eq!(stores.revocations.after(seen, NOW).await.unwrap(), []);
    stores.revocations.put(&[new], later(10)).await.unwrap();
    let news = stores.revocations.after(seen, NOW).await.unwrap();
    assert_eq!(news.iter().map(|one| one.session).collect::<Vec<_>>(), [new]);
    assert!(news[0].sequence > seen);
}

#[tokio::test]
async fn what_no_longer_counts_is_left_out() {
    let (stores, _keep) = backend::stores().await;
    let sessions: Vec<SessionId> = (0..3).map(|_| records::id()).collect();
    for (session, until) in sessions.iter().zip([9, 10, 11]) {
        stores.revocations.put(&[*session], later(until)).await.unwrap();
    }
    let read = stores.revocations.after(0, later(10)).await.unwrap();
    assert_eq!(read.iter().map(|one| one.session).collect::<Vec<_>>(), sessions[2..]);
}

#[tokio::test]
async fn putting_nothing_or_the_same_again_is_no_failure() {
    let (stores, _keep) = backend::stores().await;
    let session: SessionId = records::id();
    stores.revocations.put(&[], later(10)).await.unwrap();
    assert_eq!(stores.revocations.after(0, NOW).await.unwrap(), []);
    stores.revocations.put(&[session], later(10)).await.unwrap();
    stores.revocations.put(&[session, session], later(10)).await.unwrap();
    let read = stores.revocations.after(0, NOW).await.unwrap();
    assert!(!read.is_empty() && read.iter().all(|one| one.session == session));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_reader_with_the_last_sequence_misses_nothing_while_64_write() {
    let (stores, _keep) = backend::stores().await;
    let sessions: Vec<Vec<SessionId>> =
        (0..64).map(|writer| (0..8 + writer % 3).map(|_| records::id()).collect()).collect();
    let writing = {
        let (stores, sessions) = (stores.clone(), sessions.clone());
        tokio::spawn(race(64, move |writer| {
            let (stores, mine) = (stores.clone(), sessions[writer].clone());
            async move {
                // Alone, and several together.
                for some in mine.chunks(1 + writer % 3) {
                    stores.revocations.put(some, later(10)).await.unwrap();
                }
            }
        }))
    };
    let (mut sequence, mut seen, mut reads) = (0, HashSet::new(), 0);
    loop {
        let last = writing.is_finished();
        for one in stores.revocations.after(sequence, NOW).await.unwrap() {
            assert!(one.sequence > sequence);
            sequence = one.sequence;
            assert!(seen.insert(one.session), "given twice");
        }
        reads += 1;
        if last {
            break;
        }
    }
    writing.await.unwrap();
    let written: HashSet<_> = sessions.into_iter().flatten().collect();
    assert_eq!(seen, written);
    assert!(reads > 2, "the reader was there while they wrote");
}
