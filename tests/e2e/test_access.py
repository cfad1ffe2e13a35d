"""Users, roles and grants, for a task that asks for them."""

import base64

import pytest
from pymilvus.grpc_gen import milvus_pb2

from harness.rpc import Rpc
from harness.schema import simple
from harness.wait import until


class Access:
    """Users and roles of one server."""

    def __init__(self, rpc: Rpc) -> None:
        self.rpc = rpc

    def create_user(self, user, password):
        password = base64.b64encode(password.encode()).decode()
        self.rpc.call("CreateCredential", milvus_pb2.CreateCredentialRequest(username=user, password=password))

    def delete_user(self, user):
        self.rpc.call("DeleteCredential", milvus_pb2.DeleteCredentialRequest(username=user))

    def create_role(self, role):
        self.rpc.call("CreateRole", milvus_pb2.CreateRoleRequest(entity=milvus_pb2.RoleEntity(name=role)))

    def drop_role(self, role):
        self.rpc.call("DropRole", milvus_pb2.DropRoleRequest(role_name=role))

    def add(self, user, role):
        self._member(user, role, milvus_pb2.OperateUserRoleType.AddUserToRole)

    def remove(self, user, role):
        self._member(user, role, milvus_pb2.OperateUserRoleType.RemoveUserFromRole)

    def grant(self, role, privilege, database, collection):
        self._privilege(role, privilege, database, collection, milvus_pb2.OperatePrivilegeType.Grant)

    def revoke(self, role, privilege, database, collection):
        self._privilege(role, privilege, database, collection, milvus_pb2.OperatePrivilegeType.Revoke)

    def _member(self, user, role, kind):
        self.rpc.call("OperateUserRole", milvus_pb2.OperateUserRoleRequest(username=user, role_name=role, type=kind))

    def _privilege(self, role, privilege, database, collection, kind):
        entity = milvus_pb2.GrantEntity(
            role=milvus_pb2.RoleEntity(name=role), object=milvus_pb2.ObjectEntity(name="Collection"),
            object_name=collection, db_name=database,
            grantor=milvus_pb2.GrantorEntity(privilege=milvus_pb2.PrivilegeEntity(name=privilege)))
        self.rpc.call("OperatePrivilege", milvus_pb2.OperatePrivilegeRequest(entity=entity, type=kind))

    def roles(self):
        """Role -> its members and privileges; of the roles that tests make."""
        answer = self.rpc.call("SelectRole", milvus_pb2.SelectRoleRequest(include_user_info=True))
        names = {result.role.name: sorted(user.name for user in result.users) for result in answer.results}
        return {role: (members, self.grants(role)) for role, members in names.items() if role.startswith("e2e_")}

    def grants(self, role):
        entity = milvus_pb2.GrantEntity(role=milvus_pb2.RoleEntity(name=role), db_name="*")
        found = self.rpc.call("SelectGrant", milvus_pb2.SelectGrantRequest(entity=entity)).entities
        return sorted((one.object.name, one.db_name, one.object_name, one.grantor.privilege.name) for one in found)


def wait_same(source, standby, timeout_s=30):
    def same():
        assert standby.roles() == source.roles(), f"source {source.roles()}, standby {standby.roles()}"
        return True

    until("the same roles on both sides", same, timeout_s)


@pytest.fixture
def both(scene):
    """Source and standby, without what an earlier test left."""
    sides = Access(Rpc(scene.source.address, credentials="root:Milvus")), Access(scene.standby)
    yield sides
    for side in sides:
        for role, (members, grants) in side.roles().items():
            for member in members:
                side.remove(member, role)
            for _, database, name, privilege in grants:
                side.revoke(role, privilege, database, name)
            side.drop_role(role)


def test_roles_grants_and_members_follow_and_a_user_without_password_is_told(scene, both):
    source, standby = both
    scene.create(simple("a"))
    source.create_user("e2e_ann", "secret-1")
    source.create_role("e2e_reader")
    source.grant("e2e_reader", "Search", scene.database, "a")
    source.add("e2e_ann", "e2e_reader")
    task = scene.replicate(extra_info={"enable_user_role": True})

    def told():
        problems = scene.api.get(task).get("metadata_problems", [])
        assert [one["object"] for one in problems] == ["user e2e_ann"], problems
        assert "create the user at the target" in problems[0]["reason"]
        return True

    until("the user to be told", told, 30)
    until("its role to be there", lambda: standby.grants("e2e_reader") == source.grants("e2e_reader"), 30)

    # What the advice says. Any change at the source has both compared at once.
    standby.create_user("e2e_ann", "secret-1")
    source.create_role("e2e_writer")
    source.grant("e2e_writer", "Insert", scene.database, "*")
    wait_same(source, standby)
    until("nothing to be told", lambda: "metadata_problems" not in scene.api.get(task), 30)

    scene.api.pause(task)
    source.revoke("e2e_writer", "Insert", scene.database, "*")
    source.drop_role("e2e_writer")
    source.remove("e2e_ann", "e2e_reader")
    scene.api.resume(task)
    wait_same(source, standby)
    assert list(standby.roles()) == ["e2e_reader"]

    source.delete_user("e2e_ann")
    users = milvus_pb2.ListCredUsersRequest()
    until("the user to be gone",
          lambda: "e2e_ann" not in scene.standby.call("ListCredUsers", users).usernames, 30)


def test_what_a_role_only_the_standby_has_stays_and_a_task_that_does_not_ask_brings_none(scene, both):
    source, standby = both
    scene.create(simple("a"))
    standby.create_role("e2e_own")
    source.create_role("e2e_of_source")
    scene.replicate()
    until("the collection to be there", lambda: "a" in scene.standby.collections(scene.database), 30)
    scene.wait_equal()
    assert list(standby.roles()) == ["e2e_own"]
    scene.api.delete(scene.tasks.pop())
    scene.replicate(extra_info={"enable_user_role": True})
    until("the role to be there", lambda: set(standby.roles()) == {"e2e_own", "e2e_of_source"}, 30)
