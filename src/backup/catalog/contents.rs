//! What a backup holds, by kind.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::table::size;

/// What a backup holds; `Display` says it in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    /// Size of the database's copy.
    pub database_bytes: u64,
    /// Registered users in it, if that could be told. Nobody learns it from the bucket.
    #[serde(skip)]
    pub users: Option<u64>,
    /// Keys and settings.
    pub state_files: u64,
    /// Files of local media and of the extra paths.
    pub media_files: u64,
    /// Their bytes.
    pub media_bytes: u64,
}

impl fmt::Display for Contents {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let users = match self.users {
            Some(1) => " with 1 user".to_owned(),
            Some(users) => format!(" with {users} users"),
            None => String::new(),
        };
        write!(
            formatter,
            "database{users} ({}), {} of keys and settings, {} of media and extra paths ({})",
            size(self.database_bytes),
            files(self.state_files),
            files(self.media_files),
            size(self.media_bytes)
        )
    }
}

fn files(count: u64) -> String {
    if count == 1 {
        "1 file".to_owned()
    } else {
        format!("{count} files")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_are_told_in_words_and_users_only_here() {
        let contents = Contents {
            database_bytes: 300_000_000,
            users: Some(3),
            state_files: 1,
            media_files: 20,
            media_bytes: 5,
        };
        assert_eq!(
            contents.to_string(),
            "database with 3 users (300.0 MB), 1 file of keys and settings, 20 files of media and extra paths (5 B)"
        );
        let written = serde_json::to_string(&contents).unwrap();
        assert!(!written.contains("users"), "{written}");
        let read: Contents = serde_json::from_str(&written).unwrap();
        assert_eq!(read.users, None);
        assert!(read.to_string().starts_with("database (300.0 MB), 1 file "));
    }
}
