//! Notices.

use std::collections::BTreeMap;
use std::time::Duration;

use pebble_client::{ErrorKind, NoticeFilter, NoticeType};

use crate::daemon::Daemon;

const WAIT: Duration = Duration::from_secs(30);

fn data(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

#[tokio::test]
async fn notice_counts_and_keeps_the_last_data() {
    let daemon = Daemon::start().await;
    let first = daemon
        .client
        .notify("example.org/due", &data(&[]), None)
        .await
        .unwrap();
    let second = daemon
        .client
        .notify("example.org/due", &data(&[("k", "v")]), None)
        .await
        .unwrap();
    assert_eq!(first, second);
    let notice = daemon.client.notice(&first).await.unwrap();
    assert_eq!(
        (&*notice.key, notice.notice_type.clone()),
        ("example.org/due", NoticeType::Custom)
    );
    assert_eq!(
        (notice.occurrences, notice.last_data.clone()),
        (2, data(&[("k", "v")]))
    );
    assert_eq!(
        (notice.repeat_after, notice.expire_after),
        (None, Some(Duration::from_hours(168)))
    );
    assert!(notice.first_occurred < notice.last_occurred);
}

#[tokio::test]
async fn notices_are_filtered_and_ordered() {
    let daemon = Daemon::start().await;
    for key in [
        "example.org/a",
        "example.org/b",
        "example.org/a",
        "example.org/c",
    ] {
        daemon.client.notify(key, &data(&[]), None).await.unwrap();
    }
    let keys = async |filter| {
        let notices = daemon.client.notices(filter).await.unwrap();
        notices
            .into_iter()
            .map(|notice| notice.key)
            .collect::<Vec<_>>()
    };
    let custom = [NoticeType::Custom];
    let all = NoticeFilter {
        types: &custom,
        ..NoticeFilter::default()
    };
    assert_eq!(
        keys(all.clone()).await,
        ["example.org/b", "example.org/a", "example.org/c"]
    );
    let two = NoticeFilter {
        keys: &["example.org/a", "example.org/c"],
        ..all.clone()
    };
    assert_eq!(keys(two).await, ["example.org/a", "example.org/c"]);
    let cursor = daemon.client.notices(all.clone()).await.unwrap()[1].last_repeated;
    let later = NoticeFilter {
        after: Some(cursor),
        ..all
    };
    assert_eq!(keys(later).await, ["example.org/c"]);
    let others = NoticeFilter {
        types: &[NoticeType::Warning],
        ..NoticeFilter::default()
    };
    assert_eq!(keys(others).await, [""; 0]);
}

#[tokio::test]
async fn wait_notices_returns_with_the_first() {
    let daemon = Daemon::start().await;
    let filter = NoticeFilter {
        keys: &["example.org/due"],
        ..NoticeFilter::default()
    };
    for timeout in [Duration::ZERO, Duration::from_millis(50)] {
        assert!(
            daemon
                .client
                .wait_notices(filter.clone(), timeout)
                .await
                .unwrap()
                .is_empty()
        );
    }
    let none = data(&[]);
    let (notices, _) = tokio::join!(daemon.client.wait_notices(filter, WAIT), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        daemon
            .client
            .notify("example.org/due", &none, None)
            .await
            .unwrap()
    });
    assert_eq!(notices.unwrap().len(), 1);
}

#[tokio::test]
async fn repeat_after_is_kept() {
    let daemon = Daemon::start().await;
    let hour = Duration::from_hours(1);
    let id = daemon
        .client
        .notify("example.org/due", &data(&[]), Some(hour))
        .await
        .unwrap();
    let before = daemon.client.notice(&id).await.unwrap();
    assert_eq!(before.repeat_after, Some(hour));
    daemon
        .client
        .notify("example.org/due", &data(&[]), Some(hour))
        .await
        .unwrap();
    let after = daemon.client.notice(&id).await.unwrap();
    assert_eq!(
        (after.occurrences, after.last_repeated),
        (2, before.last_repeated)
    );
}

#[tokio::test]
async fn wrong_keys_and_ids_are_refused() {
    let daemon = Daemon::start().await;
    for key in ["no-domain", "", "example.org/UPPER case"] {
        let error = daemon
            .client
            .notify(key, &data(&[]), None)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BadRequest, "{key}: {error:?}");
    }
    assert!(
        daemon
            .client
            .notice("4711")
            .await
            .unwrap_err()
            .is_not_found()
    );
    assert_eq!(
        daemon.client.notice("a/b").await.unwrap_err().kind(),
        ErrorKind::BadRequest
    );
}

#[tokio::test]
async fn notices_of_other_users_are_for_admins() {
    let daemon = Daemon::start().await;
    let client = &daemon.client;
    client
        .notify("example.org/due", &data(&[]), None)
        .await
        .unwrap();
    let keys = ["example.org/due"];
    let filter = |user_id, all_users| NoticeFilter {
        keys: &keys,
        user_id,
        all_users,
        ..NoticeFilter::default()
    };
    let own = client.notices(filter(None, false)).await.unwrap();
    let own_id = own[0].user_id.unwrap();
    assert_eq!(client.notices(filter(None, true)).await.unwrap(), own);
    assert_eq!(
        client.notices(filter(Some(own_id), false)).await.unwrap(),
        own
    );
    let other = client.notices(filter(Some(own_id + 1), false)).await;
    assert!(other.unwrap().is_empty());
    let both = client.notices(filter(Some(own_id), true)).await;
    assert_eq!(both.unwrap_err().kind(), ErrorKind::BadRequest);
}
