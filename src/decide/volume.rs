//! Whether Synapse may run on this volume, and with which identity.
//!
//! The volume is authoritative. An empty volume is not a new server: where there are signs of
//! an earlier life, a start would come up healthy and let anyone register the old names again.

use secrecy::SecretString;

use crate::plan::Condition;
use crate::state::{KnownIdentity, Volume};
use crate::synapse::identity::{self, Identity, IdentityFile};
use crate::synapse::names;

/// What the volume allows.
#[derive(Debug)]
pub(super) enum Verdict {
    /// Synapse runs with this identity; the missing files are written first.
    Run {
        identity: Identity,
        missing: Vec<(IdentityFile, SecretString)>,
    },
    /// Synapse must not run.
    Stop(Condition),
    /// Something is wrong with what is asked for; whatever runs goes on, nothing is written.
    Leave(Condition),
}

/// Says whether a server of the name `server_name` may run on `volume`.
///
/// `start_empty` tells that the admin confirmed that an earlier life is over.
pub(super) fn judge(
    server_name: &str,
    volume: &Volume,
    known: &KnownIdentity,
    start_empty: bool,
) -> Verdict {
    if let Some(fault) = &volume.fault {
        return Verdict::Stop(Condition::blocked(format!("storage: {fault}")));
    }
    if let Some(before) = earlier_name(server_name, volume, known) {
        return Verdict::Leave(Condition::blocked(format!(
            "server_name was changed from {before} to {server_name}, but a server cannot be renamed after its first \
             start: set it back to {before}"
        )));
    }
    let copy = known.copy.as_ref().map(|(_, identity)| identity);
    if !volume.has_database && !start_empty {
        let remembered = known.existed.as_deref() == Some(server_name);
        if copy.is_some() || known.has_backups || remembered {
            return Verdict::Stop(Condition::blocked(empty_volume(server_name)));
        }
        // Once its files are being made, the question was answered.
        let untouched = volume.identity.iter().all(Option::is_none);
        if let Some(reason) = known.unanswered.as_ref().filter(|_| untouched) {
            return Verdict::Stop(Condition::waiting(unanswered(server_name, reason)));
        }
    }
    let files = identity::files(server_name);
    // A new identity only where there is no database that an old one belongs to. A backup of the Python charm lacks secrets
    // that nobody outside of the server has ever seen: beside the server's own signing key they may be new ones.
    let has_signing_key = volume.identity[identity::SIGNING_KEY].is_some();
    let fresh = known.fresh.as_ref();
    let source = copy.or(fresh.filter(|_| !volume.has_database || has_signing_key));
    let mut parts = Vec::with_capacity(files.len());
    let mut missing = Vec::new();
    for (index, (file, found)) in files.into_iter().zip(&volume.identity).enumerate() {
        let part = match (found, source) {
            (Some(part), _) => part.clone(),
            (None, Some(source)) => {
                let part = source.parts()[index].clone();
                missing.push((file, part.clone()));
                part
            }
            (None, None) => {
                return Verdict::Stop(Condition::blocked(format!(
                    "the data volume holds a database but not {}, and there is no copy: put that file back",
                    file.path
                )));
            }
        };
        parts.push(part);
    }
    match <[SecretString; 4]>::try_from(parts) {
        Ok(parts) => Verdict::Run {
            identity: Identity::from_parts(parts),
            missing,
        },
        // The four files make four parts.
        Err(_) => Verdict::Stop(Condition::blocked(format!(
            "the identity in {} is not whole",
            names::DATA_DIR
        ))),
    }
}

/// Returns what an empty volume of a server that existed is answered with.
pub(super) fn empty_volume(server_name: &str) -> String {
    format!(
        "the data volume is empty but {server_name} existed: run restore-backup, or start-empty confirm={server_name}"
    )
}

/// Returns what is said when nobody can say whether the server existed.
fn unanswered(server_name: &str, reason: &str) -> String {
    format!(
        "cannot tell whether {server_name} existed before: {reason} (asked again by each hook), or run start-empty \
         confirm={server_name} to start anyway"
    )
}

