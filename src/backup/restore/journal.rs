//! The journal: how far a restore or an undo is. It lies on the volume from the moment on at which anything of the job does,
//! and is written, and on disk, before each step begins.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::id::RestoreId;
use super::renames::{self, Rename};
use crate::backup::Components;
use crate::synapse::names;

/// The format that this version writes. An unknown one is refused.
pub const FORMAT: u32 = 1;

/// No journal is longer: a longer one would not be read.
pub const MOST_BYTES: u64 = 1024 * 1024;

/// What of a journal is not renames, with room for what is added to it later: attempts, reasons, times.
const BESIDE_THE_RENAMES: usize = 64 * 1024;

/// One step of a job, in the order in which a good one takes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// The backup is brought to the volume and checked. Synapse runs.
    Stage,
    /// Pebble begins to wake the charm every 15 s, and no longer looks after Synapse.
    Wake,
    /// Synapse is stopped. Nothing is renamed before what wakes the charm was seen to stay up.
    Stop,
    /// What is live is put aside and what is new takes its place: renames and nothing else.
    Swap,
    /// Synapse is started on the new data, for itself alone.
    TrialStart,
    /// It is waited for until it is seen to be sound, or not.
    Judge,
    /// There is no way back from here without the admin: the kept data gets its record.
    PublicStart,
    /// What was put aside takes its place again.
    SwapBack,
    /// The journal is removed. Then the ordinary reconcile starts Synapse for everybody.
    Finish,
}

impl Step {
    /// Every step.
    pub const ALL: [Self; 9] = [
        Self::Stage,
        Self::Wake,
        Self::Stop,
        Self::Swap,
        Self::TrialStart,
        Self::Judge,
        Self::PublicStart,
        Self::SwapBack,
        Self::Finish,
    ];

    /// The step as the journal has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stage => "stage",
            Self::Wake => "wake",
            Self::Stop => "stop",
            Self::Swap => "swap",
            Self::TrialStart => "trial-start",
            Self::Judge => "judge",
            Self::PublicStart => "public-start",
            Self::SwapBack => "swap-back",
            Self::Finish => "finish",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// What the job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Makes the data of a backup live.
    Restore,
    /// Makes live again what a restore put aside.
    Undo,
}

/// How far a job is, and all that a later dispatch needs to go on: neither S3 nor the passphrase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journal {
    /// [`FORMAT`]
    pub format: u32,
    /// What the job does.
    pub kind: Kind,
    /// The job's name, and that of its folder.
    pub restore: RestoreId,
    /// The backup that is restored; in an undo, the one whose restore is undone.
    pub backup: String,
    /// The restore that is undone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<RestoreId>,
    /// Which parts change.
    #[serde(with = "components")]
    pub components: Components,
    /// Whose data it is.
    pub server_name: String,
    /// The step that was begun last.
    pub step: Step,
    /// How often each step was begun without coming to an end.
    pub attempts: BTreeMap<Step, u32>,
    /// What is renamed; none before the swap.
    pub renames: Vec<Rename>,
    /// How many users the new data has, if that is known.
    pub users: Option<u64>,
    /// What is put aside, in bytes, as measured before the job.
    pub old_bytes: u64,
    /// How often Synapse ended by itself in its trial.
    pub exits: u32,
    /// Since when Synapse is on trial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial_since: Option<Timestamp>,
    /// Why the job goes back, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub setback: Option<String>,
    /// Why a step of the way back or the end could not be done, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

impl Journal {
    /// The journal of a job that is about to begin.
    pub fn new(kind: Kind, restore: RestoreId, backup: String, server_name: String) -> Self {
        Self {
            format: FORMAT,
            kind,
            restore,
            backup,
            undoes: None,
            components: Components::All,
            server_name,
            step: Step::Stage,
            attempts: BTreeMap::new(),
            renames: Vec::new(),
            users: None,
            old_bytes: 0,
            exits: 0,
            trial_since: None,
            setback: None,
            trouble: None,
        }
    }

    /// Returns the journal that `text` is.
    ///
    /// # Errors
    ///
    /// One sentence that says why it cannot be followed.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let format: Format =
            serde_json::from_slice(text).map_err(|error| format!("it is damaged: {error}"))?;
        if format.format != FORMAT {
            return Err(format!(
                "its format is {}, this version of the charm knows only {FORMAT}: use the version that wrote it",
                format.format
            ));
        }
        let journal: Self =
            serde_json::from_slice(text).map_err(|error| format!("it is damaged: {error}"))?;
        for rename in &journal.renames {
            renames::check(&rename.live)
                .map_err(|why| format!("it would rename {:?}: {why}", rename.live))?;
        }
        if (journal.kind == Kind::Undo) != journal.undoes.is_some() {
            return Err(
                "it is damaged: an undo, and nothing else, names what it undoes".to_owned(),
            );
        }
        Ok(journal)
    }

    /// The journal as it is written: one line, in which `"step":"<name>"` stands.
    ///
    /// # Errors
    ///
    /// Fails only through a bug.
    pub fn to_text(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }

    /// Notes what is renamed.
    ///
    /// # Errors
    ///
    /// Says why not and what to do, where the journal could not be read again: it stays as it was.
    pub fn plan(&mut self, renames: Vec<Rename>) -> Result<(), String> {
        check_size(&renames)?;
        self.renames = renames;
        Ok(())
    }

    /// Notes that `step` begins.
    pub fn begin(&mut self, step: Step) {
        self.step = step;
        *self.attempts.entry(step).or_default() += 1;
    }

    /// Notes that the step that was begun last came to an end, or was left on purpose.
    pub fn end(&mut self) {
        self.attempts.remove(&self.step);
    }

    /// How often the last step was begun and not brought to an end.
    pub fn deaths(&self) -> u32 {
        self.attempts.get(&self.step).copied().unwrap_or(0)
    }

    /// Where the new data waits, as a folder that has the live paths below it.
    pub fn new_root(&self) -> String {
        match &self.undoes {
            Some(undone) => format!("{}/old", undone.folder()),
            None => format!("{}/new", self.restore.folder()),
        }
    }

    /// Where what is live is put aside.
    pub fn old_root(&self) -> String {
        format!("{}/old", self.restore.folder())
    }

    /// What the job is called in a sentence.
    pub fn called(&self) -> String {
        match &self.undoes {
            Some(undone) => format!("the undo of {undone}"),
            None => format!("the restore of {}", self.backup),
        }
    }
}

