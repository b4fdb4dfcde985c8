"""The example charm hello-k8s once more, on the library ops, to be measured beside it."""

import hashlib

import ops


class Hello(ops.CharmBase):
    def __init__(self, framework):
        super().__init__(framework)
        for event in (
            self.on.config_changed,
            self.on.web_pebble_ready,
            self.on.update_status,
            self.on.upgrade_charm,
        ):
            framework.observe(event, self._reconcile)
        framework.observe(self.on.greet_action, self._greet)

    def _greet(self, event):
        event.set_results({"greeting": f"{self.config['greeting']} {event.params['name']}"})

    def _reconcile(self, _):
        greeting, port = self.config["greeting"], self.config["port"]
        self.unit.set_ports(port)
        container = self.unit.get_container("web")
        if not container.can_connect():
            self.unit.status = ops.WaitingStatus("for the container")
            return
        digest = "digest-" + hashlib.sha256(f"{greeting} {port}".encode()).hexdigest()[:16]
        if digest not in container.get_plan().to_yaml():
            container.push("/srv/hello/index.html", greeting, make_dirs=True)
            service = {
                "override": "replace",
                "startup": "enabled",
                "command": f"python3 -m http.server -d /srv/hello {port}",
                "environment": {"DIGEST": digest},
            }
            container.add_layer("web", {"services": {"web": service}}, combine=True)
            container.replan()
        self.unit.status = ops.ActiveStatus(f"on port {port}")


if __name__ == "__main__":
    ops.main(Hello)