/// Returns the name under which this server started first, if that is another one.
///
/// A key alone is no first start: Synapse may never have come up with it. One of a server that
/// is remembered to have lived is.
fn earlier_name<'a>(
    server_name: &str,
    volume: &'a Volume,
    known: &'a KnownIdentity,
) -> Option<&'a str> {
    let copied = known.copy.as_ref().map(|(name, _)| name.as_str());
    let remembered = known.existed.as_deref();
    let has_key = |name: &str| volume.server_names.iter().any(|known| known == name);
    let before = if volume.has_database {
        let first = volume.server_names.first().map(String::as_str);
        first.filter(|_| !has_key(server_name)).or_else(|| {
            copied
                .or(remembered)
                .filter(|_| volume.server_names.is_empty())
        })
    } else {
        copied.or(remembered.filter(|name| has_key(name)))
    };
    before.filter(|name| *name != server_name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Level;

    const NAME: &str = "a.example";

    fn whole(identity: &Identity) -> [Option<SecretString>; 4] {
        identity.parts().map(|part| Some(part.clone()))
    }

    fn volume(identity: Option<&Identity>, has_database: bool) -> Volume {
        Volume {
            has_database,
            identity: identity.map(whole).unwrap_or_default(),
            server_names: identity.map(|_| NAME.to_owned()).into_iter().collect(),
            ..Volume::default()
        }
    }

    fn known(copy: Option<&Identity>, has_backups: bool) -> KnownIdentity {
        KnownIdentity {
            copy: copy.map(|identity| (NAME.to_owned(), identity.clone())),
            has_backups,
            fresh: Some(Identity::generate().unwrap()),
            ..KnownIdentity::default()
        }
    }

    fn remembered() -> KnownIdentity {
        KnownIdentity {
            existed: Some(NAME.into()),
            ..known(None, false)
        }
    }

    fn runs_as(verdict: Verdict) -> (String, usize) {
        runs_as_named(NAME, verdict)
    }

    fn runs_as_named(name: &str, verdict: Verdict) -> (String, usize) {
        match verdict {
            Verdict::Run { identity, missing } => (identity.digest(name), missing.len()),
            other => panic!("{other:?}"),
        }
    }

    fn stops(verdict: Verdict) -> String {
        match verdict {
            Verdict::Stop(condition) => condition.text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn new_server_gets_a_new_identity_on_the_volume() {
        let known = known(None, false);
        let fresh = known.fresh.clone().unwrap();
        assert_eq!(
            runs_as(judge(NAME, &volume(None, false), &known, false)),
            (fresh.digest(NAME), 4)
        );
    }

    #[test]
    fn identity_on_the_volume_wins_over_the_copy() {
        let (ours, copy) = (Identity::generate().unwrap(), Identity::generate().unwrap());
        let verdict = judge(
            NAME,
            &volume(Some(&ours), true),
            &known(Some(&copy), true),
            false,
        );
        assert_eq!(runs_as(verdict), (ours.digest(NAME), 0));
    }

    #[test]
    fn half_written_identity_without_a_database_is_completed() {
        let ours = Identity::generate().unwrap();
        let mut volume = volume(Some(&ours), false);
        volume.identity[3] = None;
        assert_eq!(
            runs_as(judge(NAME, &volume, &known(None, false), false)).1,
            1
        );
    }

    #[test]
    fn identity_lost_beside_a_database_comes_back_from_the_copy() {
        let ours = Identity::generate().unwrap();
        let verdict = judge(NAME, &volume(None, true), &known(Some(&ours), false), false);
        assert_eq!(runs_as(verdict), (ours.digest(NAME), 4));
    }

    #[test]
    fn secrets_missing_beside_the_servers_signing_key_are_made_anew() {
        let ours = Identity::generate().unwrap();
        let mut volume = volume(Some(&ours), true);
        volume.identity[2] = None;
        volume.identity[3] = None;
        assert_eq!(
            runs_as(judge(NAME, &volume, &known(None, false), false)).1,
            2
        );
        volume.identity[identity::SIGNING_KEY] = None;
        stops(judge(NAME, &volume, &known(None, false), false));
    }

    #[test]
    fn database_without_identity_and_without_copy_is_not_given_a_new_one() {
        let text = stops(judge(NAME, &volume(None, true), &known(None, false), false));
        assert!(text.contains("/data/a.example.signing.key"), "{text}");
    }

    #[test]
    fn empty_volume_with_a_sign_of_an_earlier_life_is_not_started() {
        let ours = Identity::generate().unwrap();
        for (volume, known) in [
            (volume(None, false), known(Some(&ours), false)),
            (volume(None, false), known(None, true)),
            (volume(Some(&ours), false), known(Some(&ours), false)),
            (volume(Some(&ours), false), known(None, true)),
        ] {
            let text = stops(judge(NAME, &volume, &known, false));
            assert!(text.contains("is empty but a.example existed"), "{text}");
            assert!(text.contains("start-empty confirm=a.example"), "{text}");
        }
    }

    #[test]
    fn confirmed_empty_start_takes_the_old_identity_where_there_is_one() {
        let ours = Identity::generate().unwrap();
        let with_copy = judge(NAME, &volume(None, false), &known(Some(&ours), true), true);
        assert_eq!(runs_as(with_copy), (ours.digest(NAME), 4));
        assert_eq!(
            runs_as(judge(NAME, &volume(None, false), &known(None, true), true)).1,
            4
        );
    }

    #[test]
    fn server_that_is_remembered_is_not_started_on_an_empty_volume() {
        let ours = Identity::generate().unwrap();
        for volume in [volume(None, false), volume(Some(&ours), false)] {
            let known = remembered();
            let text = stops(judge(NAME, &volume, &known, false));
            assert!(text.contains("is empty but a.example existed"), "{text}");
            assert_eq!(
                runs_as(judge(NAME, &volume, &known, true)).1 > 0,
                volume.identity[0].is_none()
            );
        }
        let other = KnownIdentity {
            existed: Some("b.example".into()),
            ..known(None, false)
        };
        assert_eq!(
            runs_as(judge(NAME, &volume(None, false), &other, false)).1,
            4
        );
    }

    #[test]
    fn new_server_waits_for_an_s3_that_does_not_answer_until_it_is_confirmed() {
        let known = KnownIdentity {
            unanswered: Some("S3 is down".into()),
            ..known(None, false)
        };
        match judge(NAME, &volume(None, false), &known, false) {
            Verdict::Stop(condition) => {
                assert_eq!(condition.level, Level::Waiting);
                assert!(condition.text.contains("S3 is down"), "{condition:?}");
                assert!(
                    condition.text.contains("start-empty confirm=a.example"),
                    "{condition:?}"
                );
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(
            runs_as(judge(NAME, &volume(None, false), &known, true)).1,
            4
        );
        // A first start that is under way goes on.
        let ours = Identity::generate().unwrap();
        assert_eq!(
            runs_as(judge(NAME, &volume(Some(&ours), false), &known, false)).1,
            0
        );
    }

    #[test]
    fn file_that_is_not_what_it_should_be_stops_synapse_and_is_named() {
        let ours = Identity::generate().unwrap();
        let mut volume = volume(Some(&ours), true);
        volume.fault = Some("/data/a.example.form.key is not a regular file".into());
        let text = stops(judge(NAME, &volume, &known(Some(&ours), false), true));
        assert!(text.contains("form.key is not a regular file"), "{text}");
    }

    #[test]
    fn key_of_a_name_under_which_nothing_ever_ran_does_not_keep_the_name() {
        let ours = Identity::generate().unwrap();
        let mistyped = volume(Some(&ours), false);
        let mut elsewhere = known(None, false);
        let verdict = judge("b.example", &without_parts(&mistyped), &elsewhere, false);
        assert_eq!(runs_as_named("b.example", verdict).1, 4);
        // Nor does a server that lived under the right name make it one that was renamed.
        elsewhere.existed = Some("b.example".into());
        let text = stops(judge(
            "b.example",
            &without_parts(&mistyped),
            &elsewhere,
            false,
        ));
        assert!(text.contains("b.example existed"), "{text}");
    }

    fn without_parts(volume: &Volume) -> Volume {
        Volume {
            identity: [const { None }; 4],
            ..volume.clone()
        }
    }

    #[test]
    fn changed_server_name_leaves_everything_as_it_is() {
        let ours = Identity::generate().unwrap();
        for (volume, known) in [
            (volume(Some(&ours), true), known(None, false)),
            (volume(None, false), known(Some(&ours), false)),
            (volume(Some(&ours), false), remembered()),
            (volume(None, true), remembered()),
        ] {
            match judge("b.example", &volume, &known, true) {
                Verdict::Leave(condition) => {
                    assert!(condition.text.contains("from a.example to b.example"));
                }
                other => panic!("{other:?}"),
            }
        }
    }
}
