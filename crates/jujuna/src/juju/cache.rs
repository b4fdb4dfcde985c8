//! What one dispatch has read so far.

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::{Map, Value};

use crate::relation::{Databag, Member};
use crate::secret::SecretContent;
use crate::{
    ApplicationStatus, CurrentStatus, GoalState, OpenedPort, RelationId, SecretInfo, StorageId,
    UnitName,
};

/// Answers that stay true within a dispatch, so that a hook command need not run twice.
#[derive(Default)]
pub(crate) struct Cache {
    pub(crate) config: Option<Map<String, Value>>,
    pub(crate) action_params: Option<Map<String, Value>>,
    /// And when it was asked: Juju vouches for leadership for a while only.
    pub(crate) leader: Option<(bool, Instant)>,
    pub(crate) relation_ids: BTreeMap<String, Vec<RelationId>>,
    pub(crate) relation_units: BTreeMap<RelationId, Vec<UnitName>>,
    pub(crate) relation_apps: BTreeMap<RelationId, Option<String>>,
    pub(crate) databags: BTreeMap<(RelationId, Member), Databag>,
    /// The latest revision of secrets that this unit or application owns, by label; `None`: there is none.
    pub(crate) owned_secrets: BTreeMap<String, Option<SecretContent>>,
    /// What Juju knows of them, by label.
    pub(crate) secret_infos: BTreeMap<String, SecretInfo>,
    pub(crate) state: Option<BTreeMap<String, String>>,
    pub(crate) storages: BTreeMap<String, Vec<StorageId>>,
    pub(crate) goal_state: Option<GoalState>,
    pub(crate) status: Option<CurrentStatus>,
    pub(crate) application_status: Option<ApplicationStatus>,
    pub(crate) ports: Option<Vec<OpenedPort>>,
}
