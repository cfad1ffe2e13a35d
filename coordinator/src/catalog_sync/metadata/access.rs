//! Users, roles and grants, where the task asks for them. Pure.
//!
//! A password is stored as a hash, and no call of Milvus up to 2.4 takes one: a user that the target lacks is told, and
//! what belongs to it follows once somebody has created it.

use std::collections::BTreeSet;

use harrier_milvus::catalog::{Grant, SourceAccess};
use harrier_milvus::client::MetadataChange;

use super::super::names::target_name;
use super::plan::{Obstacle, Plan};
use crate::registry::MetadataItem;
use crate::registry::task::NameMapping;

/// Every server has them.
const ROOT: &str = "root";
const ROLES: [&str; 2] = ["admin", "public"];
const ANY: &str = "*";

/// What the target should have: names of databases and collections follow the mapping.
pub(super) fn wanted(source: &SourceAccess, mapping: &[NameMapping]) -> SourceAccess {
    let grants = source.grants.iter().map(|grant| at_target(grant, mapping));
    SourceAccess { grants: grants.collect(), ..source.clone() }
}

fn at_target(grant: &Grant, mapping: &[NameMapping]) -> Grant {
    let mut grant = grant.clone();
    if grant.db == ANY {
        return grant;
    }
    let name = target_name(mapping, &grant.db, &grant.object_name);
    if grant.object == "Collection" && grant.object_name != ANY {
        grant.object_name = name.collection;
    }
    grant.db = name.db;
    grant
}

/// Creations in the order in which they need each other; then what has to leave, in the opposite one.
pub(super) fn plan(
    wanted: &SourceAccess,
    known: &BTreeSet<MetadataItem>,
    target: &SourceAccess,
    plan: &mut Plan,
) {
    let items = items(wanted);
    for item in &items {
        let is_there = is_there(item, target);
        let lacks_user = lacks_user(item, target);
        if lacks_user {
            // Nothing of it can be brought.
            if let MetadataItem::User { name } = item {
                plan.obstacles.push(unknown_user(name));
            }
            continue;
        }
        if !known.contains(item) {
            plan.known.insert(item.clone());
        }
        if !is_there && let Some(change) = bring(item) {
            plan.now(change);
        }
    }
    // The set holds users, roles, members of roles and grants in this order.
    for item in known.iter().filter(|item| is_access(item) && !items.contains(*item)).rev() {
        match take_away(item) {
            Some(change) if is_there(item, target) => plan.now(change),
            _ => drop(plan.forgotten.insert(item.clone())),
        }
    }
}

fn items(access: &SourceAccess) -> BTreeSet<MetadataItem> {
    let users = access.users.iter().filter(|user| *user != ROOT);
    let users = users.map(|name| MetadataItem::User { name: name.clone() });
    let roles = access.roles.iter().filter(|role| !ROLES.contains(&role.as_str()));
    let roles = roles.map(|name| MetadataItem::Role { name: name.clone() });
    let members = access.user_roles.iter();
    let members = members.map(|(user, role)| MetadataItem::Member { user: user.clone(), role: role.clone() });
    let grants = access.grants.iter().map(|grant| MetadataItem::Grant { grant: grant.clone() });
    users.chain(roles).chain(members).chain(grants).collect()
}

const fn is_access(item: &MetadataItem) -> bool {
    matches!(
        item,
        MetadataItem::User { .. }
            | MetadataItem::Role { .. }
            | MetadataItem::Member { .. }
            | MetadataItem::Grant { .. }
    )
}

fn is_there(item: &MetadataItem, target: &SourceAccess) -> bool {
    match item {
        MetadataItem::User { name } => target.users.contains(name),
        MetadataItem::Role { name } => target.roles.contains(name),
        MetadataItem::Member { user, role } => target.user_roles.contains(&(user.clone(), role.clone())),
        MetadataItem::Grant { grant } => target.grants.contains(grant),
        _ => false,
    }
}

fn lacks_user(item: &MetadataItem, target: &SourceAccess) -> bool {
    match item {
        MetadataItem::User { name } => !target.users.contains(name),
        MetadataItem::Member { user, .. } => !target.users.contains(user),
        _ => false,
    }
}

fn unknown_user(name: &str) -> Obstacle {
    Obstacle {
        operation: "CreateCredential",
        object: format!("user {name}"),
        reason: "its password is stored as a hash, which Milvus before 2.5 takes from nobody: create the user at the \
                 target with its password; its roles follow"
            .to_owned(),
    }
}

fn bring(item: &MetadataItem) -> Option<MetadataChange> {
    match item.clone() {
        MetadataItem::Role { name } => Some(MetadataChange::CreateRole { role: name }),
        MetadataItem::Member { user, role } => Some(MetadataChange::AddUserToRole { user, role }),
        MetadataItem::Grant { grant } => Some(MetadataChange::Grant(grant)),
        _ => None,
    }
}

