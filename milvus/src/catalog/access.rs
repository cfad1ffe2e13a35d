//! Users, roles and what they may do, as the root coordinator keeps them. Pure. Passwords are not read.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

/// Who may do what at the source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceAccess {
    /// Names of users.
    pub users: BTreeSet<String>,
    /// Names of roles.
    pub roles: BTreeSet<String>,
    /// User and role.
    pub user_roles: BTreeSet<(String, String)>,
    /// What roles may do.
    pub grants: BTreeSet<Grant>,
}

/// One privilege of one role on one object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Grant {
    /// The role.
    pub role: String,
    /// Kind of the object: `Collection`, `Global`, `User`.
    pub object: String,
    /// Its name; `*` = all.
    pub object_name: String,
    /// Its database; `*` = all.
    pub db: String,
    /// As clients call it, such as `Search`; `*` = all.
    pub privilege: String,
}

/// A key that is read here, below `credential/`.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Key {
    /// `users/{user}`
    User(String),
    /// `roles/{role}`
    Role(String),
    /// `user-role-mapping/{user}/{role}`
    UserRole(String, String),
    /// `grantee-privileges/{role}/{object}/{database}.{name}`; its value is an id.
    Grantee(Grantee),
    /// `grantee-id/{id}/{privilege}`
    Privilege(String, String),
}

/// Role, kind of object, and the object's name with its database.
type Grantee = (String, String, String);

impl Key {
    fn parse(key: &str) -> Option<Self> {
        let (kind, rest) = key.strip_prefix("credential/")?.split_once('/')?;
        let parts: Vec<&str> = rest.split('/').collect();
        let owned = |text: &str| text.to_owned();
        match (kind, parts.as_slice()) {
            ("users", [user]) => Some(Self::User(owned(user))),
            ("roles", [role]) => Some(Self::Role(owned(role))),
            ("user-role-mapping", [user, role]) => Some(Self::UserRole(owned(user), owned(role))),
            ("grantee-privileges", [role, object, name]) => {
                Some(Self::Grantee((owned(role), owned(object), owned(name))))
            }
            ("grantee-id", [id, privilege]) => Some(Self::Privilege(owned(id), owned(privilege))),
            _ => None,
        }
    }
}

/// The keys at one revision.
#[derive(Clone, Debug, Default)]
pub(super) struct AccessMirror {
    users: BTreeSet<String>,
    roles: BTreeSet<String>,
    user_roles: BTreeSet<(String, String)>,
    ids: BTreeMap<Grantee, String>,
    privileges: BTreeSet<(String, String)>,
}

impl AccessMirror {
    /// Takes one key; `None` = deleted. Returns whether it is one of these.
    pub(super) fn apply(&mut self, name: &str, value: Option<&Bytes>) -> bool {
        let Some(key) = Key::parse(name) else { return false };
        let is_there = value.is_some();
        match key {
            Key::User(user) => put(&mut self.users, user, is_there),
            Key::Role(role) => put(&mut self.roles, role, is_there),
            Key::UserRole(user, role) => put(&mut self.user_roles, (user, role), is_there),
            Key::Privilege(id, privilege) => put(&mut self.privileges, (id, privilege), is_there),
            Key::Grantee(grantee) => match value.and_then(|value| std::str::from_utf8(value).ok()) {
                Some(id) => drop(self.ids.insert(grantee, id.to_owned())),
                None => drop(self.ids.remove(&grantee)),
            },
        }
        true
    }

    pub(super) fn snapshot(&self) -> SourceAccess {
        let grants = self.ids.iter().flat_map(|((role, object, name), id)| {
            let (db, object_name) = name.split_once('.').unwrap_or(("default", name));
            let own = self.privileges.iter().filter(move |(of, _)| of == id);
            own.map(move |(_, privilege)| Grant {
                role: role.clone(),
                object: object.clone(),
                object_name: object_name.to_owned(),
                db: db.to_owned(),
                privilege: for_clients(privilege),
            })
        });
        SourceAccess {
            users: self.users.clone(),
            roles: self.roles.clone(),
            user_roles: self.user_roles.clone(),
            grants: grants.collect(),
        }
    }
}

fn put<T: Ord>(set: &mut BTreeSet<T>, value: T, is_there: bool) {
    if is_there {
        set.insert(value);
    } else {
        set.remove(&value);
    }
}

/// Stored as `PrivilegeSearch`, called `Search`.
fn for_clients(stored: &str) -> String {
    match stored.strip_prefix("Privilege") {
        Some("All") => "*".to_owned(),
        Some(name) => name.to_owned(),
        None => stored.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(mirror: &mut AccessMirror, key: &str, value: &str) {
        assert!(mirror.apply(key, Some(&Bytes::copy_from_slice(value.as_bytes()))), "{key}");
    }

    #[test]
    fn users_roles_and_grants_are_joined() {
        let mut mirror = AccessMirror::default();
        put(&mut mirror, "credential/users/ann", "{}");
        put(&mut mirror, "credential/roles/reader", "");
        put(&mut mirror, "credential/user-role-mapping/ann/reader", "");
        put(&mut mirror, "credential/grantee-privileges/reader/Collection/sales.orders", "77");
        put(&mut mirror, "credential/grantee-privileges/reader/Global/*", "78");
        put(&mut mirror, "credential/grantee-id/77/PrivilegeSearch", "root");
        put(&mut mirror, "credential/grantee-id/78/PrivilegeAll", "root");
        let found = mirror.snapshot();
        assert!(found.users.contains("ann") && found.roles.contains("reader"));
        assert!(found.user_roles.contains(&("ann".to_owned(), "reader".to_owned())));
        let grant = |object: &str, db: &str, object_name: &str, privilege: &str| Grant {
            role: "reader".into(),
            object: object.into(),
            object_name: object_name.into(),
            db: db.into(),
            privilege: privilege.into(),
        };
        let expected =
            [grant("Collection", "sales", "orders", "Search"), grant("Global", "default", "*", "*")];
        assert_eq!(found.grants, expected.into());
        assert!(mirror.apply("credential/grantee-id/77/PrivilegeSearch", None));
        assert!(mirror.apply("credential/users/ann", None));
        assert!(mirror.snapshot().users.is_empty() && mirror.snapshot().grants.len() == 1);
    }

    #[test]
    fn other_keys_are_left_alone() {
        let mut mirror = AccessMirror::default();
        assert!(!mirror.apply("credential/odd/a", None) && !mirror.apply("database/db-info/1", None));
    }
}
