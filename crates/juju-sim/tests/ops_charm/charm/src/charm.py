"""A charm on the ops library that uses what ops offers of Juju and Pebble."""

import ops


class Snake(ops.CharmBase):
    def __init__(self, framework):
        super().__init__(framework)
        for event in (self.on.config_changed, self.on.web_pebble_ready, self.on.db_relation_changed, self.on.db_relation_broken, self.on.update_status):
            framework.observe(event, self._reconcile)
        framework.observe(self.on.leader_elected, self._on_leader)
        framework.observe(self.on.web_pebble_custom_notice, self._on_notice)
        framework.observe(self.on.count_action, self._on_count)
        framework.observe(self.on.fail_action, self._on_fail)
        framework.observe(self.on.raise_action, self._on_raise)
        framework.observe(self.on.collect_unit_status, self._on_status)

    def _on_leader(self, _):
        secret = self.app.add_secret({"password": "made-here"}, label="own")
        peers = self.model.get_relation("friends")
        peers.data[self.app]["own-secret"] = secret.id
        self.app.status = ops.ActiveStatus("led")

    def _reconcile(self, _):
        container = self.unit.get_container("web")
        if not container.can_connect():
            return
        container.push("/data/greeting", self.config["greeting"] + "\n", make_dirs=True, user_id=991, group_id=991)
        layer = {"services": {"web": {"override": "replace", "summary": "s", "startup": "enabled", "command": "sleep infinity"}}}
        container.add_layer("web", layer, combine=True)
        container.replan()
        self.unit.open_port("tcp", 8080)
        self.unit.set_workload_version(container.exec(["echo", "1.2.3"]).wait_output()[0].strip())
        relation = self.model.get_relation("db")
        if relation:
            relation.data[self.unit]["seen"] = "yes"

    def _on_notice(self, event):
        peers = self.model.get_relation("friends")
        peers.data[self.unit]["noticed"] = event.notice.key

    def _on_count(self, event):
        for number in range(event.params["to"]):
            event.log(f"{number + 1}")
        own = self.model.get_secret(label="own").get_content(refresh=True)
        event.set_results({"counted": event.params["to"], "own": own["password"], "planned": self.app.planned_units()})

    def _on_fail(self, event):
        event.fail("as asked")

    def _on_raise(self, _):
        raise RuntimeError("a bug")

    def _on_status(self, event):
        container = self.unit.get_container("web")
        if not container.can_connect() or not container.get_services("web"):
            event.add_status(ops.WaitingStatus("no service yet"))
            return
        relation = self.model.get_relation("db")
        if not (relation and relation.app and relation.active):
            event.add_status(ops.BlockedStatus("relate a database"))
            return
        data = relation.data[relation.app]
        if "credentials" not in data:
            event.add_status(ops.WaitingStatus("no credentials yet"))
            return
        password = self.model.get_secret(id=data["credentials"]).get_content()["password"]
        event.add_status(ops.ActiveStatus(f"{data['url']} {password}"))


if __name__ == "__main__":
    ops.main(Snake)
