"""A reconcile of options, a relation with two units, the own databag among peers, a port, the version and the status.

`reconcile` in crates/jujuna/tests/harness.rs reads and leaves the same on jujuna. Of the ten hook commands less, four are logs,
four are reads (leadership, the event's own relation, the peers, the own databag), and two are left out by the charm there: to ask
which ports are open before one is opened, and to say the version in a hook in which it cannot be another one.
"""

import logging

import ops


class Reconcile(ops.CharmBase):
    def __init__(self, framework):
        super().__init__(framework)
        framework.observe(self.on.db_relation_changed, self._reconcile)

    def _reconcile(self, _):
        port = self.config["port"]
        db = self.model.get_relation("db")
        name = db.data[db.app].get("name", "")
        hosts = [db.data[unit]["host"] for unit in sorted(db.units, key=lambda unit: unit.name)]
        mates = self.model.get_relation("mates")
        mates.data[self.unit].update({"hosts": ",".join(hosts), "name": name})
        self.unit.set_ports(port)
        self.unit.set_workload_version("1.2.3")
        # ops sends these to Juju, which drops them; on jujuna they end before a process is started.
        logging.debug("%d hosts", len(hosts))
        logging.debug("reconciled")
        self.unit.status = ops.ActiveStatus()


if __name__ == "__main__":
    ops.main(Reconcile)