fn take_away(item: &MetadataItem) -> Option<MetadataChange> {
    match item.clone() {
        MetadataItem::User { name } => Some(MetadataChange::DeleteUser { user: name }),
        MetadataItem::Role { name } => Some(MetadataChange::DropRole { role: name }),
        MetadataItem::Member { user, role } => Some(MetadataChange::RemoveUserFromRole { user, role }),
        MetadataItem::Grant { grant } => Some(MetadataChange::Revoke(grant)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn grant(privilege: &str) -> Grant {
        Grant {
            role: "reader".into(),
            object: "Collection".into(),
            object_name: "orders".into(),
            db: "sales".into(),
            privilege: privilege.into(),
        }
    }

    fn source() -> SourceAccess {
        let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        SourceAccess {
            users: own(&["root", "ann"]),
            roles: own(&["admin", "public", "reader"]),
            user_roles: [("ann".to_owned(), "reader".to_owned())].into(),
            grants: [grant("Search")].into(),
        }
    }

    fn bare() -> SourceAccess {
        let (users, roles) = (["root".to_owned()].into(), ["admin".to_owned(), "public".to_owned()].into());
        SourceAccess { users, roles, ..SourceAccess::default() }
    }

    fn planned(wanted: &SourceAccess, known: &BTreeSet<MetadataItem>, target: &SourceAccess) -> Plan {
        let mut made = Plan::default();
        plan(wanted, known, target, &mut made);
        made
    }

    fn names(plan: &Plan) -> Vec<&'static str> {
        plan.steps.iter().map(|step| step.change.name()).collect()
    }

    #[test]
    fn a_user_that_the_target_lacks_is_told_and_its_roles_follow_once_it_is_there() {
        let first = planned(&source(), &BTreeSet::new(), &bare());
        assert_eq!(names(&first), ["CreateRole", "OperatePrivilege"]);
        assert_eq!((first.obstacles.len(), first.obstacles[0].object.as_str()), (1, "user ann"));
        assert!(!first.known.iter().any(|item| matches!(item, MetadataItem::User { .. })));
        let mut target = bare();
        target.users.insert("ann".into());
        target.roles.insert("reader".into());
        target.grants.insert(grant("Search"));
        let then = planned(&source(), &first.known, &target);
        assert_eq!(names(&then), ["OperateUserRole"]);
        assert!(then.obstacles.is_empty());
    }

    #[test]
    fn what_leaves_leaves_in_an_order_that_milvus_takes_and_only_what_is_known() {
        let known = items(&source());
        let gone = planned(&bare(), &known, &source());
        let changes: Vec<_> = gone.steps.iter().map(|step| step.change.clone()).collect();
        let (user, role) = ("ann".to_owned(), "reader".to_owned());
        let expected = [
            MetadataChange::Revoke(grant("Search")),
            MetadataChange::RemoveUserFromRole { user: user.clone(), role: role.clone() },
            MetadataChange::DropRole { role },
            MetadataChange::DeleteUser { user },
        ];
        assert_eq!(changes, expected);
        assert!(planned(&bare(), &BTreeSet::new(), &source()).steps.is_empty());
        assert_eq!(planned(&bare(), &known, &bare()).forgotten, known);
    }

    #[test]
    fn grants_follow_the_names_at_the_target() {
        let mapping = [NameMapping {
            source_db: "sales".into(),
            target_db: "copy".into(),
            collections: BTreeMap::from([("orders".to_owned(), "bills".to_owned())]),
        }];
        let found = wanted(&source(), &mapping).grants.into_iter().next().unwrap();
        assert_eq!((found.db.as_str(), found.object_name.as_str()), ("copy", "bills"));
        let of_all = Grant { object_name: "*".into(), ..grant("Search") };
        let found = at_target(&of_all, &mapping);
        assert_eq!((found.db.as_str(), found.object_name.as_str()), ("copy", "*"));
    }

    proptest! {
        #[test]
        fn after_doing_it_nothing_is_left_to_do(wanted in any::<[bool; 3]>(), known in any::<[bool; 3]>(),
                                                there in any::<[bool; 3]>()) {
            let of = |chosen: [bool; 3]| {
                let mut access = bare();
                access.users.insert("ann".into());
                if chosen[0] {
                    access.roles.insert("reader".into());
                    if chosen[1] {
                        access.grants.insert(grant("Search"));
                    }
                    if chosen[2] {
                        access.user_roles.insert(("ann".into(), "reader".into()));
                    }
                }
                access
            };
            let (wanted, mut known, mut target) = (of(wanted), items(&of(known)), of(there));
            // What a role may do by somebody else's doing keeps it from being dropped, and is told.
            known.extend(items(&target));
            for _ in 0..3 {
                let plan = planned(&wanted, &known, &target);
                known.retain(|item| !plan.forgotten.contains(item));
                known.extend(plan.known.iter().cloned());
                for step in plan.steps {
                    match step.change {
                        MetadataChange::CreateRole { role } => drop(target.roles.insert(role)),
                        MetadataChange::DropRole { role } => {
                            prop_assert!(!target.grants.iter().any(|grant| grant.role == role));
                            target.roles.remove(&role);
                        }
                        MetadataChange::AddUserToRole { user, role } => drop(target.user_roles.insert((user, role))),
                        MetadataChange::RemoveUserFromRole { user, role } => {
                            target.user_roles.remove(&(user, role));
                        }
                        MetadataChange::Grant(grant) => drop(target.grants.insert(grant)),
                        MetadataChange::Revoke(grant) => drop(target.grants.remove(&grant)),
                        other => prop_assert!(false, "{other}"),
                    }
                }
            }
            prop_assert_eq!(planned(&wanted, &known, &target), Plan::default());
        }
    }
}
