//! Users and roles of the target. Passwords are nobody's business here.

use std::collections::BTreeSet;

use harrier_proto::common::MsgType;
use harrier_proto::milvus::{
    CreateRoleRequest, DeleteCredentialRequest, DropRoleRequest, GrantEntity, GrantorEntity,
    ListCredUsersRequest, ObjectEntity, OperatePrivilegeRequest, OperatePrivilegeType,
    OperateUserRoleRequest, OperateUserRoleType, PrivilegeEntity, RoleEntity, SelectGrantRequest,
    SelectRoleRequest,
};

use super::call::replicated;
use super::status::{self, Call};
use super::{ClientError, MetadataChange, MilvusClient};
use crate::catalog::{Grant, SourceAccess};
use crate::tso::Timestamp;

/// Of all databases.
const ANY: &str = "*";

impl MilvusClient {
    /// Users, roles, and what the roles may do.
    ///
    /// # Errors
    /// As every call.
    pub async fn access(&self) -> Result<SourceAccess, ClientError> {
        let mut service = self.service();
        let request = ListCredUsersRequest::default();
        let answer = self
            .call(self.options(""), request, async |request| service.list_cred_users(request).await)
            .await?;
        status::check(Call::Atomic, answer.status.as_ref())?;
        let users = answer.usernames.into_iter().collect();
        let mut access = SourceAccess { users, ..SourceAccess::default() };
        let mut service = self.service();
        let request = SelectRoleRequest { include_user_info: true, ..SelectRoleRequest::default() };
        let answer =
            self.call(self.options(""), request, async |request| service.select_role(request).await).await?;
        status::check(Call::Atomic, answer.status.as_ref())?;
        for result in answer.results {
            let role = result.role.unwrap_or_default().name;
            let of_users = result.users.into_iter().map(|user| (user.name, role.clone()));
            access.user_roles.extend(of_users);
            access.grants.extend(self.grants_of(&role).await?);
            access.roles.insert(role);
        }
        Ok(access)
    }

    async fn grants_of(&self, role: &str) -> Result<BTreeSet<Grant>, ClientError> {
        let mut service = self.service();
        let entity = GrantEntity {
            role: Some(RoleEntity { name: role.to_owned() }),
            db_name: ANY.to_owned(),
            ..GrantEntity::default()
        };
        let request = SelectGrantRequest { entity: Some(entity), ..SelectGrantRequest::default() };
        let answer =
            self.call(self.options(""), request, async |request| service.select_grant(request).await).await?;
        status::check(Call::Atomic, answer.status.as_ref())?;
        let grants = answer.entities.into_iter().map(|entity| Grant {
            role: role.to_owned(),
            object: entity.object.unwrap_or_default().name,
            object_name: entity.object_name,
            db: if entity.db_name.is_empty() { "default".to_owned() } else { entity.db_name },
            privilege: entity.grantor.and_then(|grantor| grantor.privilege).unwrap_or_default().name,
        });
        Ok(grants.collect())
    }

    pub(super) async fn change_access(
        &self,
        change: &MetadataChange,
        at: Timestamp,
    ) -> Result<(), ClientError> {
        use OperatePrivilegeType::{Grant as Give, Revoke};
        use OperateUserRoleType::{AddUserToRole, RemoveUserFromRole};
        let mut service = self.service();
        let options = self.options("");
        match change.clone() {
            MetadataChange::CreateRole { role } => {
                let base = Some(replicated(MsgType::CreateRole, at));
                let request = CreateRoleRequest { base, entity: Some(RoleEntity { name: role }) };
                self.change(options, request, async |request| service.create_role(request).await).await
            }
            MetadataChange::DropRole { role } => {
                let base = Some(replicated(MsgType::DropRole, at));
                let request = DropRoleRequest { base, role_name: role };
                self.change(options, request, async |request| service.drop_role(request).await).await
            }
            MetadataChange::DeleteUser { user } => {
                let base = Some(replicated(MsgType::DeleteCredential, at));
                let request = DeleteCredentialRequest { base, username: user };
                self.change(options, request, async |request| service.delete_credential(request).await).await
            }
            MetadataChange::AddUserToRole { user, role } => {
                self.operate_user_role((user, role), AddUserToRole, at).await
            }
            MetadataChange::RemoveUserFromRole { user, role } => {
                self.operate_user_role((user, role), RemoveUserFromRole, at).await
            }
            MetadataChange::Grant(grant) => self.operate_privilege(grant, Give, at).await,
            MetadataChange::Revoke(grant) => self.operate_privilege(grant, Revoke, at).await,
            _ => Ok(()),
        }
    }

    async fn operate_user_role(
        &self,
        (username, role_name): (String, String),
        r#type: OperateUserRoleType,
        at: Timestamp,
    ) -> Result<(), ClientError> {
        let mut service = self.service();
        let base = Some(replicated(MsgType::OperateUserRole, at));
        let request = OperateUserRoleRequest { base, username, role_name, r#type: r#type as i32 };
        self.change(self.options(""), request, async |request| service.operate_user_role(request).await).await
    }

    async fn operate_privilege(
        &self,
        grant: Grant,
        r#type: OperatePrivilegeType,
        at: Timestamp,
    ) -> Result<(), ClientError> {
        let mut service = self.service();
        let privilege = Some(PrivilegeEntity { name: grant.privilege });
        let entity = GrantEntity {
            role: Some(RoleEntity { name: grant.role }),
            object: Some(ObjectEntity { name: grant.object }),
            object_name: grant.object_name,
            grantor: Some(GrantorEntity { user: None, privilege }),
            db_name: grant.db,
        };
        let base = Some(replicated(MsgType::OperatePrivilege, at));
        let request = OperatePrivilegeRequest { base, entity: Some(entity), r#type: r#type as i32 };
        self.change(self.options(""), request, async |request| service.operate_privilege(request).await).await
    }
}
