//! Notices as they come, also from a daemon that was restarted meanwhile.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;

use crate::Client;
use crate::error::Error;
use crate::notices::{Notice, NoticeFilter, NoticeType};
use crate::wait::Outage;

/// How long one request waits.
const SLICE: Duration = Duration::from_secs(30);

/// Notices as they come; see [`Client::follow_notices`].
///
/// [`Client::follow_notices`] has an example.
#[derive(Debug)]
pub struct NoticeStream {
    client: Client,
    types: Vec<NoticeType>,
    keys: Vec<String>,
    after: Option<Timestamp>,
    user_id: Option<u32>,
    all_users: bool,
    come: VecDeque<Notice>,
    outage: Outage,
}

impl Client {
    /// Returns the notices that pass the filter and then each that is told, for as long as it is asked. When Pebble is
    /// restarted it goes on where it was: no notice comes twice, and none is missed that Pebble has kept.
    ///
    /// A notice that was told twice between two calls comes once, as Pebble keeps it. The clock of the machine is
    /// taken to go forward: where Pebble keeps no state, notices that it dates before the last one are not seen.
    ///
    /// # Example
    ///
    /// ```no_run
    /// // no_run: needs a daemon
    /// # async fn example(client: pebble_client::Client) -> Result<(), pebble_client::Error> {
    /// use pebble_client::{NoticeFilter, NoticeType};
    /// let types = [NoticeType::Custom];
    /// let mut notices = client.follow_notices(&NoticeFilter { types: &types, ..NoticeFilter::default() });
    /// loop {
    ///     let notice = notices.next().await?;
    ///     // Kept somewhere, this is where to go on from after a restart of this program.
    ///     let cursor = notice.last_repeated;
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn follow_notices(&self, filter: &NoticeFilter<'_>) -> NoticeStream {
        NoticeStream {
            client: self.clone(),
            types: filter.types.to_vec(),
            keys: filter.keys.iter().map(|key| (*key).to_owned()).collect(),
            after: filter.after,
            user_id: filter.user_id,
            all_users: filter.all_users,
            come: VecDeque::new(),
            outage: Outage::new(),
        }
    }
}

impl NoticeStream {
    /// Sets how long Pebble may be away before [`next`](Self::next) gives up; at first that may last for ever.
    ///
    /// # Example
    ///
    /// ```
    /// # let client = pebble_client::Client::new("/charm/containers/web/pebble.socket");
    /// use std::time::Duration;
    /// let followed = client.follow_notices(&Default::default()).give_up_after(Duration::from_mins(5));
    /// ```
    #[must_use]
    pub fn give_up_after(mut self, outage: Duration) -> Self {
        self.outage.set_longest(outage);
        self
    }

    /// Returns the next notice, waiting for it as long as it takes. May be dropped and called again.
    ///
    /// # Errors
    ///
    /// [`PermissionDenied`](crate::ErrorKind::PermissionDenied) and other refusals; what concerns the connection only
    /// after [`give_up_after`](Self::give_up_after), or when the socket may not be used.
    ///
    /// [`Client::follow_notices`] has an example.
    pub async fn next(&mut self) -> Result<Notice, Error> {
        loop {
            if let Some(notice) = self.come.pop_front() {
                return Ok(notice);
            }
            let keys: Vec<&str> = self.keys.iter().map(String::as_str).collect();
            let filter = NoticeFilter {
                types: &self.types,
                keys: &keys,
                after: self.after,
                user_id: self.user_id,
                all_users: self.all_users,
            };
            match self.client.wait_notices(filter, SLICE).await {
                Ok(notices) => {
                    self.outage.is_over();
                    // They are in this order.
                    self.after = notices
                        .last()
                        .map(|notice| notice.last_repeated)
                        .or(self.after);
                    self.come.extend(notices);
                }
                Err(error) => self.outage.after(error).await?,
            }
        }
    }
}
