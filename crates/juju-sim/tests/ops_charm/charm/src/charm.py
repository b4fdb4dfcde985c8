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
        framework.observe(self.on.friends_relation_changed, self._on_friends)
        framework.observe(self.on.secret_changed, self._on_secret)
        framework.observe(self.on.friends_relation_departed, self._on_departed)

    def _on_leader(self, _):
        peers = self.model.get_relation("friends")
        if "own-secret" not in peers.data[self.app]:
            secret = self.app.add_secret({"password": "made-here"}, label="own")
            peers.data[self.app]["own-secret"] = secret.id
        self.app.status = ops.ActiveStatus("led")

    def _own(self, refresh=False):
        """The application's secret as any unit finds it: by the leader's word, tracked under a label of the unit's own."""
        peers = self.model.get_relation("friends")
        uri = peers.data[self.app].get("own-secret") if peers else None
        return self.model.get_secret(id=uri).get_content(refresh=refresh)["password"] if uri else None

    def _on_friends(self, _):
        peers = self.model.get_relation("friends")
        known = sorted(unit.name for unit in peers.units if peers.data[unit].get("noticed"))
        peers.data[self.unit]["heard"] = " ".join(known)
        peers.data[self.unit]["own"] = self._own() or ""

    def _on_secret(self, event):
        self.model.get_relation("friends").data[self.unit]["told-of"] = event.secret.get_content(refresh=True)["password"]

    def _on_departed(self, event):
        self.model.get_relation("friends").data[self.unit]["departed"] = event.departing_unit.name

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
        if self.unit.is_leader() and event.params["rotate"]:
            self.model.get_secret(label="own").set_content({"password": event.params["rotate"]})
        results = {"counted": event.params["to"], "own": self._own(refresh=True), "planned": self.app.planned_units()}
        event.set_results({**results, "leads": str(self.unit.is_leader())})

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
