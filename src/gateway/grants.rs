//! Grants: bearer tokens by which clients over HTTP are known, of which the store keeps hashes.

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use rusqlite::params;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::gateway::store::{Store, StoreFailure};

/// Prefix of tokens, by which people and secret scanners recognise them.
const TOKEN_PREFIX: &str = "apg_";

/// Random bytes in a token: 256 bits.
const TOKEN_BYTES: usize = 32;

/// A grant as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) name: String,
    /// Microseconds since 1970.
    pub(crate) created: i64,
    /// Microseconds since 1970; `None` if it does not expire.
    pub(crate) expires: Option<i64>,
}

/// A new random token.
pub(super) fn new_token() -> Option<String> {
    let mut bytes = [0; TOKEN_BYTES];
    getrandom::fill(&mut bytes).ok()?;
    Some(format!("{TOKEN_PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(bytes)))
}

fn hash_of(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// True if two tokens are equal, in a time that says nothing about where they differ.
pub(super) fn is_same_token(one: &str, other: &str) -> bool {
    hash_of(one).ct_eq(&hash_of(other)).into()
}

impl Store {
    /// Keeps the hash of a token for a client.
    ///
    /// # Errors
    ///
    /// Fails if the store does.
    pub(super) fn add_grant(&self, grant: &Grant, token: &str) -> Result<(), StoreFailure> {
        let sql = "INSERT INTO grants (hash, name, created, expires) VALUES (?, ?, ?, ?)";
        let row = params![hash_of(token), grant.name, grant.created, grant.expires];
        self.connection()?.execute(sql, row)?;
        Ok(())
    }

    /// Ends the tokens of a client, now or after a time. The number of them.
    ///
    /// # Errors
    ///
    /// Fails if the store does.
    pub(super) fn end_grants(
        &self,
        name: &str,
        now: i64,
        after: Duration,
    ) -> Result<usize, StoreFailure> {
        let connection = self.connection()?;
        connection.execute("DELETE FROM grants WHERE expires <= ?", params![now])?;
        if after.is_zero() {
            return Ok(connection.execute("DELETE FROM grants WHERE name = ?", params![name])?);
        }
        let end = now.saturating_add(i64::try_from(after.as_micros()).unwrap_or(i64::MAX));
        let sql = "UPDATE grants SET expires = MIN(?1, IFNULL(expires, ?1)) WHERE name = ?2";
        Ok(connection.execute(sql, params![end, name])?)
    }

    /// The grants that hold, by name.
    ///
    /// # Errors
    ///
    /// Fails if the store does.
    pub(super) fn grants(&self, now: i64) -> Result<Vec<Grant>, StoreFailure> {
        let connection = self.reader()?;
        let sql = "SELECT name, created, expires FROM grants WHERE IFNULL(expires, ?1 + 1) > ?1 ORDER BY name, created";
        let mut statement = connection.prepare_cached(sql)?;
        let rows = statement.query_map(params![now], |row| {
            Ok(Grant { name: row.get(0)?, created: row.get(1)?, expires: row.get(2)? })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// The name of the client with this token; `None` if there is no such grant, or no longer. All hashes are compared, each in
    /// constant time.
    ///
    /// # Errors
    ///
    /// Fails if the store does.
    pub(super) fn client_of(&self, token: &str, now: i64) -> Result<Option<String>, StoreFailure> {
        let given = hash_of(token);
        let connection = self.reader()?;
        let sql = "SELECT hash, name FROM grants WHERE IFNULL(expires, ?1 + 1) > ?1";
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query(params![now])?;
        let mut found = None;
        while let Some(row) = rows.next()? {
            let hash: Vec<u8> = row.get(0)?;
            if bool::from(hash.ct_eq(&given)) {
                found = Some(row.get(1)?);
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_known_until_it_ends() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.db");
        let store = Store::open(&path).unwrap();
        let (first, second) = (new_token().unwrap(), new_token().unwrap());
        assert!(first.len() >= 47 && first != second && first.starts_with(TOKEN_PREFIX));
        let grant = |expires| Grant { name: "alice".to_owned(), created: 0, expires };
        store.add_grant(&grant(Some(100)), &first).unwrap();
        assert_eq!(store.client_of(&first, 99).unwrap().as_deref(), Some("alice"));
        assert_eq!(store.client_of(&first, 100).unwrap(), None);
        assert_eq!(store.client_of(&second, 1).unwrap(), None);
        // A new token, while the old one holds for ten microseconds more.
        store.end_grants("alice", 20, Duration::from_micros(10)).unwrap();
        store.add_grant(&grant(None), &second).unwrap();
        assert_eq!(store.client_of(&first, 29).unwrap().as_deref(), Some("alice"));
        assert_eq!(store.client_of(&first, 30).unwrap(), None);
        assert_eq!(store.grants(40).unwrap().len(), 1);
        assert_eq!(store.end_grants("alice", 50, Duration::ZERO).unwrap(), 1);
        assert_eq!(store.client_of(&second, 50).unwrap(), None);
        drop(store);
        let bytes = std::fs::read(&path).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains(&first) && !text.contains(&second[4..]));
    }
}
