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
    if let Some(before) = earlier_name(server_name, volume, known) {
        return Verdict::Leave(Condition::blocked(format!(
            "server_name was changed from {before} to {server_name}, but a server cannot be renamed after its first \
             start: set it back to {before}"
        )));
    }
    let copy = known.copy.as_ref().map(|(_, identity)| identity);
    let existed = copy.is_some() || known.has_backups;
    if !volume.has_database && existed && !start_empty {
        return Verdict::Stop(Condition::blocked(empty_volume(server_name)));
    }
    let files = identity::files(server_name);
    // A new identity only where there is no database that an old one belongs to.
    let source = copy.or(known.fresh.as_ref().filter(|_| !volume.has_database));
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
        "the data volume is empty but {server_name} existed: restore its data, or run start-empty \
         confirm={server_name}"
    )
}

/// Returns the name under which this server started first, if that is another one.
fn earlier_name<'a>(
    server_name: &str,
    volume: &'a Volume,
    known: &'a KnownIdentity,
) -> Option<&'a str> {
    if volume.server_names.is_empty() {
        return known
            .copy
            .as_ref()
            .map(|(name, _)| name.as_str())
            .filter(|name| *name != server_name);
    }
    let first = volume.server_names.first().map(String::as_str);
    first.filter(|_| volume.server_names.iter().all(|name| name != server_name))
}

#[cfg(test)]
mod tests {
    use super::*;

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

    fn runs_as(verdict: Verdict) -> (String, usize) {
        match verdict {
            Verdict::Run { identity, missing } => (identity.digest(NAME), missing.len()),
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
    fn changed_server_name_leaves_everything_as_it_is() {
        let ours = Identity::generate().unwrap();
        for (volume, known) in [
            (volume(Some(&ours), true), known(None, false)),
            (volume(None, false), known(Some(&ours), false)),
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