/// Whether a journal with these renames could be read again, and so could the record of what they put aside.
///
/// # Errors
///
/// Says why not and what to do.
pub fn check_size(renames: &[Rename]) -> Result<(), String> {
    let size = serde_json::to_vec(renames).map_or(usize::MAX, |text| text.len());
    if size.saturating_add(BESIDE_THE_RENAMES) as u64 <= MOST_BYTES {
        return Ok(());
    }
    Err(format!(
        "{} files and folders would be renamed, more than a restore can keep track of: remove from {} what is named local_* \
         and is not Synapse's, which has local_content and local_thumbnails",
        renames.len(),
        names::MEDIA_STORE
    ))
}

mod components {
    use serde::{Deserialize as _, Deserializer, Serializer};

    use crate::backup::Components;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's form")]
    pub(super) fn serialize<S: Serializer>(
        value: &Components,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Components, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journal() -> Journal {
        let restore = "restore-20261123-070501-00ff".parse().unwrap();
        let mut journal = Journal::new(
            Kind::Restore,
            restore,
            "backup-20261123-070000-0001".into(),
            "a.example".into(),
        );
        journal.renames.push(Rename {
            live: "/data/homeserver.db".into(),
            staged: true,
            had_live: true,
        });
        journal
    }

    #[test]
    fn journal_is_read_as_it_was_written_and_its_step_stands_in_one_line() {
        for step in Step::ALL {
            let mut journal = journal();
            journal.begin(step);
            journal.trial_since = Some(Timestamp::UNIX_EPOCH);
            let text = journal.to_text().unwrap();
            assert!(text.contains(&format!("\"step\":\"{step}\"")), "{text}");
            assert!(!text.contains('\n'), "{text}");
            assert_eq!(Journal::parse(text.as_bytes()), Ok(journal));
        }
    }

    #[test]
    fn journal_that_cannot_be_followed_is_refused() {
        let text = journal().to_text().unwrap();
        for (from, to, why) in [
            ("\"format\":1", "\"format\":2", "its format is 2"),
            ("\"format\":1", "\"form\":1", "damaged"),
            ("\"stage\"", "\"dance\"", "damaged"),
            ("/data/homeserver.db", "/etc/passwd", "rename"),
            ("\"restore-2026", "\"../store-2026", "damaged"),
            ("\"kind\":\"restore\"", "\"kind\":\"undo\"", "damaged"),
        ] {
            let changed = text.replacen(from, to, 1);
            assert_ne!(changed, text);
            let said = Journal::parse(changed.as_bytes()).unwrap_err();
            assert!(said.contains(why), "{said}");
        }
        assert!(Journal::parse(&text.as_bytes()[..text.len() - 1]).is_err());
        assert!(Journal::parse(b"").is_err());
    }

    /// A journal with as many renames as it takes, in a job that goes as badly as it can.
    #[test]
    fn journal_that_could_not_be_read_again_is_not_planned() {
        let local = |count| {
            let paths = (0..count).map(|n| format!("/data/media_store/local_{n}"));
            renames::plan(paths.collect(), &[], &[])
        };
        let fits = |count| check_size(&local(count)).is_ok();
        let most = (1..100).find(|thousands| !fits(thousands * 1000)).unwrap() * 1000 - 1000;
        let mut journal = journal();
        journal.plan(local(most)).unwrap();
        for step in Step::ALL {
            journal.begin(step);
        }
        journal.setback = Some("x".repeat(10_000));
        journal.trouble = journal.setback.clone();
        let text = journal.to_text().unwrap();
        assert!(text.len() as u64 <= MOST_BYTES, "{}", text.len());
        assert_eq!(journal.renames.len(), most);

        let said = journal.plan(local(most + 1000)).unwrap_err();
        assert!(said.contains("/data/media_store"), "{said}");
        assert_eq!(journal.renames.len(), most);
    }

    #[test]
    fn attempts_count_what_began_and_did_not_end() {
        let mut journal = journal();
        journal.begin(Step::Swap);
        journal.begin(Step::Swap);
        assert_eq!(journal.deaths(), 2);
        journal.end();
        journal.begin(Step::TrialStart);
        assert_eq!((journal.deaths(), journal.attempts.len()), (1, 1));
    }
}
